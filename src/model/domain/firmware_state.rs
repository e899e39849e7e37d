//! State of a domain that a host keeps beside its disks: the variables of its firmware, and its TPM's state.

use xmltree::NodeRef;

/// The variables of a domain's UEFI firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nvram {
    /// The file, if the definition tells it.
    pub path: Option<String>,
}

/// The NVRAM of a domain, if its definition has one.
pub fn nvram(definition: NodeRef<'_>) -> Option<Nvram> {
    let os = definition.child("os")?;
    let loader = os.child("loader");
    let is_flash =
        |l: NodeRef<'_>| l.attr("type") == Some("pflash") && l.attr("stateless") != Some("yes");
    let element = os.child("nvram");
    (element.is_some() || loader.is_some_and(is_flash)).then(|| {
        let file =
            |e: NodeRef<'_>| e.child("source").and_then(|s| s.attr("file")).map(str::to_owned);
        let path = element.and_then(|e| file(e).or_else(|| Some(e.text().trim().to_owned())));
        Nvram { path: path.filter(|path| !path.is_empty()) }
    })
}

/// Whether the host keeps the state of an emulated TPM.
pub fn has_tpm_state(definition: NodeRef<'_>) -> bool {
    let tpms = definition.child("devices").into_iter().flat_map(|d| d.children_named("tpm"));
    let mut backends = tpms.filter_map(|tpm| tpm.child("backend"));
    backends.any(|backend| backend.attr("type") == Some("emulator"))
}
