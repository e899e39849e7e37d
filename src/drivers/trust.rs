//! Trust in connections that a file names.
//!
//! A URI can name a program to run, a key, a place to read and a host that is told names and
//! passwords. What the operator types, sets in the environment or writes into a configuration of
//! his own is taken as it is. A file of manifests, or a saved plan, only chooses among what the
//! operator trusts, and what is this machine's by itself. A [`Connection`] is made here and nowhere
//! else, and nothing is opened without one.

use crate::error::{Error, ErrorKind, Result};
use crate::model::uri::is_alias;
use crate::model::{Transport, Uri};
use diagnostics::excerpt;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// A connection that may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    uri: Uri,
    /// The URI as it was asked for.
    text: String,
    /// Directory for the mock's files, if a file chose them.
    beneath: Option<Beneath>,
}

/// The mock's files where a file names them: beneath its directory, whatever is exchanged meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beneath {
    /// The directory, without links.
    pub root: PathBuf,
    /// The state, from there.
    pub state: Option<PathBuf>,
    /// The file of the host, from there.
    pub host: Option<PathBuf>,
}

impl Connection {
    /// Accepts a URI of the operator's: from the command line or the environment.
    ///
    /// # Errors
    /// The URI makes no sense.
    pub fn of_operator(text: &str) -> Result<Self> {
        Ok(Self { uri: Uri::parse(text)?, text: text.to_owned(), beneath: None })
    }

    /// Returns the directory for the mock's files, if a file chose them.
    pub fn beneath(&self) -> Option<&Beneath> {
        self.beneath.as_ref()
    }

    /// Returns the URI.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The URI as it was asked for.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A connection as a file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// A URI, or a name that the operator's configuration has.
    pub text: String,
    /// Place in the file, as file:line:column.
    pub place: String,
    /// The directory of the file: a relative path counts from there.
    pub directory: PathBuf,
    /// Directory of the file from the root, without links; `None` if it cannot be known.
    pub real: Option<PathBuf>,
    /// Name for it in the operator's configuration, if there is one.
    pub name: Option<String>,
}

/// Connections that the operator trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Whether any connection that a file names is as good as the operator's own.
    all: bool,
    /// The operator's names, each with its URI.
    names: BTreeMap<String, String>,
    /// The operator's URIs as they read back, so that one is the very same however it is written.
    uris: BTreeSet<String>,
    /// The file of the operator's configuration, to which a line can be added.
    pub file: Option<PathBuf>,
    /// Files of the operator's that were passed over, each with the reason.
    pub passed_over: Vec<String>,
}

/// Parameters that leave a local socket at its standard place.
const HARMLESS: [&str; 1] = ["mode"];

/// Paths by which libvirt's drivers address this machine.
const LOCAL_PATHS: [&str; 3] = ["/", "/system", "/session"];

impl Trust {
    /// Trusts this machine's own hypervisors; with `all` any connection that a file names.
    pub fn new(all: bool) -> Self {
        Self { all, ..Self::default() }
    }

    /// Takes a connection of the operator's configuration; the first of a name counts.
    pub fn take_name(&mut self, name: String, uri: String) {
        self.take_uri(&uri);
        self.names.entry(name).or_insert(uri);
    }

    /// Takes a URI that the operator names, such as in the environment.
    pub fn take_uri(&mut self, uri: &str) {
        // a malformed URI is reported where it is used
        self.uris.extend(Uri::parse(uri).map(|uri| uri.to_string()));
    }

