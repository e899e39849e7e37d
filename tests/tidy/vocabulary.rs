//! Words that the code and its messages avoid: the field has others for them, and docs/glossary.md has ours.

use super::circles::tokens;
use std::path::{Path, PathBuf};

/// Names that code must not have, their replacements, and the folder of `src/` in which that holds.
const NAMES: [(&str, &str, &str); 47] = [
    ("Agenda", "WorkQueue", ""),
    ("Asker", "CredentialPrompt", ""),
    ("Beating", "HeartbeatClock", ""),
    ("Blame", "Explainer", ""),
    ("Blip", "BriefOutage", ""),
    ("Board", "ControllerStatus", ""),
    ("Card", "Nic", ""),
    ("Cards", "Nics", ""),
    ("Fork", "Transition", "relaxng"),
    ("Frame", "ReadState", "manifest"),
    ("Gate", "EffectPolicy", ""),
    ("HeldBack", "Blocked", ""),
    ("HostBoard", "HostStatus", ""),
    ("Inbox", "Mailbox", ""),
    ("Known", "CachedManifest", "manifest"),
    ("Lane", "WorkerClass", "cli"),
    ("Lanes", "ConnectionPair", "drivers"),
    ("Manner", "ReportOptions", ""),
    ("Mark", "OwnerRecord", "reconcile"),
    ("News", "ControllerEvent", ""),
    ("ObjectBoard", "ResourceStatus", ""),
    ("Origin", "ChangeCause", "reconcile"),
    ("PEACE", "FLAP_RESET", ""),
    ("Passed", "StageResult", ""),
    ("Piece", "OutputChunk", "cli"),
    ("Pulse", "Heartbeat", ""),
    ("RemoteDriver", "LibvirtDriver", ""),
    ("Residues", "Derivatives", ""),
    ("Restless", "Changing", ""),
    ("Sides", "LiveContext", ""),
    ("Standing", "HostOutcome", ""),
    ("Stop", "CancelToken, or ShutdownPolicy", ""),
    ("Surroundings", "Environment", ""),
    ("Tally", "HostSummary", ""),
    ("TestDriver", "MockDriver", ""),
    ("TestHost", "MockHost", ""),
    ("Uncounted", "IgnoredDifference", ""),
    ("WantedMark", "WantedRecord", ""),
    ("Way", "HostAddress", ""),
    ("aside", "parked", "reconcile"),
    ("came_about", "took_effect", ""),
    ("hang_up", "disconnect_idle", ""),
    ("held_back", "blocked", ""),
    ("homes", "parents", "relaxng"),
    ("look_at", "enqueue", "controller"),
    ("mark_on", "owner_record_of", ""),
    ("who_moved", "cause_of", ""),
];

/// Says where code has such a name.
pub(crate) fn old_names(sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        let words = tokens(text);
        for (old, new, below) in NAMES {
            let is_held =
                ["src", "crates"].iter().any(|top| path.starts_with(Path::new(top).join(below)));
            if is_held && words.iter().any(|word| word == old) {
                found.push(format!("{}: {old} is called {new}", path.display()));
            }
        }
    }
    found
}
