//! The operator's own configuration: which connections have a name, and which a file may choose.
//!
//! `$XDG_CONFIG_HOME/virt/config.toml` and `/etc/virt/config.toml`, and `uri_aliases` of libvirt's own
//! `libvirt.conf`. A file that others can write to is nobody's word and is passed over.

use super::uri_aliases;
use crate::drivers::{Trust, Written, trust::is_name};
use crate::file::{NotOwned, open_owned};
use crate::manifest::{Connect, HostDesired, Loaded};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Most bytes of a configuration that are read; a line a host is a hundred.
const BYTES_MAX: u64 = 1 << 20;

/// Names with their URIs, or why there are none.
type Read = Result<Vec<(String, String)>, String>;

/// The system's directory of settings.
const SYSTEM: &str = "/etc";

/// What the user's and the system's configuration trust; `config` is the user's directory of settings.
pub(super) fn trust(config: Option<&Path>, all: bool, environment: Option<String>) -> Trust {
    let mut trust = Trust::new(all);
    environment.iter().for_each(|uri| trust.take_uri(uri));
    let user = config.filter(|directory| directory.is_absolute());
    let system = Path::new(SYSTEM);
    let file = |directory: &Path| directory.join("virt/config.toml");
    trust.file = Some(file(user.unwrap_or(system)));
    let directories: Vec<&Path> = user.into_iter().chain([system]).collect();
    for directory in &directories {
        take(&file(directory), &mut trust, connections);
    }
    for directory in &directories {
        take(&directory.join("libvirt/libvirt.conf"), &mut trust, uri_aliases::read);
    }
    trust
}

/// Takes what a file names, or notes why it is passed over.
fn take(path: &Path, trust: &mut Trust, read: fn(&str) -> Read) {
    let named = read_own(path).and_then(|text| text.map_or(Ok(Vec::new()), |text| read(&text)));
    match named {
        Ok(named) => named.into_iter().for_each(|(name, uri)| trust.take_name(name, uri)),
        Err(why) => trust.passed_over.push(format!("{}: {why}", path.display())),
    }
}

/// The text of a file that is the caller's or root's, and that nobody else can write; `None` if it is
/// not there.
fn read_own(path: &Path) -> Result<Option<String>, String> {
    let file = match open_owned(path, 0o022) {
        Ok(file) => file,
        Err(NotOwned::Unreadable(e))
            if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(NotOwned::Unreadable(e)) => return Err(e.to_string()),
        Err(NotOwned::NotRegular) => return Err("it is not a regular file".to_owned()),
        Err(NotOwned::OfUser(user)) => {
            return Err(format!("it is neither yours nor root's, but of user {user}"));
        }
        Err(NotOwned::Mode(_)) => return Err("others can write it (chmod go-w)".to_owned()),
    };
    let mut text = String::new();
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes <= BYTES_MAX) {
        Ok(Some(text))
    } else {
        Err(format!("it is longer than {BYTES_MAX} bytes"))
    }
}

/// The names below `[connections]`.
fn connections(text: &str) -> Read {
    let table = DeTable::parse(text).map_err(|e| format!("it is no TOML: {}", e.message()))?;
    let Some((_, value)) = table.get_ref().iter().find(|(key, _)| key.get_ref() == "connections")
    else {
        return Ok(Vec::new());
    };
    let DeValue::Table(named) = value.get_ref() else {
        return Err("connections is no table".to_owned());
    };
    let pair = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        match value.get_ref() {
            DeValue::String(uri) if is_name(name) => Ok((name.to_string(), uri.to_string())),
            _ => Err(format!("{name} of [connections] is no name with a URI")),
        }
    };
    named.iter().map(pair).collect()
}

/// The one connection that the manifests' `virt.toml` names, as it is written there.
pub(super) fn of_manifests(loaded: &Loaded) -> Option<Written> {
    loaded.connect.as_ref().map(|connect| written(loaded, connect, None))
}

/// The connection of a host of a fleet, as it is written in `virt.toml`.
pub(super) fn of_host(loaded: &Loaded, host: &HostDesired) -> Written {
    written(loaded, &host.connect, Some(host.name.clone()))
}

/// The connection that a saved plan was made for. A path in it counts from the working directory, as
/// when it was saved, and what the mock keeps is beneath the directory of the plan.
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

/// A directory as it is without links; the empty path is the working directory.
pub(super) fn real(directory: &Path) -> Option<PathBuf> {
    let here = directory.as_os_str().is_empty();
    fs::canonicalize(if here { Path::new(".") } else { directory }).ok()
}

/// Whether a file of the mock's, and what it keeps beside it, is beneath the directory of the file that
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn pairs(named: Read) -> Vec<(String, String)> {
        named.unwrap()
    }

    #[test]
    fn names_of_both_configurations_are_read() {
        let text = "[other]\nx = 1\n[connections]\nkvm01 = 'qemu+ssh://kvm01/system'\n";
        let one = ("kvm01".to_owned(), "qemu+ssh://kvm01/system".to_owned());
        assert_eq!(pairs(connections(text)), [one]);
        assert_eq!(pairs(connections("")), []);
        for text in
            ["[connections", "connections = 1", "connections.a = 1", "connections.'a b' = 'x'"]
        {
            assert!(connections(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_example_of_a_fleet_has_the_lines_for_its_hosts() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet");
        let read = |name: &str| fs::read_to_string(example.join(name)).unwrap();
        let hosts = read("manifests/virt.toml");
        let named = pairs(connections(&read("config.toml")));
        for (name, uri) in &named {
            let host = format!("[hosts.{name}]\nconnect = \"{uri}\"\n");
            assert!(hosts.contains(&host), "{host}");
        }
        assert_eq!(hosts.matches("connect").count(), named.len());
    }

    #[test]
    fn a_configuration_that_others_can_write_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("virt/config.toml");
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "[connections]\na = 'qemu+ssh://a/system'\n").unwrap();
        let opens = |trust: &Trust| {
            let text = trust.operators("a").map(|connection| connection.text().to_owned());
            text.is_ok_and(|text| text == "qemu+ssh://a/system")
        };
        let known = |mode: u32| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let trust = trust(Some(directory.path()), false, None);
            (opens(&trust), trust.passed_over)
        };
        assert!(known(0o644).0);
        for mode in [0o664, 0o646] {
            let (is_known, passed_over) = known(mode);
            assert!(!is_known && passed_over.iter().any(|why| why.contains("others can write")));
        }
        // a pipe holds nobody up
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let trust = trust(Some(directory.path()), false, None);
        assert!(trust.passed_over.iter().any(|why| why.contains("regular")));
    }
}
