//! Limits on a run with strangers' manifests, and with many of them.

mod many;
mod outside;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [outside::trials(), many::trials()].into_iter().flatten().collect()
}
