//! What is certainly wrong with a domain's values, each with its place. What only a newer libvirt
//! knows passes; what a grammar says better is left to the grammar.

use super::check_devices::check_devices;
use super::lint;
use crate::diag::{Diagnostic, Diagnostics, closest};
use crate::model::values::{check_identity, found};
use crate::model::{MEMORY_UNITS, MemoryError, memory_kib};
use crate::xml::Element;

/// Adds the problems of the domain document `root` to `out`.
pub fn check(root: &Element, out: &mut Diagnostics) {
    check_identity(root, out);
    check_hypervisor(root, out);
    check_memory(root, out);
    check_vcpus(root, out);
    check_os(root, out);
    check_lifecycle(root, out);
    check_devices(root, out);
    lint::check(root, out);
}

fn check_hypervisor(root: &Element, out: &mut Diagnostics) {
    if root.attr("type").is_none_or(str::is_empty) {
        out.push(
            Diagnostic::error("missing-type", "the domain does not say which hypervisor it is for")
                .at(root.span)
                .hint("add type, such as kvm, qemu or xen"),
        );
    }
}

fn check_memory(root: &Element, out: &mut Diagnostics) {
    let memory = root.child("memory");
    // with NUMA cells libvirt adds their memory up
    if memory.is_none() && root.descend(&["cpu", "numa", "cell"]).is_none() {
        out.push(
            Diagnostic::error("missing-memory", "the domain has no memory")
                .at(root.span)
                .hint("add memory with a unit, such as 512 MiB"),
        );
    }
    let memory = memory.and_then(|m| check_amount(m, out));
    let Some(current) = root.child("currentMemory") else { return };
    let amount = check_amount(current, out);
    if let (Some(memory), Some(amount)) = (memory, amount)
        && amount > memory
        && root.descend(&["devices", "memory"]).is_none()
    {
        out.push(
            Diagnostic::warning("memory-clamped", "currentMemory is more than memory")
                .at(current.text_span())
                .detail(format!("{amount} KiB of {memory} KiB; the hypervisor takes memory")),
        );
    }
}

fn check_amount(element: &Element, out: &mut Diagnostics) -> Option<u64> {
    let (text, unit) = (element.text(), element.attribute("unit"));
    let what = &element.name.local;
    let problem = match memory_kib(&text, unit.map(|u| u.value.as_str())) {
        Ok(kib) => return Some(kib),
        Err(MemoryError::UnknownUnit) => {
            Diagnostic::error("bad-unit", format!("the unit of {what} is not known"))
                .at(unit.map_or(element.span, |u| u.span))
                .detail(format!(
                    "{}; expected {MEMORY_UNITS}",
                    found(unit.map_or("", |u| &u.value))
                ))
        }
        Err(e @ MemoryError::NotANumber) => {
            Diagnostic::error("bad-number", format!("{what} cannot be read: {e}"))
                .at(element.text_span())
                .detail(found(&text))
                .hint("write the digits as the value and the unit beside it, such as 512 and MiB")
        }
        Err(e @ MemoryError::TooLarge) => {
            Diagnostic::error("bad-number", format!("{what} cannot be used: {e}"))
                .at(element.text_span())
                .detail(found(&text))
        }
    };
    out.push(problem);
    None
}

fn check_vcpus(root: &Element, out: &mut Diagnostics) {
    let Some(vcpu) = root.child("vcpu") else { return };
    let text = vcpu.text();
    let most = match text.parse::<u32>() {
        Ok(n) if n > 0 => n,
        Ok(_) | Err(_) => {
            out.push(
                Diagnostic::error("bad-number", "vcpu is not a number of processors")
                    .at(vcpu.text_span())
                    .detail(format!("{}; expected a whole number from 1", found(&text))),
            );
            return;
        }
    };
    let Some(current) = vcpu.attribute("current") else { return };
    if current.value.parse::<u32>().is_ok_and(|n| (1..=most).contains(&n)) {
        return;
    }
    out.push(
        Diagnostic::error("bad-number", "the current processors are not some of all processors")
            .at(current.span)
            .detail(format!("{}; expected 1 to {most}", found(&current.value))),
    );
}

