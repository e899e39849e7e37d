//! The keys that records on objects are signed with: named by the user's or the system's configuration
//! or the command line, and by nothing that comes with manifests.

use crate::diag::{Error, ErrorKind, Result};
use crate::file::{NotOwned, open_owned};
use crate::reconcile::records::{Key, Signing};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Largest key and largest configuration that are read, in bytes.
const KEY_MAX: u64 = 4 << 10;
const CONFIG_MAX: u64 = 1 << 20;

/// Most keys of old.
const OLD_MAX: usize = 16;

/// What `[signing]` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    key_file: Option<PathBuf>,
    old_keys: Vec<PathBuf>,
    accept_unsigned_until: Option<Timestamp>,
}

impl Settings {
    /// Reads them from a configuration's table; `None` if there are none.
    ///
    /// # Errors
    /// Why they make no sense.
    pub(super) fn of(config: &DeTable<'_>) -> std::result::Result<Option<Self>, String> {
        let Some(value) = config.get("signing") else { return Ok(None) };
        let DeValue::Table(table) = value.get_ref() else {
            return Err("signing is not a table".to_owned());
        };
        let mut found = Self::default();
        for (key, value) in table {
            let (name, value) = (key.get_ref().as_ref(), value.get_ref());
            match (name, value) {
                ("key_file", DeValue::String(file)) => found.key_file = Some(absolute(file)?),
                ("old_keys", DeValue::Array(files)) => {
                    for file in files {
                        let DeValue::String(file) = file.get_ref() else {
                            return Err("old_keys is not a list of files".to_owned());
                        };
                        found.old_keys.push(absolute(file)?);
                    }
                }
                ("accept_unsigned_until", DeValue::String(day)) => {
                    found.accept_unsigned_until = Some(moment(day)?);
                }
                ("accept_unsigned_until", DeValue::Datetime(day)) => {
                    found.accept_unsigned_until = Some(moment(&day.to_string())?);
                }
                ("key_file" | "old_keys" | "accept_unsigned_until", _) => {
                    return Err(format!("signing.{name} is of another type"));
                }
                _ => return Err(format!("[signing] has no {name}")),
            }
        }
        if found.old_keys.len() > OLD_MAX {
            return Err(format!("old_keys are at most {OLD_MAX}"));
        }
        Ok(Some(found))
    }
}

/// Where the configuration is looked for: the first that there is counts.
pub(super) fn places() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let own = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")));
    let own = own.filter(|path| path.is_absolute());
    own.into_iter().chain([PathBuf::from("/etc")]).map(|p| p.join("virt/config.toml")).collect()
}

/// The keys that are configured; `None` if there are none, and records are believed without.
///
/// # Errors
/// A configuration or a key cannot be read, or others can write to it: without the key that is asked
/// for nothing is believed and nothing is done.
pub(super) fn configured(typed: Option<&Path>, places: &[PathBuf]) -> Result<Option<Signing>> {
    let mut settings = Settings::default();
    for place in places {
        if let Some(found) = read_settings(place)? {
            settings = found;
            break;
        }
    }
    let key_file = typed.map(Path::to_path_buf).or(settings.key_file);
    let Some(key_file) = key_file else {
        if settings.old_keys.is_empty() && settings.accept_unsigned_until.is_none() {
            return Ok(None);
        }
        return Err(refused("[signing] has no key_file", "key_file = \"/etc/virt/signing.key\""));
    };
    let old: Result<Vec<Key>> = settings.old_keys.iter().map(|file| read_key(file)).collect();
    let accept_unsigned_until = settings.accept_unsigned_until;
    Ok(Some(Signing { key: read_key(&key_file)?, old: old?, accept_unsigned_until }))
}

fn read_settings(path: &Path) -> Result<Option<Settings>> {
    let Some(mut file) = open(path, 0o022, "chmod go-w")? else { return Ok(None) };
    let mut text = String::new();
    let name = path.display().to_string();
    { &mut file }
        .take(CONFIG_MAX)
        .read_to_string(&mut text)
        .map_err(|e| Error::system(&name, &e))?;
    let wrong = |why: &str| refused(&format!("{name}: {why}"), "see docs/signing.md");
    let table = DeTable::parse(&text).map_err(|e| wrong(e.message()))?;
    Settings::of(table.get_ref()).map_err(|why| wrong(&why))
}

fn read_key(path: &Path) -> Result<Key> {
    let name = path.display().to_string();
    let missing = || Error::system(&name, &std::io::ErrorKind::NotFound.into());
    let mut file = open(path, 0o077, "chmod 600")?.ok_or_else(missing)?;
    let mut bytes = Vec::new();
    { &mut file }.take(KEY_MAX).read_to_end(&mut bytes).map_err(|e| Error::system(&name, &e))?;
    let short = || {
        let text = format!("{name} is no key: it has fewer than {} bytes", Key::LEN_MIN);
        refused(&text, &format!("head -c 32 /dev/urandom > {name}"))
    };
    Key::new(&bytes).ok_or_else(short)
}

