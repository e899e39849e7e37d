//! Pairing of the entries of one list with those of another.
//!
//! Keys decide first. Where none tells, an entry's place is its identity: the k-th of the manifest
//! that was applied last is the k-th of this one, and what became of it on the host is what it is
//! now. Likeness of content is no identity, but for kinds whose order says nothing.

use super::normalize::{has_any_order, identity, key_of, keys, same_identity};
use std::collections::{HashMap, VecDeque};
use xmltree::{Element, Name, Node, NodeRef, Step, value_at};

/// Pairs of equal entries in three lists.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    /// Index of the definition's entry, for each entry of the manifest.
    pub(crate) live: Vec<Option<usize>>,
    /// Index of the last applied manifest's entry, for each entry of the manifest.
    pub(crate) last: Vec<Option<usize>>,
    /// Index of the last applied manifest's entry, for each entry of the definition.
    pub(crate) last_of_live: Vec<Option<usize>>,
}

impl Pairs {
    /// Whether the k-th entry of the manifest is the k-th of the `count` that the definition has.
    pub(crate) fn keep_their_places(&self, count: usize) -> bool {
        self.live.len() == count && self.live.iter().enumerate().all(|(n, at)| *at == Some(n))
    }

    /// Whether controllers without a number change their order, or have a new one in front of them: those
    /// of a type other than PCI, whose numbers devices are known by.
    pub(crate) fn move_controllers(&self, want: &[&Element], kind: Option<&str>) -> bool {
        let is_free = |e: &Element| e.attr("type") == kind && e.attr("index").is_none();
        let of_kind = want.iter().zip(&self.live).filter(|(e, _)| is_free(e));
        let places: Vec<Option<usize>> = of_kind.map(|(_, place)| *place).collect();
        let behind = |place: &Option<usize>| place.unwrap_or(usize::MAX);
        kind.is_some_and(|kind| kind != "pci") && !places.is_sorted_by_key(behind)
    }
}

/// Pairs the elements of one name below a parent named `parent`: of the manifest, of the definition, and of
/// the last applied manifest. `becomes` tells whether the element of a manifest, its first argument, asks for
/// nothing but what the definition's has.
pub(crate) fn pair(
    parent: &str,
    (want, live, last): (&[&Element], &[&Element], &[&Element]),
    becomes: &dyn Fn(&Element, &Element) -> bool,
) -> Pairs {
    let name = want.first().or(last.first()).map_or("", |e| e.name.local.as_str());
    let lists = Lists { parent, any_order: has_any_order(parent, name) };
    let [want, live, last] = [want, live, last].map(|list| lists.entries(list));
    let equal = |a: &Entry<'_>, b: &Entry<'_>| a.element == b.element;
    let becomes =
        |a: &Entry<'_>, b: &Entry<'_>| becomes(a.element.as_element(), b.element.as_element());
    let mut of_last = lists.pair(&want, &last, None, &[], &equal);
    let last_to_live = lists.pair(&last, &live, None, &[], &becomes);
    let mut pairs = lists.by_key(&want, &live);
    if lists.any_order {
        most_told_first(&want, &live, &mut pairs, &[], &becomes);
    }
    // the last applied manifest is the first witness of what became of an entry
    for (w, slot) in pairs.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
        let became = of_last.get(w).copied().flatten();
        *slot = became.and_then(|l| last_to_live.get(l).copied().flatten());
    }
    let pairs = once_each(&want, &live, pairs);
    // a new entry has nothing to do with the fate of another one
    let known: Vec<usize> = last_to_live.iter().copied().flatten().collect();
    let pairs = lists.pair(&want, &live, Some(pairs), &known, &becomes);
    // an entry that is another one on the host is not the one that was applied last
    for (was, is) in of_last.iter_mut().zip(&pairs) {
        let became = was.and_then(|l| last_to_live.get(l).copied().flatten());
        if became.is_some() && became != *is {
            *was = None;
        }
    }
    let mut last_of_live = vec![None; live.len()];
    for (l, n) in last_to_live.iter().enumerate() {
        if let Some(slot) = n.and_then(|n| last_of_live.get_mut(n)) {
            *slot = Some(l);
        }
    }
    Pairs { live: pairs, last: of_last, last_of_live }
}

/// Keys of an entry, the strongest first.
type Keys = Vec<(&'static str, String)>;

/// An entry with its keys.
struct Entry<'a> {
    element: NodeRef<'a>,
    keys: Keys,
}

