//! Trees cross from part to part as documents and references: no struct holds an element of one.

use std::path::PathBuf;

/// Returns the fields of structs and enums that are references to elements; in the model, which crosses all
/// borders, also those that are elements.
pub(crate) fn held(sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        let mut inside = false;
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !inside {
                let begins = ["struct ", "enum "].iter().any(|word| code.contains(word));
                inside = begins && code.trim_end().ends_with('{');
            } else if line.starts_with(['}', ')'])
                || line.trim() == "}" && !line.starts_with("     ")
            {
                inside = false;
            }
            let is_tuple = code.contains("struct ") && code.contains('(');
            let owns = [": Element,", "<Element>", ", Element>"].iter().any(|o| code.contains(o));
            let is_owned = owns && path.starts_with("src/model");
            if (inside || is_tuple) && !code.contains("fn(") && (refers(code) || is_owned) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, code.trim()));
            }
        }
    }
    found
}

/// Whether a line has a reference to an element in a type.
fn refers(code: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    code.match_indices("Element").any(|(at, word)| {
        let (before, after) = code.split_at(at);
        let after = after.strip_prefix(word).is_some_and(ends);
        let before = before.trim_end_matches("mut ");
        let lifetime = before.trim_end().rsplit('&').next().unwrap_or_default();
        let is_reference = before.contains('&')
            && (lifetime.is_empty()
                || lifetime.starts_with('\'') && !lifetime.contains([',', '>', '(']));
        after && is_reference
    })
}

/// Checks that such fields are found, and no others.
pub(crate) fn check() {
    let text = "struct A<'a> {\n    one: &'a Element,\n    two: NodeRef<'a>,\n    \
                three: fn(&Element),\n    four: Vec<&'a mut Element>,\n    five: Element,\n}\n\
                fn f(e: &Element) {}\nstruct B<'a>(&'a Element);\n";
    let found = held(&[(PathBuf::from("a.rs"), text.to_owned())]);
    let lines: Vec<&str> = found.iter().filter_map(|f| f.split(':').nth(1)).collect();
    assert_eq!(lines, ["2", "5", "9"], "{found:?}");
}
