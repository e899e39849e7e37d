//! Firmware: requirements of UEFI, and features that need stored variables.

use super::facts::{is_qemu, is_x86};
use crate::model::domain::Domain;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(os) = root.child("os") else { return };
    check_acpi(root, os, out);
    check_stateless(os, out);
}

/// Reports UEFI firmware without ACPI on x86. On ARM it is the reverse: ACPI needs UEFI.
fn check_acpi(root: NodeRef<'_>, os: NodeRef<'_>, out: &mut Diagnostics) {
    if !is_qemu(root) || !is_x86(root) || Domain::new(root).has_feature("acpi") {
        return;
    }
    let chosen = os.attribute("firmware").filter(|f| f.value == "efi");
    let flash = || os.child("loader")?.attribute("type").filter(|t| t.value == "pflash");
    if let Some(place) = chosen.or_else(flash) {
        out.push(
            Diagnostic::error("needs-acpi", "UEFI firmware needs ACPI on this architecture")
                .at(place.span)
                .detail("the features of the domain have no acpi")
                .hint("add acpi to features"),
        );
    }
}

fn check_stateless(os: NodeRef<'_>, out: &mut Diagnostics) {
    let loader = os.child("loader").and_then(|l| l.attribute("stateless"));
    if let Some(stateless) = loader.filter(|s| s.value == "yes")
        && let Some(nvram) = os.child("nvram")
    {
        out.push(
            Diagnostic::error("stateless-nvram", "a stateless loader has no NVRAM")
                .at(nvram.span())
                .related(stateless.span, "the loader is stateless")
                .hint("remove nvram, or stateless"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, problems};
    use super::*;

    #[test]
    fn uefi_without_acpi() {
        let domain = |kind: &str, arch: &str, firmware: &str, loader: &str, features: &str| {
            format!(
                "<domain type='{kind}'><os{firmware}><type{arch}>hvm</type>{loader}</os>\
                 <features>{features}</features></domain>"
            )
        };
        let (x86, arm) = (" arch='x86_64'", " arch='aarch64'");
        let (efi, flash) = (" firmware='efi'", "<loader type='pflash'>/a</loader>");
        for (kind, arch, firmware, loader, features, expected) in [
            ("kvm", x86, efi, "", "", Some("34 needs-acpi!")),
            ("qemu", " arch='i686'", efi, "", "", Some("35 needs-acpi!")),
            ("kvm", x86, "", flash, "", Some("68 needs-acpi!")),
            ("kvm", x86, "", "<loader type='rom'>/a</loader>", "", None),
            ("kvm", x86, efi, "", "<acpi/>", None),
            ("kvm", x86, " firmware='bios'", "", "", None),
            ("kvm", arm, efi, "", "", None),
            // which one it is the host knows
            ("kvm", "", efi, "", "", None),
            ("test", x86, efi, "", "", None),
        ] {
            let text = domain(kind, arch, firmware, loader, features);
            assert_eq!(problems(&text, check), Vec::from_iter(expected), "{text}");
        }
    }

    #[test]
    fn nvram_of_nothing() {
        let os = |stateless: &str, nvram: &str| {
            format!("<os><loader stateless='{stateless}'/>{nvram}</os>")
        };
        finds(
            check,
            &[
                (&os("yes", "<nvram>/a</nvram>"), &["49 stateless-nvram!"]),
                (&os("yes", "<nvram template='/a'/>"), &["49 stateless-nvram!"]),
                (&os("yes", ""), &[]),
                (&os("no", "<nvram>/a</nvram>"), &[]),
            ],
        );
    }
}
