//! Standard output and error: where results and everything else go, and in which colours.

use super::args::{Color, Format, Global};
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
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Says something that is no result: a warning, an error, progress.
    pub(crate) fn say(self, text: &str) {
        // with standard error gone there is nobody left to tell
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

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
