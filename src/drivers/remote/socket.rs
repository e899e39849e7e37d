//! Which socket of this host a URI means, and connecting to it.

use crate::diag::{Error, ErrorCode, ErrorDomain, Result};
use crate::drivers::Environment;
use crate::drivers::uri::{Mode, Uri};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the system's daemons have their sockets.
const SYSTEM_DIRECTORY: &str = "/var/run/libvirt";

/// libvirtd's socket, or that of virtproxyd in its place.
const LEGACY_SOCKET: &str = "libvirt-sock";

/// Drivers with a daemon of their own, and that daemon's socket; the empty URI tries the first
/// three in this order.
const DAEMONS: [(&str, &str); 13] = [
    ("xen", "virtxend-sock"),
    ("qemu", "virtqemud-sock"),
    ("lxc", "virtlxcd-sock"),
    ("bhyve", "virtbhyved-sock"),
    ("ch", "virtchd-sock"),
    ("interface", "virtinterfaced-sock"),
    ("network", "virtnetworkd-sock"),
    ("nodedev", "virtnodedevd-sock"),
    ("nwfilter", "virtnwfilterd-sock"),
    ("secret", "virtsecretd-sock"),
    ("storage", "virtstoraged-sock"),
    ("vbox", "virtvboxd-sock"),
    ("vz", "virtvzd-sock"),
];

/// How many of [`DAEMONS`] are hypervisors that the empty URI tries.
const PROBED: usize = 3;

/// How long a daemon may take to accept a connection. It queues a thousand before it makes one
/// wait, so this is time to restart in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a full queue is tried again.
const CONNECT_RETRY: Duration = Duration::from_millis(20);

/// A daemon's socket, and what to ask it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The socket.
    pub(super) path: PathBuf,
    /// The `name` of CONNECT_OPEN.
    pub(super) name: String,
}

