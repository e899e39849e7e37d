//! Escapes of a URI, and descriptions of its errors.

use std::fmt::{self, Write as _};

/// The form of a URI, for messages.
pub(super) const FORM: &str =
    "write it as driver[+transport]://[user@][host][:port]/[path][?parameters]";

/// Problem of a URI, and a hint.
pub(super) struct Problem {
    pub(super) what: String,
    pub(super) hint: String,
}

impl Problem {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

pub(super) type Read<T> = std::result::Result<T, Problem>;

/// Decodes percent escapes. Decoded characters obey the same rules as others.
pub(super) fn decode(text: &str, part: &str) -> Read<String> {
    let bad = |what: &str| Problem::new(format!("its {part} has {what}"), FORM);
    let mut bytes = Vec::with_capacity(text.len());
    let mut pieces = text.split('%');
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let byte = piece
            .get(..2)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| bad("a '%' that two hexadecimal digits do not follow"))?;
        bytes.push(byte);
        bytes.extend_from_slice(piece.get(2..).unwrap_or_default().as_bytes());
    }
    let plain = String::from_utf8(bytes).map_err(|_| bad("bytes that are not UTF-8"))?;
    if plain.chars().any(char::is_control) {
        return Err(bad("a control character"));
    }
    Ok(plain)
}

/// Writes `text` with everything escaped but unreserved characters and those of `plain`.
pub(super) fn encode(text: &str, plain: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || plain.contains(c) {
            f.write_char(c)?;
        } else {
            let mut utf8 = [0; 4];
            c.encode_utf8(&mut utf8).bytes().try_for_each(|b| write!(f, "%{b:02X}"))?;
        }
    }
    Ok(())
}
