//! Plan and apply for the hosts that `virt.toml` names: many at once, one report, in their order.

use super::apply::{Applied, carry_out, confirmed};
use super::args::{Format, RunOptions};
use super::context::{Context, Piece};
use super::delete::{deletion, say_absent};
use super::exit::{Exit, Failure, Run};
use super::plan;
use super::pool::{self, Lane};
use super::session::{Session, nobody_names};
use super::signals::stopping;
use super::tally::{Standing, Tally};
use super::view::json;
use crate::diag::{Diagnostic, Error, Result};
use crate::drivers::Uri;
use crate::drivers::uri::Transport;
use crate::manifest::{HostDesired, Loaded};
use crate::model::{Effect, HostPattern, ResourceId, Roster};
use crate::reconcile::Options;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The hosts that are worked on, and what is asked of them.
pub(crate) struct Fleet {
    loaded: Arc<Loaded>,
    hosts: Vec<HostDesired>,
    options: Options,
    /// What is deleted beside what the manifests name, if that is what is asked for.
    deletes: Option<Vec<ResourceId>>,
}

/// How the plan of a host is printed.
type Text = fn(&Context, &Session, Manner) -> String;

/// What a run shows and how it ends, beyond what it does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    pub(crate) explain: bool,
    pub(crate) detailed_exitcode: bool,
    /// The worst effect that a plan may have without being refused.
    pub(crate) fail_above: Option<Effect>,
}

/// What there is to tell of a host.
struct Told {
    standing: Standing,
    exit: Exit,
    pieces: Vec<Piece>,
    /// Its part of a JSON object.
    object: Option<Value>,
    /// What is behind `--only` and nowhere on this host; `None` if it was not reached.
    unknown: Option<Vec<ResourceId>>,
    /// What is still to be applied.
    session: Option<Session>,
}

/// The hosts of the fleet that `patterns` choose; none if `virt.toml` names none.
pub(crate) fn chosen(
    context: &Context,
    loaded: &Loaded,
    patterns: &[HostPattern],
) -> Result<Vec<HostDesired>, Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    if loaded.fleet.is_empty() {
        return match patterns {
            [] => Ok(Vec::new()),
            _ => usage("--host chooses among the hosts that a virt.toml names, and none is named"),
        };
    }
    if context.connect.is_some() {
        return usage("virt.toml names the hosts: choose among them with --host, not --connect");
    }
    let roster = Roster::new(loaded.fleet.iter().map(|h| h.name.clone()));
    match roster.choose(patterns) {
        Ok(set) if set.is_empty() => usage("--host leaves no host"),
        Ok(set) => Ok(set.iter().filter_map(|i| loaded.fleet.get(i)).cloned().collect()),
        Err(lost) => {
            let lost = lost.first().and_then(|i| patterns.get(*i));
            let text = lost.map(|p| format!("no host is named {p}; {}", roster.hint(p)));
            Err(Failure::Usage(text.unwrap_or_default()))
        }
    }
}

/// Looks at the URIs of all hosts: the manifests' floor knows no URIs.
pub(crate) fn check_uris(loaded: &mut Loaded) {
    let mut known: BTreeMap<String, &HostDesired> = BTreeMap::new();
    let mut one_by_two_names = false;
    for host in &loaded.fleet {
        let uri = match Uri::parse(&host.connect) {
            Ok(uri) => uri,
            Err(e) => {
                let problem = Diagnostic::error("bad-setting", e.message.clone()).at(host.span);
                loaded.diagnostics.push(Diagnostic { hint: e.hint.clone(), ..problem });
                continue;
            }
        };
        let first = *known.entry(uri.destination()).or_insert(host);
        // the same to the letter is said where the file is read
        if first.name != host.name && first.connect != host.connect {
            one_by_two_names = true;
            loaded.diagnostics.push(
                Diagnostic::error("ambiguous-hosts", "two names lead to one host")
                    .at(host.span)
                    .related(first.span, format!("the first is {}", first.name))
                    .hint("leave one out: each would prune what is the other's"),
            );
        }
    }
    if one_by_two_names {
        // then nobody is asked for anything
        loaded.desired = Arc::default();
    }
    loaded.diagnostics.sort();
}

