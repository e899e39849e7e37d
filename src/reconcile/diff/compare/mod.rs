//! Comparison of a manifest with a definition: the differences, and the edits that merge it in.
//!
//! The manifest is a subset (rule S): what it has must be there after canonicalisation; what only the
//! definition has stays, unless the last applied manifest had it, the manifest governs the list it
//! stands in (rule M), or what the host derived it from has changed. Pure: [`super::merge`] makes the edits.
//!
//! - `excuse.rs`: equivalences by which a difference is ignored
//! - `order.rs`: lists in which the order matters beside the entries
//! - `renewal.rs`: values that the host is to fill in anew
//! - `whole.rs`: lists that are one value

// long: one walk over both, of which the steps call each other

mod excuse;
mod order;
mod renewal;
mod whole;

use super::difference::{Change, ChangeCause, Edit, IgnoredDifference, Side};
use super::merge::{Edits, Entry};
use super::normalize;
use super::normalize::{Claim, Equivalence, Renewed};
use super::pairing::{
    List, Numbers, Pairs, is_companion, is_emptied, is_on_pci, pair, take_other_ports,
};
use crate::model::Kind;
use crate::reconcile::summary::{summary, with_unit};
use diagnostics::Span;
use std::collections::{HashMap, HashSet};
use xmltree::{Attribute, Element, Name, NodeRef, Path};

/// Result of a comparison.
#[derive(Debug)]
pub(crate) struct Differences {
    /// Differences, for reports and for live changes.
    pub(crate) changes: Vec<Change>,
    /// Edits that merge the manifest into the definition.
    pub(crate) edits: Edits,
    /// Entries of lists that have differences inside: their paths, and their places in the definition
    /// as numbers of child nodes.
    pub(crate) touched: Vec<(Path, Vec<usize>)>,
    /// Differences that are not counted, if somebody asked.
    pub(crate) ignored: Vec<IgnoredDifference>,
}

/// Input of a comparison.
#[derive(Clone, Copy)]
pub(crate) struct Comparison<'a> {
    pub(crate) kind: Kind,
    pub(crate) side: Side,
    pub(crate) live: NodeRef<'a>,
    /// The manifest, as [`normalize::prepare`] gives it.
    pub(crate) want: NodeRef<'a>,
    /// The manifest as it was applied last, if it was another.
    pub(crate) last: Option<NodeRef<'a>>,
    /// Whether the manifest is the one that was applied last.
    pub(crate) unchanged: bool,
    pub(crate) ignore: &'a [Path],
    /// Whether to list the differences that are not counted.
    pub(crate) explain: bool,
}

/// Compares.
pub(crate) fn compare(of: Comparison<'_>) -> Differences {
    let mut walk = Walk {
        unchanged: of.unchanged,
        knows_last: of.last.is_some(),
        ignored: of.explain.then(Vec::new),
        ..Walk::new(Some(of.kind), of.side, of.ignore, Path::default())
    };
    let edits =
        walk.element(of.live.as_element(), of.want.as_element(), of.last.map(NodeRef::as_element));
    let Walk { changes, touched, ignored, .. } = walk;
    Differences { changes, edits, touched, ignored: ignored.unwrap_or_default() }
}

/// Whether `want` fits `live` as it is, by which entries without keys are paired.
pub(crate) fn fits(side: Side, path: &Path, live: &Element, want: &Element) -> bool {
    stays(side, path, live, want, None)
}

/// Returns a predicate that tells whether a manifest's element fits a definition's at `path`.
pub(crate) fn fits_at(side: Side, path: &Path) -> impl Fn(&Element, &Element) -> bool {
    move |want, live| fits(side, path, live, want)
}

/// Whether `want` fits `live` as it is, and nothing that only `last` has is in `live`.
fn stays(side: Side, path: &Path, live: &Element, want: &Element, last: Option<&Element>) -> bool {
    // nothing governs where nothing differs
    let mut walk = Walk::new(None, side, &[], path.clone());
    walk.element(live, want, last);
    walk.changes.is_empty()
}

