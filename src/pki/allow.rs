//! Lists of names that a server admits: `tls_allowed_dn_list`, matched attribute by attribute.
//!
//! libvirt matches a pattern against the name as one string, so that an organization called
//! `x,CN=admin` passes for `*CN=admin`. Here a wildcard stays within its attribute's value, and
//! only one that stands where an attribute would begin passes over whole attributes.

use super::facts::Attribute;

/// One line of the list, such as `C=GB,O=Example,CN=web*`.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    /// `*` in the place of attributes: any number of them.
    Any,
    /// Attribute type, and patterns for its value.
    One(String, Vec<Glob>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Glob {
    Any,
    Single,
    Exactly(char),
}

/// Longest pattern, in characters; longer ones match nobody. A name of 64 KiB matched against
/// wildcards without end would take its time.
const PATTERN_MAX: usize = 1024;

impl Pattern {
    /// Parses a line. A malformed one matches nobody.
    pub(super) fn read(text: &str) -> Self {
        if text.chars().count() > PATTERN_MAX {
            // no attribute is without a kind
            return Self(vec![Piece::One(String::new(), Vec::new())]);
        }
        let mut pieces = Vec::new();
        for piece in split(text) {
            let rest = piece.trim_start().trim_start_matches('*');
            if rest.len() < piece.trim_start().len() {
                pieces.push(Piece::Any);
            }
            if rest.trim().is_empty() && matches!(pieces.last(), Some(Piece::Any)) {
                continue;
            }
            let (kind, value) = rest.split_once('=').unwrap_or((rest, ""));
            pieces.push(Piece::One(kind.trim().to_owned(), globs(value)));
        }
        Self(pieces)
    }

    /// Whether a name matches. A relative name of several attributes matches no attribute.
    pub(super) fn matches(&self, name: &[Vec<Attribute>]) -> bool {
        let fits = |piece: &Piece, relative: &Vec<Attribute>| match (piece, relative.as_slice()) {
            (Piece::One(kind, globs), [only]) => {
                let value: Option<Vec<char>> = only.value.as_ref().map(|v| v.chars().collect());
                let same = |g: &Glob, c: &char| *g == Glob::Single || *g == Glob::Exactly(*c);
                kind.eq_ignore_ascii_case(&only.kind)
                    && value.is_some_and(|v| wild(globs, &v, |g| *g == Glob::Any, same))
            }
            _ => false,
        };
        wild(&self.0, name, |piece| matches!(piece, Piece::Any), fits)
    }
}

/// Matches with wildcards for any number of items, in time of the product of the lengths: after a
/// mismatch only the last wildcard takes one item more.
fn wild<P, T>(
    pattern: &[P],
    items: &[T],
    any: impl Fn(&P) -> bool,
    same: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut back = None;
    while let Some(current) = items.get(item) {
        match pattern.get(at) {
            Some(p) if any(p) => {
                back = Some((at, item));
                at += 1;
            }
            Some(p) if same(p, current) => {
                at += 1;
                item += 1;
            }
            _ => {
                let Some((star, taken)) = back else { return false };
                back = Some((star, taken + 1));
                (at, item) = (star + 1, taken + 1);
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(any)
}

/// Cuts at commas that no backslash protects; backslashes stay.
fn split(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == ',' && !escaped {
            pieces.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

fn globs(value: &str) -> Vec<Glob> {
    let mut globs = Vec::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        globs.push(match c {
            '*' => Glob::Any,
            '?' => Glob::Single,
            '\\' => Glob::Exactly(chars.next().unwrap_or('\\')),
            other => Glob::Exactly(other),
        });
    }
    globs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(attributes: &[(&str, &str)]) -> Vec<Vec<Attribute>> {
        let one = |(kind, value): &(&str, &str)| {
            vec![Attribute { kind: (*kind).to_owned(), value: Some((*value).to_owned()) }]
        };
        attributes.iter().map(one).collect()
    }

    #[test]
    fn wildcards_stay_within_their_attribute() {
        let libvirt = name(&[("C", "UK"), ("CN", "libvirt")]);
        let sly = name(&[("C", "UK"), ("O", "x,CN=admin")]);
        let admin = name(&[("C", "UK"), ("O", "x"), ("CN", "admin")]);
        let rows = [
            ("C=UK,CN=libvirt", &libvirt, true),
            ("C=UK, CN=libvirt", &libvirt, true),
            ("c=UK,cn=libvirt", &libvirt, true),
            ("C=UK,CN=Libvirt", &libvirt, false),
            ("C=UK,CN=libv?rt", &libvirt, true),
            ("C=UK,CN=*virt*", &libvirt, true),
            ("CN=libvirt", &libvirt, false),
            ("*CN=libvirt", &libvirt, true),
            ("*", &libvirt, true),
            ("C=UK,*", &libvirt, true),
            ("C=UK*", &libvirt, false),
            ("", &libvirt, false),
            ("*CN=admin", &sly, false),
            ("*,CN=admin", &sly, false),
            ("C=UK,O=x,CN=admin", &sly, false),
            (r"C=UK,O=x\,CN=admin", &sly, true),
            ("*CN=admin", &admin, true),
            ("C=UK,*,CN=admin", &admin, true),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(Pattern::read(pattern).matches(name), expected, "{pattern} {name:?}");
        }
    }

    #[test]
    fn many_wildcards_take_no_time() {
        let long = name(&[("CN", &"a".repeat(60_000))]);
        assert!(!Pattern::read(&format!("CN={}b", "*a".repeat(400))).matches(&long));
    }
}
