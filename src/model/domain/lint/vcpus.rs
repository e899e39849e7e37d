//! Processors and I/O threads: numbers that name none of the domain's.

use super::facts::{devices, is_qemu, vcpus};
use crate::model::lint::{Claims, NumberSet, first_overlap};
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics, Span};
use std::collections::BTreeSet;
use xmltree::{Attribute, NodeRef};

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    if let Some(most) = vcpus(root) {
        check_list(root, most, out);
        check_pins(root, most, out);
        check_topology(root, most, out);
    }
    check_schedulers(root, vcpus(root), out);
    let threads = thread_ids(root, out);
    check_thread_users(root, &threads, out);
}

fn no_vcpu(id: &Attribute, most: u32) -> Diagnostic {
    Diagnostic::error("unknown-vcpu", "the domain has no such processor")
        .at(id.span)
        .detail(format!("{}; expected 0 to {}", found(&id.value), most.saturating_sub(1)))
        .hint("processors are counted from 0; raise vcpu or leave this out")
}

/// `<vcpus>` may only list processors that there are.
fn check_list(root: NodeRef<'_>, most: u32, out: &mut Diagnostics) {
    let Some(list) = root.child("vcpus") else { return };
    let mut seen = Claims::default();
    for id in list.children_named("vcpu").filter_map(|v| v.attribute("id")) {
        let Ok(number) = id.value.parse::<u32>() else { continue };
        if number >= most {
            out.push(no_vcpu(id, most));
        } else if let Some(first) = seen.claim(number, id.span) {
            out.push(twice(
                Diagnostic::error("duplicate-vcpu", "the processor is listed twice"),
                id,
                first,
            ));
        }
    }
}

fn twice(problem: Diagnostic, id: &Attribute, first: Span) -> Diagnostic {
    problem
        .at(id.span)
        .detail(found(&id.value))
        .related(first, "the first one")
        .hint("keep one of them")
}

fn check_pins(root: NodeRef<'_>, most: u32, out: &mut Diagnostics) {
    let Some(tune) = root.child("cputune") else { return };
    let mut seen = Claims::default();
    for id in tune.children_named("vcpupin").filter_map(|p| p.attribute("vcpu")) {
        let Ok(number) = id.value.parse::<u32>() else { continue };
        if number >= most {
            // libvirt drops it without a word
            let mut problem = no_vcpu(id, most);
            problem.severity = diagnostics::Severity::Warning;
            out.push(problem);
        } else if let Some(first) = seen.claim(number, id.span) {
            out.push(twice(
                Diagnostic::error("duplicate-vcpu", "the processor is pinned twice"),
                id,
                first,
            ));
        }
    }
}

/// The product of a topology has to be the number of processors.
fn check_topology(root: NodeRef<'_>, most: u32, out: &mut Diagnostics) {
    let Some(topology) = root.descend(&["cpu", "topology"]) else { return };
    let part = |name| topology.attr(name).map_or(Some(1), |v| v.parse::<u64>().ok());
    let product = ["sockets", "dies", "clusters", "cores", "threads"]
        .into_iter()
        .try_fold(1_u64, |product, name| product.checked_mul(part(name)?));
    let Some(product) = product.filter(|p| *p != u64::from(most)) else { return };
    let summary = "the topology does not make up the processors";
    let problem = if is_qemu(root) {
        Diagnostic::error("cpu-topology", summary)
    } else {
        Diagnostic::warning("cpu-topology", summary)
    };
    let place = root.child("vcpu").map_or(root.span(), NodeRef::text_span);
    out.push(
        problem
            .at(topology.span())
            .detail(format!("{product} in the topology, {most} in vcpu"))
            .related(place, "the processors")
            .hint("sockets, dies, clusters, cores and threads multiplied have to make vcpu"),
    );
}

/// Checks that each processor or thread has one scheduler.
fn check_schedulers(root: NodeRef<'_>, most: Option<u32>, out: &mut Diagnostics) {
    let Some(tune) = root.child("cputune") else { return };
    for (name, key) in [("vcpusched", "vcpus"), ("iothreadsched", "iothreads")] {
        let places: Vec<&Attribute> =
            tune.children_named(name).filter_map(|s| s.attribute(key)).collect();
        let sets: Vec<NumberSet> =
            places.iter().map(|a| NumberSet::parse(&a.value).unwrap_or_default()).collect();
        if let Some(most) = most.filter(|_| key == "vcpus") {
            let beyond = |set: &NumberSet| set.last().is_some_and(|last| last >= most);
            let wrong = places.iter().zip(&sets).filter(|(_, set)| beyond(set));
            out.extend(wrong.map(|(place, _)| no_vcpu(place, most)));
        }
        let pair = first_overlap(&sets).and_then(|(a, b)| Some((places.get(a)?, places.get(b)?)));
        if let Some((second, first)) = pair {
            let summary = "two schedulers are for one thread";
            out.push(twice(Diagnostic::error("overlapping-sets", summary), second, first.span));
        }
    }
}

/// Most threads that a message lists.
const SHOWN: usize = 16;

/// More threads than a host can run; a number of millions must not cost memory.
const THREADS_MAX: u32 = 65_536;

