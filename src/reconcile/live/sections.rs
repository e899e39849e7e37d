//! Sections of a network: entries that virNetworkUpdate adds, changes and removes.

use super::settings::{metadata, own_metadata};
use super::verdict::{LiveContext, Verdict};
use crate::model::{Affect, Mac, MetadataKind, NetworkCommand, NetworkOp, NetworkSection, Version};
use crate::reconcile::diff::difference::{Change, Edit};
use crate::reconcile::plan::step::StepAction;
use std::net::IpAddr;
use xmltree::{Element, Path, Step, value_at, write_compact};

/// Version for "never": an entry is removed and added, not changed in place.
const NEVER: Version = Version::new(u64::MAX / 1_000_000, 0, 0);

/// The sections, by the names on the path, and the first version that changes an entry in its place.
const SECTIONS: &[(&str, NetworkSection, Version)] = &[
    ("ip/dhcp/host", NetworkSection::IpDhcpHost, Version::new(0, 0, 0)),
    ("ip/dhcp/range", NetworkSection::IpDhcpRange, NEVER),
    ("dns/host", NetworkSection::DnsHost, Version::new(10, 6, 0)),
    ("dns/txt", NetworkSection::DnsTxt, Version::new(10, 6, 0)),
    ("dns/srv", NetworkSection::DnsSrv, NEVER),
    ("portgroup", NetworkSection::Portgroup, Version::new(0, 0, 0)),
    ("forward/interface", NetworkSection::ForwardInterface, NEVER),
];

/// Judges a change of an active network.
pub(super) fn section(context: LiveContext<'_>, change: &Change) -> Verdict {
    match (change.path.pattern().as_str(), change.path.attribute.as_deref()) {
        ("title", None) => return metadata(MetadataKind::Title, change.after.clone()),
        ("description", None) => return metadata(MetadataKind::Description, change.after.clone()),
        (pattern, _) if pattern.starts_with("metadata/") => {
            return own_metadata(context, &change.path);
        }
        _ => {}
    }
    let steps = &change.path.steps;
    let found = SECTIONS.iter().find_map(|(names, section, since)| {
        let depth = names.split('/').count();
        let root = Path { steps: steps.get(..depth)?.to_vec(), attribute: None };
        (root.pattern() == *names).then_some((root, *section, *since))
    });
    let Some((root, section, since)) = found else {
        return Verdict::waits("no section of an active network has it");
    };
    let parent = match section {
        NetworkSection::IpDhcpHost | NetworkSection::IpDhcpRange => {
            match parent(context.live.as_element(), steps) {
                Some(parent) => parent,
                None => return Verdict::waits("the running network has no such address"),
            }
        }
        _ => -1,
    };
    let update = |command: NetworkCommand, element: &Element| {
        let xml = write_compact(element);
        let affect = Affect::Live;
        StepAction::Call(NetworkOp::Update { command, section, parent, xml, affect }.into())
    };
    let whole = change.path == root;
    let cannot = || Verdict::waits("the entry cannot be found");
    match &change.edit {
        Edit::Add(element) if whole => {
            Verdict::Live(vec![update(NetworkCommand::AddLast, element)], Vec::new())
        }
        Edit::Remove if whole => match entry(context.live.as_element(), &root) {
            Some(element) => {
                Verdict::Live(vec![update(NetworkCommand::Delete, element)], Vec::new())
            }
            None => cannot(),
        },
        _ => {
            let changes = context.overlay.changes.iter().enumerate();
            let inside = changes.filter(|(_, c)| root.covers(&c.path)).map(|(i, _)| i).collect();
            let touched = context.overlay.touched.iter().find(|(path, _)| *path == root);
            let (Some((_, after)), Some(before)) =
                (touched, entry(context.live.as_element(), &root))
            else {
                return cannot();
            };
            let in_place = section != NetworkSection::IpDhcpHost
                || finds_itself(context.live.as_element(), &root, before, after);
            let actions = if context.capabilities.version >= since && in_place {
                vec![update(NetworkCommand::Modify, after)]
            } else {
                vec![update(NetworkCommand::Delete, before), update(NetworkCommand::AddLast, after)]
            };
            Verdict::Live(actions, inside)
        }
    }
}

/// Returns the index of the running network's address, counted from 0, that these steps lead into.
fn parent(live: &Element, steps: &[Step]) -> Option<i32> {
    let path = Path { steps: steps.get(..1)?.to_vec(), attribute: None };
    let there = entry(live, &path)?;
    let n = live.children_named("ip").position(|ip| std::ptr::eq(ip, there))?;
    i32::try_from(n).ok()
}

/// The entry that a path leads to, whatever spelling the running network has of its key.
fn entry<'a>(live: &'a Element, path: &Path) -> Option<&'a Element> {
    path.steps.iter().try_fold(live, |element, step| {
        let is_it = |e: &&Element| match &step.key {
            Some((at, value)) => value_at(e, at).is_some_and(|there| says_same(&there, value)),
            None => true,
        };
        let named = element.elements().filter(|e| e.name.written() == step.name);
        named.filter(is_it).nth(step.ordinal.map_or(0, |n| n.saturating_sub(1)))
    })
}

/// Whether two texts are one MAC address, one IP address or one name.
fn says_same(a: &str, b: &str) -> bool {
    match (a.parse::<IpAddr>(), b.parse::<IpAddr>(), Mac::parse(a), Mac::parse(b)) {
        (Ok(a), Ok(b), _, _) => a == b,
        (_, _, Some(a), Some(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Whether the host finds the entry by its new content: a DHCP host is changed where the first one has that
/// MAC address, IP address or name. One that is given to another interface is another.
fn finds_itself(live: &Element, root: &Path, before: &Element, after: &Element) -> bool {
    let depth = root.steps.len().saturating_sub(1);
    let holder =
        Path { steps: root.steps.get(..depth).unwrap_or_default().to_vec(), attribute: None };
    let same = |entry: &Element, name: &str| {
        entry.attr(name).zip(after.attr(name)).is_some_and(|(a, b)| says_same(a, b))
    };
    if before.attr("mac").is_some() && after.attr("mac").is_some() && !same(before, "mac") {
        return false;
    }
    let is_met = |entry: &&Element| ["mac", "ip", "name"].iter().any(|name| same(entry, name));
    let hosts = entry(live, &holder).into_iter().flat_map(|dhcp| dhcp.children_named("host"));
    let met: Vec<&Element> = hosts.filter(is_met).collect();
    met == [before]
}
