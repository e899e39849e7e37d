//! Which entry of one list is which entry of another.

use super::normalize::{key_of, keys, same_identity};
use super::overlay::{Side, fits};
use crate::xml::{Element, Name, Path, Step};

/// For each element of `want` the index of its partner in `live`, both being the elements of one
/// name below a parent named `parent`, at `path`.
///
/// Keys decide first. Where none tells, an entry takes the first that fits it as it is, then the
/// first of its own type, then, outside `<devices>`, the next in order.
pub(super) fn pair(
    side: Side,
    path: &Path,
    parent: &str,
    want: &[&Element],
    live: &[&Element],
) -> Vec<Option<usize>> {
    let mut pairs: Vec<Option<usize>> = vec![None; want.len()];
    if want.is_empty() || live.is_empty() {
        return pairs;
    }
    let side_of =
        |list: &[&Element]| -> Vec<Keys> { list.iter().map(|e| keys(parent, e)).collect() };
    let (want_keys, live_keys) = (side_of(want), side_of(live));
    let wanted: Vec<_> = want.iter().zip(&want_keys).collect();
    let there: Vec<_> = live.iter().zip(&live_keys).collect();
    let mut take = |accept: &dyn Fn(Entry<'_>, Entry<'_>) -> bool| {
        for (slot, (w, k)) in wanted.iter().enumerate() {
            if pairs.get(slot) != Some(&None) {
                continue;
            }
            let free = there
                .iter()
                .enumerate()
                .position(|(n, (l, lk))| !pairs.contains(&Some(n)) && accept((w, k), (l, lk)));
            if let Some(slot) = pairs.get_mut(slot) {
                *slot = free;
            }
        }
    };
    let mut paths: Vec<&str> = Vec::new();
    for (path, _) in want_keys.iter().flatten() {
        if !paths.contains(path) {
            paths.push(path);
        }
    }
    for path in paths {
        let key = |keys: &Keys| keys.iter().find(|(p, _)| *p == path).map(|(_, v)| v.clone());
        take(&|(_, wk), (_, lk)| key(wk).is_some_and(|k| Some(k) == key(lk)));
    }
    // entries that both have keys and share none are different entries
    let open = |(w, wk): Entry<'_>, (l, lk): Entry<'_>| {
        same_identity(w, l) && (wk.is_empty() || lk.is_empty())
    };
    if want.len() > 1 || live.len() > 1 {
        take(&|w, l| open(w, l) && fits(side, path, l.0, w.0));
        take(&|w, l| open(w, l) && w.0.attr("type") == l.0.attr("type"));
    }
    let alone = want.len() == 1 && live.len() == 1;
    if parent != "devices" || alone {
        take(&open);
    }
    pairs
}

/// What tells an entry from others, the strongest first.
type Keys = Vec<(&'static str, String)>;

/// An entry with its keys.
type Entry<'a> = (&'a Element, &'a Keys);

/// The elements of one name below one parent.
pub(super) struct List<'a> {
    pub(super) name: &'a Name,
    pub(super) label: String,
    pub(super) parent: &'a str,
}

impl List<'_> {
    pub(super) fn of<'e>(&self, parent: &'e Element) -> Vec<&'e Element> {
        parent.elements().filter(|e| e.name == *self.name).collect()
    }

    pub(super) fn step(&self) -> Step {
        Step { name: self.label.clone(), key: None, ordinal: None }
    }

    pub(super) fn step_of(&self, element: &Element, index: usize, of: usize) -> Step {
        let key = key_of(self.parent, element)
            .filter(|(path, _)| !path.is_empty() && !path.contains('+'))
            .map(|(path, value)| (path.to_owned(), value));
        let ordinal = (key.is_none() && of > 1).then_some(index + 1);
        Step { key, ordinal, ..self.step() }
    }
}

/// The `n`th of the elements of that name.
pub(super) fn nth_named<'a>(
    parent: &'a mut Element,
    name: &Name,
    n: usize,
) -> Option<&'a mut Element> {
    parent.elements_mut().filter(|e| e.name == *name).nth(n)
}

/// Removes those of the elements of that name that have these numbers.
pub(super) fn remove_numbered(parent: &mut Element, name: &Name, removed: &[usize]) {
    let mut numbers = 0..;
    parent.remove_elements(|e| {
        let number = (e.name == *name).then(|| numbers.next()).flatten();
        number.is_some_and(|n| removed.contains(&n))
    });
}

/// Whether nothing is left of what was in an element: some hosts keep the empty one for good.
pub(super) fn is_emptied(was: &Element, is: &Element) -> bool {
    let is_empty = is.attributes.is_empty() && is.elements().next().is_none() && !is.has_text();
    is_empty && was.elements().next().is_some()
}
