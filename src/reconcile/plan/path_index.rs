//! Index of paths, to find those that cover a given one, or are covered by it, without a scan.

use std::collections::HashMap;
use xmltree::Path;

/// The numbers of paths, by the entry of a list that they lead to or into.
#[derive(Debug, Default)]
pub(crate) struct PathIndex {
    /// Paths to entries with keys, by the names of the first two steps, and the key of the second.
    keyed: HashMap<Entry, Vec<usize>>,
    /// Paths that lead to no entry with a key.
    others: Vec<usize>,
    count: usize,
}

/// The first step, and the second with its key.
type Entry = (String, String, (String, String));

fn entry(path: &Path) -> Option<Entry> {
    let (first, second) = (path.steps.first()?, path.steps.get(1)?);
    Some((first.name.clone(), second.name.clone(), second.key.clone()?))
}

impl PathIndex {
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut index = Self::default();
        for path in paths {
            index.add(path);
        }
        index
    }

    /// Adds a path, which has the next number.
    pub(crate) fn add(&mut self, path: &Path) {
        match entry(path) {
            Some(entry) => self.keyed.entry(entry).or_default().push(self.count),
            None => self.others.push(self.count),
        }
        self.count += 1;
    }

    /// The numbers, in order, of all that may cover `path` or be covered by it, and of some others.
    pub(crate) fn near(&self, path: &Path) -> Vec<usize> {
        let Some(entry) = entry(path) else { return (0..self.count).collect() };
        let keyed = self.keyed.get(&entry).into_iter().flatten();
        let mut near: Vec<usize> = keyed.chain(&self.others).copied().collect();
        near.sort_unstable();
        near
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn nothing_that_covers_or_is_covered_is_left_out() {
        let texts = [
            "cpu",
            "cpu/feature",
            "cpu/feature[@name='a']",
            "cpu/feature[@name='a']/@policy",
            "cpu/feature[@name='b']/@policy",
            "cpu/model",
            "devices/disk[target/@dev='vda']/source",
            "devices/disk[target/@dev='vda']",
            "devices/rng[1]",
            "@type",
        ];
        let paths: Vec<Path> = texts.iter().filter_map(|text| Path::parse(text)).collect();
        assert_eq!(paths.len(), texts.len());
        let index = PathIndex::of(&paths);
        for path in &paths {
            let about = |n: &usize| {
                paths.get(*n).is_some_and(|other| other.covers(path) || path.covers(other))
            };
            let all: Vec<usize> = (0..paths.len()).filter(about).collect();
            let near: Vec<usize> = index.near(path).into_iter().filter(about).collect();
            assert_eq!(near, all, "{path}");
        }
        let (a, b) = (index.near(&paths[3]), index.near(&paths[4]));
        assert!(a.contains(&2) && !a.contains(&4) && !b.contains(&2));
    }
}
