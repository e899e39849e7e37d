//! Files that decide about trust: the caller's or root's, and closed to others.

use super::Users;
use super::regular::{on_a_line, regular, same, without_waiting};
use super::way::{follow, through};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Reason for which a file is not accepted.
#[derive(Debug)]
pub enum NotOwned {
    /// The file cannot be opened, or somebody else could have put it there.
    Unreadable(io::Error),
    /// The file is not a regular one.
    NotRegular,
    /// The file belongs to another user.
    OfUser(u32),
    /// The file is accessible to others, by this mode.
    Mode(u32),
}

/// Opens a regular file that belongs to the caller or root, and whose mode has none of the bits of
/// `closed`. So do all links and directories on the way to it, which nobody else can write. It is
/// looked at before anything is opened, again once it is, and never waited for.
///
/// # Errors
/// Why it is not taken.
pub fn open_owned(path: &Path, closed: u32) -> Result<File, NotOwned> {
    let users = Users::caller();
    let end = follow(path, &users).map_err(NotOwned::Unreadable)?;
    let found = &end.found;
    if !found.is_file() {
        return Err(NotOwned::NotRegular);
    }
    if users.owner(found).is_some() {
        return Err(NotOwned::OfUser(found.uid()));
    }
    if found.mode() & closed != 0 {
        return Err(NotOwned::Mode(found.mode() & 0o777));
    }
    if let Some(doubt) = end.doubt {
        return Err(NotOwned::Unreadable(io::Error::other(format!(
            "somebody else could have put it there: {doubt}"
        ))));
    }
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(without_waiting());
    // the very file that was looked at; where there is no /proc, by its path
    let open = || options.open(through(&end.opened)).or_else(|_| options.open(&end.real));
    let file = open().map_err(NotOwned::Unreadable)?;
    let now = file.metadata().and_then(|now| regular(&now).map(|()| now));
    match now {
        Ok(now) if same(&now, found) && now.mode() == found.mode() => Ok(file),
        Ok(_) => Err(NotOwned::Unreadable(io::Error::other("it is being replaced at this moment"))),
        Err(e) => Err(NotOwned::Unreadable(e)),
    }
}

/// Returns the reason for which somebody else than these users controls a path: by the file or directory
/// itself, or by the way to it. Nothing if nobody does.
pub fn doubt(path: &Path, users: &Users) -> Option<String> {
    let name = on_a_line(path);
    match follow(path, users) {
        Ok(end) => {
            let itself = users.others(&through(&end.opened), &end.found);
            itself.map(|who| format!("{who} can write {name}")).or(end.doubt)
        }
        Err(e) => Some(format!("{name} cannot be examined: {e}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    fn why(path: &Path) -> String {
        format!("{:?}", open_owned(path, 0o022).unwrap_err())
    }

    #[test]
    fn each_link_and_directory_on_the_way_is_looked_at() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        let mode = |name: &str, mode| {
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), "").unwrap();
        symlink("../a/./b/file", at("a/link")).unwrap();
        symlink(at("a/b"), at("directory")).unwrap();
        for name in ["a/b/file", "a/link", "directory/file", "directory/../link"] {
            assert!(open_owned(&at(name), 0o022).is_ok(), "{name}");
        }
        mode("a", 0o777);
        for name in ["a/b/file", "a/link", "directory/file"] {
            assert!(why(&at(name)).contains("everybody can write"), "{name}");
        }
        // each keeps what is their own there
        mode("a", 0o1777);
        assert!(open_owned(&at("a/b/file"), 0o022).is_ok());
        mode("a", 0o755);
        let missing = open_owned(&at("a/none"), 0o022).unwrap_err();
        assert!(matches!(missing, NotOwned::Unreadable(e) if e.kind() == io::ErrorKind::NotFound));
        symlink("loop", at("loop")).unwrap();
        assert!(why(&at("loop")).contains("too many"));
        if chown(at("a/b"), Some(54_321), None).is_ok() {
            assert!(why(&at("directory/file")).contains("user 54321 can write"));
            chown(at("a/b"), Some(0), None).unwrap();
            std::os::unix::fs::lchown(at("directory"), Some(54_321), None).unwrap();
            assert!(why(&at("directory/file")).contains("user 54321 can turn the link"));
            assert!(open_owned(&at("a/b/file"), 0o022).is_ok());
        }
    }

    #[test]
    fn what_processes_have_to_say_is_no_file() {
        let top = tempfile::tempdir().unwrap();
        let link = top.path().join("link");
        for path in ["/proc/self/cmdline", "/proc/self/environ", "/sys/kernel/notes"] {
            symlink(path, &link).unwrap();
            for path in [Path::new(path), &link] {
                assert!(why(path).contains("which has no files"), "{}", why(path));
            }
            fs::remove_file(&link).unwrap();
        }
    }
}
