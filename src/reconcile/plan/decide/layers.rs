//! Disks that run on an overlay of the manifest's image, because of a snapshot or a running backup. Data
//! written since is in the overlay alone, and the manifest's image is part of the guest's storage. So the
//! field is blocked: the disk counts as it is until the overlay was committed.

use crate::model::domain::{Disk, Domain, Storage};
use crate::model::{DesiredResource, Effect, Kind, ObservedResource};
use crate::reconcile::diff::difference::ChangeCause;
use crate::reconcile::plan::types::FieldChange;
use std::borrow::Cow;
use xmltree::{Element, Path};

/// Overlays under a domain's disks.
#[derive(Debug)]
pub(crate) struct Layers<'a> {
    host: &'a ObservedResource,
    /// Overlays, each with the image directly below it.
    over: Vec<(Storage, Storage)>,
}

impl<'a> Layers<'a> {
    /// Collects the overlays that the host knows: of the running and the stored definition, and of the
    /// snapshots.
    pub(crate) fn of(host: &'a ObservedResource) -> Self {
        let mut over = Vec::new();
        for definition in [&host.live, &host.persistent].into_iter().flatten() {
            for disk in disks(host.id.kind, definition.as_element()) {
                let chain = Storage::chain(disk.element());
                over.extend(chain.iter().cloned().zip(chain.iter().skip(1).cloned()));
            }
        }
        over.extend(host.snapshots.iter().flat_map(|s| s.overlays.iter().cloned()));
        Self { host, over }
    }

    /// Whether `base` is below `top` in a backing chain.
    fn is_over(&self, top: &Storage, base: &Storage) -> bool {
        let mut reached = vec![top];
        let mut at = 0;
        while let Some(place) = reached.get(at).copied() {
            at += 1;
            for (_, below) in self.over.iter().filter(|(over, _)| over == place) {
                if below == base {
                    return true;
                }
                if !reached.contains(&below) {
                    reached.push(below);
                }
            }
        }
        false
    }

