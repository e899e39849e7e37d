//! Words that the code and its messages avoid: the field has others for them, and docs/glossary.md has ours.

use super::circles::tokens;
use super::texts::{documents, literals, says};
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

/// Phrases that users are not to read, and what they read in their place.
const PHRASES: [(&str, &str); 43] = [
    ("blank", "whitespace"),
    ("blanks", "whitespace"),
    ("brought about", "applied"),
    ("by the gate", "by the effect policy"),
    ("came to", "its outcome"),
    ("card", "interface"),
    ("cards", "interfaces"),
    ("circle", "cycle"),
    ("circles", "cycles"),
    ("closed gate", "an effect that is not allowed"),
    ("come to", "reach, or an outcome"),
    ("comes to", "ends in"),
    ("elder sibling", "preceding sibling"),
    ("even so", "still"),
    ("gate is closed", "not allowed"),
    ("held back", "blocked"),
    ("hold back", "block"),
    ("holds back", "blocks"),
    ("is made so", "applied"),
    ("is there already", "already exists"),
    ("laid over", "overlaid onto"),
    ("let go", "released"),
    ("let it go", "release it"),
    ("lets go", "releases"),
    ("lets it go", "releases it"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mends", "fixes"),
    ("not ours", "owned by another set, or not managed"),
    ("owed", "a compensating step"),
    ("put aside", "parked"),
    ("slip", "typo"),
    ("slips", "typos"),
    ("so many", "their number"),
    ("take over", "adopt"),
    ("takes it over", "adopts it"),
    ("takes over", "adopts"),
    ("the mark", "the ownership record"),
    ("told", "reported, or shown"),
    ("way to a host", "connection"),
    ("way to the host", "connection"),
    ("what became of", "the outcome of"),
    ("white space", "whitespace"),
];

/// Literals that programs read, which stay, with the ends of their files' paths.
const READ_BY_PROGRAMS: [(&str, &str); 3] = [
    ("controller/status.rs", "held back"),
    ("normalize/rule.rs", "blanks"),
    ("reconcile/states.rs", "held back"),
];

/// Says where a literal of the program, or a document, has such a phrase.
pub(crate) fn old_phrases(sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut texts = Vec::new();
    for (path, text) in sources.iter().filter(|(path, _)| !path.ends_with("tests.rs")) {
        let is_read = |said: &str| {
            READ_BY_PROGRAMS.iter().any(|(file, word)| path.ends_with(file) && said == *word)
        };
        let shown = literals(text).into_iter().filter(|(_, said)| !is_read(said));
        texts.extend(shown.map(|(line, said)| (format!("{}:{line}", path.display()), said)));
    }
    texts.extend(documents().into_iter().map(|(path, text)| (path.display().to_string(), text)));
    let found = |(at, said): &(String, String)| {
        let old = PHRASES.iter().filter(|(old, _)| says(said, old));
        old.map(|(old, new)| format!("{at}: \"{old}\" is said as: {new}")).collect::<Vec<_>>()
    };
    texts.iter().flat_map(found).collect()
}

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
