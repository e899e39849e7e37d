//! Rules for domains that no grammar can say: values that do not go together. One file per subject;
//! `model/rules/` lists them. What libvirt 11.3 refuses, or what cannot start, is an error.
//!
//! - `addresses.rs`: addresses inside the guest and devices of the host: no two devices share one
//! - `boot.rs`: boot order: said once, and in one way
//! - `disks.rs`: disks: names that do not suit the bus or the device, identities that do not fit
//! - `displays.rs`: displays: channels and sound that only SPICE carries, VNC's short passwords
//! - `facts.rs`: facts of a domain that several lints ask for
//! - `firmware.rs`: firmware: requirements of UEFI, and of firmware without a store
//! - `identity.rs`: names of the domain and its devices: aliases, UUID of the firmware, labels
//! - `interfaces.rs`: network interfaces: names and addresses that clash, VLAN tags
//! - `memory.rs`: memory: amounts that contradict one another, memory devices, huge pages
//! - `numa.rs`: NUMA cells: their numbers, their processors, and references to them
//! - `ports.rs`: ports of the host that the domain listens on, and ports of servers it connects to
//! - `processor.rs`: the processor: settings that only some modes have, Hyper-V's spin locks
//! - `slots.rs`: buses inside the guest: slots that a PCI controller does not have, IDE where there is none
//! - `spellings.rs`: spellings of libvirt's first years, which the grammar still takes and libvirt does not read
//! - `vcpus.rs`: processors and I/O threads: numbers that name none of the domain's

mod addresses;
mod boot;
mod disks;
mod displays;
mod facts;
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

use diagnostics::Diagnostics;
use xmltree::NodeRef;

/// Reports combinations in the domain document `root` that do not work together.
pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use diagnostics::Sources;
    use xmltree::{Limits, parse};

    /// The problems of `text`, each as `column code`, errors with `!`; the text is one line.
    pub(in crate::model::domain::lint) fn problems(
        text: &str,
        check: fn(NodeRef<'_>, &mut Diagnostics),
    ) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add("x.xml", text);
        let root = parse(id, text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(root.node(), &mut out);
        out.sort();
        out.iter()
            .map(|d| {
                let (_, at) = sources.locate(d.span.unwrap()).unwrap();
                assert!(d.hint.is_some() || d.detail.is_some(), "{}: no help", d.code);
                format!("{} {}{}", at.column, d.code, if d.is_error() { "!" } else { "" })
            })
            .collect()
    }

    /// Asserts the findings of `check` in `<domain type='kvm'>` (19 characters) around each text.
    pub(in crate::model::domain::lint) fn finds(
        check: fn(NodeRef<'_>, &mut Diagnostics),
        cases: &[(&str, &[&str])],
    ) {
        for (inside, expected) in cases {
            let text = format!("<domain type='kvm'>{inside}</domain>");
            assert_eq!(problems(&text, check), *expected, "{inside}");
        }
    }
}
