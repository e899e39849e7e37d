//! Rules for domains that no grammar can say: values that do not go together. One file a subject;
//! `model/rules.rs` lists them. What libvirt 11.3 refuses, or what cannot start, is an error.

mod addresses;
mod boot;
mod disks;
mod displays;
mod firmware;
mod identity;
mod interfaces;
mod memory;
mod numa;
mod ports;
mod processor;
mod slots;
mod spellings;
mod vcpus;

pub(crate) use addresses::host_device;
pub(crate) use ports::listeners;

use crate::diag::Diagnostics;
use crate::xml::Element;

/// Adds what does not go together in the domain document `root`.
pub(super) fn check(root: &Element, out: &mut Diagnostics) {
    crate::model::lint::check_padding(root, out);
    crate::model::lint::check_running(root, out);
    memory::check(root, out);
    vcpus::check(root, out);
    numa::check(root, out);
    processor::check(root, out);
    firmware::check(root, out);
    boot::check(root, out);
    disks::check(root, out);
    interfaces::check(root, out);
    addresses::check(root, out);
    slots::check(root, out);
    ports::check(root, out);
    displays::check(root, out);
    identity::check(root, out);
    spellings::check(root, out);
}

/// The devices in document order.
fn devices(root: &Element) -> impl Iterator<Item = &Element> {
    root.children_named("devices").flat_map(Element::elements)
}

/// Whether a console is only the other name of the first serial port: what is said of that one is
/// not said of it again.
fn is_serial_again(device: &Element) -> bool {
    device.is("console")
        && device.child("target").is_none_or(|t| matches!(t.attr("type"), None | Some("serial")))
}

/// Whether QEMU runs the domain: what only its driver refuses is an error there alone.
fn is_qemu(root: &Element) -> bool {
    matches!(root.attr("type"), Some("qemu" | "kvm"))
}

/// Whether the domain is written for a PC; without an architecture it is the host's, which no
/// manifest knows.
fn is_x86(root: &Element) -> bool {
    let arch = root.descend(&["os", "type"]).and_then(|kind| kind.attr("arch"));
    matches!(arch, Some("x86_64" | "i686"))
}

/// The most processors of the domain; `None` if the number cannot be read.
fn vcpus(root: &Element) -> Option<u32> {
    root.child("vcpu").map_or(Some(1), |v| v.text().parse().ok())
}

/// How many NUMA cells the domain has.
fn cells(root: &Element) -> usize {
    root.descend(&["cpu", "numa"]).map_or(0, |numa| numa.children_named("cell").count())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use crate::diag::Sources;
    use crate::xml::{Limits, parse};

    /// The problems of `text`, each as `column code`, errors with `!`; the text is one line.
    pub(in crate::model::domain::lint) fn problems(
        text: &str,
        check: fn(&Element, &mut Diagnostics),
    ) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add("x.xml", text);
        let root = parse(id, text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(&root, &mut out);
        out.sort();
        out.iter()
            .map(|d| {
                let (_, at) = sources.locate(d.span.unwrap()).unwrap();
                assert!(d.hint.is_some() || d.detail.is_some(), "{}: no help", d.code);
                format!("{} {}{}", at.column, d.code, if d.is_error() { "!" } else { "" })
            })
            .collect()
    }

    /// Asserts what `check` finds in `<domain type='kvm'>` (19 characters) around each text.
    pub(in crate::model::domain::lint) fn finds(
        check: fn(&Element, &mut Diagnostics),
        cases: &[(&str, &[&str])],
    ) {
        for (inside, expected) in cases {
            let text = format!("<domain type='kvm'>{inside}</domain>");
            assert_eq!(problems(&text, check), *expected, "{inside}");
        }
    }
}
