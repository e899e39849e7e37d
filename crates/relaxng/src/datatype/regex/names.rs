//! Characters of names, by XML 1.0 fifth edition.

/// First characters of a name beyond ASCII.
pub(super) const START: [(char, char); 12] = [
    ('\u{c0}', '\u{d6}'),
    ('\u{d8}', '\u{f6}'),
    ('\u{f8}', '\u{2ff}'),
    ('\u{370}', '\u{37d}'),
    ('\u{37f}', '\u{1fff}'),
    ('\u{200c}', '\u{200d}'),
    ('\u{2070}', '\u{218f}'),
    ('\u{2c00}', '\u{2fef}'),
    ('\u{3001}', '\u{d7ff}'),
    ('\u{f900}', '\u{fdcf}'),
    ('\u{fdf0}', '\u{fffd}'),
    ('\u{10000}', '\u{effff}'),
];

/// Further characters of a name beyond ASCII.
pub(super) const FOLLOW: [(char, char); 3] =
    [('\u{b7}', '\u{b7}'), ('\u{300}', '\u{36f}'), ('\u{203f}', '\u{2040}')];

/// Whether a name may start with `c`; colons are a matter of the caller's.
pub(in super::super) fn is_name_start(c: char) -> bool {
    match c.is_ascii() {
        true => c.is_ascii_alphabetic() || c == '_' || c == ':',
        false => START.iter().any(|(from, to)| (*from..=*to).contains(&c)),
    }
}

/// Whether `c` may stand in a name.
pub(in super::super) fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || c.is_ascii_digit()
        || c == '-'
        || c == '.'
        || FOLLOW.iter().any(|(from, to)| (*from..=*to).contains(&c))
}
