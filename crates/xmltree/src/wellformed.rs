//! Well-formedness by XML 1.0 (fifth edition) and Namespaces in XML: characters, names, references, bindings
//! of prefixes.

/// The namespace that the prefix `xml` always stands for.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// The namespace of `xmlns` attributes, which nothing may be bound to.
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// Whether XML allows the character in a document (production 2, `Char`).
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// White space (production 3, `S`).
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether a text is nothing but white space to XML, which knows fewer of it than Unicode.
pub fn is_whitespace(text: &str) -> bool {
    text.bytes().all(is_space)
}

/// Production 4, `NameStartChar`, less the colon.
fn starts_name(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}'
        | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

/// Production 4a, `NameChar`, less the colon.
fn continues_name(c: char) -> bool {
    starts_name(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}'
            | '\u{203f}'..='\u{2040}')
}

/// Whether the text is a name without a colon (`NCName`), as prefixes and local parts are.
pub fn is_ncname(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_name) && chars.all(continues_name)
}

/// Classes of bytes in a name: [`NAME`] for those that it may hold, [`ODD`] for those that end it all the
/// same if they come first, or start a character beyond ASCII.
const NAMES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "a constant is computed by the compiler")]
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        {
            table[byte] = match byte as u8 {
                b'A'..=b'Z' | b'a'..=b'z' | b'_' | b':' => NAME,
                b'0'..=b'9' | b'-' | b'.' => NAME | ODD,
                128.. => ODD,
                _ => 0,
            };
        }
        byte += 1;
    }
    table
};
const NAME: u8 = 1;
const ODD: u8 = 2;

fn name_class(byte: u8) -> u8 {
    NAMES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Bytes of the name, colons included, that `text` starts with; 0 if it starts with none.
#[inline]
pub(super) fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let length = bytes.iter().position(|b| name_class(*b) & NAME == 0).unwrap_or(bytes.len());
    if bytes.first().is_some_and(|b| name_class(*b) == NAME | ODD) {
        return 0;
    }
    match bytes.get(length) {
        Some(128..) => name_length_beyond_ascii(text),
        _ => length,
    }
}

#[cold]
fn name_length_beyond_ascii(text: &str) -> usize {
    let mut first = true;
    let ends = |c: char| {
        let fits = c == ':' || if first { starts_name(c) } else { continues_name(c) };
        first = false;
        !fits
    };
    text.find(ends).unwrap_or(text.len())
}

/// The prefix and the local part of a name that [`name_length`] has measured, or where in it a
/// character stands that namespaces do not allow there.
#[inline]
pub(super) fn split_name(name: &str) -> Result<(Option<&str>, &str), usize> {
    // names are short: a search made for long texts takes longer to set up
    if name.bytes().all(|b| b != b':') {
        return Ok((None, name));
    }
    let Some((prefix, local)) = name.split_once(':') else { return Ok((None, name)) };
    if prefix.is_empty() {
        return Err(0);
    }
    if let Some(second) = local.find(':') {
        return Err(prefix.len() + 1 + second);
    }
    if local.is_empty() {
        return Err(prefix.len());
    }
    if !local.starts_with(starts_name) {
        return Err(prefix.len() + 1);
    }
    Ok((Some(prefix), local))
}

/// Whether character data stands for itself: no character to refuse, to replace or to look at
/// more closely. There is no early end, so that the loop runs over many bytes at once.
#[inline]
pub(super) fn is_plain_text(text: &str) -> bool {
    // U+FFFE and U+FFFF start with the byte EF
    let odd = |b: u8| (b < b' ') & (b != b'\n') & (b != b'\t') | (b == b']') | (b == 0xef);
    !text.bytes().fold(false, |found, b| found | odd(b))
}

/// Whether a value of an attribute stands for itself.
#[inline]
pub(super) fn is_plain_value(byte: u8) -> bool {
    (byte >= b' ') & (byte != b'&') & (byte != b'<') & (byte != 0xef)
}

