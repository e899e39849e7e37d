//! Domains: guests that are asked to shut down.

use super::row::{KindRules, NOT_STARTED, Operations};
use crate::model::{DesiredResource, DomainOp, Effect, ObservedResource, Op, UndefineKeep};
use xmltree::Element;

/// Why a domain is off, by libvirt's numbers, where nobody turned it off: it has not been started since
/// it was defined or since the daemon came up, and a start that failed.
const OFF_UNTIL_NOW: i32 = 0;
const START_FAILED: i32 = 6;

pub(super) const RULES: KindRules = KindRules {
    ops: Operations {
        define: |xml| DomainOp::Define { xml }.into(),
        undefine: |keep| DomainOp::Undefine { keep }.into(),
        create: |paused| Some(DomainOp::Create { paused }.into()),
        destroy: || Some(Op::Domain(DomainOp::Destroy)),
        set_autostart: |on| Some(DomainOp::SetAutostart { on }.into()),
    },
    restart: Effect::Restart,
    shuts_down: true,
    pauses: true,
    // NVRAM and the state of a TPM
    undefine_keeps: UndefineKeep::State,
    changes_one_by_one: false,
    waits: "waits for the next boot",
    unstarted,
    drop_identity,
};

fn unstarted(_: &DesiredResource, host: &ObservedResource) -> Option<&'static str> {
    match host.reason {
        START_FAILED => Some("not started: its last start failed"),
        OFF_UNTIL_NOW => Some(NOT_STARTED),
        _ => None,
    }
}

fn drop_identity(document: &mut Element) {
    let devices = document.child_mut("devices");
    for nic in devices.into_iter().flat_map(Element::elements_mut) {
        nic.remove_elements(|e| e.is("mac"));
    }
    let os_type = document.child_mut("os").and_then(|os| os.child_mut("type"));
    if let Some(os_type) = os_type
        && let Some(family) = os_type.attr("machine").and_then(family)
    {
        os_type.set_attr("machine", family);
    }
}

/// The name of a machine's family that stands for its newest version: `q35` of `pc-q35-10.0`.
fn family(machine: &str) -> Option<String> {
    let (stem, version) = machine.rsplit_once('-')?;
    let (major, minor) = version.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let name = match stem {
        "pc-q35" => "q35",
        "pc-i440fx" => "pc",
        other => other,
    };
    (is_number(major) && is_number(minor)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_by_family() {
        for (machine, name) in [
            ("pc-q35-10.0", Some("q35")),
            ("pc-i440fx-7.2", Some("pc")),
            ("virt-9.0", Some("virt")),
            ("pc-q35-rhel9.0", None),
            ("microvm", None),
        ] {
            assert_eq!(family(machine).as_deref(), name, "{machine}");
        }
    }
}
