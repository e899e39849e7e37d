//! The `virt` command, as a user runs it.

use crate::support::{run, trial, virt};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("cli/needs_nothing_of_its_environment", || {
        let ran = run(&mut virt(&["--version"])).expect(0);
        assert!(ran.stderr().is_empty(), "{ran}");
    })]
}