/// Whether a host is reached through a process of its own.
pub(crate) fn by_process(uri: &str) -> bool {
    let transport = Uri::parse(uri).ok().and_then(|uri| uri.transport());
    matches!(transport, Some(Transport::Ssh | Transport::Ext))
}

impl Fleet {
    /// Hosts that are to be as the manifests say.
    pub(crate) fn applying(loaded: Loaded, hosts: Vec<HostDesired>, options: Options) -> Self {
        Self { loaded: Arc::new(loaded), hosts, options, deletes: None }
    }

    /// Hosts from which all that the manifests name for them goes, and what is `named`.
    pub(crate) fn deleting(
        loaded: Loaded,
        hosts: Vec<HostDesired>,
        options: Options,
        named: Vec<ResourceId>,
    ) -> Self {
        Self { loaded: Arc::new(loaded), hosts, options, deletes: Some(named) }
    }

    /// Plans for each host and shows the plans.
    pub(crate) fn plan(
        &self,
        context: &Context,
        manner: Manner,
        out: Option<&Path>,
        text: Text,
    ) -> Run {
        if out.is_some() && self.hosts.len() > 1 {
            let text = "--out saves the plan of one host: choose it with --host";
            return Err(Failure::Usage(text.to_owned()));
        }
        let is_json = context.output.format == Format::Json;
        let work = |at: usize| {
            self.with_session(context, at, true, |own, session| {
                let mut told = Told::planned(&session, manner);
                if is_json {
                    told.object = Some(own.labelled(json::plan(&session, manner.fail_above)));
                } else {
                    own.result_or_nobody(&text(own, &session, manner));
                }
                if let Err(e) = plan::save(own, &session, out) {
                    own.show_error(&e);
                    told.exit = Exit::Error;
                }
                told
            })
        };
        let mut tally = Tally::new(context, self.hosts.len());
        let mut objects = Vec::new();
        let mut ended = Ok(());
        pool::each(
            &self.lanes(),
            work,
            |n| self.progress(context, n),
            |at, told| {
                objects.extend(told.object.clone());
                ended = self.tell(context, &mut tally, at, told, true);
                ended.is_ok()
            },
        );
        self.clear(context);
        ended?;
        if is_json {
            let object = json::fleet(&self.loaded, objects, &tally.object());
            context.output.result(&json::line(&object))?;
        } else {
            context.output.result(&tally.text())?;
        }
        self.end(&tally)
    }

    /// Makes each host as it is asked for. Each is planned for and applied by itself: nothing is
    /// changed on one whose plan has a refusal, and none waits for another.
    pub(crate) fn apply(&self, context: &Context, manner: Manner, run: &RunOptions) -> Run {
        if run.dry_run {
            return self.plan(context, manner, None, plan::text);
        }
        let mut tally = Tally::new(context, self.hosts.len());
        let lanes = self.lanes();
        if run.confirm {
            return self.apply_confirmed(context, manner, run, &lanes, &mut tally);
        }
        let keep = context.output.format == Format::Human;
        let work = |at: usize| {
            self.with_session(context, at, keep, |own, session| {
                if let Some(refused) = show_plan(own, &session, manner) {
                    return refused;
                }
                Told::applied(&session, carry_out(own, &session, run), manner)
            })
        };
        let count = |n| self.progress(context, n);
        pool::each(&lanes, work, count, |at, told| {
            // with no reader left it goes on all the same
            let _ = self.tell(context, &mut tally, at, told, true);
            true
        });
        self.summarize(context, &tally)
    }

