//! Standard output and error: where results and everything else go, and in which colours.

use super::options::{Color, Format, Global};
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
        let ours: &[&[&str]] = if self.color { &[PAINTS] } else { &[] };
        let mut out = std::io::stdout().lock();
        out.write_all(printable(text, ours).as_bytes())?;
        out.flush()
    }

    /// Says something that is no result: a warning, an error, progress.
    pub(crate) fn say(self, text: &str) {
        let paints = if self.color_err { PAINTS } else { &[] };
        let ours = [paints, if self.progress { &[ANEW] } else { &[] }];
        // with standard error gone there is nobody left to tell
        let _ = std::io::stderr().lock().write_all(printable(text, &ours).as_bytes());
    }
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

/// Standard error for lines of a log, which may have foreign text in them and paint by themselves.
#[derive(Debug)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let paints: &[&[&str]] = &[PAINTS, LOG_PAINTS];
        let ours = if std::io::stderr().is_terminal() { paints } else { &[] };
        let text = String::from_utf8_lossy(bytes);
        std::io::stderr().lock().write_all(printable(&text, ours).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// What tracing-subscriber paints with beside these: italics, blue and magenta.
const LOG_PAINTS: &[&str] = &["\u{1b}[3m", "\u{1b}[34m", "\u{1b}[35m"];

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
