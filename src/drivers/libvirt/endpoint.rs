//! Endpoint of a URI on this machine: the address of a daemon, and the connection name for it.

use super::transport::{HostAddress, Program, Proxy, Server, SshHost, remote_command};
use crate::drivers::Environment;
use crate::error::{Error, ErrorKind, Result};
use crate::model::uri::Mode;
use crate::model::{Transport, Uri};
use crate::pki;
use std::path::{Path, PathBuf};

/// The ssh program where the URI names no other.
const SSH: &str = "ssh";

/// Directory of the system daemons' sockets.
const SYSTEM_DIRECTORY: &str = "/var/run/libvirt";

/// Socket of libvirtd, or of virtproxyd in its place.
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

/// Number of [`DAEMONS`] that are hypervisors which the empty URI tries.
const PROBED: usize = 3;

/// Daemon, and the connection name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Address of the daemon.
    pub(super) address: HostAddress,
    /// The `name` of CONNECT_OPEN.
    pub(super) name: String,
    /// Whether only looking is asked for.
    pub(super) read_only: bool,
}

impl Endpoint {
    /// The endpoint that libvirt would use for `uri`. `exists` says which sockets of this machine
    /// are there.
    ///
    /// # Errors
    /// The URI has a parameter that means nothing here, or one that does not go with its transport.
    pub(super) fn choose(
        uri: &Uri,
        env: &Environment,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<Self> {
        let read_only = env.read_only;
        let server = |transport: Transport| Server {
            host: uri.host().unwrap_or_default().to_owned(),
            port: uri.port().or(transport.default_port()).unwrap_or_default(),
        };
        let address = match uri.transport() {
            None | Some(Transport::Unix) => {
                let (path, name) = socket(uri, env, exists)?;
                return Ok(Self { address: HostAddress::Unix(path), name, read_only });
            }
            Some(Transport::Tcp) => HostAddress::Tcp(server(Transport::Tcp)),
            Some(Transport::Tls) => {
                let pkipath = uri.parameter("pkipath").map(Path::new);
                HostAddress::Tls {
                    server: server(Transport::Tls),
                    files: pki::Files::of_client(pkipath, env.uid, env.home.as_deref()),
                    verify: !uri.switch("no_verify"),
                }
            }
            Some(Transport::Ssh) => HostAddress::Program(ssh(uri, env)?),
            Some(Transport::Ext) => HostAddress::Program(Program {
                program: uri.parameter("command").unwrap_or_default().to_owned(),
                arguments: Vec::new(),
                ssh_host: None,
            }),
        };
        Ok(Self { address, name: uri.server_name(), read_only })
    }

    /// Returns the address, for people.
    pub(super) fn shown(&self) -> String {
        let name = if self.name.is_empty() { "the best hypervisor there" } else { &self.name };
        format!(
            "{name}{} {}",
            if self.read_only { ", read-only," } else { "" },
            self.address.shown()
        )
    }

    /// Whether each connection sees a host of its own: libvirt's test driver with a file of
    /// definitions reads it anew for each.
    pub(super) fn is_private_host(&self) -> bool {
        self.name.starts_with("test:///") && self.name != "test:///default"
    }
}

/// The socket of this machine that a URI leads to which changes something there.
pub(in crate::drivers) fn socket_of(uri: &Uri, env: &Environment) -> Option<PathBuf> {
    let changing = Environment { read_only: false, ..env.clone() };
    socket(uri, &changing, Path::exists).ok().map(|(path, _)| path)
}

/// Whether a file is named as the socket of one of libvirt's daemons.
pub(in crate::drivers) fn is_daemons(name: &str) -> bool {
    let name = name.strip_suffix("-ro").unwrap_or(name);
    name == LEGACY_SOCKET || DAEMONS.iter().any(|(_, own)| *own == name)
}

/// The socket of this machine that `uri` means: the one given, else that of the driver's own daemon
/// if it is there, else libvirtd's; and the name to open.
fn socket(
    uri: &Uri,
    env: &Environment,
    exists: impl Fn(&Path) -> bool,
) -> Result<(PathBuf, String)> {
    let name = uri.server_name();
    if let Some(path) = uri.parameter("socket") {
        return Ok((path.into(), name));
    }
    let directory = directory(uri, env)?;
    // a session has one socket, and the flag of CONNECT_OPEN is enough
    let suffix = if env.read_only && !is_session(uri, env) { "-ro" } else { "" };
    let file = |file: &str| directory.join(format!("{file}{suffix}"));
    let legacy = file(LEGACY_SOCKET);
    let own = |driver: &str| {
        let (_, own) = DAEMONS.iter().find(|(d, _)| *d == driver)?;
        Some(file(own))
    };
    match uri.mode() {
        Mode::Legacy => return Ok((legacy, name)),
        Mode::Direct => {
            return own(uri.driver()).map(|path| (path, name)).ok_or_else(|| {
                let message =
                    format!("mode=direct needs a driver that has a daemon, which '{uri}' has not");
                unusable(message)
                    .hint("name the driver, such as qemu:///system, or leave the mode out")
            });
        }
        Mode::Auto => {}
    }
    if let Some(path) = own(uri.driver()).filter(|path| exists(path)) {
        return Ok((path, name));
    }
    if name.is_empty() && !exists(&legacy) {
        // libvirtd would choose the hypervisor; a daemon of one hypervisor has to be given its name
        let session = if is_session(uri, env) { "session" } else { "system" };
        for (driver, own) in DAEMONS.iter().take(PROBED) {
            let path = file(own);
            if exists(&path) {
                return Ok((path, format!("{driver}:///{session}")));
            }
        }
    }
    Ok((legacy, name))
}

/// Returns the ssh command, with the program that it runs on the other host.
fn ssh(uri: &Uri, env: &Environment) -> Result<Program> {
    let session = uri.path() == "/session" && uri.user() != Some("root");
    let by_netcat = uri.parameter("netcat").is_some() || uri.parameter("socket").is_some();
    let asked = uri.parameter("proxy").and_then(Proxy::parse);
    let proxy = match asked {
        Some(Proxy::Native) if by_netcat => {
            return Err(unusable("proxy=native does not go with socket= or netcat=")
                .hint("leave either out: virt-ssh-helper finds the socket by itself"));
        }
        _ if by_netcat => Proxy::Netcat,
        Some(Proxy::Netcat) if session && uri.parameter("socket").is_none() => {
            return Err(unusable("netcat cannot find the socket of another host's session")
                .hint("name it with socket=PATH, or leave proxy=netcat out"));
        }
        _ if session => Proxy::Native,
        // netcat would take libvirtd's socket instead
        None | Some(Proxy::Auto) if uri.mode() == Mode::Direct => Proxy::Native,
        asked => asked.unwrap_or(Proxy::Auto),
    };
    if proxy == Proxy::Netcat && uri.mode() == Mode::Direct {
        return Err(unusable("mode=direct does not go with netcat, which takes libvirtd's socket")
            .hint("name the daemon's own socket with socket=PATH, or leave netcat out"));
    }
    let host = SshHost {
        host: uri.host().unwrap_or_default(),
        user: uri.user(),
        port: uri.port(),
        keyfile: uri.parameter("keyfile"),
        no_tty: uri.switch("no_tty"),
        no_verify: uri.switch("no_verify"),
    };
    Ok(Program {
        program: uri.parameter("command").unwrap_or(SSH).to_owned(),
        arguments: host.arguments(remote_command(uri, proxy, env.read_only)),
        ssh_host: Some(host.host.to_owned()),
    })
}

fn unusable(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
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
            Err(Error::new(ErrorKind::Invalid, message)
                .hint("set XDG_RUNTIME_DIR, or name the socket with ?socket=PATH"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn chosen(uri: &str, uid: u32, there: &[&str]) -> (String, String) {
        let runtime_dir = (uid == 1000).then(|| "/run/user/1000".into());
        let env = Environment::new(runtime_dir, Some("/home/u".into()));
        let env = Environment { uid, ..env };
        let uri = Uri::parse(uri).unwrap();
        let exists = |path: &Path| there.iter().any(|t| path.ends_with(t));
        let Endpoint { address, name, .. } = Endpoint::choose(&uri, &env, exists).unwrap();
        let HostAddress::Unix(path) = address else { panic!("{address:?}") };
        (path.display().to_string(), name)
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
        let refused = |uri| choose(uri).unwrap_err().message.clone();
        let native = "qemu+ssh://h/system?proxy=native&socket=/a";
        assert!(refused(native).contains("proxy=native"), "{}", refused(native));
        assert!(refused("qemu+ssh://h/session?proxy=netcat").contains("session"));
        assert!(refused("qemu+ssh://h/system?mode=direct&netcat=nc").contains("mode=direct"));
    }

    fn address(uri: &str, read_only: bool) -> HostAddress {
        let env = Environment { uid: 0, ..Environment::new(None, None) };
        let env = Environment { read_only, ..env };
        Endpoint::choose(&Uri::parse(uri).unwrap(), &env, |_| false).unwrap().address
    }

    #[test]
    fn other_hosts_are_reached_by_their_transports() {
        let HostAddress::Tls { server, verify, files } =
            address("qemu://h/system?no_verify=1", false)
        else {
            panic!()
        };
        assert_eq!((server.host.as_str(), server.port, verify), ("h", 16_514, false));
        assert_eq!(files.ca, Path::new("/etc/pki/CA/cacert.pem"));
        let HostAddress::Tls { files, .. } = address("qemu+tls://h:1/system?pkipath=/p", false)
        else {
            panic!()
        };
        assert_eq!(files.ca, Path::new("/p/cacert.pem"));
        let tcp = Server { host: "fe80::1%eth0".into(), port: 16_509 };
        assert_eq!(address("qemu+tcp://[fe80::1%25eth0]/system", false), HostAddress::Tcp(tcp));
        let ext = Program { program: "/a".into(), arguments: vec![], ssh_host: None };
        assert_eq!(address("qemu+ext:///system?command=/a", false), HostAddress::Program(ext));
    }

    #[test]
    fn ssh_is_told_what_libvirt_tells_it() {
        let arguments = |uri| match address(uri, true) {
            HostAddress::Program(program) => (program.program, program.arguments),
            other => panic!("{other:?}"),
        };
        let (program, words) = arguments("qemu+ssh://u@h:2/system?keyfile=/k&no_tty=1&command=/s");
        assert_eq!(program, "/s");
        let expected =
            ["-p", "2", "-l", "u", "-i", "/k", "-T", "-e", "none", "-o", "BatchMode=yes"];
        assert_eq!(words.split_at(expected.len()).0, expected);
        assert!(words.last().unwrap().contains("virt-ssh-helper -r "));
        let (_, words) = arguments("qemu+ssh://h/session");
        assert!(!words.last().unwrap().contains("nc"), "{words:?}");
        let (_, words) = arguments("qemu+ssh://h/system?netcat=/opt/nc");
        assert!(!words.last().unwrap().contains("helper"), "{words:?}");
        assert!(words.last().unwrap().contains("libvirt-sock-ro"), "{words:?}");
    }

    #[test]
    fn only_looking_has_sockets_of_its_own() {
        let path = |uri| match address(uri, true) {
            HostAddress::Unix(path) => path.display().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(path("qemu:///system"), "/var/run/libvirt/libvirt-sock-ro");
        assert_eq!(path("qemu:///system?mode=direct"), "/var/run/libvirt/virtqemud-sock-ro");
        assert_eq!(path("qemu:///system?socket=/a"), "/a");
        let env = Environment::new(Some("/run/user/1000".into()), None);
        let env = Environment { uid: 1000, read_only: true, ..env };
        let session = Uri::parse("qemu:///session").unwrap();
        let HostAddress::Unix(path) = Endpoint::choose(&session, &env, |_| false).unwrap().address
        else {
            panic!()
        };
        assert_eq!(path, Path::new("/run/user/1000/libvirt/libvirt-sock"));
    }
}
