//! What the host is to fill in anew: dropped where no manifest writes it.

use super::Walk;
use crate::model::address_number;
use crate::reconcile::merge::Edits;
use crate::reconcile::normalize::{self, Rule};
use crate::reconcile::words::summary;
use crate::xml::{Element, Node, Path, Step};

impl Walk<'_> {
    /// Takes note of what the host is to fill in anew in this element.
    pub(super) fn renew(&mut self, live: &Element, want: &Element, last: Option<&Element>) {
        let Some(kind) = self.kind.filter(|_| normalize::may_govern(&self.path)) else { return };
        let at = self.path.pattern();
        let was = self.knows_last.then_some(last);
        self.renewed.extend(normalize::renewed(kind, &at, live, want, was));
        if at == "devices" {
            self.lost_buses = normalize::lost_buses(live, want);
        }
    }

    /// Drops an entry that no manifest has from what is filled in anew, or at least the address of a
    /// device whose bus goes; says whether the entry is dropped.
    pub(super) fn drop_renewed(
        &mut self,
        edits: &mut Edits,
        child: usize,
        extra: &Element,
        path: Path,
        rule: Option<Rule>,
    ) -> bool {
        let renewed = self.is_renewed(&path);
        if rule == Some(Rule::Ignored) {
            return false;
        }
        if !renewed && !self.is_on_lost_bus(extra) {
            if !self.renewed.is_empty() {
                edits.inside(child, self.renewed_inside(extra, &path));
            }
            return false;
        }
        // a device of somebody else moves to the new machine, and gets a place there
        let of_machine = path.pattern().split_once('/').is_some_and(|(a, b)| {
            a == "devices" && !b.contains('/') && self.is_renewed(&self.path)
        });
        if renewed && (!of_machine || normalize::is_implicit_device(extra)) {
            edits.remove(child);
            self.pass_over(|_| path, || None, || Some(summary(extra)), Rule::Renewed);
            return true;
        }
        let mut inside = Edits::default();
        for (n, node) in extra.children.iter().enumerate() {
            if matches!(node, Node::Element(e) if e.is("address")) {
                inside.remove(n);
            }
        }
        edits.inside(child, inside);
        false
    }

    /// What is dropped from an element that stays though no manifest has it.
    fn renewed_inside(&self, extra: &Element, path: &Path) -> Edits {
        let mut edits = Edits::default();
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
            if self.is_renewed(&below) {
                edits.remove(n);
            } else {
                edits.inside(n, self.renewed_inside(child, &below));
            }
        }
        edits
    }

    /// Whether the host is to fill in anew what is at `path`, as far as no manifest writes it.
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

    /// Whether a device has its address on a PCI bus that is not there any more.
    pub(super) fn is_on_lost_bus(&self, device: &Element) -> bool {
        let address = || device.child("address").filter(|a| a.attr("type") == Some("pci"));
        let bus = || address_number(address()?.attr("bus")?);
        !self.lost_buses.is_empty() && bus().is_some_and(|bus| self.lost_buses.contains(&bus))
    }
}