    /// Plans for all hosts, asks once, and applies the plans.
    fn apply_confirmed(
        &self,
        context: &Context,
        manner: Manner,
        run: &RunOptions,
        lanes: &[Lane],
        tally: &mut Tally<'_>,
    ) -> Run {
        let keep = context.output.format == Format::Human;
        let crowded =
            |at| lanes.iter().any(|l| l.is_crowded() && l.members.binary_search(&at).is_ok());
        let work = |at: usize| {
            self.with_session(context, at, keep, |own, mut session| {
                if let Some(refused) = show_plan(own, &session, manner) {
                    return refused;
                }
                if crowded(at) {
                    session.pause();
                }
                let told = Told::planned(&session, manner);
                Told { session: Some(session), ..told }
            })
        };
        let mut waiting: Vec<Mutex<Option<Session>>> =
            self.hosts.iter().map(|_| Mutex::new(None)).collect();
        let mut any = false;
        pool::each(
            lanes,
            work,
            |n| self.progress(context, n),
            |at, mut told| {
                if let (Some(session), Some(place)) = (told.session.take(), waiting.get_mut(at)) {
                    any |= !session.plan.is_empty();
                    *place = Mutex::new(Some(session));
                    let _ = tally.show(self.heading(context, at), &told.pieces);
                    tally.knows(told.unknown);
                } else {
                    let _ = self.tell(context, tally, at, told, true);
                }
                true
            },
        );
        self.clear(context);
        if any && !confirmed(context)? {
            return self.end(tally).map(|exit| exit.worse(Exit::Refused));
        }
        let is_waiting = |at: &usize| {
            let place = waiting.get(*at).map(|m| m.lock().unwrap_or_else(PoisonError::into_inner));
            place.is_some_and(|session| session.is_some())
        };
        let lanes: Vec<Lane> = lanes
            .iter()
            .map(|l| Lane {
                members: l.members.iter().copied().filter(is_waiting).collect(),
                at_once: l.at_once,
            })
            .collect();
        let work = |at: usize| {
            let (host, place) = (self.hosts.get(at)?, waiting.get(at)?);
            let mut session = place.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            let own = context.for_host(&host.name, keep);
            let resumed = if crowded(at) { session.resume(&own) } else { Ok(()) };
            let told = match resumed {
                Ok(()) => Told::applied(&session, carry_out(&own, &session, run), manner),
                Err(e) => failed(&own, host, &e, keep),
            };
            Some(Told { pieces: own.into_kept(), ..told })
        };
        pool::each(
            &lanes,
            work,
            |n| self.progress(context, n),
            |at, told| {
                if let Some(told) = told {
                    let _ = self.tell(context, tally, at, told, false);
                }
                true
            },
        );
        self.summarize(context, tally)
    }

    /// How the hosts are parted by what it takes to reach them.
    fn lanes(&self) -> [Lane; 2] {
        pool::lanes(self.hosts.len(), |at| {
            self.hosts.get(at).is_some_and(|host| by_process(&host.connect))
        })
    }

    /// Opens a host, observes it and plans, and does `work` with that.
    fn with_session(
        &self,
        context: &Context,
        at: usize,
        keep: bool,
        work: impl FnOnce(&Context, Session) -> Told,
    ) -> Told {
        let Some(host) = self.hosts.get(at) else { return Told::failed() };
        let own = context.for_host(&host.name, keep);
        if stopping() {
            own.say(&format!("{}: not begun: it was told to stop\n", host.name));
            return Told { pieces: own.into_kept(), ..Told::failed() };
        }
        let told = match self.session(&own, host) {
            Ok(session) => {
                let unknown = Some(session.unknown_only());
                if self.deletes.is_some() {
                    say_absent(&own, &session);
                }
                Told { unknown, ..work(&own, session) }
            }
            Err(e) => failed(&own, host, &e, keep),
        };
        Told { pieces: own.into_kept(), ..told }
    }

    fn session(&self, context: &Context, host: &HostDesired) -> Result<Session> {
        let options = Options { host: Some(host.name.clone()), ..self.options.clone() };
        let (desired, options) = match &self.deletes {
            None => (Arc::clone(&host.desired), options),
            Some(named) => {
                let (desired, options) = deletion(&host.desired, named, options);
                (Arc::new(desired), options)
            }
        };
        Session::of_fleet(context, &self.loaded, &host.connect, desired, options)
    }

