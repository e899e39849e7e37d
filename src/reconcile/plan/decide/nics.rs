//! Interfaces without a MAC address in the manifest: each stays the same one in the running instance and at
//! the next boot.

use crate::reconcile::diff::compare::fits;
use crate::reconcile::diff::difference::{Change, ChangeCause, Edit, Side};
use crate::reconcile::ownership::identity::with_macs;
use diagnostics::Span;
use std::borrow::Cow;
use std::collections::HashSet;
use xmltree::{Element, Path};

/// Manifest as it is merged into a running instance.
#[derive(Debug)]
pub(super) struct Nics<'a> {
    /// Manifest with an address for each interface that has none of its own: that of the next boot, or the
    /// one under which it runs until then.
    pub(super) manifest: Cow<'a, Element>,
    /// Interfaces that run under another address than that of the next boot: the change waits.
    pub(super) renamed: Vec<Change>,
}

impl<'a> Nics<'a> {
    /// Matches the interfaces of `manifest` with those of the running instance and of the next boot.
    pub(super) fn of(manifest: &'a Element, live: &Element, next_boot: &Element) -> Self {
        let known = with_macs(manifest, next_boot);
        let Cow::Owned(mut known) = known else {
            return Self { manifest: known, renamed: Vec::new() };
        };
        let [runs, boots] =
            [live, next_boot].map(|root| nics(root).filter_map(mac).collect::<HashSet<&str>>());
        let mut free: Vec<&Element> =
            nics(live).filter(|nic| mac(nic).is_some_and(|mac| !boots.contains(mac))).collect();
        let mut renamed = Vec::new();
        let devices = known.child_mut("devices").into_iter().flat_map(Element::elements_mut);
        let named = devices.filter(|e| e.is("interface"));
        for (nic, written) in named.zip(nics(manifest)) {
            let Some(later) = mac(nic).map(str::to_owned).filter(|_| mac(written).is_none()) else {
                continue;
            };
            if runs.contains(later.as_str()) {
                continue;
            }
            let same = |there: &&Element| fits(Side::Running, &path(), there, written);
            let now = free.iter().position(same).map(|n| free.remove(n)).and_then(mac);
            if let Some(now) = now {
                if let Some(element) = nic.child_mut("mac") {
                    element.set_attr("address", now);
                }
                renamed.push(change(now, later));
            }
        }
        Self { manifest: Cow::Owned(known), renamed }
    }
}

fn path() -> Path {
    Path::parse("devices/interface").unwrap_or_default()
}

fn nics(domain: &Element) -> impl Iterator<Item = &Element> {
    domain.child("devices").into_iter().flat_map(|d| d.children_named("interface"))
}

fn mac(nic: &Element) -> Option<&str> {
    nic.child("mac")?.attr("address")
}

/// Returns the change of the address of an interface that runs under another one.
fn change(now: &str, later: String) -> Change {
    let path = format!("devices/interface[mac/@address='{now}']/mac/@address");
    Change {
        path: Path::parse(&path).unwrap_or_default(),
        before: Some(now.to_owned()),
        after: Some(later),
        span: Span::NONE,
        origin: ChangeCause::Manifest,
        edit: Edit::Set,
    }
}
