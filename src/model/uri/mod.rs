//! Connection URIs: which driver, by which transport, on which host.
//!
//! All forms that libvirt takes: `driver[+transport]://[user@][host][:port]/[path][?params]`, the
//! legacy `xen`, and the empty URI. Parameters that nobody here knows are kept and passed on.
//!
//! - `destination.rs`: the destination of a URI, as far as its text says
//! - `escape.rs`: escapes of a URI, and errors in them
//! - `parameters.rs`: parameters of URIs and their values

mod destination;
mod escape;
mod parameters;

use crate::error::{Error, ErrorKind, Result};
use diagnostics::{closest, excerpt};
use escape::{FORM, Problem, Read, decode, encode};
pub use parameters::Mode;
use parameters::{CONNECTION_PARAMETERS, read_parameters};
use std::fmt::{self, Write as _};
use std::net::Ipv6Addr;

/// Longest URI, in bytes.
const URI_MAX: usize = 4096;

/// Transport of bytes to a libvirt daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket of this host.
    Unix,
    /// TLS over TCP; the default of a URI with a host and no transport.
    Tls,
    /// TCP in the clear.
    Tcp,
    /// A command on the host, run through ssh.
    Ssh,
    /// A command of the user's.
    Ext,
}

impl Transport {
    /// All transports.
    pub const ALL: [Self; 5] = [Self::Unix, Self::Tls, Self::Tcp, Self::Ssh, Self::Ext];

    /// The word for it in URIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
            Self::Ssh => "ssh",
            Self::Ext => "ext",
        }
    }

    /// The port where nothing else is said: IANA's for libvirt and for ssh. For ssh its
    /// configuration may have another one.
    pub(crate) fn default_port(self) -> Option<u16> {
        match self {
            Self::Tls => Some(16_514),
            Self::Tcp => Some(16_509),
            Self::Ssh => Some(22),
            Self::Unix | Self::Ext => None,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A connection URI that makes sense: nothing in it can be taken for an option or leave the place
/// it is put into. It reads back as itself through [`fmt::Display`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    driver: String,
    transport: Option<Transport>,
    user: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    path: String,
    parameters: Vec<(String, String)>,
}

impl Uri {
    /// Reads a URI.
    ///
    /// # Errors
    /// It is none of the forms that libvirt takes, or a part of it is unsafe.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).map_err(|Problem { what, hint }| {
            let shown = excerpt(&without_password(text));
            let message = format!("the connection URI '{shown}' cannot be used: {what}");
            Error::new(ErrorKind::Invalid, message).hint(hint)
        })
    }

    fn read(text: &str) -> Read<Self> {
        if text.len() > URI_MAX {
            return Err(Problem::new(format!("it is longer than {URI_MAX} bytes"), FORM));
        }
        if text.is_empty() {
            return Ok(Self::local("", ""));
        }
        if text.eq_ignore_ascii_case("xen") {
            return Ok(Self::local("xen", "/"));
        }
        if text.starts_with('/') {
            return Err(Problem::new(
                "it is a path, which once was the socket of Xen's xend",
                "use xen:///system; another socket of libvirt's is named such as \
                 qemu+unix:///system?socket=/PATH",
            ));
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| Problem::new("it has no '://'", "write it such as qemu:///system"))?;
        let (driver, transport) = read_scheme(scheme)?;
        if rest.contains('#') {
            let hint = "write a '#' that belongs to a name as %23";
            return Err(Problem::new("it has a fragment ('#')", hint));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host, port) = read_authority(authority)?;
        let path = if path.is_empty() { "/".to_owned() } else { decode(path, "path")? };
        let parameters = read_parameters(query)?;
        let uri = Self { driver, transport, user, host, port, path, parameters };
        uri.check_parts_fit()?;
        Ok(uri)
    }

    fn local(driver: &str, path: &str) -> Self {
        Self {
            driver: driver.to_owned(),
            transport: None,
            user: None,
            host: None,
            port: None,
            path: path.to_owned(),
            parameters: Vec::new(),
        }
    }

    /// Checks parts that are only wrong together.
    fn check_parts_fit(&self) -> Read<()> {
        let server = self.user.is_some() || self.port.is_some();
        if server && self.host.is_none() {
            return Err(Problem::new(
                "it has a user or a port but no host",
                "write the host, such as qemu+ssh://root@host/system",
            ));
        }
        let needs_host = [Transport::Tls, Transport::Tcp, Transport::Ssh];
        match (self.transport, &self.host) {
            (Some(Transport::Unix), Some(host)) => Err(Problem::new(
                format!("a unix socket is on this host, not on '{host}'"),
                "leave the host out, or use the transport ssh or tls",
            )),
            (Some(transport), None) if needs_host.contains(&transport) => Err(Problem::new(
                format!("the transport {transport} needs a host"),
                format!("write it such as {}+{transport}://host{}", self.driver, self.path),
            )),
            (Some(Transport::Ext), _) => match self.parameter("command") {
                Some(command) if command.starts_with('/') => Ok(()),
                _ => Err(Problem::new(
                    "the transport ext needs the absolute path of a command",
                    "add ?command=/path/of/program",
                )),
            },
            _ => Ok(()),
        }
    }

    /// The hypervisor driver's name, such as `qemu`; empty when the server is to choose.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Whether the URI is empty, which asks for the best hypervisor of the machine.
    pub fn is_empty(&self) -> bool {
        self.driver.is_empty()
    }

    /// Returns the transport; `None` for a URI of this host that leaves it open.
    pub fn transport(&self) -> Option<Transport> {
        self.transport.or(self.host.as_ref().map(|_| Transport::Tls))
    }

    /// The user to become on the host.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host: a name or an address, an IPv6 address without its brackets.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The TCP port, if another than the transport's own.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path, such as `/system`; starts with a slash, or is empty for the empty URI.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All parameters, with their values.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the URI with another value of a parameter that it has.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: String) -> Self {
        if let Some(parameter) = self.parameters.iter_mut().find(|(n, _)| n == name) {
            parameter.1 = value;
        }
        self
    }

    /// Whether a parameter that is a switch is on: any number but 0.
    pub fn switch(&self, name: &str) -> bool {
        self.parameter(name).and_then(|v| v.parse::<i32>().ok()).is_some_and(|n| n != 0)
    }

    /// Returns the sort of daemon to look for.
    pub fn mode(&self) -> Mode {
        self.parameter("mode").and_then(Mode::parse).unwrap_or_default()
    }

    /// Returns the server's name for the connection: the URI without host, transport and the connection's own
    /// parameters, unless `name=` gives it. An empty one asks the server to choose.
    pub fn server_name(&self) -> String {
        if let Some(name) = self.parameter("name") {
            return name.to_owned();
        }
        if matches!(self.driver.as_str(), "" | "remote") {
            return String::new();
        }
        let parameters = self
            .parameters
            .iter()
            .filter(|(name, _)| !CONNECTION_PARAMETERS.contains(&name.as_str()))
            .cloned()
            .collect();
        Self { parameters, ..Self::local(&self.driver, &self.path) }.to_string()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        f.write_str(&self.driver)?;
        if let Some(transport) = self.transport {
            write!(f, "+{transport}")?;
        }
        f.write_str("://")?;
        if let Some(user) = &self.user {
            encode(user, "", f)?;
            f.write_char('@')?;
        }
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{}]", host.replace('%', "%25"))?,
            Some(host) => f.write_str(host)?,
            None => {}
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        encode(&self.path, "/:@+,=", f)?;
        for (i, (name, value)) in self.parameters.iter().enumerate() {
            f.write_char(if i == 0 { '?' } else { '&' })?;
            encode(name, "", f)?;
            f.write_char('=')?;
            encode(value, "/:@+,", f)?;
        }
        Ok(())
    }
}

