//! A manifest laid over a definition: what differs, and the definition with it merged in.
//!
//! One walk gives both, so that they cannot disagree. The manifest is a subset (rule S): what it
//! has must be there after canonicalisation; what only the definition has stays, unless the last
//! applied manifest had it, or the manifest governs the list it stands in (rule M). The functions
//! are pure.

use super::normalize::{self, Rule, Unit};
use super::pairing::{List, is_emptied, nth_named, pair, remove_numbered};
use super::secret::REDACTED;
use super::uncounted::Uncounted;
use super::words::{summary, with_unit};
use crate::diag::Span;
use crate::model::Kind;
use crate::xml::{Attribute, Element, Name, Node, Path};

/// Which definition a manifest is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The persistent definition, which the next boot uses.
    NextBoot,
    /// The running instance.
    Running,
}

/// How a field differs.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A value is set or changed.
    Set,
    /// An element is added.
    Add(Element),
    /// An element or value is removed.
    Remove,
}

/// Where a difference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The manifest asks for something that it did not ask for when it was applied last.
    Manifest,
    /// The host was changed by somebody else since.
    Drift,
}

/// One difference between a manifest and a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which field.
    pub path: Path,
    /// What the definition has; `None` if it has nothing there.
    pub before: Option<String>,
    /// What the manifest asks for; `None` if it is to go.
    pub after: Option<String>,
    /// Where the manifest asks for it; [`Span::NONE`] if it asks by leaving it out.
    pub span: Span,
    /// Who moved.
    pub origin: Origin,
    /// What to do.
    pub edit: Edit,
}

/// What [`overlay`] gives.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// The definition with the manifest merged in.
    pub merged: Element,
    /// The differences, in the order of the manifest. Empty means: nothing to do. An ordinal in a
    /// path counts the entries of the definition.
    pub changes: Vec<Change>,
    /// Entries of lists that have differences inside, by their path, as they are when merged.
    pub touched: Vec<(Path, Element)>,
}

impl Overlay {
    /// Takes what `more` takes away, which was found in [`merged`](Self::merged).
    pub(crate) fn take_away(&mut self, more: Self) {
        self.changes.extend(more.changes.into_iter().filter(|c| c.edit == Edit::Remove));
        for (path, element) in more.touched {
            self.touched.retain(|(known, _)| *known != path);
            self.touched.push((path, element));
        }
        self.merged = more.merged;
    }
}

/// Lays the manifest `want` over the definition `live`. `last` is the manifest as it was applied
/// last; `ignore` are paths left to others.
pub fn overlay(
    kind: Kind,
    side: Side,
    live: &Element,
    want: &Element,
    last: Option<&Element>,
    ignore: &[Path],
) -> Overlay {
    walk(Walk::new(side, ignore, Path::default()), kind, live, want, last).0
}

/// The same, with the differences that it does not count.
pub(super) fn explained(
    kind: Kind,
    side: Side,
    live: &Element,
    want: &Element,
    last: Option<&Element>,
    ignore: &[Path],
) -> (Overlay, Vec<Uncounted>) {
    let collects = Walk { uncounted: Some(Vec::new()), ..Walk::new(side, ignore, Path::default()) };
    walk(collects, kind, live, want, last)
}

fn walk(
    walk: Walk<'_>,
    kind: Kind,
    live: &Element,
    want: &Element,
    last: Option<&Element>,
) -> (Overlay, Vec<Uncounted>) {
    let said = normalize::prepare(kind, want, live);
    // a manifest that was applied as it is takes nothing away, and what differs is drift
    let unchanged = last.is_some_and(|last| std::ptr::eq(last, want));
    let last = last.filter(|_| !unchanged).map(|last| normalize::prepare(kind, last, live));
    let mut merged = live.clone();
    let mut walk = Walk { unchanged, ..walk };
    walk.element(&mut merged, &said, last.as_ref());
    normalize::finish(kind, &said, &mut merged);
    let Walk { mut changes, touched, uncounted, .. } = walk;
    normalize::drop_implied(want, &mut changes);
    (Overlay { merged, changes, touched }, uncounted.unwrap_or_default())
}

/// Whether `want` fits `live` as it is: what pairing asks of entries that no key tells apart.
pub(super) fn fits(side: Side, path: &Path, live: &Element, want: &Element) -> bool {
    let mut walk = Walk::new(side, &[], path.clone());
    walk.element(&mut live.clone(), want, None);
    walk.changes.is_empty()
}

