//! Circles of files: uses between files by the paths in them, and the groups that use each other in the end.
//!
//! A path counts for the file where the thing is that it names, through whatever `pub use` it goes; a
//! `pub use` by itself is no use. Calls of methods do not show, and tests may look at what they test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A path of modules below the crate.
type Module = Vec<String>;

/// A file, as far as its paths go.
#[derive(Default)]
struct File {
    path: PathBuf,
    /// Imports: the name here, the path, and whether it is re-exported.
    imports: Vec<(String, Vec<String>, bool)>,
    /// Paths in its code.
    paths: Vec<Vec<String>>,
    /// Words in its code.
    words: BTreeSet<String>,
    /// Names that it defines.
    items: BTreeSet<String>,
}

/// Sets of files that use each other, each sorted.
pub(crate) fn circles(sources: &[(PathBuf, String)]) -> Vec<Vec<PathBuf>> {
    let files: BTreeMap<Module, File> =
        sources.iter().map(|(path, text)| (module_of(path), read(path, text))).collect();
    let uses: BTreeMap<&Module, BTreeSet<&Module>> =
        files.iter().map(|(module, file)| (module, used(&files, module, file))).collect();
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        uses.keys().map(|module| (*module, reached(&uses, module))).collect();
    let mut found = BTreeSet::new();
    for (module, there) in &reach {
        let back = |other: &&Module| reach.get(other).is_some_and(|r| r.contains(module));
        let circle: BTreeSet<&PathBuf> =
            there.iter().copied().filter(back).map(|m| &files[m].path).collect();
        if circle.len() > 1 {
            found.insert(circle.into_iter().cloned().collect());
        }
    }
    found.into_iter().collect()
}

fn reached<'m>(
    uses: &BTreeMap<&'m Module, BTreeSet<&'m Module>>,
    from: &'m Module,
) -> BTreeSet<&'m Module> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        open.extend(uses[module].iter().copied().filter(|next| seen.insert(*next)));
    }
    seen
}

/// The module of a file from the root of its crate on: `src/model/mod.rs` is `model`, and `src/model/kind.rs` is
/// `model::kind`. What is below `crates/` has the crate's name first.
fn module_of(path: &Path) -> Module {
    let plain = path.with_extension("");
    let names: Vec<String> =
        plain.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    let names = match names.as_slice() {
        [crates, name, _, rest @ ..] if crates == "crates" => {
            [std::slice::from_ref(name), rest].concat()
        }
        [_, rest @ ..] => rest.to_vec(),
        [] => Vec::new(),
    };
    names.into_iter().filter(|name| !["mod", "lib"].contains(&name.as_str())).collect()
}

/// The module that paths with `crate` begin at.
fn root_of(module: &Module) -> &[String] {
    match module.first() {
        Some(name) if Path::new("crates").join(name).is_dir() => &module[..1],
        _ => &[],
    }
}

fn used<'f>(
    files: &'f BTreeMap<Module, File>,
    module: &Module,
    file: &File,
) -> BTreeSet<&'f Module> {
    let mut found = BTreeSet::new();
    let mut add = |path: &[String]| {
        let place = absolute(files, module, path).and_then(|path| defined(files, &path, 0));
        found.extend(place.filter(|place| *place != module));
    };
    for (name, path, is_handed_on) in &file.imports {
        if !is_handed_on || file.words.contains(name) {
            add(path);
        }
    }
    for path in &file.paths {
        let import = file.imports.iter().find(|(name, _, _)| Some(name) == path.first());
        match import {
            Some((_, start, _)) => add(&[start, &path[1..]].concat()),
            None => add(path),
        }
    }
    found
}

/// A path from the root of the crate; `None` for one of another crate, or of something local.
fn absolute(
    files: &BTreeMap<Module, File>,
    module: &Module,
    path: &[String],
) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some([root_of(module), rest].concat()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            let above = module.len().checked_sub(ups)?;
            Some([&module[..above], &path[ups..]].concat())
        }
        _ => {
            let child = [&module[..], std::slice::from_ref(first)].concat();
            files.contains_key(&child).then(|| [&module[..], path].concat())
        }
    }
}

/// The file where a thing is.
fn defined<'f>(
    files: &'f BTreeMap<Module, File>,
    path: &[String],
    depth: u8,
) -> Option<&'f Module> {
    let longest = (0..=path.len()).rev().find(|n| files.contains_key(&path[..*n]))?;
    let (module, file) = files.get_key_value(&path[..longest])?;
    let Some(name) = path.get(longest).filter(|name| !file.items.contains(*name)) else {
        return Some(module);
    };
    let follow = |start: &[String], rest: &[String]| {
        let next = absolute(files, module, start)?;
        (depth < 9).then(|| defined(files, &[&next[..], rest].concat(), depth + 1)).flatten()
    };
    match file.imports.iter().find(|(known, _, _)| known == name) {
        Some((_, start, _)) => follow(start, &path[longest + 1..]),
        None => Some(module),
    }
}

