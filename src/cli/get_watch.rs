//! `virt get --watch`: the objects, and then a line for each change as it happens.

use super::context::Context;
use super::event_queue::{EventQueue, Taken};
use super::exit::{Exit, Failure, Run};
use super::listing::{Selection, Shown, whole};
use super::options::Format;
use super::output::{Paint, nobody_reads};
use super::session::Host;
use super::view::envelope::{self, FORMAT_VERSION};
use crate::drivers::{CancelToken, Driver};
use crate::error::{Error, ErrorKind};
use crate::model::{Detail, DriverEvent, ResourceId, Scope};
use jiff::{Timestamp, ZonedDateTime};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Events that may be queued while the host is read and lines are printed; beyond that all of it is
/// read again.
const QUEUE: usize = 1024;

/// Delay until the host is read again after a failed read, unless an event comes before.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// Interval of checks whether the output still has a reader.
const INTEREST: Duration = Duration::from_millis(200);

/// Shows the selection and follows it until a signal comes or nobody reads the output any more. The
/// work is done in another thread, so that a host that hangs does not delay a signal.
pub(super) fn run(context: &Context, selection: Selection) -> Run {
    let signals = Signals::catch().map_err(|errno| Error::system("signals", &errno.into()))?;
    let (done, over) = sync_channel(1);
    let of_thread = context.clone();
    std::thread::spawn(move || {
        // nobody waits for it any more when the program ends
        let _ = done.send(follow(&of_thread, &selection));
    });
    loop {
        match over.recv_timeout(INTEREST) {
            Ok(run) => return run,
            Err(RecvTimeoutError::Timeout) if signals.came() || nobody_reads() => {
                return Ok(Exit::Done);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // it panicked, and has said so
                let text = "the host is no longer watched";
                return Err(Error::new(ErrorKind::Invalid, text).into());
            }
        }
    }
}

/// Signals by which a user ends a program. Threads started afterwards inherit the mask.
struct Signals(SignalFd);

impl Signals {
    fn catch() -> Result<Self, Errno> {
        let set: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
        set.thread_block()?;
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map(Self)
    }

    fn came(&self) -> bool {
        !matches!(self.0.read_signal(), Ok(None))
    }
}

