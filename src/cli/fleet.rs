//! Plan and apply for the hosts that `virt.toml` names: many at once, one report, in their order.

use super::apply::Applied;
use super::args::{Format, RunOptions};
use super::context::{Context, Piece};
use super::delete::deletion;
use super::exit::{Exit, Failure, Run};
use super::output::ANEW;
use super::plan;
use super::pool::{self, Lane};
use super::session::{Session, nobody_names};
use super::tally::{Standing, Tally};
use super::view::json;
use super::written;
use crate::diag::{Diagnostic, Error, Result};
use crate::drivers::trust::is_name;
use crate::drivers::uri::Transport;
use crate::drivers::{Connection, Uri};
use crate::manifest::{HostDesired, Loaded};
use crate::model::{Desired, Effect, HostPattern, ResourceId, Roster};
use crate::reconcile::Options;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The hosts that are worked on, and what is asked of them.
pub(crate) struct Fleet {
    pub(super) loaded: Arc<Loaded>,
    pub(super) hosts: Vec<Member>,
    pub(super) options: Options,
    /// What is deleted beside what the manifests name, if that is what is asked for.
    pub(super) deletes: Option<Vec<ResourceId>>,
}

/// A host of the fleet that is worked on.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its name in `virt.toml`.
    pub(crate) name: String,
    /// How it is reached, unless `virt.toml` may not choose that.
    pub(crate) connection: Result<Connection>,
    /// The connection, for people.
    pub(crate) shown: String,
    /// What it is to have.
    pub(crate) desired: Arc<Desired>,
}

impl Member {
    fn new(context: &Context, loaded: &Loaded, host: &HostDesired) -> Self {
        let connection = context.admit(&written::of_host(loaded, host));
        let shown = connection.as_ref().map_or(host.connect.text.as_str(), Connection::text);
        Self {
            name: host.name.clone(),
            shown: shown.to_owned(),
            connection,
            desired: Arc::clone(&host.desired),
        }
    }
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
pub(super) struct Told {
    pub(super) standing: Standing,
    pub(super) exit: Exit,
    pub(super) pieces: Vec<Piece>,
    /// Its part of a JSON object.
    pub(super) object: Option<Value>,
    /// What is behind `--only` and nowhere on this host; `None` if it was not reached.
    pub(super) unknown: Option<Vec<ResourceId>>,
    /// What is still to be applied.
    pub(super) session: Option<Session>,
}

/// The hosts of the fleet that `--host` chooses; none if `virt.toml` names none.
pub(crate) fn chosen(context: &Context, loaded: &Loaded) -> Result<Vec<Member>, Failure> {
    let patterns: &[HostPattern] = &context.patterns;
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
        Ok(set) => {
            let all = loaded.fleet.iter().map(|host| Member::new(context, loaded, host));
            let all: Vec<Member> = all.collect();
            check_destinations(&all)?;
            let chosen = (0..).zip(all).filter(|(i, _)| set.contains(*i));
            Ok(chosen.map(|(_, member)| member).collect())
        }
        Err(lost) => {
            let lost = lost.first().and_then(|i| patterns.get(*i));
            let text = lost.map(|p| format!("no host is named {p}; {}", roster.hint(p)));
            Err(Failure::Usage(text.unwrap_or_default()))
        }
    }
}

/// Checks that no two names of the operator's lead to one host: each would prune what is the other's.
/// Of URIs in the files that is said where they stand.
fn check_destinations(all: &[Member]) -> Result<(), Failure> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for member in all {
        let Ok(connection) = &member.connection else { continue };
        if let Some(first) = known.insert(connection.uri().destination(), &member.name) {
            let name = &member.name;
            return Err(Failure::Usage(format!(
                "{first} and {name} of virt.toml lead to one host, {}: leave one out",
                member.shown
            )));
        }
    }
    Ok(())
}

