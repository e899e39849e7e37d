//! Identity of a resource: its name within its kind, UUID, MAC address.

use super::Kind;
use diagnostics::{escape, is_hazard};
use std::fmt;

pub use uuid::Uuid;

/// A resource's identity: its kind and its name on the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    /// Kind of resource.
    pub kind: Kind,
    /// Name; unique among its kind on one host.
    pub name: String,
}

impl ResourceId {
    /// An id from its parts.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// The id of something that is in `parent`.
    pub fn within(kind: Kind, parent: &str, name: &str) -> Self {
        Self::new(kind, format!("{parent}/{name}"))
    }

    /// Reads `KIND/NAME`, such as `domain/web`, or `volume/POOL/NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let kind = Kind::parse(kind)?;
        let (parent, own) = match kind.parent() {
            None => (None, name),
            Some(_) => name.split_once('/').map(|(parent, own)| (Some(parent), own))?,
        };
        let is_sound = parent.into_iter().chain([own]).all(|name| check_name(name).is_ok());
        is_sound.then(|| Self::new(kind, name))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, shown_name(&self.name))
    }
}

/// A name as people are shown it: escaped, and so are blanks at its ends, which libvirt admits and nobody
/// sees.
pub fn shown_name(name: &str) -> String {
    let body = name.trim_start();
    let (before, body) = (name.strip_suffix(body).unwrap_or_default(), body.trim_end());
    let behind = name.get(before.len() + body.len()..).unwrap_or_default();
    format!("{}{}{}", before.escape_unicode(), escape(body), behind.escape_unicode())
}

/// Longest name, in bytes: with a suffix it must still fit a file name of 255 bytes.
const NAME_MAX: usize = 200;

/// Checks that `name` can name a resource; the error is the reason why not. libvirt builds paths from names,
/// so one that could leave its directories or break a line is refused before anything is sent.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("it is empty"),
        "." | ".." => Err("it is a directory's name"),
        n if n.len() > NAME_MAX => Err("it is longer than 200 bytes"),
        n if n.contains('/') => Err("it has a slash"),
        n if n.chars().any(char::is_control) => Err("it has a control character"),
        n if n.trim() != n => Err("it starts or ends with whitespace"),
        _ => Ok(()),
    }
}

/// Says why `name` cannot name a set: a name for a resource may be one, unless a reader could take it
/// for another one, since it has what is not seen or turns what is.
///
/// # Errors
/// The reason.
pub fn check_set_name(name: &str) -> Result<(), &'static str> {
    check_name(name)?;
    if name.chars().any(is_hazard) {
        return Err("it has a character that is invisible or changes the writing direction");
    }
    Ok(())
}

/// A MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Reads six hexadecimal bytes with colons between them, in either case; a byte may be one digit.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut pieces = text.split(':');
        for byte in &mut bytes {
            let piece = pieces.next()?;
            let plain =
                matches!(piece.len(), 1 | 2) && piece.bytes().all(|b| b.is_ascii_hexdigit());
            *byte = plain.then(|| u8::from_str_radix(piece, 16).ok())??;
        }
        pieces.next().is_none().then_some(Self(bytes))
    }

    /// Whether the address is a group address, which no interface may have.
    pub fn is_multicast(self) -> bool {
        self.0.first().is_some_and(|b| b & 1 == 1)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_look_different() {
        let names =
            ["web", "web ", " web", "web  ", "web\u{3000}", "web\t", "web\u{a0}", " ", "  "];
        let shown: Vec<String> =
            names.iter().map(|name| ResourceId::new(Kind::Domain, *name).to_string()).collect();
        let first: Vec<&str> = shown.iter().take(3).map(String::as_str).collect();
        assert_eq!(first, ["domain/web", "domain/web\\u{20}", "domain/\\u{20}web"]);
        let different: std::collections::BTreeSet<&String> = shown.iter().collect();
        assert_eq!(different.len(), names.len(), "{shown:?}");
        assert!(!shown.concat().contains(char::is_whitespace), "{shown:?}");
    }

    #[test]
    fn names_and_addresses() {
        assert_eq!(ResourceId::parse("domain/web"), Some(ResourceId::new(Kind::Domain, "web")));
        assert_eq!(
            ResourceId::parse("networks/lan").map(|r| r.to_string()).as_deref(),
            Some("network/lan")
        );
        for bad in ["web", "vm/web", "domain/", "domain/a/b", "domain/..", "domain/a\nb"] {
            assert_eq!(ResourceId::parse(bad), None, "{bad}");
        }
        for (kind, name, sound) in [
            (Kind::Domain, " web\t", true),
            (Kind::Domain, "a/b", true),
            (Kind::Network, "a/b", false),
            (Kind::Volume, "a/b", true),
            (Kind::Domain, "a\nb", false),
            (Kind::Network, "", false),
        ] {
            assert_eq!(kind.check_host_name(name).is_ok(), sound, "{name:?}");
        }
        let mac = Mac::parse("52:54:0:AB:cd:1f");
        assert_eq!(mac.map(|m| m.to_string()).as_deref(), Some("52:54:00:ab:cd:1f"));
        for bad in
            ["", "52:54:00:ab:cd", "52:54:00:ab:cd:1f:2", "52-54-00-ab-cd-1f", "+2:54:00:ab:cd:1f"]
        {
            assert_eq!(Mac::parse(bad), None, "{bad}");
        }
        assert!(Mac::parse("01:00:00:00:00:00").is_some_and(Mac::is_multicast));
    }
}