struct Walk<'a> {
    /// Kind of the definition; `None` where no governors need to be looked up.
    kind: Option<Kind>,
    side: Side,
    ignore: &'a [Path],
    unchanged: bool,
    /// Whether the last applied manifest is known, and differs from the present one.
    knows_last: bool,
    /// The path of the element being compared.
    path: Path,
    /// Position of that element in the definition, as an index for each level.
    place: Vec<usize>,
    /// Parts of the elements on the path that the host is to fill in anew.
    renewed: Vec<Renewed>,
    /// PCI buses that are not there any more.
    lost_buses: Vec<u32>,
    /// Places that the manifest gives to devices, and that some device has.
    claims: Vec<Claim>,
    changes: Vec<Change>,
    touched: Vec<(Path, Vec<usize>)>,
    /// Differences that are not counted, if somebody asks.
    ignored: Option<Vec<IgnoredDifference>>,
}

impl<'a> Walk<'a> {
    fn new(kind: Option<Kind>, side: Side, ignore: &'a [Path], path: Path) -> Self {
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
            claims: Vec::new(),
            changes: Vec::new(),
            touched: Vec::new(),
            ignored: None,
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
                self.pass_over(|p| p.at(&name), || Some(said), || Some(was), Equivalence::Netmask);
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
                let sent = rule == Equivalence::OwnAffair && self.side == Side::NextBoot;
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
        if was && rule.is_none() && normalize::is_discarded(&path, &attribute.value) {
            self.pass_over(
                |_| path,
                || None,
                || Some(attribute.value.clone()),
                Equivalence::Default,
            );
        } else if was && !normalize::is_kept(&path) && rule.is_none() {
            edits.remove_attribute(&name);
            let before = Some(attribute.value.clone());
            self.push(path, before, None, want.span, ChangeCause::Manifest, Edit::Remove);
        } else if was && rule == Some(Equivalence::OwnAffair) && self.side == Side::NextBoot {
            edits.remove_attribute(&name);
        } else if self.is_renewed(&path) && rule != Some(Equivalence::Ignored) {
            edits.remove_attribute(&name);
            self.pass_over(
                |_| path,
                || None,
                || Some(attribute.value.clone()),
                Equivalence::Renewed,
            );
        }
    }