/// Opens a file that says whom to believe, which may be missing: the caller's or root's, and nobody else's
/// to write, or to read.
fn open(path: &Path, closed: u32, mend: &str) -> Result<Option<File>> {
    let name = path.display();
    match open_owned(path, closed) {
        Ok(file) => Ok(Some(file)),
        Err(NotOwned::Unreadable(e)) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(NotOwned::Unreadable(e)) => Err(Error::system(&name.to_string(), &e)),
        Err(NotOwned::NotRegular) => {
            Err(refused(&format!("{name} is not a file"), "name the file with the key"))
        }
        Err(NotOwned::OfUser(owner)) => {
            let text = format!("{name} belongs to another user (uid {owner})");
            Err(refused(&text, &format!("chown it to who runs virt, or to root: {name}")))
        }
        Err(NotOwned::Mode(mode)) => {
            let text = format!("others have access to {name} (mode {mode:03o})");
            Err(refused(&text, &format!("{mend} {name}")))
        }
    }
}

fn absolute(file: &str) -> std::result::Result<PathBuf, String> {
    let path = PathBuf::from(file);
    if path.is_absolute() { Ok(path) } else { Err(format!("{file} is not an absolute path")) }
}

/// The beginning of a day where we are, or a moment.
fn moment(text: &str) -> std::result::Result<Timestamp, String> {
    let day = || text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::system()).ok();
    let moment = text.parse::<Timestamp>().ok().or_else(|| Some(day()?.timestamp()));
    moment.ok_or_else(|| format!("accept_unsigned_until: {text} is no date"))
}

fn refused(text: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Invalid, text).hint(hint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn settings(text: &str) -> std::result::Result<Option<Settings>, String> {
        Settings::of(DeTable::parse(text).unwrap().get_ref())
    }

    #[test]
    fn settings_are_read_or_refused_by_name() {
        assert_eq!(settings("[connections]\nkvm01 = 'x'"), Ok(None));
        let all = settings(
            "[signing]\nkey_file = '/k'\nold_keys = ['/a', '/b']\naccept_unsigned_until = '2026-12-31'",
        );
        let all = all.unwrap().unwrap();
        assert_eq!((all.key_file, all.old_keys.len()), (Some(PathBuf::from("/k")), 2));
        assert!(all.accept_unsigned_until.is_some());
        let day = settings("[signing]\naccept_unsigned_until = 2026-12-31").unwrap().unwrap();
        assert_eq!(day.accept_unsigned_until, all.accept_unsigned_until);
        for (text, word) in [
            ("signing = 1", "not a table"),
            ("[signing]\nkey = 'x'", "has no key"),
            ("[signing]\nkey_file = 'k'", "absolute"),
            ("[signing]\nkey_file = 1", "another type"),
            ("[signing]\nold_keys = [1]", "list of files"),
            ("[signing]\naccept_unsigned_until = 'soon'", "no date"),
        ] {
            let why = settings(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    #[test]
    fn a_key_is_for_nobody_else_to_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let write = |name: &str, text: &str, mode: u32| {
            fs::write(path(name), text).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        let key = "0123456789abcdef0123456789abcdef";
        let why = |typed: &str| configured(Some(&path(typed)), &[]).unwrap_err().message.clone();
        write("key", key, 0o600);
        assert!(configured(Some(&path("key")), &[]).unwrap().is_some());
        write("open", key, 0o640);
        assert!(why("open").contains("others have access"), "{}", why("open"));
        write("short", "0123456789", 0o600);
        assert!(why("short").contains("fewer than 32 bytes"));
        assert!(!why("missing").is_empty());
        // a queue is not waited for
        let mkfifo = std::process::Command::new("mkfifo").arg(path("queue")).status();
        assert!(mkfifo.unwrap().success());
        assert!(why("queue").contains("is not a file"));
        // a configuration that others can write to is none
        let text = format!("[signing]\nkey_file = '{}'\n", path("key").display());
        write("config.toml", &text, 0o644);
        assert!(configured(None, &[path("config.toml")]).unwrap().is_some());
        write("config.toml", &text, 0o664);
        assert!(configured(None, &[path("config.toml")]).is_err());
        assert!(configured(None, &[path("none.toml")]).unwrap().is_none());
        write(
            "keyless.toml",
            "[signing]\nold_keys = []\naccept_unsigned_until = '2026-12-31'",
            0o600,
        );
        assert!(configured(None, &[path("keyless.toml")]).is_err());
    }
}
