//! Certificates: libvirt's cases (C: when files are loaded, S: whole sessions) and ours beyond them
//! (X), each with its verdict, made when the tests run and shaken hands with in memory.
//!
//! Of the X cases these are a daemon's own and have no test before there is one: X27, the list of
//! addresses that may connect, and X28, the byte that a server sends once all checks are done and
//! the deadline of a handshake. X11 is shown as far as a library goes: what was loaded stays good.

mod files;
mod handshake;
mod made;
pub(crate) mod maker;
mod session;
mod table;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = table::trials();
    trials.extend(session::trials());
    trials.extend(files::trials());
    trials.extend(made::trials());
    trials
}