/// Whether a text is a name for a URI, as a configuration may have it, and no URI itself: libvirt's
/// aliases are such.
pub fn is_alias(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && text.chars().all(plain) && !text.eq_ignore_ascii_case("xen")
}

fn read_scheme(scheme: &str) -> Read<(String, Option<Transport>)> {
    let (driver, transport) = match scheme.split_once('+') {
        Some((driver, word)) => (driver, Some(read_transport(word)?)),
        None => (scheme, None),
    };
    let letter = driver.starts_with(|c: char| c.is_ascii_alphabetic());
    if !letter || !driver.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) {
        let what = format!("'{}' is not a driver's name", excerpt(driver));
        return Err(Problem::new(what, "drivers are qemu, xen, test, lxc and others of libvirt"));
    }
    if matches!(driver, "http" | "https" | "file") {
        return Err(Problem::new(
            format!("{driver} URIs were xend's, which no longer exists"),
            "use xen:///system, or xen+ssh://host/system for another host",
        ));
    }
    Ok((driver.to_ascii_lowercase(), transport))
}

/// Returns the text without the part between the first ':' of its user and the '@'.
fn without_password(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let rest = text.get(start..).unwrap_or_default();
    let authority = rest.get(..rest.find(['/', '?']).unwrap_or(rest.len())).unwrap_or_default();
    let Some((user, server)) = authority.rsplit_once('@') else { return text.to_owned() };
    let colon = ["%3a", "%3A", ":"].iter().filter_map(|c| user.find(c)).min();
    let Some(user) = colon.and_then(|at| user.get(..at)) else { return text.to_owned() };
    let before = text.get(..start).unwrap_or_default();
    let after = rest.get(authority.len()..).unwrap_or_default();
    format!("{before}{user}:…@{server}{after}")
}