/// Looks at the URIs of all hosts: the manifests' floor knows no URIs.
pub(crate) fn check_uris(loaded: &mut Loaded) {
    let mut known: BTreeMap<String, &HostDesired> = BTreeMap::new();
    let mut one_by_two_names = false;
    for host in &loaded.fleet {
        if is_name(&host.connect.text) {
            // what it leads to is the operator's configuration's to say
            continue;
        }
        let uri = match Uri::parse(&host.connect.text) {
            Ok(uri) => uri,
            Err(e) => {
                let problem =
                    Diagnostic::error("bad-setting", e.message.clone()).at(host.connect.span);
                loaded.diagnostics.push(Diagnostic { hint: e.hint.clone(), ..problem });
                continue;
            }
        };
        let first = *known.entry(uri.destination()).or_insert(host);
        // the same to the letter is said where the file is read
        if first.name != host.name && first.connect.text != host.connect.text {
            one_by_two_names = true;
            loaded.diagnostics.push(
                Diagnostic::error("ambiguous-hosts", "two names lead to one host")
                    .at(host.connect.span)
                    .related(first.connect.span, format!("the first is {}", first.name))
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
pub(crate) fn by_process(connection: &Result<Connection>) -> bool {
    let transport = connection.as_ref().ok().and_then(|connection| connection.uri().transport());
    matches!(transport, Some(Transport::Ssh | Transport::Ext))
}

impl Fleet {
    /// Hosts that are to be as the manifests say.
    pub(crate) fn applying(loaded: Loaded, hosts: Vec<Member>, options: Options) -> Self {
        Self { loaded: Arc::new(loaded), hosts, options, deletes: None }
    }

    /// Hosts from which all that the manifests name for them goes, and what is `named`.
    pub(crate) fn deleting(
        loaded: Loaded,
        hosts: Vec<Member>,
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
        let show = |own: &Context, session: &Session| {
            let mut told = Told::planned(session, manner);
            session.show_problems(own);
            if is_json {
                told.object = Some(own.labelled(json::plan(session, manner.fail_above)));
            } else {
                own.result_or_nobody(&text(own, session, manner));
            }
            if let Err(e) = plan::save(own, session, out) {
                own.show_error(&e);
                told.exit = Exit::Error;
            }
            told
        };
        let mut tally = Tally::new(context, self.hosts.len());
        let mut objects = Vec::new();
        let mut ended = Ok(());
        let problems = self.plan_in_rounds(context, &show, |at, told| {
            objects.extend(told.object.clone());
            ended = self.tell(context, &mut tally, at, told, true);
            ended.is_ok()
        });
        self.clear(context);
        ended?;
        context.show(&problems, &self.loaded.sources);
        tally.problems(&problems);
        if is_json {
            let object = json::fleet(&self.loaded, &problems, objects, &tally.object());
            context.output.result(&json::line(&object))?;
        } else {
            context.output.result(&tally.text())?;
        }
        self.end(&tally)
    }

    /// Makes each host as it is asked for. Each is planned for and applied by itself, unless guests move
    /// between them: nothing is changed on one whose plan has a refusal, and none waits for another that
    /// it has nothing to do with.
    pub(crate) fn apply(&self, context: &Context, manner: Manner, run: &RunOptions) -> Run {
        if run.dry_run {
            return self.plan(context, manner, None, plan::text);
        }
        let mut tally = Tally::new(context, self.hosts.len());
        let Some(problems) = self.apply_in_rounds(context, manner, run, &mut tally)? else {
            return self.end(&tally);
        };
        self.clear(context);
        context.show(&problems, &self.loaded.sources);
        tally.problems(&problems);
        context.result_or_nobody(&match context.output.format {
            Format::Human => tally.text(),
            Format::Json => {
                json::line(&json::fleet_summary(&self.loaded, &problems, &tally.object()))
            }
        });
        self.end(&tally)
    }

    /// How the hosts are parted by what it takes to reach them.
    pub(super) fn lanes(&self) -> [Lane; 2] {
        pool::lanes(self.hosts.len(), |at| {
            self.hosts.get(at).is_some_and(|host| by_process(&host.connection))
        })
    }

    /// What is asked of a host, and what its plan may do.
    pub(super) fn asked(&self, host: &Member) -> (Arc<Desired>, Options) {
        let options = Options { host: Some(host.name.clone()), ..self.options.clone() };
        match &self.deletes {
            None => (Arc::clone(&host.desired), options),
            Some(named) => {
                let (desired, options) = deletion(&host.desired, named, options);
                (Arc::new(desired), options)
            }
        }
    }

    /// Prints what there is to tell of a host, and counts it. `always` prints its name even if
    /// there is nothing.
    pub(super) fn tell(
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
    pub(super) fn heading(&self, context: &Context, at: usize) -> Option<(&str, &str)> {
        let host = self.hosts.get(at).filter(|_| context.output.format == Format::Human)?;
        Some((&host.name, &host.shown))
    }

    pub(super) fn progress(&self, context: &Context, finished: usize) {
        if context.output.progress {
            context.say(&format!("{ANEW}{finished}/{} hosts", self.hosts.len()));
        }
    }

    pub(super) fn clear(&self, context: &Context) {
        if context.output.progress {
            context.say(ANEW);
        }
    }

    /// How the run ends: the worst of all hosts, and what is wrong with the manifests.
    pub(super) fn end(&self, tally: &Tally<'_>) -> Run {
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
pub(super) fn show_plan(own: &Context, session: &Session, manner: Manner) -> Option<Told> {
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
pub(super) fn failed(own: &Context, host: &Member, error: &Error, keep: bool) -> Told {
    own.show_error(error);
    let object = json::failed_host(&host.name, &host.shown, error);
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

    pub(super) fn failed() -> Self {
        Self::new(Standing::Failed, Exit::Error)
    }

    pub(super) fn planned(session: &Session, manner: Manner) -> Self {
        let exit = plan::exit(session, manner);
        let refused = exit == Exit::Refused;
        Self::new(if refused { Standing::Refused } else { Standing::planned(session) }, exit)
    }

    pub(super) fn applied(session: &Session, applied: Applied, manner: Manner) -> Self {
        let exit = applied.exit(session, manner.detailed_exitcode);
        Self::new(Standing::applied(session, applied), exit)
    }
}