struct Walk<'a> {
    side: Side,
    ignore: &'a [Path],
    /// Whether the manifest is the one that was applied last.
    unchanged: bool,
    /// The path of the element being compared.
    path: Path,
    changes: Vec<Change>,
    touched: Vec<(Path, Element)>,
    /// Differences that are not counted, if somebody asks.
    uncounted: Option<Vec<Uncounted>>,
}

impl<'a> Walk<'a> {
    fn new(side: Side, ignore: &'a [Path], path: Path) -> Self {
        let (changes, touched) = (Vec::new(), Vec::new());
        Self { side, ignore, unchanged: false, path, changes, touched, uncounted: None }
    }

    fn element(&mut self, live: &mut Element, want: &Element, last: Option<&Element>) {
        normalize::drop_other_source(&self.path, want, live);
        if let Some((attribute, was)) = normalize::respell(want, live) {
            let said = || want.attr(attribute).map(str::to_owned);
            self.pass_over(|path| path.at(attribute), said, || Some(was), Rule::Netmask);
        }
        self.attributes(live, want, last);
        self.text(live, want, last);
        self.children(live, want, last);
    }

    fn attributes(&mut self, live: &mut Element, want: &Element, last: Option<&Element>) {
        let element = want.name.local.clone();
        for attribute in &want.attributes {
            let name = attribute.name.written();
            let before = live.attr_written(&name).map(str::to_owned);
            // most values are the same to the letter, and no rule need be asked
            let plain = normalize::quantity_attribute(&element, &name).is_none();
            if plain && before.as_ref() == Some(&attribute.value) {
                continue;
            }
            if self.is_unit(&element, &name, want) {
                continue;
            }
            let path = self.path.at(&name);
            let rule = self.skips(&path, &attribute.value);
            if let Some(rule) = rule.or_else(|| self.excuse(&path, attribute, want, live)) {
                let unit = normalize::quantity_attribute(&element, &name);
                let said = || Some(with_unit(&attribute.value, want, unit));
                let was = || before.as_deref().map(|b| with_unit(b, live, unit));
                self.pass_over(|_| path, said, was, rule);
                continue;
            }
            let applied = last.and_then(|l| l.attr_written(&name));
            let origin = self.origin(applied == Some(attribute.value.as_str()));
            self.push(
                path,
                before,
                Some(attribute.value.clone()),
                attribute.span,
                origin,
                Edit::Set,
            );
            live.put_attribute(attribute);
            if normalize::quantity_attribute(&element, &name).is_some() {
                live.put_attr("unit", want.attr("unit"));
            }
        }
        for attribute in last.map_or(&[][..], |l| &l.attributes) {
            let name = attribute.name.written();
            let path = self.path.at(&name);
            let gone = want.attr_written(&name).is_none() && !self.is_unit(&element, &name, want);
            let before = live.attr_written(&name).map(str::to_owned);
            let gone = gone && !normalize::is_kept(&path) && self.skips(&path, "").is_none();
            if let (true, Some(before)) = (gone, before) {
                live.attributes.retain(|a| a.name.written() != name);
                self.push(path, Some(before), None, want.span, Origin::Manifest, Edit::Remove);
            }
        }
    }

    fn text(&mut self, live: &mut Element, want: &Element, last: Option<&Element>) {
        let (after, before) = (want.text(), live.text());
        if after.is_empty() {
            return;
        }
        let element = want.name.local.as_str();
        let unit = normalize::quantity(self.parent(), element);
        // most texts are the same to the letter, and no rule need be asked
        if unit.is_none() && after == before {
            return;
        }
        let rule = self.skips(&self.path, &after).or_else(|| match unit {
            Some(unit) => {
                self.same_amount((&after, want.attr("unit")), (&before, live.attr("unit")), unit)
            }
            None => normalize::same_value(element, None, &after, &before).or_else(|| {
                let drops = before.is_empty() && normalize::is_discarded(&self.path, &after);
                drops.then_some(Rule::Default)
            }),
        });
        let shown = || (!before.is_empty()).then(|| with_unit(&before, live, unit));
        let after_shown = || Some(with_unit(&after, want, unit));
        if let Some(rule) = rule {
            return self.pass_over(Path::clone, after_shown, shown, rule);
        }
        let applied =
            last.is_some_and(|l| l.text() == after && l.attr("unit") == want.attr("unit"));
        let (before, after_shown) = (shown(), after_shown());
        let span = want.text_span();
        self.push(self.path.clone(), before, after_shown, span, self.origin(applied), Edit::Set);
        live.set_text(after);
        if unit.is_some() {
            live.put_attr("unit", want.attr("unit"));
        }
    }

