//! The table of places in definitions that hold a secret.

/// A place in definitions that holds a secret.
#[derive(Debug)]
pub struct SecretPlace {
    /// The parent of the element; empty for any.
    within: &'static str,
    /// The element, without its prefix; empty for any.
    element: &'static str,
    /// The attribute; `None` for the element's text.
    attribute: Option<&'static str>,
    /// Whether the field is a secret and nothing else: then it is kept out of records, plan files and
    /// exports. Other fields may be secrets among other uses: they are sent, compared and kept like any
    /// value, but not shown.
    pub is_only: bool,
}

const fn place(
    within: &'static str,
    element: &'static str,
    attribute: Option<&'static str>,
    is_only: bool,
) -> SecretPlace {
    SecretPlace { within, element, attribute, is_only }
}

/// All places, each with its source.
const PLACES: &[SecretPlace] = &[
    // fields that libvirt itself leaves out without `VIR_DOMAIN_XML_SECURE`
    place("", "", Some("passwd"), true),
    place("", "", Some("password"), true),
    place("", "cookie", None, true),
    // arguments, variables and properties handed to QEMU as they are (drvqemu.html, pass-through)
    place("", "arg", Some("value"), false),
    place("", "env", Some("value"), false),
    place("", "property", Some("value"), false),
    // the variables of a container's init
    place("", "initenv", None, false),
    // queries of URLs, which sign requests (formatdomain.html, disks of http and https)
    place("", "source", Some("query"), false),
    // data with which SEV wraps the guest's keys (launch_security_sev.html)
    place("launchSecurity", "session", None, false),
    place("launchSecurity", "dhCert", None, false),
    // texts that the firmware hands to the guest: provisioning documents, systemd's credentials
    place("sysinfo", "entry", None, false),
    place("oemStrings", "entry", None, false),
];

/// The secret that is at this place, by names without prefixes; a `within` that is not known fits all.
pub fn secret_place(
    within: Option<&str>,
    element: &str,
    attribute: Option<&str>,
) -> Option<&'static SecretPlace> {
    PLACES.iter().find(|p| {
        p.attribute == attribute
            && (p.element.is_empty() || p.element == element)
            && (p.within.is_empty() || within.is_none_or(|within| within == p.within))
    })
}

/// Whether the value of an attribute or element of this name must not be quoted: names of the table, and
/// slips of the keyboard for a password.
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    // a field that is a secret only in one place, or among other uses, is not recognised by its name alone
    let is_it = |p: &SecretPlace| match p.attribute {
        Some(attribute) => (p.is_only || attribute == "query") && lower == attribute,
        None => p.element != "entry" && lower == p.element.to_ascii_lowercase(),
    };
    PLACES.iter().any(is_it) || lower.contains("passw") && !lower.ends_with("validto")
}
