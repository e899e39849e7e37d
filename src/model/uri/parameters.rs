//! Parameters of URIs, and their values.

use super::escape::{Problem, Read, decode};
use diagnostics::excerpt;

/// Parameters that concern the connection itself: they do not reach the server.
pub(super) const CONNECTION_PARAMETERS: [&str; 17] = [
    "name",
    "command",
    "socket",
    "auth",
    "sshauth",
    "netcat",
    "keyfile",
    "pkipath",
    "known_hosts",
    "known_hosts_verify",
    "tls_priority",
    "mode",
    "proxy",
    "no_sanity",
    "no_verify",
    "no_tty",
    "authfile",
];

/// Sort of daemon to look for among the sockets of this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The driver's own daemon if its socket is there, else libvirtd.
    #[default]
    Auto,
    /// The driver's own daemon, such as virtqemud.
    Direct,
    /// Search for libvirtd, or virtproxyd in its place.
    Legacy,
}

impl Mode {
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "direct" => Some(Self::Direct),
            "legacy" => Some(Self::Legacy),
            _ => None,
        }
    }
}

/// The parameters of a query, decoded, none of them twice.
pub(super) fn read_parameters(query: &str) -> Read<Vec<(String, String)>> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for piece in query.split(['&', ';']).filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (name, value) = (decode(name, "parameter")?, decode(value, "parameter")?);
        if name.is_empty() {
            return Err(Problem::new("a parameter has no name", "write ?name=value"));
        }
        if parameters.iter().any(|(other, _)| *other == name) {
            let what = format!("the parameter {} stands there twice", excerpt(&name));
            return Err(Problem::new(what, "leave one of them out"));
        }
        check_parameter(&name, &value)?;
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// Parameters of libvirt's that have no meaning here: the reason, and a hint.
const MEANINGLESS: [(&str, &str, &str); 5] = [
    (
        "known_hosts",
        "is for ssh libraries, and here the ssh program is used",
        "set UserKnownHostsFile in ~/.ssh/config",
    ),
    (
        "known_hosts_verify",
        "is for ssh libraries, and here the ssh program is used",
        "set StrictHostKeyChecking in ~/.ssh/config, or add no_verify=1",
    ),
    (
        "sshauth",
        "is for ssh libraries, and here the ssh program is used",
        "set PreferredAuthentications in ~/.ssh/config",
    ),
    (
        "tls_priority",
        "is in GnuTLS's words, and here TLS is rustls's: 1.3 and 1.2 with today's suites",
        "leave it out",
    ),
    (
        "no_sanity",
        "would switch off the checks of our own certificate, which are always made",
        "leave it out; virt pki check says what is wrong with the certificate",
    ),
];

/// Whether a parameter that concerns the connection has a value that can be used.
fn check_parameter(name: &str, value: &str) -> Read<()> {
    if let Some((_, why, hint)) = MEANINGLESS.iter().find(|(n, _, _)| *n == name) {
        return Err(Problem::new(format!("the parameter {name} {why}"), *hint));
    }
    let expected = match name {
        "mode" if Mode::parse(value).is_none() => "auto, direct or legacy",
        "no_verify" | "no_tty" if value.parse::<i32>().is_err() => "0 or 1",
        "name" if value.starts_with('-') => "a URI such as qemu:///system",
        "proxy" if !["auto", "netcat", "native"].contains(&value) => "auto, netcat or native",
        // The path ends up in a shell's command line on the other host when ssh uses netcat.
        "socket" if !is_safe_path(value) => {
            "an absolute path of letters, digits, '.', '_', '-' and '/'"
        }
        "command" | "netcat" | "keyfile" | "pkipath"
            if value.is_empty() || value.starts_with('-') =>
        {
            "a path, which does not begin with '-'"
        }
        _ => return Ok(()),
    };
    let what = format!("the parameter {name} has the value '{}'", excerpt(value));
    Err(Problem::new(what, format!("give it {expected}")))
}

fn is_safe_path(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
}
