//! Renewal: values that the host is to fill in anew are dropped where no manifest writes them.

use super::Walk;
use crate::model::address_number;
use crate::reconcile::diff::difference::{ChangeCause, Edit, Side};
use crate::reconcile::diff::merge::Edits;
use crate::reconcile::diff::normalize;
use crate::reconcile::diff::normalize::Equivalence;
use crate::reconcile::summary::summary;
use diagnostics::Span;
use xmltree::{Element, Node, Path, Step};

impl Walk<'_> {
    /// Records the values in this element that the host is to fill in anew.
    pub(super) fn renew(&mut self, live: &Element, want: &Element, last: Option<&Element>) {
        let Some(kind) = self.kind.filter(|_| normalize::may_govern(&self.path)) else { return };
        let at = self.path.pattern();
        let was = self.knows_last.then_some(last);
        self.renewed.extend(normalize::renewed(kind, &at, live, want, was));
        if at == "devices" {
            self.lost_buses = normalize::lost_buses(live, want);
            if self.side == Side::NextBoot {
                self.claims = normalize::claims(want, live);
            }
        }
    }

    /// Drops an entry that only the host has from a renewed list, or at least the address of a device that
    /// loses its place; returns whether the entry is dropped.
    pub(super) fn drop_renewed(
        &mut self,
        edits: &mut Edits,
        child: usize,
        extra: &Element,
        path: Path,
        rule: Option<Equivalence>,
    ) -> bool {
        if rule == Some(Equivalence::Ignored) {
            return false;
        }
        if self.goes_renewed(extra, &path) {
            edits.remove(child);
            self.pass_over(|_| path, || None, || Some(summary(extra)), Equivalence::Renewed);
            return true;
        }
        edits.inside(child, self.dropped_inside(extra, &path));
        false
    }

    /// Whether an element that no manifest has is dropped, to be filled in anew: of devices only those that
    /// hosts add by themselves.
    fn goes_renewed(&self, extra: &Element, path: &Path) -> bool {
        let is_implicit = || normalize::is_implicit_device(extra, self.is_of_new_machine(path));
        self.is_renewed(path) && (!is_device(path) || is_implicit())
    }

    /// Whether a path leads to a device of a machine whose devices are all filled in anew.
    fn is_of_new_machine(&self, path: &Path) -> bool {
        let all = || Path { steps: path.steps.iter().take(1).cloned().collect(), attribute: None };
        is_device(path) && self.is_renewed(&all())
    }

    /// Returns the edits that drop renewed values in an element that stays though no manifest has it.
    fn dropped_inside(&self, extra: &Element, path: &Path) -> Edits {
        let mut edits = Edits::default();
        // a device of somebody else moves to the new machine, and gets a place there
        if self.is_of_new_machine(path) || is_device(path) && self.loses_place(extra, None) {
            for (n, node) in extra.children.iter().enumerate() {
                if matches!(node, Node::Element(e) if e.is("address")) {
                    edits.remove(n);
                }
            }
            return edits;
        }
        if self.renewed.is_empty() || self.is_renewed(path) {
            return edits;
        }
        for attribute in &extra.attributes {
            let name = attribute.name.written();
            if self.is_renewed(&path.at(&name)) {
                edits.remove_attribute(&name);
            }
        }
        for (n, node) in extra.children.iter().enumerate() {
            let Node::Element(child) = node else { continue };
            let step = Step { name: normalize::label(child), key: None, ordinal: None };
            let below = path.join(step);
            if self.goes_renewed(child, &below) {
                edits.remove(n);
            } else {
                edits.inside(n, self.dropped_inside(child, &below));
            }
        }
        edits
    }

    /// Reports removals of values that the manifest wrote into an element that stays without it, and that the
    /// host fills in again.
    pub(super) fn tell_renewed(&mut self, extra: &Element, was: &Element, path: &Path) {
        for attribute in &was.attributes {
            let path = path.at(&attribute.name.written());
            let before = extra.attr_written(&attribute.name.written()).map(str::to_owned);
            if before.is_some() && self.is_renewed(&path) {
                self.push(path, before, None, Span::NONE, ChangeCause::Manifest, Edit::Remove);
            }
        }
    }

    /// Whether the host is to fill in the value at `path` anew, as far as no manifest writes it.
    pub(super) fn is_renewed(&self, path: &Path) -> bool {
        if self.renewed.is_empty() {
            return false;
        }
        let names = path.pattern();
        let key = match &path.attribute {
            Some(name) if names.is_empty() => format!("@{name}"),
            Some(name) => format!("{names}/@{name}"),
            None => names,
        };
        self.renewed.iter().any(|renewed| renewed.covers(&key))
    }

    /// Whether the elements at `path` are others, not the same with other values.
    pub(super) fn is_replaced(&self, path: &Path) -> bool {
        let key = || path.pattern();
        self.renewed.iter().any(|renewed| renewed.replaced && renewed.replaces(&key()))
    }

    /// Whether a device cannot stay where it is: its PCI bus is not there any more, or the manifest, which
    /// has it as `want`, gives its place to another one.
    pub(super) fn loses_place(&self, device: &Element, want: Option<&Element>) -> bool {
        let address = || device.child("address").filter(|a| a.attr("type") == Some("pci"));
        let bus = || address_number(address()?.attr("bus")?);
        if !self.lost_buses.is_empty() && bus().is_some_and(|bus| self.lost_buses.contains(&bus)) {
            return true;
        }
        !self.claims.is_empty()
            && want.and_then(normalize::place_of).is_none()
            && self.claims.iter().any(|claim| claim.takes(device))
    }
}

/// Whether a path leads to a device.
fn is_device(path: &Path) -> bool {
    path.steps.len() == 2 && path.steps.first().is_some_and(|step| step.name == "devices")
}
