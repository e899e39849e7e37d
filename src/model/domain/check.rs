//! Certain errors in a domain's values that no grammar can express, each with its place. A value that the
//! grammar refuses passes here: it was reported already.

use super::check_devices::check_devices;
use super::lint;
use crate::model::values::{check_identity, found};
use crate::model::{MemoryError, memory_kib};
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

/// Adds the problems of the domain document `root` to `out`.
pub fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_identity(root, out);
    check_memory(root, out);
    check_vcpus(root, out);
    check_devices(root, out);
    lint::check(root, out);
}

fn check_memory(root: NodeRef<'_>, out: &mut Diagnostics) {
    let memory = root.child("memory");
    let has_cells = root.descend(&["cpu", "numa", "cell"]).is_some();
    // with NUMA cells libvirt adds their memory up
    if memory.is_none() && !has_cells {
        out.push(
            Diagnostic::error("missing-memory", "the domain has no memory")
                .at(root.span())
                .hint("add memory with a unit, such as 512 MiB"),
        );
    }
    if let Some(memory) = memory
        && !has_cells
        && memory_kib(&memory.text(), memory.attr("unit")) == Ok(0)
    {
        out.push(
            Diagnostic::error("missing-memory", "the domain has no memory")
                .at(memory.text_span())
                .detail(found(&memory.text()))
                .hint("write as much as the guest is to have, such as 512 MiB"),
        );
        return;
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

/// The amount in KiB, unless it cannot be counted.
fn check_amount(element: NodeRef<'_>, out: &mut Diagnostics) -> Option<u64> {
    let text = element.text();
    match memory_kib(&text, element.attr("unit")) {
        Ok(kib) => return Some(kib),
        Err(MemoryError::TooLarge) => {
            let what = &element.name().local;
            out.push(
                Diagnostic::error("bad-number", format!("{what} is too large"))
                    .at(element.text_span())
                    .detail(found(&text)),
            );
        }
        // the grammar has said it
        Err(MemoryError::NotANumber | MemoryError::UnknownUnit) => {}
    }
    None
}

fn check_vcpus(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(vcpu) = root.child("vcpu") else { return };
    let (Ok(most), Some(current)) = (vcpu.text().parse::<u32>(), vcpu.attribute("current")) else {
        return;
    };
    if current.value.parse::<u32>().is_ok_and(|n| n > most) {
        out.push(
            Diagnostic::error("bad-number", "there are more current processors than processors")
                .at(current.span)
                .detail(format!("{}; expected 1 to {most}", found(&current.value))),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use diagnostics::{Sources, excerpt};
    use xmltree::{Limits, parse};

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
        check(root.node(), &mut out);
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
            ("<vcpu current='3'>2</vcpu>", "2:16 bad-number"),
            ("<currentMemory>65537</currentMemory>", "2:16 memory-clamped"),
            ("<currentMemory unit='EiB'>99</currentMemory>", "2:27 bad-number"),
        ] {
            assert_eq!(problems(inside), [expected], "{inside}");
        }
    }

    #[test]
    fn memory_is_some() {
        let of = |memory: &str, cpu: &str| {
            whole(&format!("<domain><name>a</name><memory>{memory}</memory>{cpu}</domain>"))
        };
        let cells = "<cpu><numa><cell memory='1024'/></numa></cpu>";
        assert_eq!(of("0", ""), ["1:31 missing-memory"]);
        assert_eq!(of("1", ""), Vec::<String>::new());
        assert!(!of("0", cells).contains(&"1:31 missing-memory".to_owned()));
    }

    #[test]
    fn what_the_grammar_refuses_is_left_to_it() {
        assert_eq!(whole("<domain/>"), ["1:1 missing-memory"]);
        for inside in [
            "<uuid>7</uuid>",
            "<vcpu>0</vcpu>",
            "<vcpu current='2'>many</vcpu>",
            "<vcpu current='many'>2</vcpu>",
            "<currentMemory>lots</currentMemory>",
            "<currentMemory unit='stone'>1</currentMemory>",
            "<on_crash>coredump-destory</on_crash>",
        ] {
            assert_eq!(problems(inside), Vec::<String>::new(), "{inside}");
        }
        let bad =
            "<domain type='kvm'><name>a/b</name><memory>1.5</memory><os><type/></os></domain>";
        assert_eq!(whole(bad), ["1:26 bad-name"]);
    }
}
