//! Connections as files name them: manifests, and saved plans.

use crate::drivers::Written;
use crate::manifest::{Connect, HostDesired, Loaded};
use std::fs;
use std::path::{Path, PathBuf};

/// Connection that the manifests' `virt.toml` names, as written there.
pub(super) fn of_manifests(loaded: &Loaded) -> Option<Written> {
    loaded.connect.as_ref().map(|connect| written(loaded, connect, None))
}

/// The connection of a host of a fleet, as written in `virt.toml`.
pub(super) fn of_host(loaded: &Loaded, host: &HostDesired) -> Written {
    written(loaded, &host.connect, Some(host.name.clone()))
}

/// The connection of a saved plan. A path in it counts from the working directory, as when it was
/// saved, and the mock's files are beneath the directory of the plan.
pub(super) fn of_plan(path: &Path, text: &str, connection: &str) -> Written {
    let at = text.find("\"connection\"").unwrap_or_default();
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    Written {
        text: connection.to_owned(),
        place: format!("{}:{line}:{column}", path.display()),
        directory: PathBuf::new(),
        real: real(path.parent().unwrap_or(Path::new(""))),
        name: None,
    }
}

fn written(loaded: &Loaded, connect: &Connect, name: Option<String>) -> Written {
    Written {
        text: connect.text.clone(),
        place: loaded.sources.place(connect.span).unwrap_or_default(),
        directory: connect.directory.clone(),
        // only the mock's files are held to it
        real: connect.text.starts_with("test:").then(|| real(&connect.directory)).flatten(),
        name,
    }
}

/// Resolves links in a directory's path; the empty path is the working directory.
pub(super) fn real(directory: &Path) -> Option<PathBuf> {
    let here = directory.as_os_str().is_empty();
    fs::canonicalize(if here { Path::new(".") } else { directory }).ok()
}

/// Whether a file of the mock, and those beside it, are beneath the directory of the file that
/// names it, whatever links are there.
pub(super) fn stays(written: &Written, path: &Path) -> bool {
    let is_link = |suffix: &str| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        fs::symlink_metadata(beside).is_ok_and(|m| m.is_symlink())
    };
    if ["", ".lock", ".new"].into_iter().any(is_link) {
        return false;
    }
    let parent = real(path.parent().unwrap_or(Path::new("")));
    // one that is not there is for the mock to tell
    written.real.as_ref().is_some_and(|top| parent.is_none_or(|parent| parent.starts_with(top)))
}