fn read_transport(word: &str) -> Read<Transport> {
    Transport::ALL.into_iter().find(|t| t.as_str() == word).ok_or_else(|| {
        let words = Transport::ALL.map(Transport::as_str);
        let hint = match closest(word, words) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("transports are {}", words.join(", ")),
        };
        Problem::new(format!("'{}' is not a transport", excerpt(word)), hint)
    })
}

type Authority = (Option<String>, Option<String>, Option<u16>);

fn read_authority(text: &str) -> Read<Authority> {
    let (user, server) = match text.rsplit_once('@') {
        Some((user, server)) => (Some(decode(user, "user")?), server),
        None => (None, text),
    };
    if user.as_ref().is_some_and(|u| u.contains(':')) {
        return Err(Problem::new(
            "it has a password, which everybody could read in the list of processes",
            "leave the ':' and what follows it up to the '@' out; ssh takes keys, or asks",
        ));
    }
    if user.as_ref().is_some_and(|u| u.is_empty() || u.starts_with('-')) {
        return Err(Problem::new(
            "its user is empty or begins with '-', which ssh would take for an option",
            "write a user name before the '@', or leave both out",
        ));
    }
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or_else(|| {
                Problem::new("its '[' has no ']'", "write an IPv6 address as [fe80::1]")
            })?;
            (Some(read_ipv6(address)?), after)
        }
        None => {
            let (name, port) = server.split_at(server.find(':').unwrap_or(server.len()));
            (if name.is_empty() { None } else { Some(read_host(name)?) }, port)
        }
    };
    Ok((user, host, read_port(port)?))
}

fn read_host(name: &str) -> Read<String> {
    if name.starts_with('-') {
        return Err(Problem::new(
            "its host begins with '-', which ssh would take for an option",
            "write a host name or an address",
        ));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        return Err(Problem::new(
            format!("'{}' is not a host name", excerpt(name)),
            "use letters, digits, '-', '.' and '_', or an IPv6 address in brackets",
        ));
    }
    Ok(name.to_owned())
}

/// An IPv6 address, with its zone if it has one: `fe80::1%25eth0`.
fn read_ipv6(text: &str) -> Read<String> {
    let plain = decode(text, "host")?;
    let (address, zone) = plain.split_once('%').unwrap_or((&plain, ""));
    let zone_is_fair = zone.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && !(zone.is_empty() && plain.contains('%'));
    if address.parse::<Ipv6Addr>().is_err() || !zone_is_fair {
        let what = format!("'{}' is not an IPv6 address", excerpt(&plain));
        return Err(Problem::new(what, "write one such as [2001:db8::1] or [fe80::1%25eth0]"));
    }
    Ok(plain)
}

