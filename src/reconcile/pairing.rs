//! Which entry of one list is which entry of another.

use super::normalize::{keys, same_identity};
use super::overlay::{Side, fits};
use crate::xml::{Element, Path};

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
    let mut take = |accept: &dyn Fn(&Element, &Element) -> bool| {
        for i in 0..want.len() {
            let (Some(None), Some(wanted)) = (pairs.get(i).copied(), want.get(i)) else { continue };
            let free = live
                .iter()
                .enumerate()
                .find(|(n, candidate)| !pairs.contains(&Some(*n)) && accept(wanted, candidate));
            if let (Some((n, _)), Some(slot)) = (free, pairs.get_mut(i)) {
                *slot = Some(n);
            }
        }
    };
    let key = |e: &Element, path: &str| {
        keys(parent, e).into_iter().find(|(p, _)| *p == path).map(|(_, value)| value)
    };
    let mut paths: Vec<&str> = Vec::new();
    for (path, _) in want.iter().flat_map(|w| keys(parent, w)) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    for path in paths {
        take(&|w, l| key(w, path).is_some_and(|k| Some(k) == key(l, path)));
    }
    // entries that both have keys and share none are different entries
    let open = |w: &Element, l: &Element| {
        same_identity(w, l) && (keys(parent, w).is_empty() || keys(parent, l).is_empty())
    };
    if want.len() > 1 || live.len() > 1 {
        take(&|w, l| open(w, l) && fits(side, path, l, w));
        take(&|w, l| open(w, l) && w.attr("type") == l.attr("type"));
    }
    let alone = want.len() == 1 && live.len() == 1;
    if parent != "devices" || alone {
        take(&open);
    }
    pairs
}
