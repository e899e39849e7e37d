//! The directory of manifests that a command without paths means: the one that is named, or the
//! nearest one upwards in which nobody else can have put a `virt.toml`.

use super::context::Context;
use super::exit::Failure;
use super::fleet::{self, Member};
use super::written;
use crate::drivers::Connection;
use crate::error::{Error, ErrorKind};
use crate::file::{self, Users};
use crate::manifest::{Loaded, load_virt_toml, may_say_something};
use diagnostics::{escape, shown_path};
use nix::unistd::geteuid;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The file that makes a directory one.
const FILE: &str = "virt.toml";

/// How many files and directories are looked at for who can write them, and of how many it is told.
const LOOKED_AT_MAX: usize = 10_000;
const DOUBTS_MAX: usize = 5;

/// How far it is looked upwards.
const LEVELS_MAX: usize = 64;

/// A directory of manifests, of which only the `virt.toml` is read.
#[derive(Debug)]
pub(super) struct Project {
    file: PathBuf,
    pub(super) loaded: Loaded,
}

/// The host that a command is about.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) connection: Connection,
    /// The set that the project names, if it names one.
    pub(super) set: Option<String>,
}

impl Target {
    /// The host that `--connect`, the project, or the environment names. Says which one that is and who
    /// names it, unless the command line does.
    ///
    /// # Errors
    /// The project cannot be used, names several hosts, or may not name the one that it does.
    pub(super) fn of(context: &Context) -> Result<Self, Failure> {
        Self::of_project(context, Project::find(context)?.as_ref())
    }

    /// The host of objects that are named and are to change: somebody has to have said which that is.
    ///
    /// # Errors
    /// Nobody has, or as above.
    pub(super) fn named(context: &Context, what: &str) -> Result<Self, Failure> {
        let project = Project::find(context)?;
        if context.connect.is_none() && project.is_none() {
            return Err(Failure::Usage(format!(
                "nothing says {what}: name the host with -c URI, or a directory that does with -f DIR"
            )));
        }
        Self::of_project(context, project.as_ref())
    }

    /// The same where the project, if there is one, is known.
    fn of_project(context: &Context, project: Option<&Project>) -> Result<Self, Failure> {
        let set = project.filter(|p| p.loaded.set_is_named);
        let set = set.map(|p| p.loaded.desired.set.clone());
        if context.connect.is_some() {
            if !context.patterns.is_empty() {
                let text = "--host chooses among the hosts of a virt.toml, and --connect names one";
                return Err(Failure::Usage(text.to_owned()));
            }
            return Ok(Self { connection: context.connection(None)?, set });
        }
        let (connection, host, by) = match project {
            None if !context.patterns.is_empty() => return Err(nothing_to_choose_from()),
            None => (context.connection(None)?, None, context.who_names().map(str::to_owned)),
            Some(project) => project.host(context)?,
        };
        say(context, &connection, host.as_deref(), by.as_deref());
        Ok(Self { connection, set })
    }
}

fn nothing_to_choose_from() -> Failure {
    let text = "--host chooses among the hosts of a virt.toml: name its directory with --project";
    Failure::Usage(text.to_owned())
}

/// Says which host it is, and why.
fn say(context: &Context, connection: &Connection, host: Option<&str>, by: Option<&str>) {
    let uri = match connection.text() {
        "" => "the best hypervisor here",
        uri => uri,
    };
    let host = host.map(|host| format!("{host}, ")).unwrap_or_default();
    let by = by.map_or_else(|| "which nobody chose".to_owned(), |by| format!("as {by} says"));
    context.note(&format!("on {}{}, {}\n", escape(&host), escape(uri), escape(&by)));
}

/// The connection, the name of its host in a fleet, and who names it.
type Host = (Connection, Option<String>, Option<String>);

impl Project {
    /// The project that `--project` names, else the nearest one.
    ///
    /// # Errors
    /// It is not there, or is one that others can write to and nobody has named.
    pub(super) fn find(context: &Context) -> Result<Option<Self>, Failure> {
        let file = match &context.project {
            Some(named) => Some(named_file(named)?),
            None if context.connect.is_some() => None,
            None => nearest(&users())?,
        };
        let Some(file) = file else { return Ok(None) };
        let directory = file.parent().unwrap_or(Path::new(""));
        let loaded = load_virt_toml(directory, context.set.as_deref());
        context.show(&loaded.diagnostics, &loaded.sources);
        if loaded.diagnostics.has_errors() {
            return Err(Failure::Shown);
        }
        Ok(Some(Self { file, loaded }))
    }

    /// The one host of it that is meant.
    fn host(&self, context: &Context) -> Result<Host, Failure> {
        let by = Some(self.file.display().to_string());
        let mut members = fleet::chosen(context, &self.loaded)?.into_iter();
        match (members.next(), members.len()) {
            (None, _) => match written::of_manifests(&self.loaded) {
                Some(written) => Ok((context.admit(&written)?, None, by)),
                None => {
                    Ok((context.connection(None)?, None, context.who_names().map(str::to_owned)))
                }
            },
            (Some(Member { name, connection, .. }), 0) => Ok((connection?, Some(name), by)),
            (Some(first), more) => {
                let (file, name) = (shown_path(&self.file), &first.name);
                Err(Failure::Usage(format!(
                    "{file} names {} hosts, and this is about one: choose it, as with --host {name}",
                    more + 1
                )))
            }
        }
    }
}

