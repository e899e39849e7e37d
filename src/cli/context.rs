//! Context of every command: output, environment, connections and failures.

use super::config::Config;
use super::exit::{Exit, Failure};
use super::lock::{self, HostLock, Locks};
use super::options::{Global, RunOptions};
use super::output::{Output, OutputChunk, Paint};
use super::printer::Printer;
use super::prompt;
use super::signing;
use super::view::envelope;
use super::written;
use crate::drivers::{self, Connection, Driver, Environment, Place, Trust, Written};
use crate::error::{Error, Result};
use crate::model::{HostPattern, Uri};
use crate::reconcile::ownership::records::{Records, Signing};
use diagnostics::{Diagnostics, Severity, Sources, escape, escape_lines, excerpt, render};
use jiff::Timestamp;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tracing_subscriber::filter::LevelFilter;

/// Context of a command.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) output: Output,
    /// `--connect`.
    pub(crate) connect: Option<String>,
    /// `--read-only`.
    pub(crate) read_only: bool,
    /// `--project`.
    pub(crate) project: Option<PathBuf>,
    /// `--host`.
    pub(crate) patterns: Vec<HostPattern>,
    /// `--set`.
    pub(crate) set: Option<String>,
    /// `--trust-connect`, or its environment variable.
    trusts_files: bool,
    /// The operator's configuration, read on first use.
    configured: Arc<Configured>,
    /// `--signing-key`.
    signing_key: Option<PathBuf>,
    /// `--max-inventory`, in bytes.
    max_inventory: usize,
    /// Name of the host within its fleet.
    host: Option<String>,
    /// Output of this host, buffered until its turn comes.
    kept: Option<Arc<Mutex<Vec<OutputChunk>>>>,
    /// Locks of hosts, for a command that changes them.
    locks: Option<Arc<Locks>>,
    /// Printing thread, where a slow reader must not delay the command.
    printer: Option<Arc<Printer>>,
    /// Whether a result could not be written by any copy of this context.
    output_lost: Arc<AtomicBool>,
}

/// Keys, read on first use and shared from then on.
pub(crate) type Keys = Arc<OnceLock<Result<Option<Signing>>>>;

/// The operator's configuration, read once per run, and the values that follow from it.
#[derive(Debug, Default)]
struct Configured {
    config: OnceLock<Config>,
    trust: OnceLock<Trust>,
    keys: Keys,
}

/// Variables that name the host; the first that is set counts. The last two are libvirt's own.
const CONNECT: [&str; 3] =
    ["VIRT_DEFAULT_CONNECT_URI", "VIRSH_DEFAULT_CONNECT_URI", "LIBVIRT_DEFAULT_URI"];

/// Variable equivalent to `--trust-connect`.
const TRUST: &str = "VIRT_TRUST_CONNECT";

/// Reads a boolean variable of the environment. An ambiguous word is refused: `off` must not be
/// taken for on, nor `on` for off.
///
/// # Errors
/// It is neither on nor off.
fn switch(name: &str) -> Result<bool, Failure> {
    let Some(value) = std::env::var_os(name) else { return Ok(false) };
    match value.to_string_lossy().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Ok(true),
        "" | "0" | "false" | "no" => Ok(false),
        other => Err(Failure::Usage(format!(
            "the variable {name} has the value '{}': set it to 1 or to 0",
            excerpt(other)
        ))),
    }
}