    /// The URI of a name in the operator's configuration.
    fn of_name(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    /// Returns the operator's connection, which may be given by a name of the configuration.
    ///
    /// # Errors
    /// It is no such name, and no URI that makes sense.
    pub fn operators(&self, text: &str) -> Result<Connection> {
        match self.of_name(text).filter(|_| is_alias(text)) {
            Some(uri) => Connection::of_operator(uri),
            None => Connection::of_operator(text).map_err(|e| self.with_passed_over(e)),
        }
    }

    /// Checks a connection that a file chose. `stays` tells whether a file of the mock's, and those beside
    /// it, are really beneath the directory, whatever links are there.
    ///
    /// # Errors
    /// The operator has not said that it is trusted, and it leads away from this machine, or names a
    /// program, a key or a place.
    pub fn admit(&self, written: &Written, stays: impl Fn(&Path) -> bool) -> Result<Connection> {
        let text = &written.text;
        if is_alias(text) {
            return match self.of_name(text) {
                Some(uri) => Connection::of_operator(uri),
                None => Err(self.unknown(text)),
            }
            .map_err(|e| e.address(written.place.clone()));
        }
        let uri = Uri::parse(text).map_err(|e| e.address(written.place.clone()))?;
        let connection = match uri.parameter("state").filter(|_| is_mock(&uri)) {
            Some(state) if Path::new(state).is_relative() && is_elsewhere(written) => {
                let state = written.directory.join(state).display().to_string();
                let uri = uri.clone().with_parameter("state", state);
                Connection { text: uri.to_string(), uri, beneath: None }
            }
            _ => Connection { uri: uri.clone(), text: text.clone(), beneath: None },
        };
        if self.all || self.uris.contains(&uri.to_string()) {
            return Ok(connection);
        }
        match objection(&uri, written, stays) {
            None => Ok(Connection { beneath: beneath(&uri, written), ..connection }),
            Some(why) => Err(self.refusal(written, &uri, why)),
        }
    }

    fn refusal(&self, written: &Written, uri: &Uri, why: &str) -> Error {
        let message = format!(
            "a file alone cannot choose the connection '{}': {why}",
            excerpt(&written.text)
        );
        let name = written.name.as_deref().or(uri.host()).unwrap_or(uri.driver());
        let hint = format!(
            "if you trust it, {}; or name it with --connect, or trust all that these files name with \
             --trust-connect or VIRT_TRUST_CONNECT=1",
            self.line(&key(name), &written.text)
        );
        let error = Error::new(ErrorKind::Denied, message);
        self.with_passed_over(error.hint(hint).address(written.place.clone()))
    }

    fn unknown(&self, name: &str) -> Error {
        let message = format!("no connection is named '{}'", excerpt(name));
        let hint = format!(
            "{}; or write a URI such as qemu:///system",
            self.line(&key(name), "qemu+ssh://HOST/system")
        );
        let error = Error::new(ErrorKind::Invalid, message);
        self.with_passed_over(error.hint(hint))
    }

    /// Returns the line to add to the configuration.
    fn line(&self, name: &str, uri: &str) -> String {
        let file = self.file.as_deref().unwrap_or(Path::new("/etc/virt/config.toml"));
        let mut quoted = String::new();
        for c in uri.chars() {
            if matches!(c, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        format!("add this line below [connections] of {}:  {name} = \"{quoted}\"", file.display())
    }

    /// Adds a note about a configuration file that has such a line and does not count.
    fn with_passed_over(&self, error: Error) -> Error {
        if self.passed_over.is_empty() {
            return error;
        }
        let hint = error.hint.clone().map(|hint| format!("{hint}; ")).unwrap_or_default();
        error.hint(format!("{hint}passed over: {}", self.passed_over.join("; ")))
    }
}

/// A key of TOML that needs no quotes.
fn key(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    name.chars().map(plain).take(64).collect()
}

/// Whether a path counts from another directory than the working directory.
fn is_elsewhere(written: &Written) -> bool {
    !written.directory.as_os_str().is_empty()
}

fn is_mock(uri: &Uri) -> bool {
    uri.driver() == "test" && uri.transport().is_none()
}

/// Returns an objection to a URI that a file chose; `None` for this machine's own.
fn objection(uri: &Uri, written: &Written, stays: impl Fn(&Path) -> bool) -> Option<&'static str> {
    if matches!(uri.transport(), Some(Transport::Ext)) || uri.parameter("command").is_some() {
        return Some("it names a program to run");
    }
    if uri.host().is_some() {
        return Some("it leads to another host");
    }
    if is_mock(uri) {
        return mock_objection(uri, written, stays);
    }
    if uri.parameters().any(|(name, _)| !HARMLESS.contains(&name)) {
        return Some(match uri.path() {
            "/embed" => "it names a directory of its own",
            _ => "it has a parameter beside mode",
        });
    }
    let is_local = LOCAL_PATHS.contains(&uri.path())
        || uri.is_empty()
        || uri.driver() == "test" && uri.path() == "/default"
        || uri.path() == "/embed" && uri.transport().is_none();
    (!is_local).then_some("it is none of this machine's standard ones")
}

/// Returns a path relative to the directory of the file that names it; `None` if it is not beneath that.
fn below<'p>(path: &'p str, written: &Written) -> Option<&'p Path> {
    let path = Path::new(path);
    if path.is_relative() {
        return Some(path);
    }
    let directories = written.real.iter().chain([&written.directory]);
    directories.filter(|d| d.is_absolute()).find_map(|d| path.strip_prefix(d).ok())
}

