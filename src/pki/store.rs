//! Writing the files of a PKI: nothing is overwritten, keys are private.

use super::files::End;
use super::load::{Kind, text};
use super::make::Pair;
use super::problem::refusal;
use crate::error::{Error, Result};
use diagnostics::shown_path;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Places of a certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

impl Places {
    /// A CA's: in a directory, or libvirt's.
    pub fn of_authority(directory: Option<&Path>) -> Self {
        match directory {
            Some(directory) => Self::named(directory, "ca"),
            None => Self {
                certificate: "/etc/pki/CA/cacert.pem".into(),
                key: "/etc/pki/CA/private/cakey.pem".into(),
            },
        }
    }

    /// A server's or client's: in a directory, or libvirt's.
    pub fn of(end: End, directory: Option<&Path>) -> Self {
        let word = end.as_str();
        match directory {
            Some(directory) => Self::named(directory, word),
            None => Self {
                certificate: format!("/etc/pki/libvirt/{word}cert.pem").into(),
                key: format!("/etc/pki/libvirt/private/{word}key.pem").into(),
            },
        }
    }

    fn named(directory: &Path, word: &str) -> Self {
        Self {
            certificate: directory.join(format!("{word}cert.pem")),
            key: directory.join(format!("{word}key.pem")),
        }
    }
}

/// A CA's certificate and key.
pub fn read_authority(places: &Places) -> Result<Pair> {
    // held to the same as every key: nobody else may reach it
    super::load::key(&places.key, Kind::AuthorityKey)?;
    Ok(Pair {
        certificate: text(&places.certificate, Kind::Authority)?,
        key: text(&places.key, Kind::AuthorityKey)?,
    })
}

/// Writes both, or neither if one of them is there already.
pub fn write_pair(places: &Places, pair: &Pair) -> Result<()> {
    for path in [&places.certificate, &places.key] {
        if path.symlink_metadata().is_ok() {
            return Err(refusal(format!("{} already exists", shown_path(path)))
                .hint("move it away first, or name another directory with --dir"));
        }
    }
    // libvirt's checker wants a directory that holds keys, and all in it, for its user alone
    let apart = places.key.parent() != places.certificate.parent();
    make_directory(places.key.parent(), 0o700)?;
    make_directory(places.certificate.parent(), 0o755)?;
    write_new(&places.key, &pair.key, 0o600)?;
    let written =
        write_new(&places.certificate, &pair.certificate, if apart { 0o644 } else { 0o600 });
    if written.is_err() {
        // half a pair would stand in the way of the next attempt; that it cannot be removed is no news
        let _ = std::fs::remove_file(&places.key);
    }
    written
}

fn make_directory(path: Option<&Path>, mode: u32) -> Result<()> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(());
    };
    // the directories above are readable for all; only the last may be private
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(above)
            .map_err(|e| failed(above, &e))?;
    }
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|e| failed(path, &e))
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(mode).open(path).map_err(|e| failed(path, &e))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|e| {
        let _ = std::fs::remove_file(path);
        failed(path, &e)
    })
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "run this as root, or name another directory with --dir"
        }
        _ => "name another directory with --dir",
    };
    Error::system(&path.display().to_string(), error).hint(hint)
}