    fn children(&mut self, live: &mut Element, want: &Element, last: Option<&Element>) {
        let parent = normalize::label(want);
        let mut names: Vec<&Name> = Vec::new();
        let mut lists = Vec::new();
        for element in want.elements().chain(last.into_iter().flat_map(Element::elements)) {
            if !names.contains(&&element.name) {
                names.push(&element.name);
                lists.push(List {
                    name: &element.name,
                    label: normalize::label(element),
                    parent: &parent,
                });
            }
        }
        for list in lists {
            let wanted: Vec<&Element> = list.of(want);
            let lasts: Vec<&Element> = last.map_or(Vec::new(), |l| list.of(l));
            if normalize::is_whole_list(&parent, &list.label) {
                self.whole_list(live, &list, &wanted, &lasts);
            } else {
                self.list(live, &list, &wanted, &lasts);
            }
        }
    }

    /// A list whose order matters: compared and replaced as a whole.
    fn whole_list(
        &mut self,
        live: &mut Element,
        list: &List<'_>,
        want: &[&Element],
        last: &[&Element],
    ) {
        let path = self.path.join(list.step());
        let have: Vec<&Element> = list.of(live);
        let fit = want.len() == have.len()
            && want.iter().zip(&have).all(|(w, l)| fits(self.side, &path, l, w));
        let gone = want.is_empty() && (have.is_empty() || last.len() != have.len());
        if fit || gone {
            return;
        }
        let show = |list: &[&Element]| {
            let words: Vec<String> = list.iter().map(|e| summary(e)).collect();
            (!list.is_empty()).then(|| words.join(" "))
        };
        let span = want.first().map_or(Span::NONE, |e| e.span);
        let applied = !want.is_empty() && want == last;
        let edit = if want.is_empty() { Edit::Remove } else { Edit::Set };
        let (before, after) = (show(&have), show(want));
        if let Some(rule) = self.skips(&path, "") {
            return self.pass_over(|_| path, || after, || before, rule);
        }
        live.remove_elements(|e| e.name == *list.name);
        live.children.extend(want.iter().map(|e| Node::Element((*e).clone())));
        self.push(path, before, after, span, self.origin(applied), edit);
    }

    fn list(&mut self, live: &mut Element, list: &List<'_>, want: &[&Element], last: &[&Element]) {
        let parent = list.parent;
        let bare = self.path.join(list.step());
        let have: Vec<&Element> = list.of(live);
        let pairs = pair(self.side, &bare, parent, want, &have);
        let last_of_want = pair(self.side, &bare, parent, want, last);
        let last_of_live = pair(self.side, &bare, parent, &have, last);
        let count = have.len();
        let (mut removed, mut thinned): (Vec<usize>, Vec<(usize, &Element)>) = Default::default();
        let mut added = 0;
        for (i, wanted) in want.iter().enumerate() {
            let partner = pairs.get(i).copied().flatten();
            let number = partner.unwrap_or_else(|| {
                added += 1;
                count + added - 1
            });
            let step = list.step_of(wanted, number, want.len().max(count));
            let applied = last_of_want.get(i).copied().flatten().and_then(|n| last.get(n)).copied();
            self.path.steps.push(step);
            match partner {
                Some(n) => {
                    if let Some(e) = nth_named(live, list.name, n) {
                        let changes = self.changes.len();
                        self.element(e, wanted, applied);
                        if self.changes.len() > changes {
                            self.touched.push((self.path.clone(), e.clone()));
                        }
                    }
                }
                None => self.add(live, wanted, applied),
            }
            self.path.steps.pop();
        }
        let governs = !want.is_empty() && normalize::governed(parent, &list.label);
        // what has no partner is still as it was, before what was added
        for (n, extra) in list.of(live).into_iter().take(count).enumerate() {
            let taken = pairs.contains(&Some(n));
            let applied = last_of_live.get(n).copied().flatten();
            let gone = applied.filter(|l| !last_of_want.contains(&Some(*l)));
            let was = gone.and_then(|l| last.get(l)).copied();
            let was = was.filter(|was| !is_emptied(was, extra));
            let path = self.path.join(list.step_of(extra, n, count));
            let stays = !governs && (was.is_none() || normalize::is_kept(&path));
            if taken || stays {
                continue;
            }
            let unlimited = self.side == Side::Running && normalize::is_no_limit(&path, extra);
            let rule = self.skips(&path, "").or(unlimited.then_some(Rule::NoLimit));
            if let Some(rule) = rule {
                self.pass_over(|_| path, || None, || Some(summary(extra)), rule);
                continue;
            }
            // what others have put into it stays
            let stays = |was: &Element| normalize::stays_shared(&path, extra, was);
            if let Some(was) = was.filter(|was| stays(was)) {
                thinned.push((n, was));
                continue;
            }
            let from = if was.is_some() { Origin::Manifest } else { Origin::Drift };
            self.push(path, Some(summary(extra)), None, Span::NONE, from, Edit::Remove);
            removed.push(n);
        }
        for (n, was) in thinned {
            let Some(e) = nth_named(live, list.name, n) else { continue };
            let nothing = Element { name: list.name.clone(), ..Element::new("") };
            self.path.steps.push(list.step_of(e, n, count));
            self.element(e, &nothing, Some(was));
            self.path.steps.pop();
        }
        remove_numbered(live, list.name, &removed);
    }

