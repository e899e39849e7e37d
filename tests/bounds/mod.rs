//! Bounds on the effects of strangers' manifests, and of many of them, on a run.

mod many;
mod outside;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [outside::trials(), many::trials()].into_iter().flatten().collect()
}
