//! Standard output and error: where results and everything else go, and in which colours.

use super::args::{Color, Format, Global};
use crate::diag::printable;
use std::io::{IsTerminal as _, Write};

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
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let on = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        let terminal = std::io::stderr().is_terminal();
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
        let ours = if self.color { PAINTS } else { &[] };
        let mut out = std::io::stdout().lock();
        out.write_all(printable(text, ours).as_bytes())?;
        out.flush()
    }

    /// Says something that is no result: a warning, an error, progress.
    pub(crate) fn say(self, text: &str) {
        let ours = match (self.color_err, self.progress) {
            (true, true) => BOTH,
            (true, false) => PAINTS,
            (false, true) => &[ANEW],
            (false, false) => &[],
        };
        // with standard error gone there is nobody left to tell
        let _ = std::io::stderr().lock().write_all(printable(text, ours).as_bytes());
    }
}

/// The start of the line, and the line emptied: before a line of progress is drawn again.
pub(crate) const ANEW: &str = "\r\u{1b}[K";

/// Both.
const BOTH: &[&str] = &[
    ANEW,
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[36m",
];

/// All that paints.
const PAINTS: &[&str] = &[
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[36m",
];

/// Standard error for lines of a log, which may have foreign text in them and paint by themselves.
#[derive(Debug)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let ours = if std::io::stderr().is_terminal() { LOG_PAINTS } else { &[] };
        let text = String::from_utf8_lossy(bytes);
        std::io::stderr().lock().write_all(printable(&text, ours).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// What tracing-subscriber paints with.
const LOG_PAINTS: &[&str] = &[
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[3m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[34m",
    "\u{1b}[35m",
];

fn painted(paint: Paint, text: &str) -> String {
    let code = match paint {
        Paint::Plain => return text.to_owned(),
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Red => "31",
        Paint::Green => "32",
        Paint::Yellow => "33",
        Paint::Cyan => "36",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
