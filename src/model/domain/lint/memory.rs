//! Memory: amounts that contradict one another, memory devices, huge pages.

use super::{cells, devices, is_qemu};
use crate::diag::{Diagnostic, Diagnostics};
use crate::model::lint::NumberSet;
use crate::model::memory_kib;
use crate::model::values::found;
use crate::xml::Element;

pub(super) fn check(root: &Element, out: &mut Diagnostics) {
    check_most(root, out);
    check_devices(root, out);
    check_huge_pages(root, out);
}

fn amount(element: &Element) -> Option<u64> {
    memory_kib(&element.text(), element.attr("unit")).ok()
}

fn check_most(root: &Element, out: &mut Diagnostics) {
    let (Some(memory), Some(most)) = (root.child("memory"), root.child("maxMemory")) else {
        return;
    };
    // libvirt adds the cells up instead
    if cells(root) > 0 {
        return;
    }
    if let (Some(kib), Some(most_kib)) = (amount(memory), amount(most))
        && kib > most_kib
    {
        out.push(
            Diagnostic::error("memory-limit", "maxMemory is less than memory")
                .at(most.text_span())
                .detail(format!("{most_kib} KiB of {kib} KiB"))
                .related(memory.text_span(), "the memory")
                .hint("maxMemory has to hold memory and the modules to be plugged in"),
        );
    }
}

fn check_devices(root: &Element, out: &mut Diagnostics) {
    let (cells, no_most) = (cells(root), root.child("maxMemory").is_none());
    for device in devices(root).filter(|d| d.is("memory")) {
        let model = device.attr("model").unwrap_or_default();
        if no_most && ["dimm", "nvdimm"].contains(&model) && is_qemu(root) {
            out.push(
                Diagnostic::error("memory-limit", "a memory module needs maxMemory")
                    .at(device.span)
                    .hint("add maxMemory with slots, as much as memory and all modules"),
            );
        }
        let Some(node) = device.descend(&["target", "node"]) else { continue };
        if cells > 0
            && let Ok(number) = node.text().parse::<usize>()
            && number >= cells
        {
            out.push(no_cell("the memory module is for", &node.text(), cells).at(node.text_span()));
        }
    }
}

/// The problem that something names a NUMA cell that is not there.
pub(super) fn no_cell(what: &str, text: &str, cells: usize) -> Diagnostic {
    let expected = match cells {
        0 => "the domain has no NUMA cells".to_owned(),
        n => format!("expected 0 to {}", n - 1),
    };
    Diagnostic::error("unknown-cell", format!("{what} a NUMA cell that is not there"))
        .detail(format!("{}; {expected}", found(text)))
        .hint("add the cell to numa of cpu, or name one that is there")
}

fn check_huge_pages(root: &Element, out: &mut Diagnostics) {
    let Some(pages) = root.descend(&["memoryBacking", "hugepages"]) else { return };
    // without NUMA the whole memory is cell 0
    let cells = cells(root).max(1);
    let mut master: Option<&Element> = None;
    for page in pages.children_named("page") {
        let Some(nodeset) = page.attribute("nodeset") else {
            if let Some(first) = master {
                out.push(
                    Diagnostic::error("huge-pages", "two sizes of page are for all of the memory")
                        .at(page.span)
                        .related(first.span, "the first one")
                        .hint("give all but one a nodeset"),
                );
            }
            master.get_or_insert(page);
            continue;
        };
        let last = NumberSet::parse(&nodeset.value).and_then(|set| set.last());
        if last.and_then(|n| usize::try_from(n).ok()).is_some_and(|n| n >= cells) {
            out.push(no_cell("the pages are for", &nodeset.value, cells).at(nodeset.span));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    #[test]
    fn amounts_modules_and_pages() {
        let cell = "<cpu><numa><cell id='0' cpus='0' memory='1'/></numa></cpu>";
        let module =
            "<devices><memory model='dimm'><target><node>1</node></target></memory></devices>";
        finds(
            check,
            &[
                ("<memory>9</memory><maxMemory>8</maxMemory>", &["49 memory-limit!"]),
                ("<memory>8</memory><maxMemory unit='MiB'>8</maxMemory>", &[]),
                ("<devices><memory model='dimm'/></devices>", &["29 memory-limit!"]),
                ("<devices><memory model='virtio-mem'/></devices>", &[]),
                (&format!("<maxMemory>9</maxMemory>{cell}{module}"), &["146 unknown-cell!"]),
                (
                    "<memoryBacking><hugepages><page size='2'/><page size='4'/></hugepages>\
                     </memoryBacking>",
                    &["62 huge-pages!"],
                ),
                (
                    "<memoryBacking><hugepages><page size='2' nodeset='0'/>\
                     <page size='4' nodeset='1-2'/></hugepages></memoryBacking>",
                    &["98 unknown-cell!"],
                ),
            ],
        );
    }
}