/// The first character that XML does not allow, and where it is.
pub(super) fn forbidden(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, c)| !is_char(*c))
}

/// Meaning of a reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// A character.
    Char(char),
    /// Character by its number that XML does not allow, or that does not exist.
    Forbidden,
    /// An entity that nothing defines, since there is no DTD.
    Unknown,
    /// Reference that is neither a number nor a name.
    Malformed,
}

/// Reads the text between `&` and `;`.
pub(super) fn reference(inside: &str) -> Reference {
    if let Some(number) = inside.strip_prefix('#') {
        let (digits, radix) = match number.strip_prefix('x') {
            Some(digits) => (digits, 16),
            None => (number, 10),
        };
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return Reference::Malformed;
        }
        let code = u32::from_str_radix(digits, radix).ok();
        return match code.and_then(char::from_u32).filter(|c| is_char(*c)) {
            Some(c) => Reference::Char(c),
            None => Reference::Forbidden,
        };
    }
    match inside {
        "lt" => Reference::Char('<'),
        "gt" => Reference::Char('>'),
        "amp" => Reference::Char('&'),
        "apos" => Reference::Char('\''),
        "quot" => Reference::Char('"'),
        _ if is_ncname(inside) => Reference::Unknown,
        _ => Reference::Malformed,
    }
}

/// Whether a prefix (`None`: the default namespace) may be bound to a namespace; if not, why.
///
/// # Errors
/// The reason, in one line.
pub fn check_binding(prefix: Option<&str>, uri: &str) -> Result<(), &'static str> {
    match (prefix, uri) {
        (Some("xmlns"), _) => Err("the prefix xmlns cannot be declared"),
        (Some("xml"), XML_NAMESPACE) => Ok(()),
        (Some("xml"), _) => Err("the prefix xml cannot be bound to another namespace"),
        (_, XML_NAMESPACE) => Err("only the prefix xml can be bound to its namespace"),
        (_, XMLNS_NAMESPACE) => Err("nothing can be bound to the namespace of xmlns"),
        (Some(_), "") => Err("a prefix cannot be undeclared"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_fifth_edition() {
        for (text, length) in [
            ("a", 1),
            ("a-b.c_1 x", 7),
            ("p:a='", 3),
            ("1a", 0),
            ("-a", 0),
            ("", 0),
            ("a$b", 1),
            ("é\u{b7}x=", 5),
            ("a\u{300}", 3),
            ("\u{300}a", 0),
            ("\u{b7}", 0),
            ("a\u{d7}", 1),
            ("aª", 1),
            ("𐀀", 4),
        ] {
            assert_eq!(name_length(text), length, "{text}");
            assert_eq!(is_ncname(text), length > 0 && length == text.len(), "{text}");
        }
        assert!(!is_ncname("p:a"));
    }

    #[test]
    fn names_with_prefixes() {
        for (name, parts) in [
            ("a", Ok((None, "a"))),
            ("p:a", Ok((Some("p"), "a"))),
            (":a", Err(0)),
            ("p:", Err(1)),
            ("p:a:b", Err(3)),
            ("p:1", Err(2)),
        ] {
            assert_eq!(split_name(name), parts, "{name}");
        }
    }

    #[test]
    fn references() {
        for (inside, meant) in [
            ("#65", Reference::Char('A')),
            ("#x20aC", Reference::Char('€')),
            ("#00000000000000000065", Reference::Char('A')),
            ("amp", Reference::Char('&')),
            ("#0", Reference::Forbidden),
            ("#xD800", Reference::Forbidden),
            ("#xFFFE", Reference::Forbidden),
            ("#99999999999999", Reference::Forbidden),
            ("#", Reference::Malformed),
            ("#x", Reference::Malformed),
            ("#+1", Reference::Malformed),
            ("#X41", Reference::Malformed),
            ("", Reference::Malformed),
            ("a b", Reference::Malformed),
            ("nbsp", Reference::Unknown),
        ] {
            assert_eq!(reference(inside), meant, "{inside}");
        }
    }
}