    fn text(&mut self, edits: &mut Edits, live: &Element, want: &Element, last: Option<&Element>) {
        let (after, before) = (want.text(), live.text());
        if after.is_empty() {
            let was = last.is_some_and(|l| !l.text().is_empty());
            let gone =
                was && !normalize::is_kept(&self.path) && self.skips(&self.path, "").is_none();
            if before.is_empty() || !gone && !self.is_renewed(&self.path) {
                return;
            }
            edits.set_text(String::new());
            if gone {
                let path = self.path.clone();
                self.push(path, Some(before), None, want.span, ChangeCause::Manifest, Edit::Set);
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
                drops.then_some(Equivalence::Default)
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
        // content that only the definition has matters only where it is filled in anew
        let is_moved = !self.lost_buses.is_empty() || !self.claims.is_empty();
        let anew = (!self.renewed.is_empty() || is_moved).then_some(live);
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
        let becomes = fits_at(self.side, &bare);
        let mut pairs = pair(list.parent, (want, &elements, last), &becomes);
        if self.is_replaced(&bare) {
            let same = |w: usize, n: usize| match (want.get(w), elements.get(n)) {
                (Some(want), Some(live)) => becomes(want, live),
                _ => false,
            };
            for (w, partner) in pairs.live.iter_mut().enumerate() {
                *partner = partner.filter(|n| same(w, *n));
            }
        }
        let count = have.len();
        let mut added = 0;
        let mut order = Vec::new();
        let known = self.renewed.len();
        let numbers = list.numbers(&elements);
        let (on_pci, mut moving) = (is_on_pci(want), HashMap::new());
        let keep = pairs.keep_their_places(count) && !take_other_ports(want, &elements);
        let renumbered = Renewed::number_of(&bare.pattern()).filter(|_| !keep);
        for (i, wanted) in want.iter().enumerate() {
            let partner = pairs.live.get(i).copied().flatten();
            let number = partner.unwrap_or_else(|| {
                added += 1;
                count + added - 1
            });
            // an existing entry is named by the definition's key
            let there = partner.and_then(|n| elements.get(n)).copied();
            let named = there.filter(|_| list.has_key(wanted)).unwrap_or(wanted);
            let step = list.step_of(named, number, (&numbers, want.len().max(count)));
            let applied = pairs.last.get(i).copied().flatten();
            let applied = applied.and_then(|n| last.get(n)).copied();
            self.renewed.truncate(known);
            let kind = wanted.attr("type");
            let moves = *moving.entry(kind).or_insert_with(|| pairs.move_controllers(want, kind));
            if moves || !on_pci {
                self.renewed.extend(renumbered.clone());
            }
            self.path.steps.push(step);
            match partner.and_then(|n| have.get(n)) {
                Some((child, element)) => {
                    if moves && is_companion(wanted) && wanted.attr("index").is_none() {
                        self.renewed.push(Renewed::address_of(&bare.pattern()));
                    }
                    self.entry(edits, (*child, element), wanted, applied);
                    order.push(Entry::There(*child));
                }
                None => order.extend(self.add(edits, wanted, applied)),
            }
            self.path.steps.pop();
        }
        self.renewed.truncate(known);
        edits.order(order);
        self.reordered(list, (want, &elements, last), &pairs);
        self.extras(edits, (list, &numbers), (want, &have, last), &pairs);
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
        if self.place.len() == 2 && self.loses_place(element, Some(wanted)) {
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
        (list, numbers): (&List<'_>, &Numbers),
        (want, have, last): (&[&Element], &[(usize, &Element)], &[&Element]),
        pairs: &Pairs,
    ) {
        let count = have.len();
        let wanted: HashSet<usize> = pairs.live.iter().copied().flatten().collect();
        let said: HashSet<usize> = pairs.last.iter().copied().flatten().collect();
        let governs = !want.is_empty() && normalize::governed(list.parent, &list.label);
        for (n, (child, extra)) in have.iter().enumerate() {
            if wanted.contains(&n) {
                continue;
            }
            let applied = pairs.last_of_live.get(n).copied().flatten();
            let gone = applied.filter(|l| !said.contains(l));
            let was = gone.and_then(|l| last.get(l)).copied();
            let was = was.filter(|was| !is_emptied(was, extra));
            let path = self.path.join(list.step_of(extra, n, (numbers, count)));
            let goes = governs || was.is_some() && !normalize::is_kept(&path);
            let rule = self.skips(&path, "");
            if !goes || rule.is_some() {
                let stays = !self.drop_renewed(edits, *child, extra, path.clone(), rule);
                if let (true, Some(was), None) = (stays, was, rule) {
                    self.tell_renewed(extra, was, &path);
                }
                if stays && goes {
                    let why = rule.unwrap_or(Equivalence::FilledIn);
                    self.pass_over(|_| path, || None, || Some(summary(extra)), why);
                }
                continue;
            }
            if self.side == Side::Running && normalize::is_no_limit(&path, extra) {
                self.pass_over(|_| path, || None, || Some(summary(extra)), Equivalence::NoLimit);
                continue;
            }
            // others' content in it stays
            if let Some(was) = was.filter(|was| normalize::stays_shared(&path, extra, was)) {
                let nothing = Element { name: list.name.clone(), ..Element::new("") };
                self.path.steps.push(list.step_of(extra, n, (numbers, count)));
                self.place.push(*child);
                let inside = self.element(extra, &nothing, Some(was));
                self.place.pop();
                self.path.steps.pop();
                edits.inside(*child, inside);
                continue;
            }
            let from = if was.is_some() { ChangeCause::Manifest } else { ChangeCause::Drift };
            self.push(path, Some(summary(extra)), None, Span::NONE, from, Edit::Remove);
            edits.remove(*child);
        }
    }

    fn add(
        &mut self,
        edits: &mut Edits,
        wanted: &Element,
        applied: Option<&Element>,
    ) -> Option<Entry> {
        let path = self.path.clone();
        let drops = || normalize::vanishes(&path, wanted).then_some(Equivalence::Default);
        if let Some(rule) = self.skips(&path, "").or_else(drops) {
            self.pass_over(|_| path, || Some(summary(wanted)), || None, rule);
            return None;
        }
        let from = self.origin(applied.is_some_and(|a| a == wanted));
        self.push(path, None, Some(summary(wanted)), wanted.span, from, Edit::Add(wanted.clone()));
        Some(edits.add(wanted.clone()))
    }

    /// Returns the cause of a difference: drift if the manifest that was applied last said the same
    /// (`applied`), else an edit.
    fn origin(&self, applied: bool) -> ChangeCause {
        if applied || self.unchanged { ChangeCause::Drift } else { ChangeCause::Manifest }
    }

    fn push(
        &mut self,
        path: Path,
        before: Option<String>,
        after: Option<String>,
        span: Span,
        origin: ChangeCause,
        edit: Edit,
    ) {
        self.changes.push(Change { path, before, after, span, origin, edit });
    }
}