    fn add(&mut self, live: &mut Element, wanted: &Element, applied: Option<&Element>) {
        let path = self.path.clone();
        let drops = || normalize::vanishes(&path, wanted).then_some(Rule::Default);
        if let Some(rule) = self.skips(&path, "").or_else(drops) {
            return self.pass_over(|_| path, || Some(summary(wanted)), || None, rule);
        }
        let from = self.origin(applied.is_some_and(|a| a == wanted));
        self.push(path, None, Some(summary(wanted)), wanted.span, from, Edit::Add(wanted.clone()));
        live.push(wanted.clone());
    }

    /// By which rule an attribute that differs from the definition's, or is not there, says the same.
    fn excuse(
        &self,
        path: &Path,
        attribute: &Attribute,
        want: &Element,
        live: &Element,
    ) -> Option<Rule> {
        let (element, name) = (want.name.local.as_str(), attribute.name.written());
        let after = attribute.value.as_str();
        let drops = || normalize::is_discarded(path, after).then_some(Rule::Default);
        let Some(before) = live.attr_written(&name) else {
            return drops().or_else(|| normalize::is_implied(path, want).then_some(Rule::Implied));
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
    fn same_amount(
        &self,
        want: (&str, Option<&str>),
        live: (&str, Option<&str>),
        unit: Unit,
    ) -> Option<Rule> {
        let amount = |(text, of): (&str, Option<&str>)| normalize::amount(text, of, unit);
        let round = |kib: u64| kib.div_ceil(1024);
        if want == live || amount(want).is_some() && amount(want) == amount(live) {
            return Some(Rule::Amount);
        }
        let rounds = self.side == Side::Running && unit == Unit::KiB;
        let whole = |kib: Option<u64>| kib.map(round);
        (rounds && amount(want).is_some() && whole(amount(want)) == whole(amount(live)))
            .then_some(Rule::WholeMib)
    }

    /// `@unit` beside a quantity is part of that quantity.
    fn is_unit(&self, element: &str, name: &str, want: &Element) -> bool {
        name == "unit"
            && (normalize::quantity(self.parent(), element).is_some()
                || want
                    .attributes
                    .iter()
                    .any(|a| normalize::quantity_attribute(element, &a.name.local).is_some()))
    }

    /// The name of the parent of the element being compared.
    fn parent(&self) -> &str {
        let n = self.path.steps.len();
        n.checked_sub(2).and_then(|i| self.path.steps.get(i)).map_or("domain", |s| &s.name)
    }

    /// By which rule what is at `path` is not compared; `value` is what the manifest has there.
    fn skips(&self, path: &Path, value: &str) -> Option<Rule> {
        // a last applied manifest keeps no secret to compare with
        if value == REDACTED {
            Some(Rule::Secret)
        } else if normalize::never_compared(path, value) {
            Some(Rule::OwnAffair)
        } else if self.side == Side::Running && normalize::only_at_boot(path) {
            Some(Rule::OnlyAtBoot)
        } else {
            self.ignore.iter().any(|i| i.covers(path)).then_some(Rule::Ignored)
        }
    }

    /// Takes note of a difference that is not counted, if somebody asks for those.
    fn pass_over(
        &mut self,
        path: impl FnOnce(&Path) -> Path,
        manifest: impl FnOnce() -> Option<String>,
        host: impl FnOnce() -> Option<String>,
        rule: Rule,
    ) {
        let Some(uncounted) = &mut self.uncounted else { return };
        let (path, manifest, host) = (path(&self.path), manifest(), host());
        if manifest != host {
            uncounted.push(Uncounted { path, manifest, host, rule });
        }
    }

    /// Who moved, where the manifest said the same (`applied`) or not when it was applied last.
    fn origin(&self, applied: bool) -> Origin {
        if applied || self.unchanged { Origin::Drift } else { Origin::Manifest }
    }

    fn push(
        &mut self,
        path: Path,
        before: Option<String>,
        after: Option<String>,
        span: Span,
        origin: Origin,
        edit: Edit,
    ) {
        self.changes.push(Change { path, before, after, span, origin, edit });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::{collection, sample};

    /// Names and values that rules know, in places where they make no sense.
    const NAMES: [&str; 32] = [
        "devices",
        "disk",
        "interface",
        "controller",
        "console",
        "serial",
        "target",
        "source",
        "driver",
        "mac",
        "address",
        "alias",
        "model",
        "memory",
        "currentMemory",
        "vcpu",
        "vcpus",
        "cpu",
        "numa",
        "cell",
        "feature",
        "os",
        "boot",
        "type",
        "cputune",
        "vcpusched",
        "ip",
        "route",
        "dhcp",
        "host",
        "forward",
        "metadata",
    ];
    const ATTRIBUTES: [&str; 16] = [
        "type", "dev", "name", "address", "unit", "mode", "port", "id", "vcpus", "model", "index",
        "netmask", "prefix", "memory", "ipv6", "path",
    ];
    const VALUES: [&str; 20] = [
        "",
        "0",
        "1",
        "0x01",
        "2",
        "1-2",
        "auto",
        "no",
        "raw",
        "GiB",
        "furlong",
        "vda",
        "pc",
        "hd",
        "52:54:00:00:00:01",
        "52:54:00:00:00:0A",
        "255.255.255.0",
        "24",
        "network",
        "ua-x",
    ];

    fn tree() -> impl Strategy<Value = Element> {
        let attribute = (sample::select(&ATTRIBUTES[..]), sample::select(&VALUES[..]));
        let attributes = collection::vec(attribute, 0..3);
        let bare = (sample::select(&NAMES[..]), attributes, sample::select(&VALUES[..])).prop_map(
            |(name, attributes, text)| {
                let element = Element::new(name).with_text(text);
                attributes.into_iter().fold(element, |e, (name, value)| e.with_attr(name, value))
            },
        );
        bare.clone().prop_recursive(4, 24, 5, move |inner| {
            (bare.clone(), collection::vec(inner, 0..5))
                .prop_map(|(e, children)| children.into_iter().fold(e, Element::with_child))
        })
    }

    fn definition() -> impl Strategy<Value = Element> {
        collection::vec(tree(), 0..4).prop_map(|children| {
            children.into_iter().fold(Element::new("domain"), Element::with_child)
        })
    }

    fn kind() -> impl Strategy<Value = Kind> {
        sample::select(vec![Kind::Domain, Kind::Network])
    }

    fn paths(overlay: &Overlay) -> Vec<String> {
        overlay.changes.iter().map(|c| c.path.to_string()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn laid_twice_changes_nothing_more(kind in kind(), want in definition(), live in definition()) {
            let once = overlay(kind, Side::NextBoot, &live, &want, None, &[]);
            let twice = overlay(kind, Side::NextBoot, &once.merged, &want, None, &[]);
            prop_assert_eq!(paths(&twice), Vec::<String>::new());
        }

        #[test]
        fn anything_is_laid_over_anything(
            kind in kind(), want in definition(), live in definition(), last in definition()
        ) {
            for side in [Side::NextBoot, Side::Running] {
                overlay(kind, side, &live, &want, Some(&last), &[]);
            }
        }

        #[test]
        fn what_only_a_host_has_stays(kind in kind(), live in definition()) {
            let laid = overlay(kind, Side::NextBoot, &live, &Element::new("domain"), None, &[]);
            prop_assert_eq!(paths(&laid), Vec::<String>::new());
        }
    }
}