impl Endpoint {
    /// The endpoint that libvirt would use for `uri`: the one given, else the driver's own daemon if
    /// its socket is there, else libvirtd. `exists` says which sockets are there.
    pub(super) fn choose(
        uri: &Uri,
        env: &Environment,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<Self> {
        let name = uri.server_name();
        if let Some(path) = uri.parameter("socket") {
            return Ok(Self { path: path.into(), name });
        }
        let directory = directory(uri, env)?;
        let legacy = directory.join(LEGACY_SOCKET);
        let own = |driver: &str| {
            let (_, file) = DAEMONS.iter().find(|(d, _)| *d == driver)?;
            Some(directory.join(file))
        };
        match uri.mode() {
            Mode::Legacy => return Ok(Self { path: legacy, name }),
            Mode::Direct => {
                return own(uri.driver()).map(|path| Self { path, name }).ok_or_else(|| {
                    let message = format!(
                        "mode=direct needs a driver that has a daemon, which '{uri}' has not"
                    );
                    Error::new(ErrorCode::INVALID_CONN, ErrorDomain::REMOTE, message)
                        .hint("name the driver, such as qemu:///system, or leave the mode out")
                });
            }
            Mode::Auto => {}
        }
        if let Some(path) = own(uri.driver()).filter(|path| exists(path)) {
            return Ok(Self { path, name });
        }
        if name.is_empty() && !exists(&legacy) {
            // libvirtd would choose the hypervisor; a daemon of one hypervisor has to be told
            let session = if is_session(uri, env) { "session" } else { "system" };
            for (driver, file) in DAEMONS.iter().take(PROBED) {
                let path = directory.join(file);
                if exists(&path) {
                    return Ok(Self { path, name: format!("{driver}:///{session}") });
                }
            }
        }
        Ok(Self { path: legacy, name })
    }

    /// Whether each connection sees a host of its own: libvirt's test driver with a file of
    /// definitions reads it anew for each.
    pub(super) fn is_private_host(&self) -> bool {
        self.name.starts_with("test:///") && self.name != "test:///default"
    }

    /// Connects; the stream does not block.
    pub(super) fn connect(&self) -> Result<UnixStream> {
        self.connect_until(Instant::now() + CONNECT_TIMEOUT)
    }

    fn connect_until(&self, deadline: Instant) -> Result<UnixStream> {
        let shown = self.path.display().to_string();
        let fail = |errno: Errno| {
            let mut error = Error::system(&shown, &errno.into());
            error.message = format!("cannot connect to libvirt at {}", error.message);
            error.hint(match errno {
                Errno::ENOENT | Errno::ECONNREFUSED => {
                    "start the daemon (systemctl start virtqemud.socket, or libvirtd), or name \
                     another socket with ?socket=PATH"
                }
                Errno::EACCES | Errno::EPERM => {
                    "run as root or as a member of the group libvirt, or use a session URI"
                }
                _ => "look into the daemon's log",
            })
        };
        let address = UnixAddr::new(&self.path).map_err(fail)?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(fail)?;
        loop {
            match connect(fd.as_raw_fd(), &address) {
                Ok(()) => return Ok(fd.into()),
                Err(Errno::EAGAIN | Errno::EINTR) if Instant::now() < deadline => {
                    std::thread::sleep(CONNECT_RETRY);
                }
                Err(errno) => return Err(fail(errno)),
            }
        }
    }
}

/// Whether the user's own daemon is meant rather than the system's. root has none of its own.
fn is_session(uri: &Uri, env: &Environment) -> bool {
    env.uid != 0 && (uri.is_empty() || uri.path() == "/session" || uri.driver() == "test")
}

fn directory(uri: &Uri, env: &Environment) -> Result<PathBuf> {
    if !is_session(uri, env) {
        return Ok(SYSTEM_DIRECTORY.into());
    }
    match (&env.runtime_dir, &env.home) {
        (Some(runtime), _) => Ok(runtime.join("libvirt")),
        (None, Some(home)) => Ok(home.join(".cache/libvirt")),
        (None, None) => {
            let message =
                "the session's libvirt socket is in XDG_RUNTIME_DIR or HOME, and neither is set";
            Err(Error::new(ErrorCode::INVALID_CONN, ErrorDomain::REMOTE, message)
                .hint("set XDG_RUNTIME_DIR, or name the socket with ?socket=PATH"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn chosen(uri: &str, uid: u32, there: &[&str]) -> (String, String) {
        let env = Environment {
            uid,
            runtime_dir: (uid == 1000).then(|| "/run/user/1000".into()),
            home: Some("/home/u".into()),
            ..Environment::new(None, None)
        };
        let uri = Uri::parse(uri).unwrap();
        let exists = |path: &Path| there.iter().any(|t| path.ends_with(t));
        let endpoint = Endpoint::choose(&uri, &env, exists).unwrap();
        (endpoint.path.display().to_string(), endpoint.name)
    }

    #[test]
    fn sockets_are_those_that_libvirt_uses() {
        let check = |uri: &str, uid, there: &[&str], path: &str, name: &str| {
            assert_eq!(chosen(uri, uid, there), (path.into(), name.into()), "{uri} {there:?}");
        };
        let system = "/var/run/libvirt/libvirt-sock";
        let qemu = "/var/run/libvirt/virtqemud-sock";
        check("qemu:///system", 0, &[], system, "qemu:///system");
        check("qemu:///system", 0, &["libvirt-sock"], system, "qemu:///system");
        check("qemu:///system", 0, &["libvirt-sock", "virtqemud-sock"], qemu, "qemu:///system");
        check("qemu:///system?mode=legacy", 0, &["virtqemud-sock"], system, "qemu:///system");
        check("qemu:///system?mode=direct", 0, &["libvirt-sock"], qemu, "qemu:///system");
        check("qemu+unix:///system?socket=/a/b", 0, &["virtqemud-sock"], "/a/b", "qemu:///system");
        check("qemu:///session", 0, &[], system, "qemu:///session");
        check("test+unix:///default", 0, &["virtqemud-sock"], system, "test:///default");
        check("xen", 0, &["virtxend-sock"], "/var/run/libvirt/virtxend-sock", "xen:///");
        let session = "/run/user/1000/libvirt/libvirt-sock";
        check("qemu:///session", 1000, &["libvirt-sock"], session, "qemu:///session");
        check("test+unix:///default", 1000, &[], session, "test:///default");
        check("qemu:///system", 1000, &[], system, "qemu:///system");
        let cache = "/home/u/.cache/libvirt/virtqemud-sock";
        check("qemu:///session", 1001, &["virtqemud-sock"], cache, "qemu:///session");
    }

    #[test]
    fn the_empty_uri_lets_libvirtd_choose_and_asks_the_others_by_name() {
        assert_eq!(chosen("", 0, &["libvirt-sock", "virtqemud-sock"]).1, "");
        let (path, name) = chosen("", 0, &["virtqemud-sock", "virtlxcd-sock"]);
        assert!(path.ends_with("virtqemud-sock"));
        assert_eq!(name, "qemu:///system");
        assert_eq!(chosen("", 1000, &["virtqemud-sock"]).1, "qemu:///session");
        assert_eq!(chosen("", 0, &[]), ("/var/run/libvirt/libvirt-sock".into(), String::new()));
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_a_way_out() {
        let env = Environment { uid: 1000, ..Environment::new(None, None) };
        let choose = |uri| Endpoint::choose(&Uri::parse(uri).unwrap(), &env, |_| false);
        assert!(choose("qemu:///session").unwrap_err().message.contains("XDG_RUNTIME_DIR"));
        assert!(choose("test+unix:///default?mode=direct&socket=/a").is_ok());
        assert!(choose("esx:///?mode=direct").unwrap_err().message.contains("mode=direct"));
        let missing = Endpoint { path: "/nonexistent/sock".into(), name: String::new() };
        let error = missing.connect().unwrap_err();
        assert_eq!((error.code, error.int1), (ErrorCode::SYSTEM_ERROR, 2));
        assert!(error.hint.as_deref().unwrap().contains("start the daemon"));
    }
}
