//! The `virt` command, as a user runs it.

mod edges;
mod fleet;
mod hostile;
mod project;
mod reach;
mod saved;
mod secrets;
mod sets;
mod terminal;
mod transcripts;
mod untrusted;
mod watch;

use crate::support::{run, trial, virt};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial("cli/needs_nothing_of_its_environment", || {
        let ran = run(&mut virt(&["--version"])).expect(0);
        assert!(ran.stderr().is_empty(), "{ran}");
    })];
    trials.extend(edges::trials());
    trials.extend(fleet::trials());
    trials.extend(sets::trials());
    trials.extend(project::trials());
    trials.extend(hostile::trials());
    trials.extend(reach::trials());
    trials.extend(saved::trials());
    trials.extend(secrets::trials());
    trials.extend(terminal::trials());
    trials.extend(transcripts::trials());
    trials.extend(untrusted::trials());
    trials.extend(watch::trials());
    trials
}