    /// Returns the manifest as it fits a definition: disks that are overlays of its images are taken from
    /// there.
    pub(super) fn fitted<'d>(
        &self,
        desired: &'d DesiredResource,
        there: Option<&Element>,
    ) -> Cow<'d, DesiredResource> {
        match there.map(|there| self.fit(desired.definition.as_element(), there)) {
            Some(Cow::Owned(definition)) => {
                Cow::Owned(DesiredResource { definition: definition.into(), ..desired.clone() })
            }
            Some(Cow::Borrowed(_)) | None => Cow::Borrowed(desired),
        }
    }

    /// Returns a manifest's document as it fits a definition, as [`fitted`](Self::fitted) does.
    pub(crate) fn fit<'d>(&self, want: &'d Element, there: &Element) -> Cow<'d, Element> {
        let held = self.held(want, there);
        if held.is_empty() {
            return Cow::Borrowed(want);
        }
        let mut fitted = want.clone();
        put_on(&mut fitted, &held);
        Cow::Owned(fitted)
    }

    /// Pairs the disks of a manifest with those on the host that are overlays of them.
    fn held<'e>(&self, want: &'e Element, there: &'e Element) -> Vec<(Disk<'e>, Disk<'e>)> {
        let kind = self.host.id.kind;
        if self.over.is_empty() {
            return Vec::new();
        }
        let wanted: Vec<Disk<'e>> = disks(kind, want).filter(|d| d.target().is_some()).collect();
        let is_wanted = |target| wanted.iter().any(|d| d.target() == target);
        let is_on = |there: &Disk<'e>, want: Disk<'e>| {
            let (has, wanted) = (Storage::of(there.element()), Storage::of(want.element()));
            has.zip(wanted).is_some_and(|(has, wanted)| self.is_over(&has, &wanted))
        };
        let pair = |want: &Disk<'e>| {
            let there = || disks(kind, there);
            let same = there().find(|d| d.target() == want.target());
            // a disk that moves to another target is still the same
            let elsewhere = || there().find(|d| !is_wanted(d.target()) && is_on(d, *want));
            let there = same.filter(|d| is_on(d, *want)).or_else(elsewhere)?;
            Some((*want, there))
        };
        wanted.iter().filter_map(pair).collect()
    }

    /// Returns the blocked fields, each with the reason and a hint.
    pub(crate) fn fields(&self, wanted: &Element) -> Vec<FieldChange> {
        let mut fields: Vec<FieldChange> = Vec::new();
        let boots = self.host.persistent.as_ref();
        for definition in [boots, self.host.live.as_ref()].into_iter().flatten() {
            for (want, there) in self.held(wanted, definition.as_element()) {
                let is_live = Some(definition) != boots;
                let field = self.field(want, there, is_live);
                // the host drops the overlay of such a disk by itself
                let is_transient = want.element().child("transient").is_some();
                if !is_transient && !fields.iter().any(|f| f.path == field.path) {
                    fields.push(field);
                }
            }
        }
        fields
    }

    fn field(&self, want: Disk<'_>, there: Disk<'_>, is_live: bool) -> FieldChange {
        let target = want.target().unwrap_or_default();
        let place = |disk: Disk<'_>| Storage::of(disk.element()).map(|place| place.to_string());
        let has = Storage::of(there.element());
        let made =
            |s: &&crate::model::Snapshot| s.overlays.iter().any(|(o, _)| Some(o) == has.as_ref());
        let whose = match self.host.snapshots.iter().find(made) {
            Some(snapshot) => format!("the snapshot {} was taken", snapshot.name),
            None => "a snapshot was taken, or a backup is being made".to_owned(),
        };
        let commit = match self.host.state.is_active() {
            true => format!("virsh blockcommit {} {target} --active --pivot", self.host.id.name),
            false => "qemu-img commit".to_owned(),
        };
        let danger = if is_live && self.host.persistent.is_some() {
            "; the next boot would be without what was written since"
        } else {
            ""
        };
        FieldChange {
            path: Path::parse(&format!("devices/disk[target/@dev='{target}']/source"))
                .unwrap_or_default(),
            before: place(there),
            after: place(want),
            effect: Effect::None,
            span: want.element().child("source").unwrap_or(want.element()).span(),
            origin: ChangeCause::Drift,
            why: Some(format!(
                "{target} runs on an overlay of it, since {whose}{danger}: {commit} ends that, or write \
                 the overlay into the manifest"
            )),
        }
    }
}

fn disks(kind: Kind, definition: &Element) -> impl Iterator<Item = Disk<'_>> {
    let is_domain = kind.is_guest();
    is_domain.then(|| Domain::new(definition.node()).disks()).into_iter().flatten()
}

/// Gives a manifest's disks the storage on the host: source, format, and backing chain. A disk that is to be
/// in another place keeps its definition.
fn put_on(definition: &mut Element, held: &[(Disk<'_>, Disk<'_>)]) {
    let held: Vec<(Option<String>, Element)> = held
        .iter()
        .map(|(want, there)| (want.target().map(str::to_owned), there.element().to_element()))
        .collect();
    let devices = definition.child_mut("devices");
    for disk in devices.into_iter().flat_map(Element::elements_mut).filter(|e| e.is("disk")) {
        let target = disk.child("target").and_then(|t| t.attr("dev")).map(str::to_owned);
        let Some((_, there)) = held.iter().find(|(want, _)| *want == target) else { continue };
        let is_same = there.child("target").and_then(|t| t.attr("dev")) == target.as_deref();
        match is_same {
            true => put_storage(disk, there),
            false => *disk = there.clone(),
        }
    }
}

fn put_storage(disk: &mut Element, there: &Element) {
    const LAYERS: [&str; 3] = ["source", "backingStore", "encryption"];
    let is_layer = |e: &Element| LAYERS.iter().any(|name| e.is(name));
    disk.put_attr("type", there.attr("type"));
    disk.remove_elements(is_layer);
    for mut layer in there.elements().filter(|e| is_layer(e)).cloned() {
        layer.remove_attr("index");
        disk.push(layer);
    }
    let format = there.child("driver").and_then(|driver| driver.attr("type"));
    if let Some(driver) = disk.child_mut("driver") {
        driver.put_attr("type", format);
    }
}
