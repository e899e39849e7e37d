//! NUMA cells: their numbers, their processors, and references to them.

use super::facts::{cells, vcpus};
use super::memory::no_cell;
use crate::model::lint::{Claims, NumberSet, first_overlap};
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::{Attribute, NodeRef};

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_cells(root, out);
    check_nodes(root, out);
}

fn check_cells(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(numa) = root.descend(&["cpu", "numa"]) else { return };
    let count = cells(root);
    let mut ids = Claims::default();
    check_processors(root, numa, out);
    for cell in numa.children_named("cell") {
        if let Some(id) = cell.attribute("id")
            && let Ok(number) = id.value.parse::<usize>()
        {
            if let Some(first) = ids.claim(number, id.span) {
                out.push(
                    Diagnostic::error("duplicate-cell", "two NUMA cells have one number")
                        .at(id.span)
                        .detail(found(&id.value))
                        .related(first, "the first one")
                        .hint("number the cells from 0"),
                );
            } else if number >= count {
                out.push(
                    Diagnostic::error("duplicate-cell", "the NUMA cells are not numbered in a row")
                        .at(id.span)
                        .detail(format!("{}; expected 0 to {}", found(&id.value), count - 1))
                        .hint("number the cells from 0"),
                );
            }
        }
        let siblings = cell.child("distances").into_iter();
        for id in
            siblings.flat_map(|d| d.children_named("sibling")).filter_map(|s| s.attribute("id"))
        {
            if id.value.parse::<usize>().is_ok_and(|n| n >= count) {
                out.push(no_cell("the distance is to", &id.value, count).at(id.span));
            }
        }
    }
}

/// Checks that each processor is in one cell, and is one of the domain's.
fn check_processors(root: NodeRef<'_>, numa: NodeRef<'_>, out: &mut Diagnostics) {
    let cpus: Vec<&Attribute> =
        numa.children_named("cell").filter_map(|cell| cell.attribute("cpus")).collect();
    let sets: Vec<NumberSet> =
        cpus.iter().map(|a| NumberSet::parse(&a.value).unwrap_or_default()).collect();
    if let Some(most) = vcpus(root) {
        for (cpus, set) in cpus.iter().zip(&sets) {
            if set.last().is_none_or(|last| last < most) {
                continue;
            }
            let last = most.saturating_sub(1);
            out.push(
                Diagnostic::error(
                    "unknown-vcpu",
                    "the NUMA cell has processors that are not there",
                )
                .at(cpus.span)
                .detail(format!("{}; expected 0 to {last}", found(&cpus.value)))
                .hint("raise vcpu, or take them out of the cell"),
            );
        }
    }
    let pair = first_overlap(&sets).and_then(|(a, b)| Some((cpus.get(a)?, cpus.get(b)?)));
    if let Some((second, first)) = pair {
        out.push(
            Diagnostic::error("overlapping-sets", "two NUMA cells have one processor")
                .at(second.span)
                .detail(found(&second.value))
                .related(first.span, "the first cell")
                .hint("put each processor into one cell"),
        );
    }
}

/// `<memnode>` tunes the memory of a cell.
fn check_nodes(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(tune) = root.child("numatune") else { return };
    let count = cells(root);
    let mut seen = Claims::default();
    for id in tune.children_named("memnode").filter_map(|n| n.attribute("cellid")) {
        let Ok(number) = id.value.parse::<usize>() else { continue };
        if number >= count {
            out.push(no_cell("the memory tuning is for", &id.value, count).at(id.span));
        } else if let Some(first) = seen.claim(number, id.span) {
            out.push(
                Diagnostic::error("duplicate-cell", "the memory of a NUMA cell is tuned twice")
                    .at(id.span)
                    .detail(found(&id.value))
                    .related(first, "the first one")
                    .hint("keep one of them"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    #[test]
    fn cells_that_do_not_fit() {
        let cells = |a: &str, b: &str| {
            format!("<vcpu>4</vcpu><cpu><numa><cell {a}/><cell {b}/></numa></cpu>")
        };
        let tune = "<cpu><numa><cell id='0' cpus='0'/></numa></cpu><numatune><memnode cellid='0'/>";
        finds(
            check,
            &[
                (&cells("id='0' cpus='0-1'", "id='1' cpus='2-3'"), &[]),
                (&cells("id='0' cpus='0-1'", "id='0' cpus='2-3'"), &["80 duplicate-cell!"]),
                (&cells("id='0' cpus='0-1'", "id='2' cpus='2-3'"), &["80 duplicate-cell!"]),
                (&cells("id='0' cpus='0-1'", "id='1' cpus='1-3'"), &["89 overlapping-sets!"]),
                (&cells("id='0' cpus='0-1'", "id='1' cpus='2-4'"), &["89 unknown-vcpu!"]),
                (
                    &cells(
                        "cpus='0'",
                        "cpus='1'><distances><sibling id='2'/></distances></cell><x",
                    ),
                    &["100 unknown-cell!"],
                ),
                ("<numatune><memnode cellid='0'/></numatune>", &["47 unknown-cell!"]),
                (&format!("{tune}<memnode cellid='1'/></numatune>"), &["115 unknown-cell!"]),
                (&format!("{tune}<memnode cellid='0'/></numatune>"), &["115 duplicate-cell!"]),
            ],
        );
    }
}
