//! Plan and apply for the hosts that `virt.toml` names: many at once, one report, in their order.

use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::fleet::{Fleet, Member, by_process};
use super::host_summary::{HostOutcome, HostSummary};
use super::options::{Format, ReportOptions, RunOptions};
use super::outcome::{self, Applied};
use super::output::{ANEW, OutputChunk};
use super::saved;
use super::session::{Session, deletion, nobody_names};
use super::view::{envelope, json};
use super::worker_pool::{self, WorkerClass};
use crate::error::Error;
use crate::model::{Desired, ResourceId};
use crate::reconcile::Options;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// How the plan of a host is printed.
type Text = fn(&Context, &Session, ReportOptions) -> String;

/// What there is to tell of a host.
pub(super) struct HostReport {
    pub(super) outcome: HostOutcome,
    pub(super) exit: Exit,
    pub(super) pieces: Vec<OutputChunk>,
    /// Its part of a JSON object.
    pub(super) object: Option<Value>,
    /// What is behind `--only` and nowhere on this host; `None` if it was not reached.
    pub(super) unknown: Option<Vec<ResourceId>>,
    /// What is still to be applied.
    pub(super) session: Option<Session>,
}

impl Fleet {
    /// Plans for each host and shows the plans.
    pub(crate) fn plan(
        &self,
        context: &Context,
        reporting: ReportOptions,
        out: Option<&Path>,
        text: Text,
    ) -> Run {
        if out.is_some() && self.hosts.len() > 1 {
            let text = "--out saves the plan of one host: choose it with --host";
            return Err(Failure::Usage(text.to_owned()));
        }
        let is_json = context.output.format == Format::Json;
        let show = |own: &Context, session: &Session| {
            let mut told = HostReport::planned(session, reporting);
            session.show_problems(own);
            if is_json {
                told.object = Some(own.labelled(json::plan(&session.view(), reporting.fail_above)));
            } else {
                own.result_or_nobody(&text(own, session, reporting));
            }
            if let Err(e) = saved::save(own, session, out) {
                own.show_error(&e);
                told.exit = Exit::Error;
            }
            told
        };
        let mut summary = HostSummary::new(context, self.hosts.len());
        let mut objects = Vec::new();
        let mut ended = Ok(());
        let problems = self.plan_in_rounds(context, &show, |at, told| {
            objects.extend(told.object.clone());
            ended = self.tell(context, &mut summary, at, told, true);
            ended.is_ok()
        });
        self.clear(context);
        ended?;
        context.show(&problems, &self.loaded.sources);
        summary.problems(&problems);
        if is_json {
            let object = json::fleet(&self.loaded, &problems, objects, &summary.object());
            context.output.result(&envelope::line(&object))?;
        } else {
            context.output.result(&summary.text())?;
        }
        self.end(&summary)
    }

    /// Makes each host as it is asked for. Each is planned for and applied by itself, unless guests move
    /// between them: nothing is changed on one whose plan has a refusal, and none waits for another that
    /// it has nothing to do with.
    pub(crate) fn apply(
        &self,
        context: &Context,
        reporting: ReportOptions,
        run: &RunOptions,
    ) -> Run {
        if run.dry_run {
            return self.plan(context, reporting, None, outcome::text);
        }
        let mut summary = HostSummary::new(context, self.hosts.len());
        let Some(problems) = self.apply_in_rounds(context, reporting, run, &mut summary)? else {
            return self.end(&summary);
        };
        self.clear(context);
        context.show(&problems, &self.loaded.sources);
        summary.problems(&problems);
        context.result_or_nobody(&match context.output.format {
            Format::Human => summary.text(),
            Format::Json => {
                envelope::line(&json::fleet_summary(&self.loaded, &problems, &summary.object()))
            }
        });
        self.end(&summary)
    }

    /// How the hosts are parted by what it takes to reach them.
    pub(super) fn classes(&self) -> [WorkerClass; 2] {
        worker_pool::classes(self.hosts.len(), |at| {
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
        summary: &mut HostSummary<'_>,
        at: usize,
        told: HostReport,
        always: bool,
    ) -> std::io::Result<()> {
        summary.count(told.outcome, told.exit);
        summary.knows(told.unknown);
        let heading = self.heading(context, at).filter(|_| always || !told.pieces.is_empty());
        summary.show(heading, &told.pieces)
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
    pub(super) fn end(&self, summary: &HostSummary<'_>) -> Run {
        let wrong = self.loaded.diagnostics.has_errors();
        let exit = summary.exit.worse(if wrong { Exit::Error } else { Exit::Done });
        match summary.nowhere() {
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
pub(super) fn show_plan(
    own: &Context,
    session: &Session,
    reporting: ReportOptions,
) -> Option<HostReport> {
    let refused = !session.plan.refusals.is_empty();
    match own.output.format {
        Format::Human => own.result_or_nobody(&outcome::text(own, session, reporting)),
        Format::Json if refused => {
            own.result_or_nobody(&event(own, "refused", json::plan(&session.view(), None)));
        }
        Format::Json => {}
    }
    refused.then(|| HostReport::planned(session, reporting))
}

/// What there is to tell of a host that could not be asked. `keep` is off where each line is
/// printed at once.
pub(super) fn failed(own: &Context, host: &Member, error: &Error, keep: bool) -> HostReport {
    own.show_error(error);
    let object = json::failed_host(&host.name, &host.shown, error);
    if !keep {
        own.result_or_nobody(&event(own, "failed", object.clone()));
    }
    HostReport { object: Some(object), exit: Exit::of(error), ..HostReport::failed() }
}

fn event(own: &Context, word: &str, mut object: Value) -> String {
    if let Some(map) = object.as_object_mut() {
        map.insert("event".to_owned(), json!(word));
    }
    own.line(object)
}

impl HostReport {
    fn new(outcome: HostOutcome, exit: Exit) -> Self {
        let pieces = Vec::new();
        Self { outcome, exit, pieces, object: None, unknown: None, session: None }
    }

    pub(super) fn failed() -> Self {
        Self::new(HostOutcome::Failed, Exit::Error)
    }

    pub(super) fn planned(session: &Session, reporting: ReportOptions) -> Self {
        let exit = outcome::exit(session, reporting);
        let refused = exit == Exit::Refused;
        Self::new(if refused { HostOutcome::Refused } else { HostOutcome::planned(session) }, exit)
    }

    pub(super) fn applied(session: &Session, applied: Applied, reporting: ReportOptions) -> Self {
        let exit = applied.exit(session, reporting.detailed_exitcode);
        Self::new(HostOutcome::applied(session, applied), exit)
    }
}
