//! Asking the user at the terminal, which shows nothing of a password.

use crate::drivers::{CredentialPrompt, Question, Secret};
use diagnostics::escape;
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use std::fs::File;
use std::io::{Error, ErrorKind, IsTerminal as _, Read as _, Result, Write as _};

/// The terminal, wherever the output goes.
const TERMINAL: &str = "/dev/tty";

/// The longest line that a terminal hands on, in bytes: N_TTY's own limit.
const LINE_MAX: usize = 4096;

/// What Ctrl-C types.
const INTERRUPT: u8 = 3;

/// Who asks the user, if that is there: a script's input is no answer. A question waits for as long
/// as a person takes; nothing else is under way, and Ctrl-C ends it.
pub(super) fn credential_prompt() -> Option<CredentialPrompt> {
    std::io::stdin().is_terminal().then(|| CredentialPrompt::new(ask))
}

fn ask(question: &Question) -> Option<Secret> {
    let (prompt, is_secret) = match question {
        Question::Name { host } => (format!("user of libvirt at {host}: "), false),
        Question::Password { host, name } => (format!("password of {name} at {host}: "), true),
    };
    line(&escape(&prompt), is_secret).unwrap_or_else(|error| {
        tracing::warn!("{TERMINAL}: {error}");
        None
    })
}

/// One line, without its end; nothing if the user gave up.
fn line(prompt: &str, is_secret: bool) -> Result<Option<Secret>> {
    let terminal = File::options().read(true).write(true).open(TERMINAL)?;
    // before the prompt, so that nothing is shown of what is typed at once
    let silence = if is_secret { Some(Silence::over(&terminal)?) } else { None };
    (&terminal).write_all(prompt.as_bytes())?;
    let mut buffer = vec![0; LINE_MAX];
    let length = (&terminal).read(&mut buffer)?;
    if silence.is_some() {
        (&terminal).write_all(b"\n")?;
    }
    // Ctrl-C and Ctrl-D end a line, too
    let Some(line) = buffer.get(..length).and_then(|line| line.strip_suffix(b"\n")) else {
        return Ok(None);
    };
    let line = std::str::from_utf8(line)
        .map_err(|_| Error::new(ErrorKind::InvalidData, "what was typed is not UTF-8"))?;
    Ok(Some(Secret::new(line)))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn over(terminal: &'a File) -> Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        // A signal would end us with the terminal silent for good: Ctrl-C ends the line instead.
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        let end = silent.control_chars.get_mut(SpecialCharacterIndices::VEOL as usize);
        if let Some(end) = end {
            *end = INTERRUPT;
        }
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // a terminal that is gone needs nothing
        let _ = tcsetattr(self.terminal, SetArg::TCSANOW, &self.before);
    }
}
