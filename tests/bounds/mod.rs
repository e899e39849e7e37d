//! What strangers' manifests, and many of them, can make a run do.

mod many;
mod outside;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [outside::trials(), many::trials()].into_iter().flatten().collect()
}
