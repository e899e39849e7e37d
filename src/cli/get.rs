//! `virt get`: what is there, who owns it, and whether it is still as it was applied.

use super::args::{Format, GetArgs};
use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::output::Paint;
use super::session::Host;
use super::view::{json, table};
use crate::diag::{Error, ErrorCode, ErrorDomain};
use crate::model::{Kind, ResourceId};
use crate::reconcile::{Sync, status};
use serde_json::json;
use std::collections::BTreeSet;

pub(crate) fn run(context: &Context, args: &GetArgs) -> Run {
    let (kinds, ids) = selection(&args.what)?;
    let host = Host::open(context, None)?;
    let observed = host.observe()?;
    if let Some(missing) = ids.iter().find(|id| !observed.resources.contains_key(id)) {
        let code = match missing.kind {
            Kind::Domain => ErrorCode::NO_DOMAIN,
            Kind::Network => ErrorCode::NO_NETWORK,
        };
        let text = format!("there is no {missing} on the host");
        return Err(Error::new(code, ErrorDomain::NONE, text)
            .hint("virt get shows what is there")
            .into());
    }
    let wanted = |id: &ResourceId| {
        kinds.is_empty() && ids.is_empty() || kinds.contains(&id.kind) || ids.contains(id)
    };
    let shown: Vec<_> =
        observed.resources.values().filter(|r| wanted(&r.id)).map(|r| (r, status(r))).collect();
    if context.output.format == Format::Json {
        let objects: Vec<_> = shown
            .iter()
            .map(|(r, s)| {
                json!({
                    "kind": r.id.kind.word(), "name": r.id.name, "uuid": r.uuid.to_string(),
                    "state": r.state.to_string(), "autostart": r.autostart, "persistent": r.is_persistent,
                    "owner": s.owner, "sync": s.sync.word(), "drifted": s.drifted, "pending": s.pending,
                })
            })
            .collect();
        context.output.result(&json::line(
            &json!({ "format_version": 1, "connection": host.uri, "objects": objects }),
        ))?;
        return Ok(Exit::Done);
    }
    let head = ["OBJECT", "STATE", "AUTOSTART", "OWNER", "SYNC", "FIELDS"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (resource, status) in &shown {
        let state = match (resource.id.kind, resource.state.is_active()) {
            (Kind::Network, true) => "active".to_owned(),
            (Kind::Network, false) => "inactive".to_owned(),
            (Kind::Domain, _) => resource.state.to_string(),
        };
        let state = if resource.is_persistent { state } else { format!("{state}, transient") };
        let fields = status.drifted.iter().chain(&status.pending).cloned().collect::<Vec<_>>();
        rows.push(vec![
            resource.id.to_string(),
            state,
            if resource.autostart { "yes" } else { "no" }.to_owned(),
            status.owner.clone().unwrap_or_else(|| "—".to_owned()),
            status.sync.word().to_owned(),
            fields.join(", "),
        ]);
    }
    let text = table::columns(&rows, |row, column, cell| {
        let paint = match (row, column) {
            (0, _) => Paint::Bold,
            (_, 4) => match shown.get(row - 1).map(|(_, s)| s.sync) {
                Some(Sync::InSync) => Paint::Green,
                Some(Sync::Drifted | Sync::Unknown) => Paint::Red,
                Some(Sync::Pending) => Paint::Yellow,
                Some(Sync::Unmanaged) | None => Paint::Dim,
            },
            _ => Paint::Plain,
        };
        context.output.paint(paint, cell)
    });
    context.output.result(&text)?;
    Ok(Exit::Done)
}

fn selection(what: &[String]) -> Result<(BTreeSet<Kind>, BTreeSet<ResourceId>), Failure> {
    let (mut kinds, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for word in what {
        if let Some(kind) = Kind::parse(word) {
            kinds.insert(kind);
        } else if let Some(id) = ResourceId::parse(word) {
            ids.insert(id);
        } else {
            let text = format!("{word} is none of domains, networks, domain/NAME and network/NAME");
            return Err(Failure::Usage(text));
        }
    }
    Ok((kinds, ids))
}
