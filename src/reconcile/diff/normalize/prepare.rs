//! Preparation for a merge: values that others in the manifest imply are made explicit, and the merged
//! definition loses what would be wrong in it.

use super::defaults::drop_beside;
use super::derived::follows_one_of;
use super::values::{Unit, amount};
use super::{places, twins, unset};
use crate::model::{Kind, netmask_prefix, number_set};
use crate::reconcile::diff::difference::Change;
use std::net::Ipv4Addr;
use xmltree::{Element, Node, Path, Text};

/// A copy of the manifest that says all it means, in the terms of the definition `live`.
pub(crate) fn prepare(kind: Kind, want: &Element, live: &Element) -> Element {
    let mut want = want.clone();
    drop_nameless_metadata(&mut want);
    // an empty text is none
    want.remove_elements(|e| (e.is("title") || e.is("description")) && e.text().is_empty());
    drop_beside("", &mut want);
    (rewrites(kind).prepare)(&mut want, live);
    want
}

/// Rewrites of definitions of one kind.
struct Rewrites {
    /// Makes explicit in a manifest what it says already, in the terms of the definition.
    prepare: fn(&mut Element, &Element),
    /// Takes out of a merged definition what the manifest's choice makes wrong; the manifest and the
    /// definition before come first.
    finish: fn(&Element, &Element, &mut Element),
}

fn rewrites(kind: Kind) -> Rewrites {
    match kind {
        Kind::Domain => Rewrites { prepare: prepare_domain, finish: finish_domain },
        Kind::Network => Rewrites { prepare: prepare_network, finish: finish_network },
        Kind::Pool | Kind::Volume => Rewrites { prepare: |_, _| {}, finish: |_, _, _| {} },
    }
}

fn prepare_domain(want: &mut Element, live: &Element) {
    unset::drop_zeros(want);
    unset::drop_beyond(want);
    unset::drop_what_only_virtio_has(want, live);
    put_listeners_first(want);
    unset::drop_label_of_no_driver(want, live);
    put_primary_first(want);
    adjust_clock(want);
    imply_current_memory(want);
    imply_current_vcpus(want);
    split_schedulers(want);
    twins::one_console_device(want, live);
    twins::spell_listen_twice(want);
    twins::fill_first_cell(want);
}

fn prepare_network(want: &mut Element, live: &Element) {
    put_driver_outside(want, live);
    twins::spell_forward_device_twice(want);
}

/// A value that a definition has in another attribute than the manifest, in another form.
#[derive(Debug)]
pub(crate) struct Respelled {
    /// The attribute of the manifest.
    pub(crate) attribute: &'static str,
    /// Value of the definition, in the terms of that attribute.
    pub(crate) value: String,
    /// The attribute of the definition.
    pub(crate) other: &'static str,
    /// Value of that attribute in the definition.
    pub(crate) written: String,
}

/// Returns the value that a definition has in another form than the manifest: a netmask in place of a prefix,
/// or the reverse. A definition has one of them only.
pub(crate) fn respelled(want: &Element, live: &Element) -> Option<Respelled> {
    if !(want.is("ip") || want.is("route")) {
        return None;
    }
    let only =
        |e: &Element, this, other| e.attr(this).filter(|_| e.attr(other).is_none()).is_some();
    if only(want, "prefix", "netmask") && only(live, "netmask", "prefix") {
        let written = live.attr("netmask")?.to_owned();
        let value = netmask_prefix(written.parse().ok()?)?.to_string();
        return Some(Respelled { attribute: "prefix", value, other: "netmask", written });
    }
    if only(want, "netmask", "prefix") && only(live, "prefix", "netmask") {
        let written = live.attr("prefix")?.to_owned();
        let bits = written.parse::<u32>().ok().filter(|p| *p <= 32)?;
        let mask = Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - bits).unwrap_or(0));
        let value = mask.to_string();
        return Some(Respelled { attribute: "netmask", value, other: "prefix", written });
    }
    None
}

/// Removes from a merged definition the values that the manifest's choice makes wrong and the host fills in
/// again.
pub(crate) fn finish(kind: Kind, want: &Element, live: &Element, merged: &mut Element) {
    (rewrites(kind).finish)(want, live, merged);
}

fn finish_network(_: &Element, _: &Element, merged: &mut Element) {
    put_driver_inside(merged);
}

