//! Distinction of kinds by matches that name each of them, in files that say so: a new kind then
//! has the compiler ask for all that there is to say of it.

use std::path::{Path, PathBuf};

/// Files that match kinds; `docs/internals/kinds.md` says what for.
const MATCHES: [&str; 10] = [
    "src/drivers/libvirt/capabilities.rs",
    "src/drivers/libvirt/reading.rs",
    "src/drivers/objects/errors.rs",
    "src/drivers/objects/store.rs",
    "src/model/capabilities.rs",
    "src/model/check.rs",
    "src/reconcile/plan/claims.rs",
    "src/reconcile/kinds/mod.rs",
    "src/reconcile/live/mod.rs",
    "src/reconcile/diff/normalize/prepare.rs",
];

/// Modules that have kinds of something else.
const OTHERS: [&str; 1] = ["src/pki"];

/// Returns the places where a kind is distinguished in another way.
pub(crate) fn told_apart(sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut matching = Vec::new();
    for (path, text) in
        sources.iter().filter(|(path, _)| !OTHERS.iter().any(|o| path.starts_with(o)))
    {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
        let all = code.lines().enumerate().filter(|(_, line)| names(line) && !is_test);
        for (number, line) in all {
            let compares = ["== Kind::", "!= Kind::", "==Kind::"].iter().any(|c| line.contains(c));
            let line_of = format!("{}:{}", path.display(), number + 1);
            if compares || line.contains("matches!(") {
                wrong.push(format!("{line_of}: ask the kind, or match all of them"));
            }
            let arm = line.split("=>").next().filter(|pattern| pattern.len() < line.len());
            if arm.is_some_and(names) {
                matching.push(path.as_path());
                if !MATCHES.iter().any(|file| path == Path::new(file)) {
                    wrong.push(format!(
                        "{line_of}: a match of kinds, and docs/internals/kinds.md does not say so"
                    ));
                }
            }
        }
    }
    let gone = MATCHES.iter().filter(|file| !matching.contains(&Path::new(file)));
    wrong.extend(gone.map(|file| format!("{file} matches kinds no more: take it out of the list")));
    wrong
}

/// Whether code names a kind; `OpKind::NetworkUpdate` does not.
fn names(code: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    ["Kind::Domain", "Kind::Network", "Kind::Pool", "Kind::Volume"].iter().any(|kind| {
        code.match_indices(kind).any(|(at, _)| {
            let after = code.get(at + kind.len()..).unwrap_or_default();
            !code[..at].ends_with(is_word) && !after.starts_with(is_word)
        })
    })
}
