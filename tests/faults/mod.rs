//! What goes wrong, and that nothing is lost by it.

mod garbage;
mod injected;
mod state_file;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [garbage::trials(), injected::trials(), state_file::trials()].into_iter().flatten().collect()
}