/// The connection of the environment, with the name of the variable.
fn environments() -> Option<(&'static str, String)> {
    let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty()).map(|v| (name, v));
    CONNECT.into_iter().find_map(set)
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        let level = match global.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        let output = Output::new(global);
        let log = tracing_subscriber::fmt().with_max_level(level).with_target(false);
        let log = log.with_ansi(output.paints_log()).with_writer(move || output.log());
        // a second subscriber in one process is the test's own affair
        let _ = log.try_init();
        let connect = global.connect.clone();
        let read_only = global.read_only;
        let max_inventory = usize::try_from(global.max_inventory).unwrap_or(usize::MAX);
        Self {
            output,
            connect,
            read_only,
            project: global.project.clone(),
            patterns: global.host.clone(),
            set: global.set.clone(),
            trusts_files: global.trust_connect,
            configured: Arc::default(),
            signing_key: global.signing_key.clone(),
            max_inventory: max_inventory.saturating_mul(1 << 20),
            host: None,
            kept: None,
            locks: None,
            printer: None,
            output_lost: Arc::default(),
        }
    }

    /// Applies the boolean variables of the environment.
    ///
    /// # Errors
    /// A variable is neither on nor off.
    pub(crate) fn take_switches(&mut self) -> Result<(), Failure> {
        self.trusts_files |= switch(TRUST)?;
        Ok(())
    }

    /// Final exit code of a run: output that could not be written makes it a failure.
    pub(crate) fn exit(&self, exit: Exit) -> Exit {
        if self.output_lost.load(Ordering::Relaxed) { exit.worse(Exit::Error) } else { exit }
    }

    /// Context for one host of a fleet: output has its name, and with `keep` waits for its turn.
    pub(crate) fn for_host(&self, name: &str, keep: bool) -> Self {
        Self {
            output: self.output.without_progress(),
            connect: self.connect.clone(),
            read_only: self.read_only,
            project: self.project.clone(),
            patterns: self.patterns.clone(),
            set: self.set.clone(),
            trusts_files: self.trusts_files,
            configured: Arc::clone(&self.configured),
            signing_key: self.signing_key.clone(),
            max_inventory: self.max_inventory,
            host: Some(name.to_owned()),
            kept: keep.then(Arc::default),
            locks: self.locks.clone(),
            printer: self.printer.clone(),
            output_lost: Arc::clone(&self.output_lost),
        }
    }

    /// Context for a command that changes hosts: each one opened is locked, waiting up to `wait`
    /// for another run.
    pub(crate) fn locking(&self, command: &'static str, wait: Duration) -> Self {
        Self { locks: Some(Arc::new(Locks::new(command, wait))), ..self.clone() }
    }

    /// Context for a command that continues whether or not its output is read.
    pub(crate) fn printing_aside(&self) -> (Self, Arc<Printer>) {
        let direct = self.clone();
        let printer = Printer::start(move |piece| match piece {
            OutputChunk::Result(text) => direct.result_or_nobody(&text),
            OutputChunk::Said(text) => direct.say(&text),
        });
        (Self { printer: Some(Arc::clone(&printer)), ..self.clone() }, printer)
    }

    /// Name of the host within its fleet.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Context with locks, unless this run only plans.
    pub(crate) fn changing(&self, command: &'static str, run: &RunOptions) -> Self {
        let looks = run.dry_run || self.read_only;
        if looks { self.clone() } else { self.locking(command, lock::WAIT) }
    }

    /// Locks the host that `uri` means, if this command changes it.
    ///
    /// # Errors
    /// Another run has the lock, or none can be had: then nobody could be kept out.
    pub(crate) fn lock(&self, uri: &Uri) -> Result<Option<HostLock>> {
        let Some(locks) = &self.locks else { return Ok(None) };
        let place = Place::of(uri, &self.environment());
        place.map(|place| locks.take(&place)).transpose()
    }

    /// Takes the buffered output.
    pub(crate) fn into_kept(self) -> Vec<OutputChunk> {
        let kept = self.kept.as_ref();
        let take = |k: &Arc<Mutex<Vec<OutputChunk>>>| {
            std::mem::take(&mut *k.lock().unwrap_or_else(PoisonError::into_inner))
        };
        kept.map(take).unwrap_or_default()
    }

    /// Keeps or prints the output that another context of the same host buffered.
    pub(crate) fn again(&self, pieces: &[OutputChunk]) {
        for piece in pieces {
            match piece {
                OutputChunk::Result(text) => self.result_or_nobody(text),
                OutputChunk::Said(text) => self.say(text),
            }
        }
    }

    /// Prints the output that another context buffered.
    pub(crate) fn print(&self, pieces: &[OutputChunk]) -> std::io::Result<()> {
        // what is said is said even if nobody reads the results
        let mut printed = Ok(());
        for piece in pieces {
            match piece {
                OutputChunk::Result(text) if printed.is_ok() => printed = self.output.result(text),
                OutputChunk::Result(_) => {}
                OutputChunk::Said(text) => self.say(text),
            }
        }
        printed
    }

    /// Buffers a chunk or sends it to the printing thread; gives it back if neither is in use.
    fn keep(&self, piece: OutputChunk) -> Option<OutputChunk> {
        if let Some(kept) = &self.kept {
            if !piece.text().is_empty() {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
            }
            return None;
        }
        let Some(printer) = &self.printer else { return Some(piece) };
        printer.print(piece);
        None
    }

    /// Prints to standard error.
    pub(crate) fn say(&self, text: &str) {
        if let Some(OutputChunk::Said(text)) = self.keep(OutputChunk::Said(text.to_owned())) {
            self.output.say(&text);
        }
    }

    /// Prints to standard error, unless `--quiet` was given.
    pub(crate) fn note(&self, text: &str) {
        if !self.output.quiet {
            self.say(text);
        }
    }

    /// Adds the host's name to a JSON object of a fleet.
    pub(crate) fn labelled(&self, mut object: Value) -> Value {
        if let (Some(host), Some(map)) = (&self.host, object.as_object_mut()) {
            map.insert("host".to_owned(), Value::String(host.clone()));
        }
        object
    }

    /// Formats a labelled object as a line.
    pub(crate) fn line(&self, object: Value) -> String {
        envelope::line(&self.labelled(object))
    }

    /// The connection: `--connect`, then a file's, then the environment's, then the best hypervisor
    /// here.
    ///
    /// # Errors
    /// It makes no sense, or the file may not choose it.
    pub(crate) fn connection(&self, written: Option<&Written>) -> Result<Connection> {
        match (&self.connect, written, environments()) {
            (Some(text), _, _) => self.trust().operators(text),
            (None, Some(written), _) => self.admit(written),
            (None, None, Some((_, text))) => self.trust().operators(&text),
            (None, None, None) => Connection::of_operator(""),
        }
    }

    /// Source of the connection where neither the command line nor a file names one.
    pub(crate) fn who_names(&self) -> Option<&'static str> {
        environments().map(|(name, _)| name)
    }

    /// Resolves a connection that the operator names.
    ///
    /// # Errors
    /// It makes no sense.
    pub(crate) fn operators(&self, text: &str) -> Result<Connection> {
        self.trust().operators(text)
    }

    /// Resolves a connection that a file names, if the file may choose it.
    ///
    /// # Errors
    /// It may not, or the connection makes no sense.
    pub(crate) fn admit(&self, written: &Written) -> Result<Connection> {
        self.trust().admit(written, |path| written::stays(written, path))
    }

    fn trust(&self) -> &Trust {
        self.configured.trust.get_or_init(|| {
            let environment = environments().map(|(_, text)| text);
            self.config().trust(self.trusts_files, environment.as_deref())
        })
    }

    fn config(&self) -> &Config {
        self.configured.config.get_or_init(|| self.read_config())
    }

    fn read_config(&self) -> Config {
        Config::read(self.environment().config().as_deref())
    }

    /// Opens a host. Records on its objects are verified with the configured keys.
    pub(crate) fn open(&self, connection: &Connection) -> Result<Box<dyn Driver>> {
        self.open_with(connection, || self.signing())
    }

    /// Opens a host with the given keys.
    pub(crate) fn open_with(
        &self,
        connection: &Connection,
        keys: impl FnOnce() -> Result<Option<Signing>>,
    ) -> Result<Box<dyn Driver>> {
        let driver = drivers::open(connection, &self.environment())?;
        Ok(Box::new(Records::new(driver, keys()?, Timestamp::now)))
    }

    /// The keys that sign records and plans, if there are any; read once per run.
    ///
    /// # Errors
    /// One that is asked for cannot be read, or others can reach it.
    pub(crate) fn signing(&self) -> Result<Option<Signing>> {
        let read = || signing::configured(self.signing_key.as_deref(), self.config());
        self.configured.keys.get_or_init(read).clone()
    }

    /// The current keys, for a run that is long enough to see them rotated.
    pub(crate) fn signing_now(&self) -> Result<Option<Signing>> {
        signing::configured(self.signing_key.as_deref(), &self.read_config())
    }

    /// Keys shared by the whole run.
    pub(crate) fn keys(&self) -> Keys {
        Arc::clone(&self.configured.keys)
    }

    /// The environment that drivers may use.
    pub(crate) fn environment(&self) -> Environment {
        let path =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Environment {
            config_dir: path("XDG_CONFIG_HOME"),
            auth_file: path("LIBVIRT_AUTH_FILE"),
            ask: prompt::credential_prompt(),
            read_only: self.read_only,
            max_inventory: self.max_inventory,
            ..Environment::new(path("XDG_RUNTIME_DIR"), path("HOME"))
        }
    }

    /// Prints a result of a command that changes the host: it continues without a reader, and the
    /// exit code reports the loss.
    pub(crate) fn result_or_nobody(&self, text: &str) {
        let Some(OutputChunk::Result(text)) = self.keep(OutputChunk::Result(text.to_owned()))
        else {
            return;
        };
        if let Err(e) = self.output.result(&text)
            && e.kind() != std::io::ErrorKind::BrokenPipe
        {
            self.output_lost.store(true, Ordering::Relaxed);
            self.show_error(&Error::system("the output", &e));
        }
    }

    /// Shows problems of the input.
    pub(crate) fn show(&self, diagnostics: &Diagnostics, sources: &Sources) {
        for diagnostic in diagnostics.iter() {
            let host = self.host.as_ref().map(|h| format!("{h}: ")).unwrap_or_default();
            let text = format!("{host}{}", render(diagnostic, sources));
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            let paint = match diagnostic.severity {
                Severity::Error => Paint::Red,
                Severity::Warning => Paint::Yellow,
            };
            self.say(&format!("{}\n{rest}", self.output.paint_err(paint, first)));
        }
    }

    /// Shows an error of an operation with its causes and the hint.
    pub(crate) fn show_error(&self, error: &Error) {
        let address: Vec<String> =
            self.host.iter().chain(&error.address).map(|a| escape(a)).collect();
        let address = if address.is_empty() { String::new() } else { address.join(" ") + ": " };
        let head = self.output.paint_err(Paint::Red, "error:");
        let mut text = format!("{head} {address}{}", escape_lines(&error.message, 4));
        if let Some(code) = error.code() {
            text.push_str(&format!(" (libvirt error {})", code.0));
        }
        text.push('\n');
        let mut cause = error.source.as_ref();
        while let Some(c) = cause {
            text.push_str(&format!("    caused by: {}\n", escape_lines(&c.message, 8)));
            cause = c.source.as_ref();
        }
        if let Some(hint) = &error.hint {
            text.push_str(&format!("    hint: {}\n", escape(hint)));
        }
        self.say(&text);
    }

    /// Shows why a command failed.
    pub(crate) fn fail(&self, failure: &Failure) -> Exit {
        match failure {
            Failure::Usage(text) => {
                let head = self.output.paint_err(Paint::Red, "error:");
                self.say(&format!("{head} {}\n", escape(text)));
                Exit::Usage
            }
            Failure::Operation(error) => {
                self.show_error(error);
                Exit::of(error)
            }
            Failure::Shown => Exit::Error,
            // what was asked for was to print, and nobody reads it any more
            Failure::Pipe => Exit::Done,
        }
    }
}
