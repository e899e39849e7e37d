//! `virt get --watch` on the built-in host, whose state file another process changes.

use crate::support::{run, trial, virt};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("cli/watch/what_another_process_did_is_shown", shown)]
}

/// Time after which a watch must have ended.
const END: Duration = Duration::from_secs(20);

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // of no consequence if it has ended
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shown() {
    let directory = tempfile::tempdir().unwrap();
    let uri = format!("test:///default?state={}", directory.path().join("state.xml").display());
    let mut watch = virt(&["get", "--watch", "domains", "-c", &uri]);
    let process = watch.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut running = Running(process);
    let lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| line.unwrap());
    assert!(lines.next().unwrap().starts_with("OBJECT"));
    assert!(lines.next().unwrap().starts_with("domain/test"));
    run(&mut virt(&["delete", "domain/test", "--adopt", "-c", &uri])).expect(0);
    // it is stopped and undefined, and may be looked at in between
    let last = lines.find(|line| line.ends_with("domain/test  gone")).unwrap();
    let time = last.split_once(' ').unwrap().0;
    assert!(time.len() == 8 && time.split(':').count() == 3, "{last}");
    let pid = i32::try_from(running.0.id()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    let deadline = Instant::now() + END;
    let status = loop {
        if let Some(status) = running.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(0));
}
