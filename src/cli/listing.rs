//! Selection and formatting of objects, shared by `get` and `get --watch`.

use super::context::Context;
use super::exit::Failure;
use super::options::Format;
use super::output::Paint;
use super::view::envelope::{self, FORMAT_VERSION};
use super::view::table;
use super::view::wide::{HEAD, Wide};
use crate::error::{Error, ErrorKind};
use crate::model::{Kind, Observed, ObservedResource, Outage, ResourceId, Unknown};
use crate::reconcile::{ObjectStatus, Sync, status};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Error for a named object that is not on the host, or could not be read.
pub(super) fn not_there(missing: &ResourceId, observed: &Observed) -> Error {
    if let Some(unknown) = observed.unknown.get(missing) {
        let text = format!("{missing} does not answer: {}", unknown.why);
        return Error::new(ErrorKind::Timeout, text).hint("try again when it answers");
    }
    let text = format!("there is no {missing} on the host");
    Error::new(ErrorKind::Invalid, text).hint("virt get shows what is there")
}

/// Objects to list.
#[derive(Debug)]
pub(super) struct Selection {
    kinds: BTreeSet<Kind>,
    pub(super) ids: BTreeSet<ResourceId>,
}

impl Selection {
    pub(super) fn parse(what: &[String]) -> Result<Self, Failure> {
        let (mut kinds, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for word in what {
            if let Some(kind) = Kind::parse(word).filter(|kind| kind.on_hosts()) {
                kinds.insert(kind);
            } else if let Some(id) = ResourceId::parse(word).filter(|id| id.kind.on_hosts()) {
                ids.insert(id);
            } else {
                let text =
                    format!("{word} is none of domains, networks, domain/NAME and network/NAME");
                return Err(Failure::Usage(text));
            }
        }
        Ok(Self { kinds, ids })
    }

    /// The object, if exactly one was named.
    pub(super) fn single(&self) -> Option<&ResourceId> {
        let one = self.kinds.is_empty() && self.ids.len() == 1;
        one.then(|| self.ids.first()).flatten()
    }

    pub(super) fn includes(&self, id: &ResourceId) -> bool {
        self.kinds.is_empty() && self.ids.is_empty()
            || self.kinds.contains(&id.kind)
            || self.ids.contains(id)
    }
}

/// An object, formatted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) id: ResourceId,
    /// State in a word or two.
    pub(super) state: String,
    pub(super) autostart: bool,
    pub(super) status: ObjectStatus,
    /// JSON object for programs.
    pub(super) object: Value,
}

impl Shown {
    /// All selected objects of a host, in order.
    pub(super) fn all(observed: &Observed, selection: &Selection) -> BTreeMap<ResourceId, Self> {
        let read = observed.resources.values().map(Self::new);
        let unread = observed.unknown.iter().map(|(id, of)| Self::unknown(id, of));
        let all = read.chain(unread).map(|shown| (shown.id.clone(), shown));
        all.filter(|(id, _)| selection.includes(id)).collect()
    }

    /// Formats an object that could not be read.
    pub(super) fn unknown(id: &ResourceId, of: &Unknown) -> Self {
        let object = json!({
            "kind": id.kind.as_str(), "name": id.name, "uuid": of.uuid.to_string(),
            "state": of.state.to_string(), "sync": Sync::Unknown.as_str(), "unknown": of.why,
        });
        let (drifted, pending) = (Vec::new(), Vec::new());
        let status =
            ObjectStatus { owner: None, doubt: None, sync: Sync::Unknown, drifted, pending };
        let state = format!("{}, does not answer", of.state);
        Self { id: id.clone(), state, autostart: false, status, object }
    }

    pub(super) fn new(r: &ObservedResource) -> Self {
        let s = status(r);
        let object = json!({
            "kind": r.id.kind.as_str(), "name": r.id.name, "uuid": r.uuid.to_string(),
            "state": r.state.to_string(), "autostart": r.autostart, "persistent": r.is_persistent,
            "outage": r.outage().map(Outage::as_str), "saved": r.managed_save,
            "snapshots": r.snapshots.iter().map(|s| &s.name).collect::<Vec<_>>(),
            "checkpoints": r.checkpoints, "owner": s.owner, "doubt": s.doubt, "sync": s.sync.as_str(), "drifted": s.drifted, "pending": s.pending,
        });
        let state = r.state_words();
        let state = if r.is_persistent { state } else { format!("{state}, transient") };
        Self { id: r.id.clone(), state, autostart: r.autostart, status: s, object }
    }

    /// Fields that differ from what was applied.
    pub(super) fn fields(&self) -> String {
        if let Some(doubt) = &self.status.doubt {
            return doubt.clone();
        }
        let fields = self.status.drifted.iter().chain(&self.status.pending);
        fields.cloned().collect::<Vec<_>>().join(", ")
    }

    /// Colour of the SYNC column.
    pub(super) fn sync_paint(&self) -> Paint {
        match self.status.sync {
            Sync::InSync => Paint::Green,
            Sync::Drifted | Sync::Unknown | Sync::Outage => Paint::Red,
            Sync::Pending => Paint::Yellow,
            Sync::Unmanaged => Paint::Dim,
        }
    }
}

/// Formats the whole selection: a table, or one line of JSON; with `wide`, also how the domains run.
pub(super) fn whole(context: &Context, uri: &str, shown: &[&Shown], wide: Option<&Wide>) -> String {
    if context.output.format == Format::Json {
        let objects: Vec<&Value> = shown.iter().map(|s| &s.object).collect();
        let mut value =
            json!({ "format_version": FORMAT_VERSION, "connection": uri, "objects": objects });
        if let Some(wide) = wide {
            wide.add_node_to(&mut value);
        }
        return envelope::line(&value);
    }
    let head = ["OBJECT", "STATE", "AUTOSTART", "OWNER", "SYNC", "FIELDS"];
    let head = head.into_iter().chain(wide.into_iter().flat_map(|_| HEAD));
    let mut rows: Vec<Vec<String>> = vec![head.map(str::to_owned).collect()];
    rows.extend(shown.iter().map(|s| {
        let mut row = vec![
            s.id.to_string(),
            s.state.clone(),
            if s.autostart { "yes" } else { "no" }.to_owned(),
            s.status.owner.clone().unwrap_or_else(|| "—".to_owned()),
            s.status.sync.as_str().to_owned(),
            s.fields(),
        ];
        row.extend(wide.into_iter().flat_map(|wide| wide.cells(&s.id)));
        row
    }));
    table::columns(&rows, |row, column, cell| {
        let paint = match (row, column) {
            (0, _) => Paint::Bold,
            (_, 4) => shown.get(row - 1).map_or(Paint::Dim, |s| s.sync_paint()),
            _ => Paint::Plain,
        };
        context.output.paint(paint, cell)
    })
}
