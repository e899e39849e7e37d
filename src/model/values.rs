//! Checks that domains and networks share: name, UUID, MAC address.

use super::{Mac, Uuid, check_name};
use crate::diag::{Diagnostic, Diagnostics, excerpt};
use crate::xml::{Attribute, Element};

/// Longest name of a device in the kernel, in bytes.
pub(super) const DEVICE_NAME_MAX: usize = 15;

/// Reads a UUID as libvirt does: 32 hexadecimal digits, hyphens where one likes.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let plain = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if plain { Uuid::try_parse(&digits).ok() } else { None }
}

/// `found "…"`, cut and escaped.
pub(super) fn found(text: &str) -> String {
    format!("found \"{}\"", excerpt(text))
}

pub(super) fn check_identity(root: &Element, out: &mut Diagnostics) {
    let what = &root.name.local;
    match root.child("name") {
        None => out.push(
            Diagnostic::error("missing-name", format!("the {what} has no name"))
                .at(root.span)
                .detail("the name is its identity: without one nothing can be compared")
                .hint("add a name"),
        ),
        Some(name) => {
            if let Err(reason) = check_name(&name.text()) {
                out.push(
                    Diagnostic::error("bad-name", format!("this cannot name a {what}: {reason}"))
                        .at(name.text_span())
                        .detail(found(&name.text())),
                );
            }
        }
    }
    if let Some(uuid) = root.child("uuid")
        && parse_uuid(&uuid.text()).is_none()
    {
        out.push(
            Diagnostic::error("bad-uuid", "this is not a UUID")
                .at(uuid.text_span())
                .detail(format!("{}; expected 32 hexadecimal digits", found(&uuid.text())))
                .hint("leave it out: the one on the host is kept, or a stable one is made"),
        );
    }
}

/// Checks a MAC address of a host's end: readable, and not of a group.
pub(super) fn check_mac(mac: &Attribute, out: &mut Diagnostics) -> Option<Mac> {
    let Some(parsed) = Mac::parse(&mac.value) else {
        let expected = "expected six bytes such as 52:54:00:12:34:56";
        out.push(
            Diagnostic::error("bad-mac", "this is not a MAC address")
                .at(mac.span)
                .detail(format!("{}; {expected}", found(&mac.value))),
        );
        return None;
    };
    if parsed.is_multicast() {
        out.push(
            Diagnostic::error("bad-mac", "a multicast MAC address cannot be an interface's own")
                .at(mac.span)
                .detail(found(&mac.value))
                .hint("make the first byte even, such as 52"),
        );
    }
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_with_and_without_hyphens() {
        let hyphens = parse_uuid("4dea24b3-1d52-d8f3-2516-782e98a23fa0");
        assert!(hyphens.is_some());
        assert_eq!(parse_uuid("4DEA24B31D52D8F32516782E98A23FA0"), hyphens);
        for bad in ["", "4dea24b3", "{4dea24b3-1d52-d8f3-2516-782e98a23fa0}", "é"] {
            assert_eq!(parse_uuid(bad), None, "{bad}");
        }
    }
}