    /// Prints what there is to tell of a host, and counts it. `always` prints its name even if
    /// there is nothing.
    fn tell(
        &self,
        context: &Context,
        tally: &mut Tally<'_>,
        at: usize,
        told: Told,
        always: bool,
    ) -> std::io::Result<()> {
        tally.count(told.standing, told.exit);
        tally.knows(told.unknown);
        let heading = self.heading(context, at).filter(|_| always || !told.pieces.is_empty());
        tally.show(heading, &told.pieces)
    }

    /// The line above what is told of a host, for people.
    fn heading(&self, context: &Context, at: usize) -> Option<(&str, &str)> {
        let host = self.hosts.get(at).filter(|_| context.output.format == Format::Human)?;
        Some((&host.name, &host.connect))
    }

    fn progress(&self, context: &Context, finished: usize) {
        if context.output.progress {
            context.say(&format!("\r\u{1b}[K{finished}/{} hosts", self.hosts.len()));
        }
    }

    fn clear(&self, context: &Context) {
        if context.output.progress {
            context.say("\r\u{1b}[K");
        }
    }

    fn summarize(&self, context: &Context, tally: &Tally<'_>) -> Run {
        self.clear(context);
        context.result_or_nobody(&match context.output.format {
            Format::Human => tally.text(),
            Format::Json => json::line(&json::fleet_summary(&self.loaded, &tally.object())),
        });
        self.end(tally)
    }

    /// How the run ends: the worst of all hosts, and what is wrong with the manifests.
    fn end(&self, tally: &Tally<'_>) -> Run {
        let wrong = self.loaded.diagnostics.has_errors();
        let exit = tally.exit.worse(if wrong { Exit::Error } else { Exit::Done });
        match tally.nowhere() {
            None => Ok(exit),
            // a slip in the command line is not worth more than what came of the hosts
            Some(id) if matches!(exit, Exit::Done | Exit::Changes | Exit::Pending) => {
                Err(nobody_names(id, &self.loaded.desired))
            }
            Some(_) => Ok(exit),
        }
    }
}

/// Shows people the plan that is about to be applied. One that is refused is shown to all, and
/// that is all there is to tell.
fn show_plan(own: &Context, session: &Session, manner: Manner) -> Option<Told> {
    let refused = !session.plan.refusals.is_empty();
    match own.output.format {
        Format::Human => own.result_or_nobody(&plan::text(own, session, manner)),
        Format::Json if refused => {
            own.result_or_nobody(&event(own, "refused", json::plan(session, None)));
        }
        Format::Json => {}
    }
    refused.then(|| Told::planned(session, manner))
}

/// What there is to tell of a host that could not be asked. `keep` is off where each line is
/// printed at once.
fn failed(own: &Context, host: &HostDesired, error: &Error, keep: bool) -> Told {
    own.show_error(error);
    let object = json::failed_host(&host.name, &host.connect, error);
    if !keep {
        own.result_or_nobody(&event(own, "failed", object.clone()));
    }
    Told { object: Some(object), exit: Exit::of(error), ..Told::failed() }
}

fn event(own: &Context, word: &str, mut object: Value) -> String {
    if let Some(map) = object.as_object_mut() {
        map.insert("event".to_owned(), json!(word));
    }
    own.line(object)
}

impl Told {
    fn new(standing: Standing, exit: Exit) -> Self {
        let pieces = Vec::new();
        Self { standing, exit, pieces, object: None, unknown: None, session: None }
    }

    fn failed() -> Self {
        Self::new(Standing::Failed, Exit::Error)
    }

    fn planned(session: &Session, manner: Manner) -> Self {
        let exit = plan::exit(session, manner);
        let refused = exit == Exit::Refused;
        Self::new(if refused { Standing::Refused } else { Standing::planned(session) }, exit)
    }

    fn applied(session: &Session, applied: Applied, manner: Manner) -> Self {
        let exit = applied.exit(session, manner.detailed_exitcode);
        Self::new(Standing::applied(session, applied), exit)
    }
}
