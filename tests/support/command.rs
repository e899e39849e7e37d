//! Commands with a deadline, whose complete results are shown when a test fails.

use super::Needs;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A command that takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// Result of a command.
pub(crate) struct Ran {
    command: String,
    output: Output,
}

impl Ran {
    /// Returns the exit code; -1 if a signal ended it.
    pub(crate) fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// Returns the standard output.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Returns the standard error.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Checks that it ended with `code`, and returns it.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert!(self.code() == code, "expected exit code {code}\n{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command: {}\n{}", self.command, self.output.status)?;
        writeln!(f, "---- stdout\n{}\n---- stderr\n{}", self.stdout(), self.stderr())
    }
}

/// The `virt` that was built with these tests, in an environment with nothing in it.
pub(crate) fn virt(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_virt"));
    command.env_clear().args(arguments);
    command
}

/// Runs a command to its end with nothing on its standard input.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ran {
    let shown = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {shown}: {e}"));
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let deadline = Instant::now() + DEADLINE;
    let (status, hung) = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break (status, false);
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            break (child.wait().unwrap(), true);
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let output = Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() };
    let ran = Ran { command: shown, output };
    assert!(!hung, "killed after {} s\n{ran}", DEADLINE.as_secs());
    ran
}

fn collect(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // output before an error is worth showing
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// Returns the path of a program, or the reason that it is needed.
pub(crate) fn tool(name: &str) -> Needs<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut programs = places.map(|directory| directory.join(name));
    programs.find(|program| program.is_file()).ok_or_else(|| format!("needs {name}"))
}

/// A strace that may trace here.
pub(crate) fn strace() -> Needs<PathBuf> {
    let strace = tool("strace")?;
    let traced = Command::new(&strace).args(["-o", "/dev/null", "true"]).status();
    if traced.is_ok_and(|status| status.success()) {
        Ok(strace)
    } else {
        Err("needs a strace that may trace".to_owned())
    }
}
