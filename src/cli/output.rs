//! Standard output and error: where results and everything else go, and in which colours. Nothing else
//! writes to them, so that nothing comes out that was not escaped.

use super::options::{Color, Format, Global};
use diagnostics::{printable, printable_line};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal as _, Write};
use std::os::fd::AsFd as _;

/// How text is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

/// Something printed: a result, or something said beside it.
#[derive(Debug)]
pub(crate) enum OutputChunk {
    Result(String),
    Said(String),
}

impl OutputChunk {
    /// The text of it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Result(text) | Self::Said(text) => text,
        }
    }
}

/// What is printed, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// For people or for machines.
    pub(crate) format: Format,
    /// Whether standard output is coloured.
    color: bool,
    /// Whether standard error is coloured.
    color_err: bool,
    /// Whether a progress line may be drawn on standard error.
    pub(crate) progress: bool,
    /// Whether only errors and results are printed.
    pub(crate) quiet: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let on = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !is_plain(),
        };
        let terminal = is_at_terminal();
        Self {
            format: global.output,
            color: on(std::io::stdout().is_terminal()),
            color_err: on(terminal),
            progress: terminal && !global.quiet,
            quiet: global.quiet,
        }
    }

    /// The same with no progress line.
    pub(crate) fn without_progress(self) -> Self {
        Self { progress: false, ..self }
    }

    /// `text` as it is to look on standard output.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if self.color { painted(paint, text) } else { text.to_owned() }
    }

    /// `text` as it is to look on standard error.
    pub(crate) fn paint_err(self, paint: Paint, text: &str) -> String {
        if self.color_err { painted(paint, text) } else { text.to_owned() }
    }

    /// Prints a result.
    pub(crate) fn result(self, text: &str) -> std::io::Result<()> {
        let ours: &[&[&str]] = if self.color { &[PAINTS] } else { &[] };
        let mut out = std::io::stdout().lock();
        out.write_all(printable(text, ours).as_bytes())?;
        out.flush()
    }

    /// Says something that is no result: a warning, an error, progress.
    pub(crate) fn say(self, text: &str) {
        let paints = if self.color_err { PAINTS } else { &[] };
        say(&printable(text, &[paints, if self.progress { &[ANEW] } else { &[] }]));
    }

    /// Whether the log is to be painted.
    pub(crate) fn paints_log(self) -> bool {
        self.color_err
    }

    /// Where the log goes.
    pub(crate) fn log(self) -> Log {
        Log { color: self.color_err }
    }
}

/// Prints help and the version to standard output, and what is wrong with arguments to standard error.
///
/// # Errors
/// Standard output takes no more.
pub(crate) fn usage(told: &clap::Error) -> std::io::Result<()> {
    let is_error = told.use_stderr();
    let terminal = if is_error { is_at_terminal() } else { std::io::stdout().is_terminal() };
    let (text, ours): (String, &[&[&str]]) = match terminal && !is_plain() {
        true => (told.render().ansi().to_string(), &[PAINTS, USAGE_PAINTS]),
        false => (told.render().to_string(), &[]),
    };
    let text = printable(&text, ours);
    if is_error {
        say(&text);
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Has a panic say what it says in one line, escaped: that may have been read somewhere.
pub(crate) fn filter_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        say(&panic_line(thread.name().unwrap_or("without a name"), &panic.to_string()));
        // made only if the environment asks for it
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            say(&printable(&trace.to_string(), &[]));
        }
    }));
}

/// Rust puts the message on a line of its own.
fn panic_line(thread: &str, told: &str) -> String {
    let told = told.replacen(":\n", ": ", 1);
    printable_line(&format!("thread '{thread}' {told}"), &[]).into_owned() + "\n"
}

/// Whether the other end of standard output is closed: without that, a program behind a pipe would
/// be waited for until the next change.
pub(crate) fn nobody_reads() -> bool {
    let stdout = std::io::stdout();
    let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let polled = poll(&mut fds, PollTimeout::ZERO);
    let [fd] = fds;
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    polled.is_ok() && fd.revents().is_some_and(|revents| revents.intersects(gone))
}

/// Whether somebody sees what is said.
pub(crate) fn is_at_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Writes to standard error what has been escaped.
fn say(text: &str) {
    // with standard error gone there is nobody left to tell
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Whether the user wants no colours anywhere.
fn is_plain() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

/// The start of the line, and the line emptied: before a line of progress is drawn again.
pub(crate) const ANEW: &str = "\r\u{1b}[K";

/// All that paints.
const PAINTS: &[&str] = &[
    END,
    Paint::Bold.start(),
    Paint::Dim.start(),
    Paint::Red.start(),
    Paint::Green.start(),
    Paint::Yellow.start(),
    Paint::Cyan.start(),
];

/// Standard error for a log, which has foreign text in it and paints by itself. An event is written at
/// once, and is one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    color: bool,
}

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let ours: &[&[&str]] = if self.color { &[PAINTS, LOG_PAINTS] } else { &[] };
        say(&log_line(event, ours));
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log_line(event: &[u8], ours: &[&[&str]]) -> String {
    let text = String::from_utf8_lossy(event);
    printable_line(text.strip_suffix('\n').unwrap_or(&text), ours).into_owned() + "\n"
}

/// What tracing-subscriber paints with beside these: italics, blue and magenta.
const LOG_PAINTS: &[&str] = &["\u{1b}[3m", "\u{1b}[34m", "\u{1b}[35m"];

/// What clap does: it underlines.
const USAGE_PAINTS: &[&str] = &["\u{1b}[4m"];

/// Where paint ends.
const END: &str = "\u{1b}[0m";

impl Paint {
    /// What begins it; nothing for what is plain.
    const fn start(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\u{1b}[1m",
            Self::Dim => "\u{1b}[2m",
            Self::Red => "\u{1b}[31m",
            Self::Green => "\u{1b}[32m",
            Self::Yellow => "\u{1b}[33m",
            Self::Cyan => "\u{1b}[36m",
        }
    }
}

fn painted(paint: Paint, text: &str) -> String {
    if paint == Paint::Plain {
        return text.to_owned();
    }
    format!("{}{text}{END}", paint.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_the_log_is_one_line() {
        let ours: &[&[&str]] = &[PAINTS, LOG_PAINTS];
        let event = "\u{1b}[2mnow\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m it said a\nFORGED\r\u{9b}2J\n"
            .as_bytes();
        let line =
            "\u{1b}[2mnow\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m it said a\\nFORGED\\r\\u{9b}2J\n";
        assert_eq!(log_line(event, ours), line);
        assert_eq!(log_line(b"\x1b[2mcut", &[]), "\\u{1b}[2mcut\n");
    }

    #[test]
    fn a_panic_is_one_line() {
        let told = "panicked at src/a.rs:1:2:\nno a\nFORGED\u{9b}2J";
        let line = "thread 'main' panicked at src/a.rs:1:2: no a\\nFORGED\\u{9b}2J\n";
        assert_eq!(panic_line("main", told), line);
    }
}