/// The numbers of the I/O threads; those without one are counted on from 1.
fn thread_ids(root: NodeRef<'_>, out: &mut Diagnostics) -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    let mut seen = Claims::default();
    let listed = root.child("iothreadids").into_iter();
    for id in listed.flat_map(|l| l.children_named("iothread")).filter_map(|t| t.attribute("id")) {
        let Ok(number) = id.value.parse::<u32>() else { continue };
        ids.insert(number);
        if let Some(first) = seen.claim(number, id.span) {
            out.push(twice(
                Diagnostic::error("duplicate-iothread", "two I/O threads have one number"),
                id,
                first,
            ));
        }
    }
    let count: usize = root.child("iothreads").and_then(|n| n.text().parse().ok()).unwrap_or(0);
    for number in 1..=THREADS_MAX {
        if ids.len() >= count {
            break;
        }
        ids.insert(number);
    }
    ids
}

fn check_thread_users(root: NodeRef<'_>, threads: &BTreeSet<u32>, out: &mut Diagnostics) {
    let set: NumberSet = threads.iter().copied().collect();
    let mut check = |id: &Attribute, there: bool| {
        if !there {
            out.push(no_thread(id, threads));
        }
    };
    let single = |id: &Attribute| id.value.parse().map_or(true, |n| threads.contains(&n));
    let several = |id: &Attribute| NumberSet::parse(&id.value).is_none_or(|s| s.is_within(&set));
    for entry in root.child("cputune").into_iter().flat_map(NodeRef::elements) {
        let key = |name| entry.attribute(name).into_iter();
        match entry.name().local.as_str() {
            "iothreadpin" => key("iothread").for_each(|id| check(id, single(id))),
            "iothreadsched" => key("iothreads").for_each(|id| check(id, several(id))),
            _ => {}
        }
    }
    for driver in devices(root).filter_map(|d| d.child("driver")) {
        driver.attribute("iothread").into_iter().for_each(|id| check(id, single(id)));
        let mapped = driver.child("iothreads").into_iter();
        let mapped = mapped.flat_map(|m| m.children_named("iothread"));
        mapped.filter_map(|t| t.attribute("id")).for_each(|id| check(id, single(id)));
    }
}

fn no_thread(id: &Attribute, threads: &BTreeSet<u32>) -> Diagnostic {
    let there: Vec<String> = threads.iter().take(SHOWN).map(ToString::to_string).collect();
    let expected = match there.len() {
        0 => "the domain has none".to_owned(),
        _ => format!("there are {}", there.join(", ")),
    };
    Diagnostic::error("unknown-iothread", "the domain has no such I/O thread")
        .at(id.span)
        .detail(format!("{}; {expected}", found(&id.value)))
        .hint("raise iothreads, or list the thread in iothreadids")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, problems};
    use super::*;

    #[test]
    fn processors_that_are_not_there() {
        finds(
            check,
            &[
                (
                    "<vcpu>2</vcpu><vcpus><vcpu id='0'/><vcpu id='2'/></vcpus>",
                    &["65 unknown-vcpu!"],
                ),
                (
                    "<vcpu>2</vcpu><vcpus><vcpu id='0'/><vcpu id='0'/></vcpus>",
                    &["65 duplicate-vcpu!"],
                ),
                ("<cputune><vcpupin vcpu='1' cpuset='0'/></cputune>", &["44 unknown-vcpu"]),
                (
                    "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='0' cpuset='1'/></cputune>",
                    &["74 duplicate-vcpu!"],
                ),
                ("<cputune><vcpusched vcpus='1'/></cputune>", &["47 unknown-vcpu!"]),
                (
                    "<vcpu>4</vcpu><cputune><vcpusched vcpus='0-2,^1'/><vcpusched vcpus='1'/>\
                     <vcpusched vcpus='2-3'/></cputune>",
                    &["110 overlapping-sets!"],
                ),
                (
                    "<vcpu>4</vcpu><cpu><topology sockets='1' cores='2' threads='1'/></cpu>",
                    &["39 cpu-topology!"],
                ),
                ("<vcpu>4</vcpu><cpu><topology sockets='1' cores='2' threads='2'/></cpu>", &[]),
            ],
        );
        let xen =
            "<domain type='xen'><cpu><topology sockets='2' cores='1' threads='1'/></cpu></domain>";
        assert_eq!(problems(xen, check), ["25 cpu-topology"]);
    }

    #[test]
    fn threads_that_are_not_there() {
        let disk = "<devices><disk><driver iothread='3'/></disk></devices>";
        finds(
            check,
            &[
                (&format!("<iothreads>3</iothreads>{disk}"), &[]),
                (&format!("<iothreads>2</iothreads>{disk}"), &["77 unknown-iothread!"]),
                (
                    &format!(
                        "<iothreads>2</iothreads><iothreadids><iothread id='3'/></iothreadids>{disk}"
                    ),
                    &[],
                ),
                (
                    "<iothreadids><iothread id='3'/><iothread id='3'/></iothreadids>",
                    &["65 duplicate-iothread!"],
                ),
                (
                    "<iothreads>1</iothreads><cputune><iothreadpin iothread='2'/>\
                     <iothreadsched iothreads='1-2'/></cputune>",
                    &["76 unknown-iothread!", "106 unknown-iothread!"],
                ),
                ("<iothreads>4000000000</iothreads>", &[]),
            ],
        );
    }
}
