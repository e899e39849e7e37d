//! The directory of manifests that a command without paths means: the one that is named, or the
//! nearest one upwards in which nobody else can have put a `virt.toml`.

use super::context::Context;
use super::exit::Failure;
use super::fleet::{self, Member};
use super::written;
use crate::diag::{Error, ErrorKind, escape};
use crate::drivers::Connection;
use crate::manifest::{Loaded, load_virt_toml};
use nix::unistd::{Gid, Group, Uid, User, geteuid};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The file that makes a directory one.
const FILE: &str = "virt.toml";

/// How many directories are looked at for who can write them, and of how many it is told.
const DIRECTORIES_MAX: usize = 10_000;
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
            None => nearest(&Users::here())?,
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
                let (file, name) = (self.file.display(), &first.name);
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
    let text = format!("there is no {}", file.display());
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
        let file = directory.join(FILE);
        if fs::symlink_metadata(&file).is_err() {
            continue;
        }
        return match users.doubt(directory).or_else(|| users.doubt(&file)) {
            None => Ok(Some(file)),
            Some(why) => {
                let text = format!("{} is not taken by itself: {why}", file.display());
                let hint = format!(
                    "if you mean it, name it with -f {}; else name the host with --connect",
                    directory.display()
                );
                Err(Error::new(ErrorKind::Denied, text).hint(hint).into())
            }
        };
    }
    Ok(None)
}

/// Whose directories are as good as our own.
#[derive(Debug)]
pub(super) struct Users(Vec<Uid>);

impl Users {
    /// The caller, root, and the user who became root with sudo.
    pub(super) fn here() -> Self {
        let me = geteuid();
        let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
        let sudo = sudo.map(Uid::from_raw).filter(|_| me.is_root());
        Self([me, Uid::from_raw(0)].into_iter().chain(sudo).collect())
    }

    /// Why somebody else decides what is at a path; nothing if nobody does.
    pub(super) fn doubt(&self, path: &Path) -> Option<String> {
        let name = path.display();
        match fs::metadata(path) {
            Ok(meta) => self.others(&meta).map(|who| format!("{who} can write {name}")),
            Err(e) => Some(format!("{name} cannot be looked at: {e}")),
        }
    }

    /// Why somebody else decides what is in these directories and those below them; the first few.
    pub(super) fn doubts(&self, paths: &[PathBuf]) -> Vec<String> {
        let is_dir = |path: &&PathBuf| fs::metadata(path).is_ok_and(|m| m.is_dir());
        let mut waiting: Vec<PathBuf> = paths.iter().filter(is_dir).rev().cloned().collect();
        let (mut seen, mut doubts) = (0, Vec::new());
        while let Some(directory) = waiting.pop() {
            doubts.extend(self.doubt(&directory));
            seen += 1;
            if seen >= DIRECTORIES_MAX || doubts.len() >= DOUBTS_MAX {
                break;
            }
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            let below = entries.flatten().filter(|entry| {
                let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                !hidden && entry.file_type().is_ok_and(|sort| sort.is_dir())
            });
            waiting.extend(below.map(|entry| entry.path()));
        }
        doubts
    }

    /// Who else can write it.
    fn others(&self, meta: &Metadata) -> Option<String> {
        let owner = Uid::from_raw(meta.uid());
        if !self.0.contains(&owner) {
            let name = User::from_uid(owner).ok().flatten().map(|user| user.name);
            return Some(name.map_or_else(|| format!("user {owner}"), |n| format!("user {n}")));
        }
        if meta.mode() & 0o002 != 0 {
            return Some("everybody".to_owned());
        }
        let group = Gid::from_raw(meta.gid());
        if meta.mode() & 0o020 == 0 || group.as_raw() == 0 || self.is_private(group) {
            return None;
        }
        let name = Group::from_gid(group).ok().flatten().map(|group| group.name);
        Some(name.map_or_else(|| format!("group {group}"), |n| format!("group {n}")))
    }

    /// Whether a group is that of one of these users, and of nobody else: it has the user's name and
    /// no other members.
    fn is_private(&self, group: Gid) -> bool {
        let Ok(Some(found)) = Group::from_gid(group) else { return false };
        self.0.iter().any(|uid| {
            let Ok(Some(user)) = User::from_uid(*uid) else { return false };
            user.gid == group
                && user.name == found.name
                && found.mem.iter().all(|member| *member == user.name)
        })
    }
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
        let users = Users(vec![geteuid(), Uid::from_raw(0)]);
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
        let strangers = Users(vec![Uid::from_raw(geteuid().as_raw() + 1)]);
        assert!(nearest_from(&below, &strangers).is_err());
    }
}
