//! A manifest compared with a definition: what differs, and the edits that would merge it in.
//!
//! The manifest is a subset (rule S): what it has must be there after canonicalisation; what only the
//! definition has stays, unless the last applied manifest had it, the manifest governs the list it
//! stands in (rule M), or what the host derived it from has changed. Nothing is copied or changed
//! here: the edits are for [`super::merge`]. The functions are pure.

use super::merge::{Edits, Entry};
use super::normalize::{self, Renewed, Rule, Unit};
use super::overlay::{Change, Edit, Origin, Side};
use super::pairing::{List, Pairs, is_emptied, pair};
use super::secret::REDACTED;
use super::uncounted::Uncounted;
use super::words::{summary, with_unit};
use crate::diag::Span;
use crate::model::Kind;
use crate::xml::{Attribute, Element, Name, Node, Path, Step};

/// What a comparison comes to.
#[derive(Debug)]
pub(super) struct Differences {
    /// What differs, for people and for those who change what runs.
    pub(super) changes: Vec<Change>,
    /// What merges the manifest in.
    pub(super) edits: Edits,
    /// Entries of lists that have differences inside: their paths, and their places in the definition
    /// as numbers of child nodes.
    pub(super) touched: Vec<(Path, Vec<usize>)>,
    /// Differences that are not counted, if somebody asked.
    pub(super) uncounted: Vec<Uncounted>,
}

/// What a comparison is of.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    pub(super) kind: Kind,
    pub(super) side: Side,
    pub(super) live: &'a Element,
    /// The manifest, as [`normalize::prepare`] gives it.
    pub(super) want: &'a Element,
    /// The manifest as it was applied last, if it was another.
    pub(super) last: Option<&'a Element>,
    /// Whether the manifest is the one that was applied last.
    pub(super) unchanged: bool,
    pub(super) ignore: &'a [Path],
    /// Whether to list the differences that are not counted.
    pub(super) explain: bool,
}

/// Compares.
pub(super) fn compare(of: Comparison<'_>) -> Differences {
    let mut walk = Walk {
        unchanged: of.unchanged,
        knows_last: of.last.is_some(),
        uncounted: of.explain.then(Vec::new),
        ..Walk::new(of.kind, of.side, of.ignore, Path::default())
    };
    let edits = walk.element(of.live, of.want, of.last);
    let Walk { changes, touched, uncounted, .. } = walk;
    Differences { changes, edits, touched, uncounted: uncounted.unwrap_or_default() }
}

/// Whether `want` fits `live` as it is: what pairing asks of entries that no key tells apart.
pub(super) fn fits(side: Side, path: &Path, live: &Element, want: &Element) -> bool {
    stays(side, path, live, want, None)
}

/// The same where `last` was applied: what that had and `want` has not is not there either.
fn stays(side: Side, path: &Path, live: &Element, want: &Element, last: Option<&Element>) -> bool {
    // which kind it is makes no difference: nothing governs where nothing differs
    let mut walk = Walk::new(Kind::Domain, side, &[], path.clone());
    walk.element(live, want, last);
    walk.changes.is_empty()
}

/// Whether a list has controllers of the PCI bus, whose numbers devices are known by.
fn is_on_pci(list: &[&Element]) -> bool {
    list.iter().any(|e| e.is("controller") && e.attr("type") == Some("pci"))
}

struct Walk<'a> {
    kind: Kind,
    side: Side,
    ignore: &'a [Path],
    unchanged: bool,
    /// Whether what was applied last is known, and is not what the manifest has now.
    knows_last: bool,
    /// The path of the element being compared.
    path: Path,
    /// Its place in the definition.
    place: Vec<usize>,
    /// What of the elements on the path the host is to fill in anew.
    renewed: Vec<Renewed>,
    /// PCI buses that are not there any more.
    lost_buses: Vec<u32>,
    changes: Vec<Change>,
    touched: Vec<(Path, Vec<usize>)>,
    /// Differences that are not counted, if somebody asks.
    uncounted: Option<Vec<Uncounted>>,
}

