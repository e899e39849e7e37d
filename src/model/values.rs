//! Values shared by domains and networks: names, UUIDs.

use super::{Uuid, check_name};
use diagnostics::{Diagnostic, Diagnostics, excerpt};
use xmltree::NodeRef;

/// Longest name of a device in the kernel, in bytes.
pub(super) const DEVICE_NAME_MAX: usize = 15;

/// Reads a UUID as libvirt does: 32 hexadecimal digits, hyphens where one likes.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let plain = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if plain { Uuid::try_parse(&digits).ok() } else { None }
}

/// A number of an address, in hexadecimal or decimal digits.
pub(crate) fn address_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `found "…"`, cut and escaped.
pub(super) fn found(text: &str) -> String {
    format!("found \"{}\"", excerpt(text))
}

/// Checks that an object can have its name.
pub(super) fn check_identity(root: NodeRef<'_>, out: &mut Diagnostics) {
    // its presence is the grammar's matter
    let Some(name) = root.child("name") else { return };
    if let Err(reason) = check_name(&name.text()) {
        let what = &root.name().local;
        out.push(
            Diagnostic::error("bad-name", format!("this cannot name a {what}: {reason}"))
                .at(name.text_span())
                .detail(found(&name.text())),
        );
    }
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
