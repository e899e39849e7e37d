//! Memory: amounts that contradict one another, memory devices, huge pages.

use super::facts::{cells, devices, is_qemu};
use crate::model::lint::NumberSet;
use crate::model::memory_kib;
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_most(root, out);
    check_devices(root, out);
    check_huge_pages(root, out);
    check_sum(root, out);
    if is_qemu(root) {
        check_shared(root, out);
    }
}

fn amount(element: NodeRef<'_>) -> Option<u64> {
    memory_kib(&element.text(), element.attr("unit")).ok()
}

fn check_most(root: NodeRef<'_>, out: &mut Diagnostics) {
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

/// The cells of the domain.
fn each_cell(root: NodeRef<'_>) -> impl Iterator<Item = NodeRef<'_>> {
    root.descend(&["cpu", "numa"]).into_iter().flat_map(|numa| numa.children_named("cell"))
}

/// Beside cells the amount of memory says nothing: they are added up, and with them the modules.
fn check_sum(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(memory) = root.child("memory") else { return };
    let of = |amounts: Option<Vec<u64>>| {
        amounts.and_then(|all| all.into_iter().try_fold(0_u64, u64::checked_add))
    };
    let cell = |cell: NodeRef<'_>| memory_kib(cell.attr("memory")?, cell.attr("unit")).ok();
    let module = |module: NodeRef<'_>| amount(module.descend(&["target", "size"])?);
    let cells = of(each_cell(root).map(cell).collect());
    let modules = of(devices(root).filter(|d| d.is("memory")).map(module).collect());
    if let (Some(written), Some(cells), Some(modules)) = (amount(memory), cells, modules)
        && cells > 0
        && ![Some(cells), cells.checked_add(modules)].contains(&Some(written))
    {
        out.push(
            Diagnostic::warning("memory-of-cells", "the NUMA cells say how much memory there is")
                .at(memory.text_span())
                .detail(format!("memory is {written} KiB, the cells have {cells} KiB together"))
                .hint("make both the same, or leave memory out"),
        );
    }
}

/// A file system that the guest reads through shared memory, and memory that is not shared.
fn check_shared(root: NodeRef<'_>, out: &mut Diagnostics) {
    let is_shared = |access: Option<&str>| access == Some("shared");
    let general = root.descend(&["memoryBacking", "access"]).and_then(|access| access.attr("mode"));
    let shared = match cells(root) {
        0 => is_shared(general),
        _ => each_cell(root).all(|cell| is_shared(cell.attr("memAccess").or(general))),
    };
    if shared {
        return;
    }
    for filesystem in devices(root).filter(|d| d.is("filesystem")) {
        let driver = filesystem.child("driver").and_then(|d| d.attribute("type"));
        if let Some(driver) = driver.filter(|d| d.value == "virtiofs") {
            let detail = match cells(root) {
                0 => "the access of memoryBacking is not shared",
                _ => "not all NUMA cells have shared memory",
            };
            out.push(
                Diagnostic::error("shared-memory", "virtiofs needs shared memory")
                    .at(driver.span)
                    .detail(detail)
                    .hint("add memoryBacking with the source memfd and the access shared"),
            );
        }
    }
}

fn check_devices(root: NodeRef<'_>, out: &mut Diagnostics) {
    let (cells, no_most) = (cells(root), root.child("maxMemory").is_none());
    for device in devices(root).filter(|d| d.is("memory")) {
        let model = device.attr("model").unwrap_or_default();
        if no_most && ["dimm", "nvdimm"].contains(&model) && is_qemu(root) {
            out.push(
                Diagnostic::error("memory-limit", "a memory module needs maxMemory")
                    .at(device.span())
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

fn check_huge_pages(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(pages) = root.descend(&["memoryBacking", "hugepages"]) else { return };
    // without NUMA the whole memory is cell 0
    let cells = cells(root).max(1);
    let mut master: Option<NodeRef<'_>> = None;
    for page in pages.children_named("page") {
        let Some(nodeset) = page.attribute("nodeset") else {
            if let Some(first) = master {
                out.push(
                    Diagnostic::error("huge-pages", "two sizes of page are for all of the memory")
                        .at(page.span())
                        .related(first.span(), "the first one")
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
    fn cells_are_added_up() {
        let cpu = "<cpu><numa><cell memory='1' unit='MiB'/><cell memory='1024'/></numa></cpu>";
        let module = "<maxMemory unit='GiB'>1</maxMemory><devices><memory model='dimm'><target>\
                      <size unit='MiB'>1</size></target></memory></devices>";
        let memory = |mib, more: &str| format!("<memory unit='MiB'>{mib}</memory>{cpu}{more}");
        finds(
            check,
            &[
                (&memory(2, ""), &[]),
                (&memory(3, ""), &["39 memory-of-cells"]),
                // with the modules, as the host shows it, or without them
                (&memory(3, module), &[]),
                (&memory(2, module), &[]),
                (&memory(4, module), &["39 memory-of-cells"]),
                (cpu, &[]),
            ],
        );
    }

    #[test]
    fn virtiofs_shares_memory() {
        let shared = "<memoryBacking><access mode='shared'/></memoryBacking>";
        let cells = |access: &str| {
            format!("<cpu><numa><cell memAccess='shared'/><cell{access}/></numa></cpu>")
        };
        let of = |before: &str| {
            format!("{before}<devices><filesystem><driver type='virtiofs'/></filesystem></devices>")
        };
        let at = |before: &str| format!("{} shared-memory!", 55 + before.len());
        for (before, is_shared) in [
            (shared.to_owned(), true),
            (String::new(), false),
            ("<memoryBacking><source type='memfd'/></memoryBacking>".to_owned(), false),
            (cells(" memAccess='shared'"), true),
            (cells(""), false),
            (format!("{shared}{}", cells("")), true),
            (format!("{shared}{}", cells(" memAccess='private'")), false),
        ] {
            let at = at(&before);
            let expected: &[&str] = if is_shared { &[] } else { &[&at] };
            finds(check, &[(&of(&before), expected)]);
        }
        let other = "<devices><filesystem><driver type='path'/></filesystem></devices>";
        finds(check, &[(other, &[])]);
    }

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