fn follow(context: &Context, selection: &Selection) -> Run {
    let Host { uri, driver, .. } = Host::meant(context)?;
    let driver: Arc<dyn Driver> = Arc::from(driver);
    let events = EventQueue::new(QUEUE);
    let (sink, of_thread) = (events.sink(), Arc::clone(&driver));
    let watcher = std::thread::spawn(move || of_thread.watch(&sink, &CancelToken::default()));
    let mut view = View { context, selection, driver, uri, known: None, lost: false, due: None };
    loop {
        match events.take(view.due) {
            Taken::Events(events) => view.take(events)?,
            Taken::Late => view.resync()?,
            Taken::Ended => break,
        }
    }
    match watcher.join() {
        Ok(watched) => Ok(watched.map(|()| Exit::Done)?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// State of the display.
struct View<'a> {
    context: &'a Context,
    selection: &'a Selection,
    driver: Arc<dyn Driver>,
    uri: String,
    /// The objects as last shown; `None` before the first time.
    known: Option<BTreeMap<ResourceId, Shown>>,
    /// Whether the last message said that the host is lost.
    lost: bool,
    /// Time of the next full read, after one has failed.
    due: Option<Instant>,
}

impl View<'_> {
    /// Shows the changes that events report. Events that came together are shown after one read.
    fn take(&mut self, events: Vec<DriverEvent>) -> Result<(), Failure> {
        let mut together = Vec::new();
        for event in events {
            let (id, what, device) = match event {
                DriverEvent::Changed { id, what } => {
                    (id, what.as_str(), what.device().map(str::to_owned))
                }
                DriverEvent::Gone(id) => (id, "gone", None),
                DriverEvent::Resync => {
                    self.changes(std::mem::take(&mut together))?;
                    self.back()?;
                    self.resync()?;
                    continue;
                }
                DriverEvent::Lost(error) => {
                    self.changes(std::mem::take(&mut together))?;
                    self.lost(&error)?;
                    continue;
                }
            };
            if self.selection.includes(&id) {
                together.push(Change { id, what, device });
            }
        }
        self.changes(together)
    }

    fn lost(&mut self, error: &Error) -> Result<(), Failure> {
        self.lost = true;
        // it is read when it is back, and not called twice until then
        self.due = None;
        let output = self.context.output;
        let head = output.paint_err(Paint::Yellow, "warning:");
        output.say(&format!(
            "{head} the connection to the host is lost, and is retried until it answers: {error}\n"
        ));
        self.about_the_host("lost", Some(error.to_string()))
    }

    fn back(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.lost) {
            self.context.output.say("the host is back\n");
        }
        // the first is what the whole begins with
        if self.known.is_none() { Ok(()) } else { self.about_the_host("resync", None) }
    }

    /// A line about the host itself, for machines.
    fn about_the_host(&self, event: &str, message: Option<String>) -> Result<(), Failure> {
        if self.context.output.format == Format::Json {
            let value = json!({
                "format_version": FORMAT_VERSION, "time": now(), "event": event, "message": message,
            });
            self.context.output.result(&envelope::line(&value))?;
        }
        Ok(())
    }

    /// Reads all of the host, and shows it, or the differences from before.
    fn resync(&mut self) -> Result<(), Failure> {
        let observed = match self.driver.observe(&Scope::all()) {
            Ok(observed) => observed,
            Err(error) if self.known.is_some() => {
                self.unread(&error);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.due = None;
        let now = Shown::all(&observed, self.selection);
        let Some(before) = self.known.replace(now.clone()) else {
            let all: Vec<&Shown> = now.values().collect();
            return Ok(self.context.output.result(&whole(self.context, &self.uri, &all, None))?);
        };
        let gone = before.keys().filter(|id| !now.contains_key(id)).map(|id| (id, "gone"));
        let there = now.iter().filter_map(|(id, shown)| match before.get(id) {
            None => Some((id, "appeared")),
            Some(old) if old != shown => Some((id, "changed")),
            Some(_) => None,
        });
        for (id, what) in gone.chain(there) {
            let change = Change { id: id.clone(), what, device: None };
            self.show(&change, now.get(id))?;
        }
        Ok(())
    }

    /// Shows changes with the new state of their objects.
    fn changes(&mut self, changes: Vec<Change>) -> Result<(), Failure> {
        if changes.is_empty() {
            return Ok(());
        }
        let only = changes.iter().map(|change| change.id.clone()).collect();
        let observed = self.driver.observe(&Scope::only(only, Detail::Full));
        let read = match observed {
            Ok(observed) => Shown::all(&observed, self.selection),
            Err(error) => {
                self.unread(&error);
                BTreeMap::new()
            }
        };
        for change in changes {
            let shown = read.get(&change.id).cloned();
            self.show(&change, shown.as_ref())?;
            if let Some(known) = &mut self.known {
                match shown {
                    Some(shown) => known.insert(change.id, shown),
                    None => known.remove(&change.id),
                };
            }
        }
        Ok(())
    }

    /// Reports a failed read, which is retried.
    fn unread(&mut self, error: &Error) {
        if self.lost {
            return;
        }
        if self.due.is_none() {
            let output = self.context.output;
            let head = output.paint_err(Paint::Yellow, "warning:");
            output.say(&format!("{head} the host cannot be read, and is retried: {error}\n"));
        }
        self.due = Some(Instant::now() + READ_AGAIN);
    }

    fn show(&self, change: &Change, shown: Option<&Shown>) -> Result<(), Failure> {
        let output = self.context.output;
        let Change { id, what, device } = change;
        if output.format == Format::Json {
            let value = json!({
                "format_version": FORMAT_VERSION, "time": now(), "event": what, "kind": id.kind.as_str(),
                "name": id.name, "device": device, "object": shown.map(|s| &s.object),
            });
            return Ok(output.result(&envelope::line(&value))?);
        }
        let device = device.as_ref().map(|alias| format!(": {}", diagnostics::escape(alias)));
        let what = format!("{what}{}", device.unwrap_or_default());
        let mut line = format!(
            "{}  {}  {}",
            output.paint(Paint::Dim, &ZonedDateTime::now().strftime("%H:%M:%S").to_string()),
            output.paint(Paint::Bold, &id.to_string()),
            what
        );
        if let Some(shown) = shown {
            line.push_str(&format!("  {}", shown.state));
            if shown.autostart {
                line.push_str(", autostart");
            }
            if shown.status.owner.is_some() {
                let sync = output.paint(shown.sync_paint(), shown.status.sync.as_str());
                line.push_str(&format!("  {sync}  {}", shown.fields()));
            }
        }
        Ok(output.result(&format!("{}\n", line.trim_end()))?)
    }
}

/// Event of an object, in words.
struct Change {
    id: ResourceId,
    what: &'static str,
    device: Option<String>,
}

fn now() -> Value {
    json!(format!("{:.3}", Timestamp::now()))
}