impl<'a> Walk<'a> {
    fn new(kind: Kind, side: Side, ignore: &'a [Path], path: Path) -> Self {
        Self {
            kind,
            side,
            ignore,
            unchanged: false,
            knows_last: false,
            path,
            place: Vec::new(),
            renewed: Vec::new(),
            lost_buses: Vec::new(),
            changes: Vec::new(),
            touched: Vec::new(),
            uncounted: None,
        }
    }

    fn element(&mut self, live: &Element, want: &Element, last: Option<&Element>) -> Edits {
        let known = self.renewed.len();
        self.renew(live, want, last);
        let mut edits = Edits::default();
        self.attributes(&mut edits, live, want, last);
        self.text(&mut edits, live, want, last);
        self.children(&mut edits, live, want, last);
        self.renewed.truncate(known);
        edits
    }

    /// Takes note of what the host is to fill in anew in this element.
    fn renew(&mut self, live: &Element, want: &Element, last: Option<&Element>) {
        let at = self.path.pattern();
        let was = self.knows_last.then_some(last);
        self.renewed.extend(normalize::renewed(self.kind, &at, live, want, was));
        if at == "devices" {
            self.lost_buses = normalize::lost_buses(live, want);
        }
    }

    fn attributes(
        &mut self,
        edits: &mut Edits,
        live: &Element,
        want: &Element,
        last: Option<&Element>,
    ) {
        let element = want.name.local.clone();
        let respelled = normalize::respelled(want, live);
        for attribute in &want.attributes {
            let name = attribute.name.written();
            let mut before = live.attr_written(&name).map(str::to_owned);
            if let Some(form) = respelled.as_ref().filter(|form| form.attribute == name) {
                edits.put(attribute);
                edits.remove_attribute(form.other);
                before = Some(form.value.clone());
                let (said, was) = (attribute.value.clone(), form.written.clone());
                self.pass_over(|p| p.at(&name), || Some(said), || Some(was), Rule::Netmask);
            }
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
                // a value that is not compared is still the manifest's to send
                let sent = rule == Rule::OwnAffair && self.side == Side::NextBoot;
                if rule.is_spelling() || sent {
                    edits.put(attribute);
                }
                continue;
            }
            let applied = last.and_then(|l| l.attr_written(&name));
            let origin = self.origin(applied == Some(attribute.value.as_str()));
            let after = Some(attribute.value.clone());
            self.push(path, before, after, attribute.span, origin, Edit::Set);
            edits.put(attribute);
            if !plain {
                edits.put_plain("unit", want.attr("unit"));
            }
        }
        for attribute in &live.attributes {
            let name = attribute.name.written();
            let respelled = respelled.as_ref().is_some_and(|form| form.other == name);
            if want.attr_written(&name).is_some() || respelled {
                continue;
            }
            self.extra_attribute(edits, attribute, want, last);
        }
    }

    /// An attribute that only the definition has.
    fn extra_attribute(
        &mut self,
        edits: &mut Edits,
        attribute: &Attribute,
        want: &Element,
        last: Option<&Element>,
    ) {
        let name = attribute.name.written();
        let was = last.is_some_and(|l| l.attr_written(&name).is_some());
        if (!was && self.renewed.is_empty()) || self.is_unit(&want.name.local, &name, want) {
            return;
        }
        let path = self.path.at(&name);
        let rule = self.skips(&path, "");
        if was && !normalize::is_kept(&path) && rule.is_none() {
            edits.remove_attribute(&name);
            let before = Some(attribute.value.clone());
            self.push(path, before, None, want.span, Origin::Manifest, Edit::Remove);
        } else if was && rule == Some(Rule::OwnAffair) && self.side == Side::NextBoot {
            edits.remove_attribute(&name);
        } else if self.is_renewed(&path) && rule != Some(Rule::Ignored) {
            edits.remove_attribute(&name);
            self.pass_over(|_| path, || None, || Some(attribute.value.clone()), Rule::Renewed);
        }
    }

    fn text(&mut self, edits: &mut Edits, live: &Element, want: &Element, last: Option<&Element>) {
        let (after, before) = (want.text(), live.text());
        if after.is_empty() {
            if !before.is_empty() && self.is_renewed(&self.path) {
                edits.set_text(String::new());
            }
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
        edits.set_text(after);
        if unit.is_some() {
            edits.put_plain("unit", want.attr("unit"));
        }
    }

    fn children(
        &mut self,
        edits: &mut Edits,
        live: &Element,
        want: &Element,
        last: Option<&Element>,
    ) {
        let parent = normalize::label(want);
        let mut names: Vec<&Name> = Vec::new();
        let mut lists = Vec::new();
        // what only the definition has concerns nobody but where it is filled in anew
        let anew = (!self.renewed.is_empty() || !self.lost_buses.is_empty()).then_some(live);
        let sides = want.elements().chain(last.into_iter().flat_map(Element::elements));
        for element in sides.chain(anew.into_iter().flat_map(Element::elements)) {
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
                self.whole_list(edits, live, &list, &wanted, &lasts);
            } else {
                self.list(edits, live, &list, &wanted, &lasts);
            }
        }
    }

    /// A list whose order matters: compared and replaced as a whole.
    fn whole_list(
        &mut self,
        edits: &mut Edits,
        live: &Element,
        list: &List<'_>,
        want: &[&Element],
        last: &[&Element],
    ) {
        let path = self.path.join(list.step());
        let numbered = list.numbered(live);
        let have: Vec<&Element> = numbered.iter().map(|(_, e)| *e).collect();
        let was = |n: usize| last.get(n).copied().filter(|_| last.len() == want.len());
        let fit = want.len() == have.len()
            && want
                .iter()
                .zip(&have)
                .enumerate()
                .all(|(n, (w, l))| stays(self.side, &path, l, w, was(n)));
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
        for (n, _) in numbered {
            edits.remove(n);
        }
        for element in want {
            edits.add((*element).clone());
        }
        self.push(path, before, after, span, self.origin(applied), edit);
    }

    fn list(
        &mut self,
        edits: &mut Edits,
        live: &Element,
        list: &List<'_>,
        want: &[&Element],
        last: &[&Element],
    ) {
        let bare = self.path.join(list.step());
        let have = list.numbered(live);
        let elements: Vec<&Element> = have.iter().map(|(_, e)| *e).collect();
        let mut pairs = pair(self.side, &bare, list.parent, want, &elements, last);
        if self.is_replaced(&bare) {
            pairs.live.fill(None);
        }
        let count = have.len();
        let mut added = 0;
        let mut order = Vec::new();
        let known = self.renewed.len();
        if !pairs.keep_their_places(count) && !is_on_pci(want) {
            self.renewed.extend(Renewed::number_of(&bare.pattern()));
        }
        for (i, wanted) in want.iter().enumerate() {
            let partner = pairs.live.get(i).copied().flatten();
            let number = partner.unwrap_or_else(|| {
                added += 1;
                count + added - 1
            });
            // what is there is named as it is there
            let there = partner.and_then(|n| elements.get(n)).copied();
            let named = there.filter(|_| list.has_key(wanted)).unwrap_or(wanted);
            let step = list.step_of(named, number, want.len().max(count));
            let applied = pairs.last.get(i).copied().flatten();
            let applied = applied.and_then(|n| last.get(n)).copied();
            self.path.steps.push(step);
            match partner.and_then(|n| have.get(n)) {
                Some((child, element)) => {
                    self.entry(edits, (*child, element), wanted, applied);
                    order.push(Entry::There(*child));
                }
                None => order.extend(self.add(edits, wanted, applied)),
            }
            self.path.steps.pop();
        }
        self.renewed.truncate(known);
        edits.order(order);
        self.extras(edits, list, (want, &have, last), &pairs);
    }

    /// An entry that is on both sides.
    fn entry(
        &mut self,
        edits: &mut Edits,
        (child, element): (usize, &Element),
        wanted: &Element,
        applied: Option<&Element>,
    ) {
        let changes = self.changes.len();
        self.place.push(child);
        let known = self.renewed.len();
        if self.is_on_lost_bus(element) {
            self.renewed.push(Renewed::address_of(&self.path.pattern()));
        }
        let inside = self.element(element, wanted, applied);
        self.renewed.truncate(known);
        if self.changes.len() > changes {
            self.touched.push((self.path.clone(), self.place.clone()));
        }
        self.place.pop();
        edits.inside(child, inside);
    }

    /// Entries that only the definition has.
    fn extras(
        &mut self,
        edits: &mut Edits,
        list: &List<'_>,
        (want, have, last): (&[&Element], &[(usize, &Element)], &[&Element]),
        pairs: &Pairs,
    ) {
        let count = have.len();
        let governs = !want.is_empty() && normalize::governed(list.parent, &list.label);
        for (n, (child, extra)) in have.iter().enumerate() {
            if pairs.live.contains(&Some(n)) {
                continue;
            }
            let applied = pairs.last_of_live.get(n).copied().flatten();
            let gone = applied.filter(|l| !pairs.last.contains(&Some(*l)));
            let was = gone.and_then(|l| last.get(l)).copied();
            let was = was.filter(|was| !is_emptied(was, extra));
            let path = self.path.join(list.step_of(extra, n, count));
            let goes = governs || was.is_some() && !normalize::is_kept(&path);
            let rule = self.skips(&path, "");
            if !goes || rule.is_some() {
                if !self.drop_renewed(edits, *child, extra, path.clone(), rule) && goes {
                    let why = rule.unwrap_or(Rule::FilledIn);
                    self.pass_over(|_| path, || None, || Some(summary(extra)), why);
                }
                continue;
            }
            if self.side == Side::Running && normalize::is_no_limit(&path, extra) {
                self.pass_over(|_| path, || None, || Some(summary(extra)), Rule::NoLimit);
                continue;
            }
            // what others have put into it stays
            if let Some(was) = was.filter(|was| normalize::stays_shared(&path, extra, was)) {
                let nothing = Element { name: list.name.clone(), ..Element::new("") };
                self.path.steps.push(list.step_of(extra, n, count));
                self.place.push(*child);
                let inside = self.element(extra, &nothing, Some(was));
                self.place.pop();
                self.path.steps.pop();
                edits.inside(*child, inside);
                continue;
            }
            let from = if was.is_some() { Origin::Manifest } else { Origin::Drift };
            self.push(path, Some(summary(extra)), None, Span::NONE, from, Edit::Remove);
            edits.remove(*child);
        }
    }

    /// Drops an entry that no manifest has from what is filled in anew, or at least the address of a
    /// device whose bus goes; says whether the entry is dropped.
    fn drop_renewed(
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

    fn add(
        &mut self,
        edits: &mut Edits,
        wanted: &Element,
        applied: Option<&Element>,
    ) -> Option<Entry> {
        let path = self.path.clone();
        let drops = || normalize::vanishes(&path, wanted).then_some(Rule::Default);
        if let Some(rule) = self.skips(&path, "").or_else(drops) {
            self.pass_over(|_| path, || Some(summary(wanted)), || None, rule);
            return None;
        }
        let from = self.origin(applied.is_some_and(|a| a == wanted));
        self.push(path, None, Some(summary(wanted)), wanted.span, from, Edit::Add(wanted.clone()));
        Some(edits.add(wanted.clone()))
    }

    /// Whether the host is to fill in anew what is at `path`, as far as no manifest writes it.
    fn is_renewed(&self, path: &Path) -> bool {
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
    fn is_replaced(&self, path: &Path) -> bool {
        let key = || path.pattern();
        self.renewed.iter().any(|renewed| renewed.replaced && renewed.replaces(&key()))
    }

    /// Whether a device has its address on a PCI bus that is not there any more.
    fn is_on_lost_bus(&self, device: &Element) -> bool {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        let address = || device.child("address").filter(|a| a.attr("type") == Some("pci"));
        let bus = || number(address()?.attr("bus")?);
        !self.lost_buses.is_empty() && bus().is_some_and(|bus| self.lost_buses.contains(&bus))
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
        } else if normalize::never_compared(path, value)
            || self.side == Side::Running && normalize::is_chosen_while_running(path)
        {
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