fn finish_domain(want: &Element, live: &Element, merged: &mut Element) {
    // a device's boot order and the default <boot dev='hd'/> exclude one another
    let by_device = |e: &Element| {
        e.child("devices").is_some_and(|d| d.elements().any(|d| d.child("boot").is_some()))
    };
    let by_os = want.child("os").is_some_and(|os| os.child("boot").is_some());
    if by_device(want)
        && !by_os
        && let Some(os) = merged.child_mut("os")
    {
        os.remove_elements(|e| e.is("boot"));
    }
    // a manifest that only counts its I/O threads has those with the lowest numbers
    let count = want.child_text("iothreads").and_then(|n| n.parse().ok());
    if want.child("iothreadids").is_none()
        && let (Some(count), Some(ids)) = (count, merged.child_mut("iothreadids"))
    {
        let mut kept = 0;
        ids.remove_elements(|_| {
            kept += 1;
            kept > count
        });
    }
    twins::drop_first_console(want, live, merged);
    places::free_ports_for_hubs(want, merged);
}

/// Whether the value at `path` equals its absence, given the values beside it.
pub(crate) fn is_implied(path: &Path, want: &Element) -> bool {
    match (path.pattern().as_str(), path.attribute.as_deref()) {
        ("vcpu", Some("current")) => want.attr("current") == Some(want.text().as_str()),
        _ => false,
    }
}

/// Whether a value has no meaning beside the rest of the manifest: a drive without a medium has no kind of
/// medium.
pub(crate) fn is_unread(path: &Path, want: &Element) -> bool {
    match (path.pattern().as_str(), path.attribute.as_deref()) {
        ("devices/disk", Some("type")) => want.child("source").is_none(),
        _ => false,
    }
}

/// Leaves out of `changes` those that only follow from another one: a value that the manifest `want` does not
/// write, but implies by one that changes too.
pub(crate) fn drop_implied(want: &Element, changes: &mut Vec<Change>) {
    let patterns = |c: &Change| c.path.attribute.is_none().then(|| c.path.pattern());
    let changed: Vec<String> = changes.iter().filter_map(patterns).collect();
    let follows = |field: &str| follows_one_of(field, changed.iter().map(String::as_str));
    let cells = changes.iter().filter(|c| c.path.pattern() == "cpu/numa/cell").count();
    let memory = follows("currentMemory") || cells > 0;
    let vcpu = follows("vcpu/@current");
    let writes_memory = want.child("currentMemory").is_some();
    let writes_current = want.child("vcpu").is_some_and(|v| v.attr("current").is_some());
    changes.retain(|c| match (c.path.pattern().as_str(), c.path.attribute.as_deref()) {
        ("currentMemory", None) => !memory || writes_memory,
        ("vcpu", Some("current")) => !vcpu || writes_current,
        // processors that are left over go into the first cell
        ("cpu/numa/cell", Some("cpus")) => {
            cells < 2 && !vcpu || c.after.is_none() || c.path.value(want) == c.after
        }
        _ => true,
    });
    twins::drop_second(want, changes);
}

/// Drops metadata without a namespace, and repeated ones: libvirt keeps one element of each namespace.
fn drop_nameless_metadata(want: &mut Element) {
    if let Some(metadata) = want.child_mut("metadata") {
        let mut seen = Vec::new();
        metadata.remove_elements(|e| match &e.name.namespace {
            Some(uri) if !seen.contains(uri) => {
                seen.push(uri.clone());
                false
            }
            _ => true,
        });
    }
}

/// Adds the `<currentMemory>` that libvirt implies: all of the memory, and never more. With NUMA cells
/// `<memory>` is not read: it is the sum of the cells and the memory devices.
fn imply_current_memory(want: &mut Element) {
    let cells = cells_kib(want);
    let total = cells.or_else(|| kib(want.child("memory")?));
    if cells.is_some() {
        want.remove_elements(|e| e.is("memory"));
    }
    if let Some(current) = want.child_mut("currentMemory") {
        if let (Some(now), Some(total)) = (kib(current), total)
            && now > total
        {
            current.set_text(total.to_string());
            current.set_attr("unit", "KiB");
        }
    } else if let Some(total) = total {
        let span = want.child("memory").map_or(want.span, Element::text_span);
        let text = Text { value: total.to_string(), span };
        let mut current = Element::new("currentMemory").with_attr("unit", "KiB");
        current.children.push(Node::Text(text));
        current.span = span;
        want.push(current);
    }
}

/// The memory of all NUMA cells and memory devices, in KiB; `None` without cells.
fn cells_kib(want: &Element) -> Option<u64> {
    let numa = want.descend(&["cpu", "numa"])?;
    let mut cells = numa.children_named("cell").peekable();
    cells.peek()?;
    let cells = cells.filter_map(|c| amount(c.attr("memory")?, c.attr("unit"), Unit::KiB));
    let devices = want.child("devices");
    let dimms = devices.into_iter().flat_map(|d| d.children_named("memory"));
    let dimms = dimms.filter_map(|m| kib(m.descend(&["target", "size"])?));
    Some(cells.chain(dimms).fold(0, u64::saturating_add))
}

