//! Cases as data, in files below this folder: a host's version of a manifest, and the results of merging.
//!
//! A file holds sections: a word at the beginning of a line, its argument after it, and indented
//! lines below. `UPDATE_EXPECT=1` writes what was found in place of what was expected.

mod live;
mod merge;
mod normalize;
mod sections;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [live::trials(), merge::trials(), normalize::trials()].into_iter().flatten().collect()
}