/// The `virt.toml` of a directory that is named; it may be named itself.
fn named_file(named: &Path) -> Result<PathBuf, Failure> {
    let is_file = named.file_name().is_some_and(|name| name == FILE);
    let file = if is_file { named.to_owned() } else { named.join(FILE) };
    if fs::metadata(&file).is_ok_and(|m| m.is_file()) {
        return Ok(file);
    }
    let text = format!("there is no {}", shown_path(&file));
    Err(Error::new(ErrorKind::Invalid, text)
        .hint("name a directory with a virt.toml, or the host with --connect")
        .into())
}

/// The nearest `virt.toml` from the working directory upwards, on the same file system.
fn nearest(users: &Users) -> Result<Option<PathBuf>, Failure> {
    let Ok(here) = std::env::current_dir().and_then(fs::canonicalize) else { return Ok(None) };
    nearest_from(&here, users)
}

fn nearest_from(here: &Path, users: &Users) -> Result<Option<PathBuf>, Failure> {
    let device = |path: &Path| fs::metadata(path).ok().map(|m| m.dev());
    let own = device(here);
    for directory in here.ancestors().take(LEVELS_MAX) {
        if device(directory) != own {
            return Ok(None);
        }
        let toml = directory.join(FILE);
        if fs::symlink_metadata(&toml).is_err() {
            continue;
        }
        return match file::doubt(directory, users).or_else(|| file::doubt(&toml, users)) {
            None => Ok(Some(toml)),
            Some(why) => {
                let text = format!("{} is not taken by itself: {why}", shown_path(&toml));
                let hint = format!(
                    "if you mean it, name it with -f {}; else name the host with --connect",
                    shown_path(directory)
                );
                Err(Error::new(ErrorKind::Denied, text).hint(hint).into())
            }
        };
    }
    Ok(None)
}

/// Whose files are as good as our own: the caller's, root's, and those of the user who became root with
/// sudo.
pub(super) fn users() -> Users {
    let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    Users::caller().and(sudo.filter(|_| geteuid().is_root()))
}

/// Why somebody else decides what these paths, and those below them, say; the first few.
pub(super) fn doubts(users: &Users, paths: &[PathBuf]) -> Vec<String> {
    let real = |path: &Path| written::real(path);
    let given: Vec<PathBuf> = paths.iter().filter_map(|path| real(path)).collect();
    // beside a file its directory's settings are read
    let beside = paths.iter().map(|path| path.with_file_name(FILE));
    let mut waiting: Vec<PathBuf> = beside.chain(paths.iter().cloned()).collect();
    let (mut seen, mut doubts) = (BTreeSet::new(), Vec::new());
    while let Some(path) = waiting.pop() {
        // what is not there says nothing
        let Some(found) = real(&path) else { continue };
        if !seen.insert(found.clone()) {
            continue;
        }
        if let Some(doubt) = file::doubt(&path, users).filter(|doubt| !doubts.contains(doubt)) {
            doubts.push(doubt);
        }
        if seen.len() >= LOOKED_AT_MAX || doubts.len() >= DOUBTS_MAX {
            break;
        }
        let Ok(entries) = fs::read_dir(&found) else { continue };
        let below = entries.flatten().map(|entry| path.join(entry.file_name()));
        // what leads elsewhere is not read
        let is_beneath = |path: &PathBuf| {
            real(path).is_some_and(|real| given.iter().any(|given| real.starts_with(given)))
        };
        waiting.extend(below.filter(|path| may_say_something(path)).filter(is_beneath));
    }
    doubts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_nearest_one_counts_unless_others_can_write_it() {
        let top = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(top.path()).unwrap();
        let below = top.join("a/b");
        fs::create_dir_all(&below).unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&top, 0o755);
        let users = Users::caller();
        let from = |path: &Path| nearest_from(path, &users);
        let file = top.join("virt.toml");
        fs::write(&file, "set = 'x'\n").unwrap();
        mode(&file, 0o644);
        assert_eq!(from(&below).unwrap(), Some(file.clone()));
        let refused = |path: &Path| match from(&below) {
            Err(Failure::Operation(e)) => {
                assert!(e.message.contains("everybody can write"), "{e}");
                let hint = format!("-f {}", path.display());
                assert!(e.hint.as_ref().unwrap().contains(&hint), "{e:?}");
            }
            other => panic!("{other:?}"),
        };
        mode(&top, 0o777);
        refused(&top);
        mode(&top, 0o1777);
        refused(&top);
        mode(&top, 0o755);
        mode(&file, 0o666);
        refused(&top);
        // a nearer one counts, and hides the rest
        fs::write(top.join("a/virt.toml"), "").unwrap();
        assert_eq!(from(&below).unwrap(), Some(top.join("a/virt.toml")));
        // another user's is not ours
        let strangers = Users::only([geteuid().as_raw() + 1]);
        assert!(nearest_from(&below, &strangers).is_err());
    }
}
