//! Faults, and the proof that nothing is lost by them.

mod converge;
mod cut;
mod garbage;
mod hostile;
mod injected;
mod matrix;
mod moves;
mod networks;
mod property;
mod refused;
mod state_file;
mod waits;

use libtest_mimic::Trial;
pub(crate) use matrix::every_cell_is_shown;

pub(crate) fn trials() -> Vec<Trial> {
    let groups = [
        converge::trials(),
        cut::trials(),
        garbage::trials(),
        hostile::trials(),
        injected::trials(),
        matrix::trials(),
        moves::trials(),
        networks::trials(),
        property::trials(),
        refused::trials(),
        state_file::trials(),
        waits::trials(),
    ];
    groups.into_iter().flatten().collect()
}
