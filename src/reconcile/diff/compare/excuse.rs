//! Ignored differences: the rule by which two values are equivalent, or are not compared.

use super::Walk;
use crate::reconcile::diff::difference::{IgnoredDifference, Side};
use crate::reconcile::diff::normalize;
use crate::reconcile::diff::normalize::{Equivalence, Unit};
use diagnostics::REDACTED;
use xmltree::{Attribute, Element, Path};

impl Walk<'_> {
    /// Returns the rule by which an attribute that differs from the definition's, or is missing there, is
    /// equivalent to it.
    pub(super) fn excuse(
        &self,
        path: &Path,
        attribute: &Attribute,
        want: &Element,
        live: &Element,
    ) -> Option<Equivalence> {
        let (element, name) = (want.name.local.as_str(), attribute.name.written());
        let after = attribute.value.as_str();
        let drops = || normalize::is_discarded(path, after).then_some(Equivalence::Default);
        if normalize::is_unread(path, want) {
            return Some(Equivalence::Implied);
        }
        let Some(before) = live.attr_written(&name) else {
            return drops()
                .or_else(|| normalize::is_implied(path, want).then_some(Equivalence::Implied));
        };
        let same = match normalize::quantity_attribute(element, &name) {
            Some(unit) => {
                self.same_amount((after, want.attr("unit")), (before, live.attr("unit")), unit)
            }
            None => normalize::same_value(element, Some(&name), after, before),
        };
        same.or_else(|| (self.side == Side::Running).then(drops).flatten())
    }

    /// A running instance has its memory rounded up to whole MiB.
    pub(super) fn same_amount(
        &self,
        want: (&str, Option<&str>),
        live: (&str, Option<&str>),
        unit: Unit,
    ) -> Option<Equivalence> {
        let amount = |(text, of): (&str, Option<&str>)| normalize::amount(text, of, unit);
        let round = |kib: u64| kib.div_ceil(1024);
        if want == live || amount(want).is_some() && amount(want) == amount(live) {
            return Some(Equivalence::Amount);
        }
        let rounds = self.side == Side::Running && unit == Unit::KiB;
        let whole = |kib: Option<u64>| kib.map(round);
        (rounds && amount(want).is_some() && whole(amount(want)) == whole(amount(live)))
            .then_some(Equivalence::WholeMib)
    }

    /// `@unit` beside a quantity is part of that quantity.
    pub(super) fn is_unit(&self, element: &str, name: &str, want: &Element) -> bool {
        name == "unit"
            && (normalize::quantity(self.parent(), element).is_some()
                || want
                    .attributes
                    .iter()
                    .any(|a| normalize::quantity_attribute(element, &a.name.local).is_some()))
    }

    /// The name of the parent of the element being compared.
    pub(super) fn parent(&self) -> &str {
        let n = self.path.steps.len();
        n.checked_sub(2).and_then(|i| self.path.steps.get(i)).map_or("domain", |s| &s.name)
    }

    /// Returns the rule by which `path` is not compared; `value` is the manifest's.
    pub(super) fn skips(&self, path: &Path, value: &str) -> Option<Equivalence> {
        // a last applied manifest keeps no secret to compare with
        if value == REDACTED {
            Some(Equivalence::Secret)
        } else if normalize::never_compared(path, value)
            || self.side == Side::Running && normalize::is_chosen_while_running(path)
        {
            Some(Equivalence::OwnAffair)
        } else if self.side == Side::Running && normalize::only_at_boot(path) {
            Some(Equivalence::OnlyAtBoot)
        } else {
            self.ignore.iter().any(|i| i.covers(path)).then_some(Equivalence::Ignored)
        }
    }

    /// Takes note of a difference that is not counted, if somebody asks for those.
    pub(super) fn pass_over(
        &mut self,
        path: impl FnOnce(&Path) -> Path,
        manifest: impl FnOnce() -> Option<String>,
        host: impl FnOnce() -> Option<String>,
        rule: Equivalence,
    ) {
        let Some(ignored) = &mut self.ignored else { return };
        let (path, manifest, host) = (path(&self.path), manifest(), host());
        if manifest != host {
            ignored.push(IgnoredDifference { path, manifest, host, rule });
        }
    }
}
