//! Questions at a terminal before a plan is applied.

use crate::support::{run, tool, trial_if, virt};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Types lines at a terminal's prompts.
const TERMINAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/terminal.py");

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial_if(tool("python3"), "cli/terminal/apply_asks_before_a_guest_goes_down", |python| {
        asks(&python);
    })]
}

const DOMAIN: &str = "[[domain]]\nname = \"web\"\ntype = \"test\"\nmemory = 65536\n\
                      os.type = \"hvm\"\n";

fn asks(python: &Path) {
    let place = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(place.path().join("web.toml"), text).unwrap();
    let uri = format!("test:///default?state={}/host.state", place.path().display());
    fs::write(place.path().join("virt.toml"), "set = \"demo\"\n").unwrap();
    let at_terminal = |answers: &[&str], args: &[&str], code: i32| {
        let mut command = Command::new(python);
        command.arg(TERMINAL).args(answers).args(["--", env!("CARGO_BIN_EXE_virt"), "apply", "."]);
        command.args(["-c", &uri]).args(args).current_dir(place.path());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        run(&mut command).expect(code).stdout()
    };
    let question = "Apply this plan?";
    // creating and starting needs no question
    write(DOMAIN);
    assert!(!at_terminal(&[], &[], 0).contains(question));
    let stopped = DOMAIN.replace("memory", "reconcile.power = \"stopped\"\nmemory");
    write(&stopped);
    let said = at_terminal(&["no"], &[], 5);
    assert!(said.contains(question) && said.contains("nothing was changed"), "{said}");
    let said = at_terminal(&["yes"], &[], 0);
    assert!(said.contains(question) && said.contains("Applied"), "{said}");
    assert!(!at_terminal(&[], &[], 0).contains(question));
    write(DOMAIN);
    assert!(!at_terminal(&[], &[], 0).contains(question));
    write(&stopped);
    assert!(!at_terminal(&[], &["--yes"], 0).contains(question));
    // with no terminal there is nobody to ask
    write(DOMAIN);
    run(virt(&["apply", ".", "-c", &uri]).current_dir(place.path())).expect(0);
    write(&stopped);
    run(virt(&["apply", ".", "-c", &uri]).current_dir(place.path())).expect(0);
}