/// Returns the directory for the files of a mock that a file has chosen; `None` if it has none.
fn beneath(uri: &Uri, written: &Written) -> Option<Beneath> {
    let from_root = |path: &str| below(path, written).map(Path::to_owned);
    let state = uri.parameter("state").and_then(from_root);
    let host = Some(uri.path()).filter(|path| *path != "/default").and_then(from_root);
    let root = written.real.clone().filter(|_| is_mock(uri))?;
    (state.is_some() || host.is_some()).then_some(Beneath { root, state, host })
}

/// The mock reads and writes files: from a file they are beneath its directory.
fn mock_objection(
    uri: &Uri,
    written: &Written,
    stays: impl Fn(&Path) -> bool,
) -> Option<&'static str> {
    if uri.parameters().any(|(name, _)| name != "state") {
        return Some("it has a parameter beside state");
    }
    let is_beneath = |path: &str| {
        below(path, written).is_some_and(|below| {
            let down = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
            below.components().all(down)
                && below.file_name().is_some()
                && stays(&written.directory.join(path))
        })
    };
    if uri.parameter("state").is_some_and(|state| !is_beneath(state)) {
        return Some("its state is not beneath the file's directory");
    }
    if uri.path() != "/default" && !is_beneath(uri.path()) {
        return Some("it reads a file that is not beneath the file's directory");
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn written(text: &str) -> Written {
        Written {
            text: text.to_owned(),
            place: "site/virt.toml:2:12".to_owned(),
            directory: PathBuf::from("site"),
            real: Some(PathBuf::from("/srv/site")),
            name: None,
        }
    }

    fn admit(trust: &Trust, text: &str) -> Result<Connection> {
        trust.admit(&written(text), |_| true)
    }

    fn with(connections: &[(&str, &str)]) -> Trust {
        let mut trust = Trust::default();
        connections.iter().for_each(|(n, u)| trust.take_name((*n).to_owned(), (*u).to_owned()));
        trust
    }

    #[test]
    fn what_is_this_machines_by_itself_needs_nobody() {
        for text in [
            "",
            "xen",
            "qemu:///system",
            "qemu:///session",
            "qemu+unix:///system",
            "qemu:///system?mode=legacy",
            "xen:///system",
            "xen:///",
            "lxc:///system",
            "test+unix:///default",
            "qemu:///embed",
            "xen:///embed",
            "test:///default",
            "test:////srv/site/host.xml",
        ] {
            assert_eq!(
                admit(&Trust::default(), text).map(|c| c.text().to_owned()),
                Ok(text.into())
            );
        }
    }

    #[test]
    fn a_program_a_key_a_host_and_a_place_need_the_operator() {
        for (text, why) in [
            ("qemu+ext:///system?command=/tmp/evil.sh", "a program"),
            ("qemu+ssh://kvm01/system?command=./evil.sh", "a program"),
            ("qemu:///system?command=./evil.sh", "a program"),
            ("qemu+ssh://kvm01/system", "another host"),
            ("qemu+tls://kvm01/system?pkipath=keys", "another host"),
            ("qemu://kvm01/system", "another host"),
            ("qemu+tcp://evil/system", "another host"),
            ("test+tcp://evil/default", "another host"),
            ("test://evil/default", "another host"),
            ("qemu:///system?socket=/tmp/evil", "a parameter"),
            ("qemu:///system?name=qemu%2Btcp://evil/system", "a parameter"),
            ("qemu:///system?authfile=passwords", "a parameter"),
            ("qemu:///system?keyfile=key", "a parameter"),
            ("qemu:///system?pkipath=keys", "a parameter"),
            ("qemu:///system?netcat=./evil.sh", "a parameter"),
            ("qemu:///system?root=/x", "a parameter"),
            ("qemu:///embed?root=/x", "a directory"),
            ("xen:///embed?root=/x", "a directory"),
            ("qemu+unix:///embed", "standard"),
            ("qemu:///proc/self/environ", "standard"),
            ("test+unix:///etc/passwd", "standard"),
            ("test:////etc/passwd", "reads a file"),
            ("test:////srv/site/../x", "reads a file"),
            ("test:////srv/sitex/a", "reads a file"),
            ("test:///default?state=../x.xml", "its state"),
            ("test:///default?state=a/../../x.xml", "its state"),
            ("test:///default?state=/etc/x.xml", "its state"),
            ("test:///default?state=.", "its state"),
            ("test:///default?state=", "its state"),
            ("test:///default?state=a.xml&socket=/x", "a parameter"),
        ] {
            let error = admit(&Trust::default(), text).unwrap_err();
            assert!(error.message.contains(why), "{text}: {error}");
            assert_eq!(error.address.as_deref(), Some("site/virt.toml:2:12"));
            assert!(admit(&Trust::new(true), text).is_ok(), "{text}");
            assert!(admit(&with(&[("x", text)]), text).is_ok(), "{text}");
            let mut by_environment = Trust::default();
            by_environment.take_uri(text);
            assert!(admit(&by_environment, text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_operators_names_and_the_very_same_uris_count() {
        let uri = "qemu+ssh://root@kvm01/system";
        let trust = with(&[("kvm01", uri), ("kvm01", "qemu+ssh://later/system")]);
        assert_eq!(admit(&trust, "kvm01").unwrap().text(), uri);
        assert_eq!(admit(&trust, uri).unwrap().text(), uri);
        assert_eq!(trust.operators("kvm01").unwrap().text(), uri);
        for other in ["qemu+ssh://kvm01/system", "qemu+ssh://root@kvm01/system?keyfile=k"] {
            assert!(admit(&trust, other).is_err(), "{other}");
        }
        let error = admit(&trust, "kvm02").unwrap_err();
        assert_eq!(error.message, "no connection is named 'kvm02'");
    }

    #[test]
    fn a_refusal_has_the_line_to_add() {
        let trust = Trust {
            file: Some("/home/me/.config/virt/config.toml".into()),
            passed_over: vec!["/etc/virt/config.toml: others can write it".to_owned()],
            ..Trust::default()
        };
        let mut named = written("qemu+ssh://kvm01.example.org/system");
        let hint = |w: &Written| trust.admit(w, |_| true).unwrap_err().hint.clone().unwrap();
        let line = "config.toml:  kvm01-example-org = \"qemu+ssh://kvm01.example.org/system\";";
        assert!(hint(&named).contains(line), "{}", hint(&named));
        assert!(hint(&named).ends_with("config.toml: others can write it"));
        named.name = Some("kvm01".to_owned());
        assert!(hint(&named).contains(":  kvm01 = \""));
    }

    #[test]
    fn the_mocks_state_counts_from_the_files_directory() {
        let open = |text: &str, stays: bool| Trust::default().admit(&written(text), |_| stays);
        let state = "test:///default?state=.state.xml";
        assert_eq!(open(state, true).unwrap().text(), "test:///default?state=site/.state.xml");
        assert!(open(state, false).is_err(), "a link leads away");
        let whole = "test:///default?state=/srv/site/a/state.xml";
        assert_eq!(open(whole, true).unwrap().text(), whole);
        assert_eq!(Trust::default().operators(state).unwrap().text(), state);
    }
}
