//! Oracle: plain `virsh define`'s version of a text, on a libvirtd of the tests' own, and the meaning of a
//! definition that equals it.

mod bench;
mod canonical;
mod promise;

pub(crate) use bench::{Applied, Bench, Wanted};
pub(crate) use canonical::{Difference, Tree, compare, nics};
pub(crate) use promise::{Sides, broken};

use diagnostics::SourceId;
use std::panic::AssertUnwindSafe;
use xmltree::{Element, Limits, parse};

/// The settings in each manifest: only definitions count.
pub(crate) const SETTINGS: &str =
    "<virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='manual'/>";

/// The tree of a text, which is well-formed.
pub(crate) fn tree(text: &str) -> Element {
    parse(SourceId::NONE, text, &Limits::default()).unwrap_or_else(|d| panic!("{d:?}: {text}"))
}

/// The document as a manifest that is defined and not started.
pub(crate) fn with_settings(mut document: Element) -> Element {
    document.child_or_new("metadata").push(tree(SETTINGS));
    document
}

/// Returns the result of some work, or `None` if the daemon ended in it; a new one is started then.
pub(crate) fn alive<T>(bench: &mut Bench, work: impl FnOnce(&Bench) -> T) -> Option<T> {
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| work(bench)));
    match result {
        Ok(result) => Some(result),
        Err(_) if !bench.libvirtd().answers() => {
            *bench = Bench::start();
            None
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Returns the manifest with the identity chosen when the object was first made: its UUID, and MAC addresses
/// by place.
pub(crate) fn with_identity(manifest: &Element, mine: &Element) -> Element {
    let mut said = manifest.clone();
    said.child_or_new("uuid").set_text(mine.child_text("uuid").unwrap_or_default());
    let written: Vec<String> = nics(&Tree::of(manifest)).into_iter().flatten().collect();
    let mut free = nics(&Tree::of(mine)).into_iter().flatten().filter(|m| !written.contains(m));
    let Some(devices) = said.child_mut("devices") else { return said };
    for nic in devices.elements_mut().filter(|e| e.is("interface")) {
        let mac = nic.child("mac").and_then(|m| m.attr("address")).unwrap_or_default();
        if mac.chars().all(|c| c == '0' || c == ':')
            && let Some(address) = free.next()
        {
            nic.child_or_new("mac").set_attr("address", address);
        }
    }
    said
}
