//! Identity of the host behind a URI, however it is spelled: by real files, so that links, other parameters
//! and other words for the same socket make no second host of it.

use super::Environment;
use super::libvirt::{is_daemons, socket_of};
use crate::model::{Transport, Uri};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A host that several runs may reach at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Marks of the host, in order: two places with a common mark are one host.
    marks: Vec<String>,
    /// The hypervisor that is asked for; empty where the host chooses.
    hypervisor: String,
}

impl Place {
    /// Returns the place that a URI leads to. `None` for a host within this process.
    pub fn of(uri: &Uri, env: &Environment) -> Option<Self> {
        let hypervisor = uri.hypervisor();
        if uri.driver() == "test" && uri.transport().is_none() {
            let state = uri.parameter("state")?;
            return Some(Self { marks: vec![file("test", Path::new(state), None)], hypervisor });
        }
        let mut marks = match uri.transport() {
            None | Some(Transport::Unix) => match socket_of(uri, env) {
                Some(socket) => of_socket(&socket),
                // opening it reports the reason
                None => vec![uri.destination()],
            },
            Some(Transport::Ext) => {
                vec![file("ext", Path::new(uri.parameter("command").unwrap_or_default()), None)]
            }
            Some(Transport::Tls | Transport::Tcp | Transport::Ssh) => vec![uri.server()],
        };
        // several locks are taken in the same order by everybody
        marks.sort();
        Some(Self { marks, hypervisor })
    }

    /// Returns the marks of the host.
    pub fn marks(&self) -> &[String] {
        &self.marks
    }

    /// The hypervisor that is asked for; empty where the host chooses.
    pub fn hypervisor(&self) -> &str {
        &self.hypervisor
    }
}

/// A socket is known by itself, which tells it wherever it is mounted, and by its directory, which stays
/// when the daemon is started anew. All daemons of one directory are of one host: several of them have
/// the same guests.
fn of_socket(socket: &Path) -> Vec<String> {
    let itself = inode(socket).map(|inode| format!("socket {inode}"));
    let daemons = |name: &OsStr| is_daemons(&name.to_string_lossy()).then_some("daemons");
    let name = real(socket).file_name().and_then(daemons);
    itself.into_iter().chain([file("unix", socket, name)]).collect()
}

/// A file by its directory and its name, or by another word for the name.
fn file(sort: &str, path: &Path, name: Option<&str>) -> String {
    let path = real(path);
    let directory = path.parent().unwrap_or(Path::new("/"));
    let place = inode(directory).unwrap_or_else(|| directory.display().to_string());
    match name {
        Some(name) => format!("{sort} {place} {name}"),
        None => format!("{sort} {place} {:?}", path.file_name().unwrap_or_default()),
    }
}

fn inode(path: &Path) -> Option<String> {
    fs::metadata(path).ok().map(|found| format!("{}:{}", found.dev(), found.ino()))
}

/// A path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| {
        let real = fs::canonicalize(above).ok()?;
        let rest = path.strip_prefix(above).ok().filter(|rest| !rest.as_os_str().is_empty());
        Some(rest.map_or_else(|| real.clone(), |rest| real.join(rest)))
    });
    there.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn place(uri: &str) -> Place {
        let env = Environment::new(Some("/run/user/1".into()), None);
        Place::of(&Uri::parse(uri).unwrap(), &env).unwrap()
    }

    #[track_caller]
    fn meet(one: &str, other: &str) -> bool {
        let (one, other) = (place(one), place(other));
        one.marks.iter().any(|mark| other.marks.contains(mark))
    }

    #[test]
    fn a_socket_is_one_however_it_is_spelled() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name).display().to_string();
        fs::create_dir(at("d")).unwrap();
        fs::create_dir(at("e")).unwrap();
        let listener = UnixListener::bind(at("d/sock")).unwrap();
        let _other = UnixListener::bind(at("d/other")).unwrap();
        symlink("d", at("l")).unwrap();
        symlink("d/sock", at("s")).unwrap();
        fs::hard_link(at("d/sock"), at("e/hard")).unwrap();
        let to = |name: &str| format!("qemu:///system?socket={}", at(name));
        let one = to("d/sock");
        for same in [
            to("d/./sock"),
            to("d//sock"),
            to("e/../d/sock"),
            to("l/sock"),
            to("s"),
            to("e/hard"),
            format!("{one}&foo=1"),
            format!("{one}&mode=legacy"),
            format!("qemu+unix:///session?x=y&socket={}", at("l/sock")),
            format!("remote+unix:///?socket={}", at("d/sock")),
        ] {
            assert!(meet(&one, &same), "{same}");
        }
        assert!(!meet(&one, &to("d/other")));
        assert!(!meet(&one, &to("e/sock")));
        // a daemon that is started anew is the same host
        let before = place(&one);
        drop(listener);
        fs::remove_file(at("d/sock")).unwrap();
        let gone = place(&to("l/sock"));
        assert!(before.marks.iter().any(|mark| gone.marks.contains(mark)));
    }

    #[test]
    fn the_daemons_of_a_directory_are_one_host() {
        let top = tempfile::tempdir().unwrap();
        let to = |name: &str| format!("qemu:///system?socket={}/{name}", top.path().display());
        for other in ["virtqemud-sock", "virtnetworkd-sock", "libvirt-sock-ro"] {
            assert!(meet(&to("libvirt-sock"), &to(other)), "{other}");
        }
        assert!(!meet(&to("libvirt-sock"), &to("sock")));
        for default in ["/var/run/libvirt/libvirt-sock", "/var/run/libvirt/virtqemud-sock"] {
            let written = format!("qemu+unix:///system?socket={default}&foo=1");
            assert!(meet("qemu:///system", &written), "{default}");
        }
        assert!(meet("qemu:///system?mode=legacy", "remote+unix:///?mode=legacy"));
    }

    #[test]
    fn a_mock_is_its_file_and_other_hosts_their_servers() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name).display().to_string();
        fs::create_dir(at("d")).unwrap();
        symlink("d", at("l")).unwrap();
        let to = |name: &str| format!("test:///default?state={}", at(name));
        for there in [false, true] {
            assert!(meet(&to("d/s.xml"), &to("l/./s.xml")), "{there}");
            fs::write(at("d/s.xml"), "").unwrap();
        }
        assert!(!meet(&to("d/s.xml"), &to("d/t.xml")));
        assert!(meet("qemu+ssh://kvm01/system", "qemu+ssh://root@KVM01.:22/system?keyfile=/k&a=b"));
        assert!(meet("qemu+tcp://[::1]/system", "qemu+tcp://[0:0:0:0:0:0:0:1]:16509/session"));
        assert!(!meet("qemu+ssh://kvm01/system", "qemu+ssh://kvm01:23/system"));
        assert!(meet("qemu+ext:///system?command=/bin/sh", "qemu+ext:///system?command=/bin/./sh"));
        let env = Environment::new(None, None);
        assert_eq!(Place::of(&Uri::parse("test:///default").unwrap(), &env), None);
    }
}