fn check_os(root: &Element, out: &mut Diagnostics) {
    let kind = root.descend(&["os", "type"]);
    if kind.is_none_or(|k| k.text().is_empty()) && root.child("bootloader").is_none() {
        out.push(
            Diagnostic::error("missing-os-type", "the domain does not say what its system needs")
                .at(kind.or(root.child("os")).unwrap_or(root).span)
                .hint("add a type to os: hvm for a fully virtualised machine"),
        );
    }
}

const LIFECYCLE: [(&str, &[&str]); 4] = [
    ("on_poweroff", &["destroy", "restart", "preserve", "rename-restart"]),
    ("on_reboot", &["destroy", "restart", "preserve", "rename-restart"]),
    (
        "on_crash",
        &[
            "destroy",
            "restart",
            "preserve",
            "rename-restart",
            "coredump-destroy",
            "coredump-restart",
        ],
    ),
    ("on_lockfailure", &["poweroff", "restart", "pause", "ignore"]),
];

fn check_lifecycle(root: &Element, out: &mut Diagnostics) {
    for (event, actions) in LIFECYCLE {
        let Some(element) = root.child(event) else { continue };
        let action = element.text();
        if actions.contains(&action.as_str()) {
            continue;
        }
        let mut problem = Diagnostic::error("bad-action", format!("{event} has no such action"))
            .at(element.text_span())
            .detail(format!("{}; expected one of {}", found(&action), actions.join(", ")));
        problem.hint =
            closest(&action, actions.iter().copied()).map(|a| format!("did you mean {a}?"));
        out.push(problem);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use crate::diag::{Sources, excerpt};
    use crate::xml::{Limits, parse};

    /// The problems of a domain around `inside`, each as `line:column code`.
    fn problems(inside: &str) -> Vec<String> {
        let text = format!(
            "<domain type='qemu'><name>web</name><memory unit='MiB'>64</memory>\
             <os><type>hvm</type></os>\n{inside}</domain>"
        );
        whole(&text)
    }

    fn whole(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add("web.xml", text);
        let root = parse(id, text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(&root, &mut out);
        out.sort();
        out.iter()
            .map(|d| {
                let (_, at) = sources.locate(d.span.unwrap()).unwrap();
                assert_eq!(excerpt(&d.summary), d.summary);
                format!("{}:{} {}", at.line, at.column, d.code)
            })
            .collect()
    }

    #[test]
    fn a_sound_domain_has_no_problem() {
        assert_eq!(
            problems(
                "<uuid>4dea22b31d52d8f32516782e98ab3fa0</uuid><vcpu current='1'>2</vcpu>\
                 <on_crash>coredump-restart</on_crash><devices>\
                 <disk type='file' device='cdrom'><target dev='hdc'/></disk>\
                 <disk><source file='/a'/><target dev='vda'/></disk>\
                 <interface type='network'><source network='lan'/></interface>\
                 <interface type='mcast'><source address='230.0.0.1' port='5558'/></interface>\
                 <interface type='server'><source port='5558'/></interface>\
                 <graphics type='vnc' port='-1'/></devices>"
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_problem_has_its_place() {
        for (inside, expected) in [
            ("<uuid>7</uuid>", "2:7 bad-uuid"),
            ("<vcpu>0</vcpu>", "2:7 bad-number"),
            ("<vcpu>many</vcpu>", "2:7 bad-number"),
            ("<vcpu current='3'>2</vcpu>", "2:16 bad-number"),
            ("<currentMemory>65537</currentMemory>", "2:16 memory-clamped"),
            ("<currentMemory>lots</currentMemory>", "2:16 bad-number"),
            ("<currentMemory unit='stone'>1</currentMemory>", "2:22 bad-unit"),
            ("<currentMemory unit='EiB'>99</currentMemory>", "2:27 bad-number"),
            ("<on_crash>coredump-destory</on_crash>", "2:11 bad-action"),
        ] {
            assert_eq!(problems(inside), [expected], "{inside}");
        }
    }

    #[test]
    fn what_is_missing_is_said_at_once() {
        assert_eq!(
            whole("<domain/>"),
            ["1:1 missing-name", "1:1 missing-type", "1:1 missing-memory", "1:1 missing-os-type"]
        );
        let bad =
            "<domain type='kvm'><name>a/b</name><memory>1.5</memory><os><type/></os></domain>";
        assert_eq!(whole(bad), ["1:26 bad-name", "1:44 bad-number", "1:60 missing-os-type"]);
    }
}
