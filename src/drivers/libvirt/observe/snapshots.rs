//! Snapshots and checkpoints: of domains that have any, and that is known from the lists.

use super::{ConnectionPair, Entry, Request, ask, quick, timeouts};
use crate::error::{ErrorCode, Result};
use crate::model::Snapshot;
use diagnostics::SourceId;
use libvirt_rpc::{Procedure, SnapshotHandle, from_bytes, to_bytes};
use xmltree::Limits;

/// Most snapshots of a domain that are read whole. Of more than these it is known that they are there.
const READ: usize = 256;

/// Reads names of snapshots and checkpoints, and the overlays of each snapshot.
pub(super) fn read(connections: &mut ConnectionPair, entries: &mut [Entry]) -> Result<()> {
    let mut lists = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let sorts = [
            (Procedure::DOMAIN_LIST_ALL_SNAPSHOTS, entry.has_snapshots),
            (Procedure::DOMAIN_LIST_ALL_CHECKPOINTS, entry.has_checkpoints),
        ];
        lists.extend(sorts.into_iter().filter(|(_, any)| *any).map(|(list, _)| (index, list)));
    }
    if lists.is_empty() {
        return Ok(());
    }
    let mut found: Vec<(usize, SnapshotHandle)> = Vec::new();
    let lists = lists.into_iter().map(|(index, list)| (index, (index, list))).collect();
    let request = |entry: &Entry, (_, list): (usize, Procedure)| {
        let mut args = entry.handle.clone();
        args.extend(to_bytes(&(1u32, 0u32))?);
        Ok(Request { procedure: list, args, time: timeouts::of(list) })
    };
    ask(connections, entries, lists, request, |entry, (index, list), reply| {
        let Some(result) = entry.unless_vanished(reply)? else { return Ok(()) };
        let (handles, _count): (Vec<SnapshotHandle>, u32) = from_bytes(&result)?;
        if list == Procedure::DOMAIN_LIST_ALL_CHECKPOINTS {
            entry.resource.checkpoints = handles.into_iter().map(|handle| handle.name).collect();
            entry.resource.checkpoints.sort();
            return Ok(());
        }
        let bare = |h: &SnapshotHandle| Snapshot { name: h.name.clone(), ..Snapshot::default() };
        entry.resource.snapshots = handles.iter().map(bare).collect();
        entry.resource.snapshots.sort_by(|a, b| a.name.cmp(&b.name));
        found.extend(handles.into_iter().take(READ).map(|handle| (index, handle)));
        Ok(())
    })?;
    read_overlays(connections, entries, found)
}

fn read_overlays(
    connections: &mut ConnectionPair,
    entries: &mut [Entry],
    found: Vec<(usize, SnapshotHandle)>,
) -> Result<()> {
    let request = |_: &Entry, handle: SnapshotHandle| {
        quick(Procedure::DOMAIN_SNAPSHOT_GET_XML_DESC, &(handle, 0u32))
    };
    ask(connections, entries, found, request, |entry, handle, reply| {
        let text: String = match reply {
            Ok(result) => from_bytes(&result)?,
            // somebody has deleted it since
            Err(error) if error.is(ErrorCode::NO_DOMAIN_SNAPSHOT) => {
                entry.resource.snapshots.retain(|snapshot| snapshot.name != handle.name);
                return Ok(());
            }
            Err(error) => return entry.unless_vanished(Err(error)).map(drop),
        };
        // an unreadable snapshot still exists, and keeps its name
        let document = xmltree::parse(SourceId::NONE, &text, &Limits::default());
        if let Ok(document) = document
            && let Some(known) = entry.resource.snapshots.iter_mut().find(|s| s.name == handle.name)
        {
            *known = Snapshot::read(&handle.name, document.node());
        }
        Ok(())
    })
}
