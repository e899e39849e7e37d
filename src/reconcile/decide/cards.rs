//! Cards that the manifest gives no MAC address: each is to be the same card in what runs and at the
//! next boot.

use crate::diag::Span;
use crate::reconcile::overlay::{Change, Edit, Origin, Side, fits};
use crate::xml::{Element, Path};

/// What becomes of cards that run under another address than the next boot has for them.
#[derive(Debug, Default)]
pub(super) struct Cards {
    /// Numbers of the manifest's cards that do not run yet, each with its address: what was taken for
    /// it is another card.
    pub(super) others: Vec<(usize, String)>,
    /// Cards that are the same but for their address, which waits.
    pub(super) renamed: Vec<Change>,
}

impl Cards {
    /// Those of `manifest`, laid over what runs (`live`, which becomes `running`) and over the
    /// definition for the next boot.
    pub(super) fn of(
        manifest: &Element,
        live: &Element,
        running: &Element,
        next_boot: &Element,
    ) -> Self {
        let mut found = Self::default();
        let later = partners(Side::NextBoot, manifest, next_boot);
        let now = partners(Side::Running, manifest, running);
        let is_live = |mac: &str| cards(live).find(|card| is_mac(card, mac));
        for (n, wanted) in cards(manifest).enumerate() {
            let of = |list: &[Option<String>]| list.get(n).cloned().flatten();
            let (Some(later), Some(now)) = (of(&later), of(&now)) else { continue };
            // what is plugged in now gets the address of the next boot
            let Some(there) = is_live(&now).filter(|_| !later.eq_ignore_ascii_case(&now)) else {
                continue;
            };
            let same = is_live(&later).is_none() && fits(Side::Running, &path(), there, wanted);
            if same {
                found.renamed.push(change(&now, later));
            } else {
                found.others.push((n, later));
            }
        }
        found
    }

    /// The manifest in which these cards have their addresses.
    pub(super) fn named(&self, manifest: &Element) -> Element {
        let mut manifest = manifest.clone();
        let devices = manifest.child_mut("devices").into_iter().flat_map(Element::elements_mut);
        for (n, card) in devices.filter(|e| e.is("interface")).enumerate() {
            if let Some((_, mac)) = self.others.iter().find(|(i, _)| *i == n) {
                card.push(Element::new("mac").with_attr("address", mac.as_str()));
            }
        }
        manifest
    }
}

fn path() -> Path {
    Path::parse("devices/interface").unwrap_or_default()
}

fn cards(domain: &Element) -> impl Iterator<Item = &Element> {
    domain.child("devices").into_iter().flat_map(|d| d.children_named("interface"))
}

fn mac(card: &Element) -> Option<&str> {
    card.child("mac")?.attr("address")
}

fn is_mac(card: &Element, wanted: &str) -> bool {
    mac(card).is_some_and(|mac| mac.eq_ignore_ascii_case(wanted))
}

/// For each card of the manifest that has no address, the one of its entry in a definition into which
/// the manifest was merged.
fn partners(side: Side, manifest: &Element, merged: &Element) -> Vec<Option<String>> {
    let named: Vec<&str> = cards(manifest).filter_map(mac).collect();
    let is_named = |card: &Element| named.iter().any(|mac| is_mac(card, mac));
    let mut free: Vec<&Element> = cards(merged).filter(|card| !is_named(card)).collect();
    let mut partner = |wanted: &Element| {
        let n = free.iter().position(|card| fits(side, &path(), card, wanted))?;
        mac(free.remove(n)).map(str::to_owned)
    };
    cards(manifest).map(|card| if mac(card).is_some() { None } else { partner(card) }).collect()
}

/// The address of a card that runs as another one.
fn change(now: &str, later: String) -> Change {
    let path = format!("devices/interface[mac/@address='{now}']/mac/@address");
    Change {
        path: Path::parse(&path).unwrap_or_default(),
        before: Some(now.to_owned()),
        after: Some(later),
        span: Span::NONE,
        origin: Origin::Manifest,
        edit: Edit::Set,
    }
}
