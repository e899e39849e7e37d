//! The keys that records on objects are signed with: named by the user's or the system's configuration
//! or the command line, and by nothing that comes with manifests.

use super::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{NotOwned, open_owned};
use crate::reconcile::ownership::records::{Key, Signing};
use std::io::Read as _;
use std::path::Path;

/// Largest key that is read, in bytes.
const KEY_MAX: u64 = 4 << 10;

/// The keys that are named on the command line and configured; `None` if there are none, and records are
/// believed without.
///
/// # Errors
/// A configuration or a key cannot be read, or others can write to it: without the key that is asked
/// for nothing is believed and nothing is done.
pub(super) fn configured(typed: Option<&Path>, config: &Config) -> Result<Option<Signing>> {
    let settings = config.signing()?.cloned().unwrap_or_default();
    let Some(key_file) = typed.or(settings.key_file.as_deref()) else {
        if settings.old_keys.is_empty() && settings.accept_unsigned_until.is_none() {
            return Ok(None);
        }
        let error = refused("[signing] has no key_file", "key_file = \"/etc/virt/signing.key\"");
        return Err(error.address(settings.place));
    };
    let old: Result<Vec<Key>> = settings.old_keys.iter().map(|file| read_key(file)).collect();
    let accept_unsigned_until = settings.accept_unsigned_until;
    Ok(Some(Signing { key: read_key(key_file)?, old: old?, accept_unsigned_until }))
}

/// Reads a key: of the caller or root, and for nobody else to read.
fn read_key(path: &Path) -> Result<Key> {
    let name = path.display().to_string();
    let failed = |e| Error::system(&name, &e);
    let file = open_owned(path, 0o077).map_err(|why| match why {
        NotOwned::Unreadable(e) => failed(e),
        NotOwned::NotRegular => {
            refused(&format!("{name} is not a file"), "name the file with the key")
        }
        NotOwned::OfUser(owner) => {
            let text = format!("{name} belongs to another user (uid {owner})");
            refused(&text, &format!("chown it to who runs virt, or to root: {name}"))
        }
        NotOwned::Mode(mode) => {
            let text = format!("others have access to {name} (mode {mode:03o})");
            refused(&text, &format!("chmod 600 {name}"))
        }
    })?;
    let mut bytes = Vec::new();
    file.take(KEY_MAX).read_to_end(&mut bytes).map_err(failed)?;
    let short = || {
        let text = format!("{name} is no key: it has fewer than {} bytes", Key::LEN_MIN);
        refused(&text, &format!("head -c 32 /dev/urandom > {name}"))
    };
    Key::new(&bytes).ok_or_else(short)
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

    fn config(directory: &Path, text: &str, mode: u32) -> Config {
        let path = directory.join("virt/config.toml");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Config::of(&[directory])
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
        let none = Config::of(&[]);
        let why = |typed: &str| configured(Some(&path(typed)), &none).unwrap_err().message.clone();
        write("key", key, 0o600);
        assert!(configured(Some(&path("key")), &none).unwrap().is_some());
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
        let read = |text: &str, mode| configured(None, &config(directory.path(), text, mode));
        assert!(read(&text, 0o644).unwrap().is_some());
        assert!(read(&text, 0o664).unwrap_err().message.contains("others can write it"));
        assert!(configured(None, &none).unwrap().is_none());
        let keyless = "\n[signing]\nold_keys = []\naccept_unsigned_until = '2026-12-31'";
        let error = read(keyless, 0o600).unwrap_err();
        assert_eq!(error.message, "[signing] has no key_file");
        assert!(error.address.as_ref().unwrap().ends_with("/virt/config.toml:2:2"), "{error:?}");
    }
}