fn read_port(text: &str) -> Read<Option<u16>> {
    let digits = match text.strip_prefix(':') {
        Some("") => return Ok(None),
        Some(digits) => digits,
        None if text.is_empty() => return Ok(None),
        None => text,
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(port) if plain && port > 0 => Ok(Some(port)),
        _ => {
            let what = format!("'{}' is not a port", excerpt(digits));
            Err(Problem::new(what, "a port is a number from 1 to 65535"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_server_is_told() {
        // the first nine as virsh 11.3 sends them
        for (uri, name) in [
            ("qemu+unix:///system?socket=/X", "qemu:///system"),
            ("qemu+ssh://h/session", "qemu:///session"),
            ("test+tls://h/default", "test:///default"),
            ("test+unix:///path/f.xml", "test:///path/f.xml"),
            ("xen+unix:///system", "xen:///system"),
            ("qemu:///system?foo=bar&mode=legacy", "qemu:///system?foo=bar"),
            ("remote+unix:///", ""),
            ("qemu+tcp://h/system?name=lxc:///", "lxc:///"),
            ("xen+ssh://rjones@towada/", "xen:///"),
            ("xen://towada", "xen:///"),
            ("", ""),
            ("xen", "xen:///"),
            ("qemu+ssh://h/a%20b?x=%26;no_verify=1", "qemu:///a%20b?x=%26"),
        ] {
            assert_eq!(Uri::parse(uri).unwrap().server_name(), name, "{uri}");
        }
    }

    #[test]
    fn parts_are_found() {
        let uri = Uri::parse("QEMU+ssh://a%40b@[fe80::1%25eth0]:022/system?mode=direct").unwrap();
        assert_eq!((uri.driver(), uri.transport()), ("qemu", Some(Transport::Ssh)));
        assert_eq!((uri.user(), uri.host()), (Some("a@b"), Some("fe80::1%eth0")));
        assert_eq!((uri.port(), uri.path(), uri.mode()), (Some(22), "/system", Mode::Direct));
        assert_eq!(uri.to_string(), "qemu+ssh://a%40b@[fe80::1%25eth0]:22/system?mode=direct");
        let tls = Uri::parse("xen://towada/?no_verify=1").unwrap();
        assert_eq!(
            (tls.transport(), tls.parameter("no_verify")),
            (Some(Transport::Tls), Some("1"))
        );
        assert_eq!(Uri::parse("test:///default?state=/a/b").unwrap().transport(), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_way_out() {
        let check = |uri: &str, what: &str, hint: &str| {
            let error = Uri::parse(uri).unwrap_err();
            assert!(error.message.ends_with(what), "{uri}: {}", error.message);
            assert!(error.hint.as_deref().unwrap().contains(hint), "{uri}: {error:?}");
        };
        check("qemu", "it has no '://'", "qemu:///system");
        check("///var/run/xend/xend-socket", "socket of Xen's xend", "xen:///system");
        check("/var/run/x", "socket of Xen's xend", "socket=/PATH");
        check("http://oirase/", "http URIs were xend's, which no longer exists", "xen");
        check("qemu+sssh://h/", "'sssh' is not a transport", "did you mean ssh?");
        check("-x://h/", "'-x' is not a driver's name", "drivers are");
        check("qemu+ssh://-oProxyCommand=x/", "take for an option", "host name");
        check("qemu+ssh://-l@h/", "take for an option", "user name");
        for uri in ["qemu+ssh://u:tiger@h/", "qemu+ssh://u%3Atiger@h/", "qemu+ssh://u:t@iger@h/"] {
            check(
                uri,
                "it has a password, which everybody could read in the list of processes",
                "ssh",
            );
            assert!(!Uri::parse(uri).unwrap_err().message.contains("iger"), "{uri}");
        }
        check("qemu+ssh://%2Dl@h/", "take for an option", "user name");
        check("qemu+ssh://h;reboot/", "'h;reboot' is not a host name", "letters");
        check("qemu+ssh:///system", "the transport ssh needs a host", "qemu+ssh://host/system");
        check("qemu+unix://h/system", "not on 'h'", "leave the host out");
        check("qemu+ssh://[::g]/", "'::g' is not an IPv6 address", "2001:db8::1");
        check("qemu+ssh://[::1/", "its '[' has no ']'", "fe80::1");
        check("qemu://h:65536/", "'65536' is not a port", "1 to 65535");
        check("qemu://h:+1/", "'+1' is not a port", "1 to 65535");
        check("qemu://u@/system", "no host", "write the host");
        check("qemu:///system?mode=fast", "has the value 'fast'", "auto, direct or legacy");
        check("qemu:///system?socket=/a%3Breboot", "has the value '/a;reboot'", "letters");
        check("qemu:///system?socket=/a$(x)", "has the value '/a$(x)'", "absolute path");
        check("qemu:///system?socket=a", "has the value 'a'", "absolute path");
        check("qemu+ext:///system?command=a", "absolute path of a command", "?command=/");
        check("qemu:///system?a=1&a=2", "the parameter a stands there twice", "one of them");
        check("qemu:///%zz", "two hexadecimal digits do not follow", "driver");
        check("qemu:///%ff", "bytes that are not UTF-8", "driver");
        check("qemu:///a%0ab", "a control character", "driver");
        check("qemu+ssh://h/system?sshauth=agent", "the ssh program is used", "~/.ssh/config");
        check("qemu+ssh://h/system?proxy=fast", "has the value 'fast'", "auto, netcat or native");
        check("qemu:///system#x", "it has a fragment ('#')", "%23");
    }

    proptest! {
        #[test]
        fn any_text_is_a_uri_or_an_error(text in "\\PC*") {
            let _ = Uri::parse(&text);
        }

        #[test]
        fn a_uri_reads_back_as_itself(
            text in "(qemu|xen|test)(\\+(unix|tls|tcp|ssh|ext))?://([a-z%0-9]{1,4}@)?(h-1|\\[::1\\])?(:[0-9]{0,5})?(/[a-z%20é ?+=]{0,9})?(\\?[a-z&;=%26/é]{0,20})?"
        ) {
            if let Ok(uri) = Uri::parse(&text) {
                prop_assert_eq!(Uri::parse(&uri.to_string()).unwrap(), uri);
            }
        }
    }
}
