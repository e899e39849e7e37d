//! Links on the way to a given path: one in a tree of manifests is not the choice of the user who gave the
//! path.

use super::regular::on_a_line;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// A link on the way to a given path leads away from where it stands.
#[derive(Debug)]
pub struct Elsewhere {
    link: PathBuf,
    /// Resolved path.
    pub real: PathBuf,
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (link, real) = (on_a_line(&self.link), on_a_line(&self.real));
        write!(f, "the link {link} leads out of the directory that it stands in, to {real}")
    }
}

impl std::error::Error for Elsewhere {}

impl Elsewhere {
    /// Returns the link that an error is about, if it is about one.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|e| e.downcast_ref())
    }
}

/// Most names in the path of one of the system's own links: `/home`, `/var/run`. Root's working trees, whose
/// links are root's as well, are further down.
const SYSTEMS_MAX: usize = 2;

/// Checks that each symbolic link in `path` leads beneath the directory that it stands in. The working
/// directory is where its owner went, whatever links led there. Outside of it links on the way, but not the
/// last name, may be the system's, as `/var/run` is: root's own, right below the top, in directories that
/// only root can write.
///
/// # Errors
/// One leads elsewhere ([`Elsewhere`]), or cannot be looked at.
pub fn approach(path: &Path) -> io::Result<()> {
    let here = std::env::current_dir().and_then(fs::canonicalize)?;
    let mut at = here.clone();
    let mut names = path.components().peekable();
    while let Some(name) = names.next() {
        let name = match name {
            Component::Normal(name) => name,
            Component::RootDir => {
                at = PathBuf::from("/");
                continue;
            }
            Component::ParentDir => {
                at.pop();
                continue;
            }
            Component::Prefix(_) | Component::CurDir => continue,
        };
        // without links, since `at` has none
        let next = at.join(name);
        let found = fs::symlink_metadata(&next)?;
        if !found.is_symlink() {
            at = next;
            continue;
        }
        let real = fs::canonicalize(&next)?;
        let is_last = names.peek().is_none();
        let is_high = next.components().count() <= SYSTEMS_MAX + 1;
        let is_away = !is_last && !next.starts_with(&here);
        let is_systems = is_high && is_away && found.uid() == 0 && is_roots(&at);
        if !real.starts_with(&at) && !is_systems {
            let rest: PathBuf = names.collect();
            let real = if is_last { real } else { real.join(rest) };
            let elsewhere = Elsewhere { link: next, real };
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, elsewhere));
        }
        at = real;
    }
    Ok(())
}

/// Whether a directory and all above it are root's, and only root can write them.
fn is_roots(directory: &Path) -> bool {
    let users = super::Users::root();
    super::owned::doubt(directory, &users).is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_beneath_where_they_stand() {
        let top = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(top.path()).unwrap();
        let at = |name: &str| top.join(name);
        fs::create_dir_all(at("a/..1/sub")).unwrap();
        fs::create_dir_all(at("b")).unwrap();
        symlink("..1", at("a/..data")).unwrap();
        symlink("..data/sub", at("a/sub")).unwrap();
        symlink("../b", at("a/out")).unwrap();
        symlink("/", at("a/top")).unwrap();
        symlink(at("a/..1"), at("a/absolute")).unwrap();
        for name in ["a", "a/..data", "a/..data/sub", "a/sub", "a/sub/..", "a/absolute/sub", "b"] {
            approach(&at(name)).unwrap();
        }
        for (name, real) in [
            ("a/out", at("b")),
            ("a/top", PathBuf::from("/")),
            ("a/top/etc", PathBuf::from("/etc")),
            ("a/out/c/d", at("b/c/d")),
        ] {
            let error = approach(&at(name)).unwrap_err();
            assert_eq!(Elsewhere::of(&error).unwrap().real, real, "{name}: {error}");
        }
        assert!(approach(&at("none")).is_err());
        assert!(approach(Path::new("")).is_ok());
    }

    #[test]
    fn links_of_the_system_are_followed_on_the_way() {
        let is_link = |path: &str| fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
        if is_link("/var/run") && Path::new("/run/lock").is_dir() {
            approach(Path::new("/var/run/lock")).unwrap();
            assert!(approach(Path::new("/var/run")).is_err());
        }
    }
}
