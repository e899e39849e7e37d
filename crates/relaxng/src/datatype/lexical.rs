//! Lexical forms of names, languages, URIs and bytes.

use super::regex::{is_name_char, is_name_start};

/// Any text.
pub(super) fn any(_: &str) -> bool {
    true
}

/// No text.
pub(super) fn none(_: &str) -> bool {
    false
}

/// XML's `Name`.
pub(super) fn name(text: &str) -> bool {
    text.starts_with(is_name_start) && text.chars().all(is_name_char)
}

/// A name without colons.
pub(super) fn ncname(text: &str) -> bool {
    name(text) && !text.contains(':')
}

/// Whether the text may be the value of an attribute of type NMTOKEN.
pub(super) fn nmtoken(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_char)
}

/// Letters, and behind hyphens letters and digits; each part of at most eight (RFC 3066).
pub(super) fn language(text: &str) -> bool {
    let mut parts = text.split('-');
    let sized = |part: &str| (1..=8).contains(&part.len());
    let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
    parts.next().is_some_and(|first| sized(first) && letters(first))
        && parts.all(|part| sized(part) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Whether the text is a URI by RFC 2396 once all forbidden characters are escaped, as in XML Schema: the
/// form of the scheme, of escapes and of the fragment.
pub(super) fn uri(text: &str) -> bool {
    let escapes = text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes().take(2);
        rest.len() >= 2 && digits.all(|b| b.is_ascii_hexdigit())
    });
    let (main, fragment) = text.split_once('#').unwrap_or((text, ""));
    // a colon behind a slash belongs to a path
    let scheme_end =
        main.find([':', '/', '?']).filter(|at| main.get(*at..).is_some_and(|m| m.starts_with(':')));
    let rest = match scheme_end.and_then(|at| main.split_at_checked(at)) {
        None => main,
        Some((scheme, rest)) => {
            let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
            match rest.strip_prefix(':') {
                Some(rest) if named && !rest.is_empty() => rest,
                _ => return false,
            }
        }
    };
    let nowhere = rest == "//" && !text.contains('#');
    escapes && !fragment.contains('#') && !nowhere
}

/// The bytes of hexadecimal digits.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let byte = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    };
    digits?.chunks(2).map(byte).collect()
}

/// The bytes of base 64; blanks may stand anywhere.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let dense: String = text.split(' ').collect();
    base64::engine::general_purpose::STANDARD.decode(dense).ok()
}
