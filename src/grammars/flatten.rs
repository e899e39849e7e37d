//! An embedded grammar as one file, for tools that want it so.

use super::embedded::text;

/// The grammar `name` with everything that it includes, as a text that stands alone.
///
/// Our files are written for this: only the entry includes, without overrides, and all of them start
/// with the same `<grammar>` tag. So each `<include>` gives way to what is in the included file, with
/// its comments.
pub fn flat(name: &str) -> Option<String> {
    let entry = text(&format!("{name}.rng"))?;
    let mut out = String::with_capacity(entry.len() * 16);
    for line in entry.lines() {
        match included(line).and_then(text).map(parts) {
            Some((comment, body)) => {
                out.push_str("\n  ");
                out.push_str(comment.trim());
                out.push_str("\n\n");
                out.push_str(body.trim_matches('\n'));
                out.push('\n');
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    Some(out)
}

/// The file that a line includes.
fn included(line: &str) -> Option<&str> {
    line.trim().strip_prefix("<include href=\"")?.strip_suffix("\"/>")
}

/// Splits the text of a grammar into the comment at its start, and its content.
fn parts(text: &str) -> (&str, &str) {
    let (head, rest) = text.split_once("<grammar").unwrap_or(("", text));
    let comment = head.split_once("?>").map_or(head, |(_, comment)| comment);
    let body = rest.split_once('>').map_or(rest, |(_, body)| body);
    (comment, body.rsplit_once("</grammar>").map_or(body, |(body, _)| body))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::super::{embedded, embedded_names};
    use super::*;
    use diagnostics::Sources;
    use relaxng::{Files, load};

    struct One(String);

    impl Files for One {
        fn read(&self, uri: &str) -> Result<String, String> {
            if uri == "one.rng" { Ok(self.0.clone()) } else { Err(format!("{uri}?")) }
        }
    }

    #[test]
    fn one_file_is_the_same_grammar() {
        for name in embedded_names() {
            let text = flat(name).unwrap();
            assert!(!text.contains("<include"), "{name}");
            let one = load("one.rng", &One(text), &mut Sources::default()).unwrap();
            let many = embedded(name).unwrap();
            assert_eq!(one.patterns.iter().count(), many.patterns.iter().count(), "{name}");
            assert_eq!(one.elements.len(), many.elements.len(), "{name}");
        }
        assert_eq!(flat("nonsense"), None);
    }
}