fn kib(element: &Element) -> Option<u64> {
    amount(&element.text(), element.attr("unit"), Unit::KiB)
}

/// Splits a scheduler of several processors or I/O threads into one of each, as libvirt writes it.
fn split_schedulers(want: &mut Element) {
    let Some(tune) = want.child_mut("cputune") else { return };
    let mut children = Vec::new();
    for node in std::mem::take(&mut tune.children) {
        let Node::Element(element) = node else { continue };
        let attribute = match element.name.local.as_str() {
            "vcpusched" => "vcpus",
            "iothreadsched" => "iothreads",
            _ => {
                children.push(Node::Element(element));
                continue;
            }
        };
        match element.attr(attribute).and_then(number_set) {
            Some(members) => children.extend(
                members
                    .into_iter()
                    .map(|n| Node::Element(element.clone().with_attr(attribute, n.to_string()))),
            ),
            None => children.push(Node::Element(element)),
        }
    }
    tune.children = children;
}

/// Adds the `current` that libvirt implies: all processors, unless `<vcpus>` says which.
fn imply_current_vcpus(want: &mut Element) {
    if want.child("vcpus").is_some() {
        return;
    }
    if let Some(vcpu) = want.child_mut("vcpu")
        && vcpu.attr("current").is_none()
    {
        let all = vcpu.text();
        let span = vcpu.text_span();
        vcpu.set_attr("current", all);
        if let Some(current) = vcpu.attributes.last_mut() {
            current.span = span;
        }
    }
}

/// Moves the driver of a network without host devices behind its `<forward>`, where libvirt writes it, so
/// that it is compared there if `live` has it there. libvirt reads it inside.
fn put_driver_outside(want: &mut Element, live: &Element) {
    want.remove_elements(|e| e.is("driver"));
    let Some(forward) = want.child_mut("forward").filter(|_| live.child("driver").is_some()) else {
        return;
    };
    let names = ["pf", "interface", "address"];
    if names.iter().any(|name| forward.child(name).is_some()) {
        return;
    }
    let drivers: Vec<Element> = forward.children_named("driver").cloned().collect();
    forward.remove_elements(|e| e.is("driver"));
    drivers.into_iter().for_each(|driver| want.push(driver));
}

/// Moves the driver back into the `<forward>`, where libvirt reads it.
fn put_driver_inside(merged: &mut Element) {
    let Some(driver) = merged.child("driver").cloned() else { return };
    if let Some(forward) = merged.child_mut("forward") {
        if forward.child("driver").is_none() {
            forward.push(driver);
        }
        merged.remove_elements(|e| e.is("driver"));
    }
}

/// Puts the primary video card in front of the others, as hosts do.
fn put_primary_first(want: &mut Element) {
    let Some(devices) = want.child_mut("devices") else { return };
    let is_video = |n: &Node| matches!(n, Node::Element(e) if e.is("video"));
    let is_primary = |n: &Node| match n {
        Node::Element(e) if e.is("video") => {
            e.child("model").is_some_and(|m| m.attr("primary") == Some("yes"))
        }
        Node::Element(_) | Node::Text(_) => false,
    };
    let first = devices.children.iter().position(is_video);
    let primary = devices.children.iter().position(is_primary);
    if let (Some(first), Some(primary)) = (first, primary)
        && first < primary
    {
        let nic = devices.children.remove(primary);
        devices.children.insert(first, nic);
    }
}

/// A host writes where a datagram port listens in front of where it sends to.
fn put_listeners_first(want: &mut Element) {
    let devices = want.child_mut("devices").into_iter().flat_map(Element::elements_mut);
    for port in devices.filter(|e| e.attr("type") == Some("udp")) {
        let place = |n: &Node| match n {
            Node::Element(e) if e.is("source") => usize::from(e.attr("mode") != Some("bind")),
            Node::Element(_) | Node::Text(_) => 2,
        };
        port.children.sort_by_key(place);
    }
}

/// An offset by some seconds makes a clock a variable one.
fn adjust_clock(want: &mut Element) {
    let Some(clock) = want.child_mut("clock") else { return };
    let seconds = clock.attr("adjustment").is_some_and(|a| a.trim().parse::<i64>().is_ok());
    let basis = clock.attr("offset").filter(|o| matches!(*o, "utc" | "localtime"));
    if let (true, Some(basis)) = (seconds, basis.map(str::to_owned)) {
        clock.set_attr("offset", "variable");
        clock.set_attr("basis", basis);
    }
}
