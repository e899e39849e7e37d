//! Per-host results and totals of a fleet.

use super::context::Context;
use super::exit::Exit;
use super::outcome::Applied;
use super::output::OutputChunk;
use super::output::{ANEW, Paint};
use super::session::Session;
use crate::model::ResourceId;
use diagnostics::{Diagnostics, escape};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Outcome of a host, in the order of the totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostOutcome {
    /// The plan has changes.
    ToChange,
    /// Changes were applied.
    Changed,
    /// A change that is defined waits for the next boot, or for a guest to follow.
    Waiting,
    /// The host is in sync.
    InSync,
    /// In sync except for blocked objects.
    Blocked,
    /// The plan has a refusal.
    Refused,
    /// The outcome of a step is unknown, or the host did not converge.
    Unresolved,
    /// The host could not be reached, or a step failed.
    Failed,
}

impl HostOutcome {
    const fn describe(self) -> &'static str {
        match self {
            Self::ToChange => "to change",
            Self::Changed => "changed",
            Self::Waiting => "waiting for the next boot",
            Self::InSync => "in sync",
            Self::Blocked => "in sync except for what is blocked",
            Self::Refused => "refused",
            Self::Unresolved => "unresolved",
            Self::Failed => "failed",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::ToChange => "to_change",
            Self::Changed => "changed",
            Self::Waiting => "waiting",
            Self::InSync => "in_sync",
            Self::Blocked => "held_back",
            Self::Refused => "refused",
            Self::Unresolved => "unresolved",
            Self::Failed => "failed",
        }
    }

    const fn paint(self) -> Paint {
        match self {
            Self::ToChange | Self::Changed | Self::Waiting => Paint::Yellow,
            Self::InSync => Paint::Green,
            Self::Blocked | Self::Refused | Self::Unresolved | Self::Failed => Paint::Red,
        }
    }

    /// Outcome by the plan alone.
    pub(crate) fn planned(session: &Session) -> Self {
        let plan = &session.plan;
        if !plan.refusals.is_empty() {
            Self::Refused
        } else if !plan.is_empty() {
            Self::ToChange
        } else if session.has_errors() || !plan.blocked.is_empty() {
            Self::Blocked
        } else if plan.has_pending() {
            Self::Waiting
        } else {
            Self::InSync
        }
    }

    /// Outcome after the plan was applied.
    pub(crate) fn applied(session: &Session, applied: Applied) -> Self {
        match (applied, Self::planned(session)) {
            (Applied::Unresolved, _) => Self::Unresolved,
            (Applied::Failed, _) => Self::Failed,
            (Applied::ReadOnly, _) => Self::Refused,
            (Applied::Waits, _) => Self::Waiting,
            (Applied::Converged, Self::ToChange) => Self::Changed,
            (Applied::Converged, other) => other,
        }
    }
}

/// Running totals of a fleet.
pub(crate) struct HostSummary<'a> {
    context: &'a Context,
    hosts: usize,
    counts: BTreeMap<HostOutcome, usize>,
    /// The worst exit code so far.
    pub(crate) exit: Exit,
    /// Objects of `--only` that no host has had so far; `None` until a host was reached.
    nowhere: Option<BTreeSet<ResourceId>>,
    /// Whether output of a host was printed.
    begun: bool,
}

impl<'a> HostSummary<'a> {
    pub(crate) fn new(context: &'a Context, hosts: usize) -> Self {
        let counts = BTreeMap::new();
        Self { context, hosts, counts, exit: Exit::Done, nowhere: None, begun: false }
    }

    /// Records problems between hosts.
    pub(crate) fn problems(&mut self, problems: &Diagnostics) {
        let wrong = problems.has_errors();
        self.exit = self.exit.worse(if wrong { Exit::Error } else { Exit::Done });
    }

    /// Counts a host.
    pub(crate) fn count(&mut self, outcome: HostOutcome, exit: Exit) {
        *self.counts.entry(outcome).or_default() += 1;
        self.exit = self.exit.worse(exit);
    }

    /// Records the objects that a host does not have, if it was reached.
    pub(crate) fn knows(&mut self, unknown: Option<Vec<ResourceId>>) {
        let Some(unknown) = unknown else { return };
        let unknown: BTreeSet<ResourceId> = unknown.into_iter().collect();
        self.nowhere = Some(match self.nowhere.take() {
            None => unknown,
            Some(before) => before.intersection(&unknown).cloned().collect(),
        });
    }

    /// An object of `--only` that no host has and no manifest names.
    pub(crate) fn nowhere(&self) -> Option<&ResourceId> {
        self.nowhere.as_ref()?.first()
    }

    /// Prints the buffered output of a host, below its name and URI.
    pub(crate) fn show(
        &mut self,
        heading: Option<(&str, &str)>,
        pieces: &[OutputChunk],
    ) -> std::io::Result<()> {
        let context = self.context;
        if context.output.progress && (heading.is_some() || !pieces.is_empty()) {
            context.say(ANEW);
        }
        if let Some((name, uri)) = heading {
            let name = context.output.paint(Paint::Bold, &escape(name));
            let space = if self.begun { "\n" } else { "" };
            self.begun = true;
            context.output.result(&format!("{space}{name}  {}\n", escape(uri)))?;
        }
        context.print(pieces)
    }

    /// The last line, for people.
    pub(crate) fn text(&self) -> String {
        let output = self.context.output;
        let count = |(s, n): (&HostOutcome, &usize)| {
            output.paint(s.paint(), &format!("{n} {}", s.describe()))
        };
        let counts: Vec<String> = self.counts.iter().map(count).collect();
        let space = if self.begun { "\n" } else { "" };
        let hosts = format!("{} host{}:", self.hosts, if self.hosts == 1 { "" } else { "s" });
        format!("{space}{} {}\n", output.paint(Paint::Bold, &hosts), counts.join(", "))
    }

    /// The last line, for programs.
    pub(crate) fn object(&self) -> Value {
        let mut map = Map::new();
        map.insert("hosts".to_owned(), json!(self.hosts));
        for (outcome, n) in &self.counts {
            map.insert(outcome.key().to_owned(), json!(n));
        }
        Value::Object(map)
    }
}
