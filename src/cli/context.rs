//! What every command has: its output, the environment, and how it fails.

use super::args::Global;
use super::exit::{Exit, Failure};
use super::output::{Output, Paint};
use crate::diag::{Diagnostics, Error, ErrorDomain, Severity, Sources, escape, render};
use crate::drivers::Environment;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use tracing_subscriber::filter::LevelFilter;

/// What every command has.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) output: Output,
    /// `--connect`.
    pub(crate) connect: Option<String>,
    /// `--read-only`.
    pub(crate) read_only: bool,
}

/// Variables that name the host, the first that is set counts. The last two are libvirt's own.
const CONNECT: [&str; 3] =
    ["VIRT_DEFAULT_CONNECT_URI", "VIRSH_DEFAULT_CONNECT_URI", "LIBVIRT_DEFAULT_URI"];

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        let level = match global.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
        // a second subscriber in one process is the test's own affair
        let _ = log.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init();
        Self {
            output: Output::new(global),
            connect: global.connect.clone(),
            read_only: global.read_only,
        }
    }

    /// The URI to connect to: `--connect`, then `virt.toml`'s, then the environment's, then the
    /// empty one.
    pub(crate) fn uri(&self, from_virt_toml: Option<&str>) -> String {
        let environment =
            || CONNECT.iter().find_map(|v| std::env::var(v).ok().filter(|v| !v.is_empty()));
        self.connect
            .clone()
            .or_else(|| from_virt_toml.map(str::to_owned))
            .or_else(environment)
            .unwrap_or_default()
    }

    /// What drivers may know of the environment.
    pub(crate) fn environment(&self) -> Environment {
        let environment = Environment::new(
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
            std::env::var_os("HOME").map(PathBuf::from),
        );
        Environment { read_only: self.read_only, ..environment }
    }

    /// Prints a result of a command that changes the host: with no reader left it goes on all the
    /// same, and its exit code says what it came to.
    pub(crate) fn result_or_nobody(&self, text: &str) {
        if let Err(e) = self.output.result(text)
            && e.kind() != std::io::ErrorKind::BrokenPipe
        {
            self.show_error(&Error::system("the output", &e));
        }
    }

    /// Shows problems of the input.
    pub(crate) fn show(&self, diagnostics: &Diagnostics, sources: &Sources) {
        for diagnostic in diagnostics.iter() {
            let text = render(diagnostic, sources);
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            let paint = match diagnostic.severity {
                Severity::Error => Paint::Red,
                Severity::Warning => Paint::Yellow,
            };
            self.output.say(&format!("{}\n{rest}", self.output.paint_err(paint, first)));
        }
    }

    /// Shows an error of an operation with its causes and the way out.
    pub(crate) fn show_error(&self, error: &Error) {
        let address =
            error.address.as_ref().map(|a| format!("{}: ", escape(a))).unwrap_or_default();
        let head = self.output.paint_err(Paint::Red, "error:");
        let mut text = format!("{head} {address}{error}");
        // a code says something to people only if it came from the host
        if error.domain != ErrorDomain::NONE && error.domain != ErrorDomain::REMOTE {
            text.push_str(&format!(" (libvirt error {})", error.code.0));
        }
        text.push('\n');
        let mut cause = error.source.as_ref();
        while let Some(c) = cause {
            text.push_str(&format!("    caused by: {c}\n"));
            cause = c.source.as_ref();
        }
        if let Some(hint) = &error.hint {
            text.push_str(&format!("    hint: {}\n", escape(hint)));
        }
        self.output.say(&text);
    }

    /// Shows why a command failed.
    pub(crate) fn fail(&self, failure: &Failure) -> Exit {
        match failure {
            Failure::Usage(text) => {
                let head = self.output.paint_err(Paint::Red, "error:");
                self.output.say(&format!("{head} {}\n", escape(text)));
                Exit::Usage
            }
            Failure::Operation(error) => {
                self.show_error(error);
                Exit::Error
            }
            Failure::Shown => Exit::Error,
            // what was asked for was to print, and nobody reads it any more
            Failure::Pipe => Exit::Done,
        }
    }
}