/// Reads a file's code; its tests are left out.
fn read(path: &Path, text: &str) -> File {
    let tokens = without_tests(&tokens(text));
    let mut file = File { path: path.to_owned(), ..File::default() };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1).map(String::as_str);
        match token.as_str() {
            "use" => {
                let end = (at..tokens.len()).find(|n| tokens[*n] == ";").unwrap_or(tokens.len());
                // `pub`, or what closes `pub(super)`
                let is_handed_on = at > 0 && ["pub", ")"].contains(&tokens[at - 1].as_str());
                let mut rest = &tokens[at + 1..end];
                import(&mut rest, &[], is_handed_on, &mut file.imports);
                at = end;
            }
            // the place for which something is public
            "pub" if next == Some("(") => {
                let end = (at..tokens.len()).find(|n| tokens[*n] == ")");
                // a `use` looks back at what closes it
                at = end.unwrap_or(tokens.len());
            }
            word if is_word(word) && at.checked_sub(1).is_none_or(|n| tokens[n] != "::") => {
                if ["fn", "struct", "enum", "trait", "type", "const", "static"].contains(&word) {
                    file.items.extend(next.map(str::to_owned));
                }
                let mut whole = vec![token.clone()];
                while tokens.get(at + 1).is_some_and(|t| t == "::")
                    && tokens.get(at + 2).is_some_and(|t| is_word(t))
                {
                    whole.push(tokens[at + 2].clone());
                    at += 2;
                }
                file.words.insert(token.clone());
                if whole.len() > 1 {
                    file.paths.push(whole);
                }
            }
            _ => {}
        }
        at += 1;
    }
    file
}

/// One tree of a `use`, with all that it names.
fn import(
    rest: &mut &[String],
    above: &[String],
    is_handed_on: bool,
    out: &mut Vec<(String, Vec<String>, bool)>,
) {
    let mut path = above.to_vec();
    while let Some((token, after)) = rest.split_first() {
        match token.as_str() {
            "{" => {
                *rest = after;
                while rest.first().is_some_and(|token| token != "}") {
                    import(rest, &path, is_handed_on, out);
                    if rest.first().is_some_and(|token| token == ",") {
                        *rest = &rest[1..];
                    }
                }
                *rest = rest.get(1..).unwrap_or_default();
                return;
            }
            "," | "}" => break,
            "as" => {
                let name = after.first().cloned().unwrap_or_default();
                *rest = after.get(1..).unwrap_or_default();
                out.push((name, path, is_handed_on));
                return;
            }
            "::" => {}
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        *rest = after;
    }
    if let Some(name) = path.last().cloned() {
        out.push((name, path, is_handed_on));
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and all else by the character; no comments, texts or lifetimes.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let hashes = rest[word..].chars().take_while(|c| *c == '#').count();
        let is_raw = matches!(&rest[..word], "r" | "br") && rest[word + hashes..].starts_with('"');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if is_raw {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = word + hashes + 1;
            rest[body..].find(&close).map_or(rest.len(), |n| body + n + close.len())
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            word
        } else if c == '"' {
            text_length(rest)
        } else if c == '\'' {
            letter_length(rest)
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// Length of a text in quotes.
pub(super) fn text_length(rest: &str) -> usize {
    let mut is_escaped = false;
    for (n, c) in rest.char_indices().skip(1) {
        if c == '"' && !is_escaped {
            return n + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    rest.len()
}

/// Length of a letter in quotes; of the quote alone if it begins a lifetime.
pub(super) fn letter_length(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        // the escaped character may be the quote itself
        (Some((_, '\\')), Some((n, c))) => {
            let behind = n + c.len_utf8();
            rest[behind..].find('\'').map_or(1, |end| behind + end + 1)
        }
        (Some(_), Some((n, '\''))) => n + 1,
        _ => 1,
    }
}

/// Leaves out each item behind `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        let is_test = ["#", "[", "cfg", "(", "test"];
        if rest.len() > 5 && rest.iter().zip(is_test).all(|(t, want)| t == want) {
            let mut depth = 0;
            let end = rest.iter().skip(2).position(|token| {
                match token.as_str() {
                    "{" | "(" | "[" => depth += 1,
                    "}" | ")" | "]" => depth -= 1,
                    _ => {}
                }
                // the attribute's own bracket closes below
                depth == -1 && (token == ";" || token == "}")
            });
            rest = &rest[end.map_or(rest.len(), |n| n + 3)..];
            continue;
        }
        kept.push(token.clone());
        rest = after;
    }
    kept
}

/// Small trees of files, and the circles in them.
pub(crate) fn check() {
    let of = |files: &[(&str, &str)]| -> Vec<Vec<String>> {
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned()));
        let found = circles(&files.collect::<Vec<_>>());
        let names =
            |circle: Vec<PathBuf>| circle.iter().map(|path| path.display().to_string()).collect();
        found.into_iter().map(names).collect()
    };
    let none: Vec<Vec<String>> = Vec::new();
    let facade = ("src/a/mod.rs", "mod b;\nmod c;\npub use b::B;\npub(crate) use c::{C as D};");
    let (b, c) = ("src/a/b.rs", "src/a/c.rs");
    // the module that hands both on is no part of it
    let both = [facade, (b, "use super::D;\npub struct B;"), (c, "pub struct C(super::B);")];
    assert_eq!(of(&both), [[b, c]]);
    let one = [facade, (b, "pub struct B;"), (c, "pub struct C(super::B);")];
    assert_eq!(of(&one), none);
    // mentions, tests and mere visibility are no uses
    let told = "//! Of [`D`].\npub(in super::super) struct B<'a>(&'a str);\n\
                const S: &str = \"use super::D;\"; const Q: char = '\"';\n\
                #[cfg(test)]\nmod tests { use super::super::D; }";
    assert_eq!(of(&[facade, (b, told), (c, "pub struct C(super::B);")]), none);
    let own = [("src/a/mod.rs", "mod b; use b::f; struct X;"), (b, "use super::X; fn f() {}")];
    assert_eq!(of(&own), [[b, "src/a/mod.rs"]]);
}
