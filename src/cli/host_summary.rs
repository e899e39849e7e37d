//! What the hosts of a fleet came to: what is printed of each, and the count of all.

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

/// How a host stands, in the order in which they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostOutcome {
    /// Its plan has changes.
    ToChange,
    /// They were made.
    Changed,
    /// Something that is defined waits for the next boot, or for a guest to follow.
    Waiting,
    /// It is as the manifests say.
    InSync,
    /// So far as nothing is held back.
    Blocked,
    /// Its plan has a refusal.
    Refused,
    /// It is not known what became of a step, or it did not converge.
    Unresolved,
    /// It could not be asked, or a step failed.
    Failed,
}

impl HostOutcome {
    const fn describe(self) -> &'static str {
        match self {
            Self::ToChange => "to change",
            Self::Changed => "changed",
            Self::Waiting => "waiting for the next boot",
            Self::InSync => "in sync",
            Self::Blocked => "in sync but for what is held back",
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

    /// How a host stands by its plan.
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

    /// How it stands after its plan was applied.
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

/// What the hosts of a fleet came to so far.
pub(crate) struct HostSummary<'a> {
    context: &'a Context,
    hosts: usize,
    counts: BTreeMap<HostOutcome, usize>,
    /// The worst so far.
    pub(crate) exit: Exit,
    /// What is behind `--only` and on none of the hosts that were reached.
    nowhere: Option<BTreeSet<ResourceId>>,
    /// Whether something was printed of a host.
    begun: bool,
}

impl<'a> HostSummary<'a> {
    pub(crate) fn new(context: &'a Context, hosts: usize) -> Self {
        let counts = BTreeMap::new();
        Self { context, hosts, counts, exit: Exit::Done, nowhere: None, begun: false }
    }

    /// Takes note of what is wrong between hosts.
    pub(crate) fn problems(&mut self, problems: &Diagnostics) {
        let wrong = problems.has_errors();
        self.exit = self.exit.worse(if wrong { Exit::Error } else { Exit::Done });
    }

    /// Counts a host.
    pub(crate) fn count(&mut self, outcome: HostOutcome, exit: Exit) {
        *self.counts.entry(outcome).or_default() += 1;
        self.exit = self.exit.worse(exit);
    }

    /// Takes note of what a host does not have, if it was reached.
    pub(crate) fn knows(&mut self, unknown: Option<Vec<ResourceId>>) {
        let Some(unknown) = unknown else { return };
        let unknown: BTreeSet<ResourceId> = unknown.into_iter().collect();
        self.nowhere = Some(match self.nowhere.take() {
            None => unknown,
            Some(before) => before.intersection(&unknown).cloned().collect(),
        });
    }

    /// Something behind `--only` that no host has and no manifest names.
    pub(crate) fn nowhere(&self) -> Option<&ResourceId> {
        self.nowhere.as_ref()?.first()
    }

    /// Prints what was kept of a host, below its name and URI.
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

    /// The same for machines.
    pub(crate) fn object(&self) -> Value {
        let mut map = Map::new();
        map.insert("hosts".to_owned(), json!(self.hosts));
        for (outcome, n) in &self.counts {
            map.insert(outcome.key().to_owned(), json!(n));
        }
        Value::Object(map)
    }
}