impl Entry<'_> {
    fn key(&self, path: &str) -> Option<&str> {
        self.keys.iter().find(|(p, _)| *p == path).map(|(_, value)| value.as_str())
    }

    /// Whether both lists' entries may be paired with the same ones.
    fn is_of_class(&self, other: &Self) -> bool {
        identity(self.element) == identity(other.element)
            && self.keys.is_empty() == other.keys.is_empty()
    }

    /// Whether the two may be the same: entries that both have keys and share none are different.
    fn may_be(&self, other: &Self) -> bool {
        let shares = |(path, value): &(&str, String)| other.key(path) == Some(value);
        same_identity(self.element, other.element)
            && (self.keys.is_empty() || other.keys.is_empty() || self.keys.iter().any(shares))
    }
}

/// Keeps a pair only if its two may be the same and neither has another partner before it.
fn once_each(
    from: &[Entry<'_>],
    to: &[Entry<'_>],
    pairs: Vec<Option<usize>>,
) -> Vec<Option<usize>> {
    let mut taken = vec![false; to.len()];
    let keep = |(a, partner): (&Entry<'_>, Option<usize>)| {
        let n = partner?;
        let free = !std::mem::replace(taken.get_mut(n)?, true);
        (free && a.may_be(to.get(n)?)).then_some(n)
    };
    from.iter().zip(pairs).map(keep).collect()
}

/// Predicate of whether two entries have the same content.
type Same<'a> = &'a dyn Fn(&Entry<'_>, &Entry<'_>) -> bool;

/// Properties that lists of one kind share.
struct Lists<'a> {
    parent: &'a str,
    any_order: bool,
}

impl Lists<'_> {
    fn entries<'e>(&self, list: &[&'e Element]) -> Vec<Entry<'e>> {
        let entry = |e: &&'e Element| Entry { element: e.node(), keys: keys(self.parent, e) };
        list.iter().map(entry).collect()
    }

    fn by_key(&self, from: &[Entry<'_>], to: &[Entry<'_>]) -> Vec<Option<usize>> {
        let mut pairs = vec![None; from.len()];
        let mut paths: Vec<&str> = Vec::new();
        for (path, _) in from.iter().flat_map(|e| &e.keys) {
            if !paths.contains(path) {
                paths.push(path);
            }
        }
        let mut taken = vec![false; to.len()];
        for path in paths {
            let mut there: HashMap<&str, Vec<usize>> = HashMap::new();
            for (n, entry) in to.iter().enumerate().rev() {
                if let Some(key) = entry.key(path) {
                    there.entry(key).or_default().push(n);
                }
            }
            for (entry, slot) in from.iter().zip(&mut pairs).filter(|(_, slot)| slot.is_none()) {
                let Some(same) = entry.key(path).and_then(|key| there.get_mut(key)) else {
                    continue;
                };
                while let Some(n) = same.pop() {
                    let free = taken.get_mut(n).filter(|taken| !**taken);
                    let fits = to.get(n).is_some_and(|e| same_identity(entry.element, e.element));
                    if let (Some(taken), true) = (free, fits) {
                        *taken = true;
                        *slot = Some(n);
                        break;
                    }
                }
            }
        }
        pairs
    }

    /// Pairs the entries that `pairs` and keys leave open, but with none of those that are `taken`.
    fn pair(
        &self,
        from: &[Entry<'_>],
        to: &[Entry<'_>],
        pairs: Option<Vec<Option<usize>>>,
        taken: &[usize],
        same: Same<'_>,
    ) -> Vec<Option<usize>> {
        let mut pairs = pairs.unwrap_or_else(|| self.by_key(from, to));
        if self.any_order {
            self.by_content(from, to, &mut pairs, taken, same);
        } else {
            // a controller without a number is first of all one of its model
            let of_model = |a: &Entry<'_>, b: &Entry<'_>| {
                let model = |e: &Entry<'_>| e.element.attr("model").map(str::to_owned);
                a.element.is("controller") && model(a).is_some() && model(a) == model(b)
            };
            first_free(from, to, &mut pairs, taken, &of_model);
            by_place(from, to, &mut pairs, taken, same);
        }
        pairs
    }

    /// The first that is the same, then the first of its own type, then, where nothing else can be
    /// meant, the next in order.
    fn by_content(
        &self,
        from: &[Entry<'_>],
        to: &[Entry<'_>],
        pairs: &mut [Option<usize>],
        taken: &[usize],
        same: Same<'_>,
    ) {
        if from.len() > 1 || to.len() > 1 {
            most_told_first(from, to, pairs, taken, same);
            let of_type =
                |a: &Entry<'_>, b: &Entry<'_>| a.element.attr("type") == b.element.attr("type");
            first_free(from, to, pairs, taken, &of_type);
        }
        if self.parent != "devices" || from.len() == 1 && to.len() == 1 {
            first_free(from, to, pairs, taken, &|_, _| true);
        }
    }
}

/// Gives each entry without a partner the first that is free and accepted.
fn first_free(
    from: &[Entry<'_>],
    to: &[Entry<'_>],
    pairs: &mut [Option<usize>],
    taken: &[usize],
    accept: Same<'_>,
) {
    in_order(0..from.len(), from, to, pairs, taken, accept);
}

/// Pairs entries that no key tells apart, the most detailed first: one with fewer details fits more others.
fn most_told_first(
    from: &[Entry<'_>],
    to: &[Entry<'_>],
    pairs: &mut [Option<usize>],
    taken: &[usize],
    accept: Same<'_>,
) {
    fn told(element: NodeRef<'_>) -> usize {
        element.attributes().len() + element.elements().map(|e| 1 + told(e)).sum::<usize>()
    }
    let mut order: Vec<usize> = (0..from.len()).collect();
    order.sort_by_cached_key(|n| std::cmp::Reverse(from.get(*n).map(|e| told(e.element))));
    in_order(order, from, to, pairs, taken, accept);
}

fn in_order(
    order: impl IntoIterator<Item = usize>,
    from: &[Entry<'_>],
    to: &[Entry<'_>],
    pairs: &mut [Option<usize>],
    taken: &[usize],
    accept: Same<'_>,
) {
    let mut free = VecDeque::from(free_of(to.len(), pairs, taken));
    let mut tries = TRIES_MAX;
    for w in order {
        let Some(entry) = from.get(w).filter(|_| pairs.get(w) == Some(&None)) else { continue };
        let found = free.iter().position(|n| {
            let Some(left) = tries.checked_sub(1) else { return false };
            tries = left;
            to.get(*n).is_some_and(|other| entry.may_be(other) && accept(entry, other))
        });
        if let (Some(at), Some(slot)) = (found, pairs.get_mut(w)) {
            *slot = free.remove(at);
        }
        if tries == 0 {
            return;
        }
    }
}

/// Most comparisons between entries without keys in one pass: a list of 500 is compared whole, and of larger
/// ones the last entries count as new on both sides, so that the time taken is bounded.
const TRIES_MAX: usize = ALIGNED_MAX * ALIGNED_MAX;

/// Returns the indices below `count` that are neither in `pairs` nor among those `taken`.
fn free_of(count: usize, pairs: &[Option<usize>], taken: &[usize]) -> Vec<usize> {
    let mut is_free = vec![true; count];
    for n in pairs.iter().flatten().chain(taken) {
        if let Some(slot) = is_free.get_mut(*n) {
            *slot = false;
        }
    }
    (0..count).zip(is_free).filter(|(_, free)| *free).map(|(n, _)| n).collect()
}

/// Pairs in order, each class of entries that cannot be each other by itself. As long as there are
/// as many on both sides, the k-th is the k-th; otherwise as many as possible are the same, and what
/// lies between them is paired in order.
fn by_place(
    from: &[Entry<'_>],
    to: &[Entry<'_>],
    pairs: &mut [Option<usize>],
    taken: &[usize],
    same: Same<'_>,
) {
    let mut open: Vec<usize> =
        pairs.iter().enumerate().filter(|(_, p)| p.is_none()).map(|(w, _)| w).collect();
    while let Some(first) = open.first().and_then(|w| from.get(*w)) {
        let of_class = |w: &usize| from.get(*w).is_some_and(|e| first.is_of_class(e));
        let (class, rest): (Vec<usize>, Vec<usize>) = open.iter().partition(|w| of_class(w));
        let mut free = free_of(to.len(), pairs, taken);
        free.retain(|n| to.get(*n).is_some_and(|e| first.may_be(e)));
        let is_same = |i: usize, j: usize| match (class.get(i), free.get(j)) {
            (Some(w), Some(n)) => match (from.get(*w), to.get(*n)) {
                (Some(a), Some(b)) => same(a, b),
                _ => false,
            },
            _ => false,
        };
        let found = if class.len() == free.len() {
            (0..class.len()).map(|i| (i, i)).collect()
        } else {
            aligned(class.len(), free.len(), &is_same)
        };
        for (i, j) in found {
            if let (Some(w), Some(n)) = (class.get(i), free.get(j))
                && let Some(slot) = pairs.get_mut(*w)
            {
                *slot = Some(*n);
            }
        }
        open = rest;
    }
}

/// Most entries without keys that are aligned optimally; those beyond are paired in order, so that the time
/// taken is bounded.
const ALIGNED_MAX: usize = 500;

/// The longest sequence of pairs that are the same and in order, and between those of it the others
/// in order.
fn aligned(n: usize, m: usize, same: &dyn Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let anchors = if n.max(m) <= ALIGNED_MAX { longest(n, m, same) } else { Vec::new() };
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (a, b) in anchors.into_iter().chain([(n, m)]) {
        pairs.extend((i..a).zip(j..b));
        if a < n {
            pairs.push((a, b));
        }
        (i, j) = (a + 1, b + 1);
    }
    pairs
}

/// The longest common subsequence, as pairs of numbers.
fn longest(n: usize, m: usize, same: &dyn Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let width = m + 1;
    let mut best = vec![0_u32; (n + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    let get = |best: &[u32], i, j| best.get(at(i, j)).copied().unwrap_or(0);
    let mut is_same = vec![false; n * m];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            let (skip_one, skip_other) = (get(&best, i + 1, j), get(&best, i, j + 1));
            let mut length = skip_one.max(skip_other);
            if same(i, j) {
                if let Some(seen) = is_same.get_mut(i * m + j) {
                    *seen = true;
                }
                length = length.max(get(&best, i + 1, j + 1) + 1);
            }
            if let Some(slot) = best.get_mut(at(i, j)) {
                *slot = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < n && j < m {
        let here = get(&best, i, j);
        if is_same.get(i * m + j) == Some(&true) && here == get(&best, i + 1, j + 1) + 1 {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if here == get(&best, i + 1, j) {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Elements of one name below one parent.
pub(crate) struct List<'a> {
    pub(crate) name: &'a Name,
    pub(crate) label: String,
    pub(crate) parent: &'a str,
}

impl List<'_> {
    pub(crate) fn of<'e>(&self, parent: &'e Element) -> Vec<&'e Element> {
        parent.elements().filter(|e| e.name == *self.name).collect()
    }

    /// Returns the elements with their indices among the child nodes of the parent.
    pub(crate) fn numbered<'e>(&self, parent: &'e Element) -> Vec<(usize, &'e Element)> {
        let elements = parent.children.iter().enumerate().filter_map(|(n, node)| match node {
            Node::Element(e) if e.name == *self.name => Some((n, e)),
            Node::Element(_) | Node::Text(_) => None,
        });
        elements.collect()
    }

    pub(crate) fn step(&self) -> Step {
        Step { name: self.label.clone(), key: None, ordinal: None }
    }

    /// Whether an entry has a key that a path can name.
    pub(crate) fn has_key(&self, element: &Element) -> bool {
        key_of(self.parent, element).is_some_and(|(p, _)| !p.is_empty() && !p.contains('+'))
    }

    /// The numbers of the entries that are `there`, by their keys.
    pub(crate) fn numbers(&self, there: &[&Element]) -> Numbers {
        let mut numbers = Numbers { count: there.len(), by_key: HashMap::new() };
        if self.parent != "devices" {
            return numbers;
        }
        for (n, element) in there.iter().enumerate() {
            for (path, _) in keys(self.parent, element) {
                if let Some(value) = value_at(element, path) {
                    numbers.by_key.entry((path, value)).or_default().push(n);
                }
            }
        }
        numbers
    }

    /// The step to an entry, the `index`th of `of`, of which the definition has those with these `numbers`:
    /// by its key as it is written there.
    pub(crate) fn step_of(
        &self,
        element: &Element,
        index: usize,
        (numbers, of): (&Numbers, usize),
    ) -> Step {
        let key = key_of(self.parent, element)
            .filter(|(path, _)| !path.is_empty() && !path.contains('+'))
            .map(|(path, value)| (path, value_at(element, path).unwrap_or(value)));
        let ordinal = match &key {
            Some(key) => self.number_of(key, index, numbers),
            None => (of > 1).then_some(index + 1),
        };
        let key = key.map(|(path, value)| (path.to_owned(), value));
        Step { key, ordinal, ..self.step() }
    }

    /// Returns the position of an entry among several devices with one key: the interfaces of a team share an
    /// address.
    fn number_of(
        &self,
        key: &(&'static str, String),
        index: usize,
        numbers: &Numbers,
    ) -> Option<usize> {
        if self.parent != "devices" {
            return None;
        }
        let same = numbers.by_key.get(key).map_or(&[][..], Vec::as_slice);
        let all = same.len() + usize::from(index >= numbers.count);
        (all > 1).then(|| same.partition_point(|n| *n < index) + 1)
    }
}

/// The numbers of a list's entries in the definition, by each key that they have.
pub(crate) struct Numbers {
    count: usize,
    by_key: HashMap<(&'static str, String), Vec<usize>>,
}

/// Whether a list has controllers of the PCI bus, whose numbers devices are known by.
pub(crate) fn is_on_pci(list: &[&Element]) -> bool {
    list.iter().any(|e| e.is("controller") && e.attr("type") == Some("pci"))
}

/// Whether a controller stands in one PCI slot with others of its number.
pub(crate) fn is_companion(controller: &Element) -> bool {
    controller.is("controller")
        && controller.attr("model").is_some_and(|model| model.starts_with("ich9-"))
}

/// Whether an entry of a list of ports becomes one of another type: each type is numbered by itself.
pub(crate) fn take_other_ports(want: &[&Element], live: &[&Element]) -> bool {
    let of = |e: &Element| e.child("target").and_then(|t| t.attr("type")).map(str::to_owned);
    want.iter().zip(live).any(|(w, l)| of(w).is_some() && of(w) != of(l))
}

/// Whether an element has lost all of its content: some hosts keep the empty one.
pub(crate) fn is_emptied(was: &Element, is: &Element) -> bool {
    let is_empty = is.attributes.is_empty() && is.elements().next().is_none() && !is.has_text();
    is_empty && was.elements().next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::diff::compare::fits_at;
    use crate::reconcile::diff::difference::Side;
    use diagnostics::SourceId;
    use xmltree::{Limits, Path, parse};

    /// Pairs interfaces of the definition: each word is one, `mac=` with an address, else its network.
    fn nics(want: &str, live: &str, last: &str) -> Vec<Option<usize>> {
        let tree = |words: &str| {
            let nics: Vec<String> = words
                .split_whitespace()
                .map(|word| match word.split_once('=') {
                    Some((network, mac)) => format!(
                        "<interface type='network'><mac address='52:54:00:00:00:{mac}'/>\
                         <source network='{network}'/></interface>"
                    ),
                    None => {
                        format!("<interface type='network'><source network='{word}'/></interface>")
                    }
                })
                .collect();
            let text = format!("<devices>{}</devices>", nics.concat());
            parse(SourceId::NONE, &text, &Limits::default()).expect("well-formed")
        };
        let trees = [want, live, last].map(tree);
        let [want, live, last] = trees.each_ref().map(|t| t.elements().collect::<Vec<&Element>>());
        let path = Path::parse("devices/interface").expect("a path");
        pair("devices", (&want, &live, &last), &fits_at(Side::NextBoot, &path)).live
    }

    #[test]
    fn the_place_is_the_identity_of_a_card_without_an_address() {
        let (one, two) = (Some(0), Some(1));
        for (want, live, last, pairs) in [
            // an edit of the first, and an exchange
            ("dmz lan", "lan=01 lan=02", "lan lan", vec![one, two]),
            ("dmz lan", "lan=01 dmz=02", "lan dmz", vec![one, two]),
            ("dmz lan", "lan=01 dmz=02", "", vec![one, two]),
            // one in front, in the middle, behind
            ("new lan dmz", "lan=01 dmz=02", "lan dmz", vec![None, one, two]),
            ("lan new dmz", "lan=01 dmz=02", "lan dmz", vec![one, None, two]),
            ("lan dmz new", "lan=01 dmz=02", "lan dmz", vec![one, two, None]),
            ("dmz", "lan=01 dmz=02", "lan dmz", vec![two]),
            ("other", "lan=01 dmz=02", "lan dmz", vec![one]),
            // an edit beside one that is new
            ("edited dmz new", "lan=01 dmz=02", "lan dmz", vec![one, two, None]),
            // devices that somebody plugged in before them
            ("lan dmz", "own=09 lan=01 dmz=02", "lan dmz", vec![two, Some(2)]),
            // addresses tell, wherever they stand
            ("dmz=02 lan", "lan=01 dmz=02", "lan dmz=02", vec![two, one]),
            ("lan=07", "lan=01", "lan", vec![None]),
        ] {
            assert_eq!(nics(want, live, last), pairs, "{want} on {live}, last {last}");
        }
    }

    #[test]
    fn many_entries_are_paired_in_order() {
        let pairs = aligned(ALIGNED_MAX + 1, ALIGNED_MAX + 2, &|_, _| false);
        assert_eq!(pairs.len(), ALIGNED_MAX + 1);
        assert!(pairs.iter().all(|(i, j)| i == j));
    }
}
