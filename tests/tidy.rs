//! Rules of the house that a program can check: floors, sizes, first lines, output.

mod circles;
mod comments;
mod kinds;
mod map;
mod texts;
mod trees;
mod vocabulary;

use crate::support::trial;
use diagnostics::Severity;
use libtest_mimic::Trial;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules by floor; each imports only from floors below its own.
const FLOORS: [&[&str]; 7] = [
    &["error", "file"],
    &["grammars", "model", "pki"],
    &["manifest", "drivers"],
    &["reconcile"],
    &["controller"],
    &["status_server"],
    &["cli"],
];

/// The crates below all floors, each with those of ours that it may use: formats and protocols, which know
/// nothing of the program.
const CRATES: [(&str, &[&str]); 4] = [
    ("diagnostics", &[]),
    ("libvirt-rpc", &[]),
    ("relaxng", &["diagnostics", "xmltree"]),
    ("xmltree", &["diagnostics"]),
];

/// Files that recurse through one another, and say so: an explanation and its suggestions, an automaton and
/// its tests of values.
const RECURSIVE: [&[&str]; 2] = [
    &["crates/relaxng/src/explain"],
    &["crates/relaxng/src/automaton.rs", "crates/relaxng/src/value.rs"],
];

/// Circles that are still to be cut. Nothing is to be added.
const STILL_CIRCLES: [&[&str]; 2] = [
    &["src/drivers/libvirt/connection.rs", "src/drivers/libvirt/connection"],
    &["src/drivers/libvirt/observe.rs", "src/drivers/libvirt/observe"],
];

/// Lines of a file before its tests.
const LONGEST: usize = 500;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("tidy/imports_go_down", imports_go_down),
        trial("tidy/crates_know_nothing_of_the_program", crates),
        trial("tidy/files_use_no_circle_of_files", no_circles),
        trial("tidy/a_circle_is_seen_through_what_is_handed_on", circles::check),
        trial("tidy/files_are_short_and_say_what_they_are", files),
        trial("tidy/each_code_has_a_rule_and_each_rule_a_use", rules_and_codes),
        trial("tidy/names_are_those_of_the_field", || {
            let old = vocabulary::old_names(&all_sources());
            assert!(old.is_empty(), "{}", old.join("\n"));
        }),
        trial("tidy/users_read_the_words_of_the_field", || {
            texts::check();
            let old = vocabulary::old_phrases(&all_sources());
            assert!(old.is_empty(), "{}", old.join("\n"));
        }),
        trial("tidy/comments_begin_with_what_they_describe", || {
            comments::check();
            let wrong = comments::wrong(&[all_sources(), sources("tests")].concat());
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }),
        trial("tidy/the_map_is_true", || {
            let wrong = map::wrong();
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }),
        trial("tidy/kinds_are_told_apart_by_matches", || {
            let wrong = kinds::told_apart(&sources("src"));
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }),
        trial("tidy/plans_ask_no_hypervisor", plans_ask_no_hypervisor),
        trial("tidy/trees_are_opaque", trees_are_opaque),
        trial("tidy/one_place_makes_connections", one_place_makes_connections),
        trial("tidy/only_the_cli_prints_and_reads_the_environment", only_the_cli_prints),
        trial("tidy/all_that_is_printed_goes_through_one_printer", one_printer),
    ]
}

fn imports_go_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let module = module_of(&path);
        let Some(floor) = floor_of(&module) else {
            // lib.rs and main.rs stand above all floors
            assert!(path.components().count() == 2, "{}: on no floor", path.display());
            continue;
        };
        for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line)) {
            for used in line.split("crate::").skip(1).filter(|_| !is_comment(line)) {
                let used: String =
                    used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if used != module && floor_of(&used).is_none_or(|other| other >= floor) {
                    wrong.push(format!("{}:{number}: {module} uses {used}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that do not go down:\n{}", wrong.join("\n"));
}

/// A crate depends on those of ours that it may use alone.
fn crates() {
    let there: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(there.len(), CRATES.len(), "{there:?}: each has its line here");
    for (name, may) in CRATES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(name);
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap();
        let used: Vec<&str> = CRATES
            .iter()
            .map(|(other, _)| *other)
            .filter(|other| manifest.contains(&format!("\n{other}.workspace")))
            .collect();
        assert_eq!(used, may, "{name}");
        assert!(!manifest.contains("path ="), "{name}: a path of its own");
    }
}

/// A file imports from files below it alone, within a module too.
fn no_circles() {
    let found = circles::circles(&all_sources());
    let is_known = |circle: &Vec<PathBuf>, beginnings: &[&str]| {
        circle.iter().all(|file| beginnings.iter().any(|b| file.starts_with(b)))
    };
    let known: Vec<&[&str]> = RECURSIVE.into_iter().chain(STILL_CIRCLES).collect();
    let wrong: Vec<String> = found
        .iter()
        .filter(|circle| !known.iter().any(|beginnings| is_known(circle, beginnings)))
        .map(|circle| format!("{circle:#?}"))
        .collect();
    assert!(wrong.is_empty(), "files that use each other:\n{}", wrong.join("\n"));
    for beginnings in known {
        let is_there = found.iter().any(|circle| is_known(circle, beginnings));
        assert!(is_there, "{beginnings:?} use each other no more: take them out of the list");
    }
}

/// A connection that is not the operator's own word has to pass `Trust::admit`, so nobody else may say
/// that it is.
fn one_place_makes_connections() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let makes = path.ends_with("cli/context.rs") || path.ends_with("drivers/trust.rs");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let words = ["Connection::of_operator(", ".operators(", "LibvirtDriver::open("];
        let opens = path.ends_with("drivers/mod.rs") || path.ends_with("cli/doctor.rs");
        if !makes && !opens && words.iter().any(|word| text.contains(word)) {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "connections are made in {}", wrong.join(", "));
}

/// Plans are made by facts that a driver gives, so that a new hypervisor is a new driver and nothing else.
fn plans_ask_no_hypervisor() {
    let wrong: Vec<String> = sources("src/reconcile")
        .into_iter()
        // a test may make the capabilities of a hypervisor that it names
        .filter(|(path, _)| !path.iter().any(|part| part == "tests" || part == "tests.rs"))
        .filter(|(_, text)| circles::tokens(text).iter().any(|word| word == "Hypervisor"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "ask the capabilities: {}", wrong.join(", "));
}

fn trees_are_opaque() {
    trees::check();
    let others: Vec<_> =
        all_sources().into_iter().filter(|(path, _)| !path.starts_with("crates/xmltree")).collect();
    let held = trees::held(&others);
    assert!(held.is_empty(), "hold a NodeRef or a Document:\n{}", held.join("\n"));
}

fn files() {
    let mut wrong = Vec::new();
    for (path, text) in all_sources().into_iter().chain(sources("tests")) {
        if !text.starts_with("//! ") {
            wrong.push(format!("{}: the first line does not say what it is", path.display()));
        }
        let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        if code > LONGEST && !text.lines().any(|line| line.starts_with("// long: ")) {
            wrong.push(format!("{}: {code} lines, and no `// long:` says why", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sources of a manifest's problems.
const CHECKED: [&str; 4] =
    ["src/manifest", "src/model", "crates/relaxng/src/explain", "crates/xmltree/src"];

/// Texts before a code, and whether it is certainly one of an error.
const OPENERS: [(&str, bool); 6] = [
    ("Diagnostic::error(", true),
    ("Diagnostic::warning(", false),
    ("problem(", false),
    ("code: ", false),
    ("code = ", false),
    (".bad_value(", true),
];

fn rules_and_codes() {
    let rules = virt::model::rules::rules();
    let mut wrong = Vec::new();
    let mut used = std::collections::BTreeSet::new();
    let all = CHECKED.into_iter().flat_map(sources);
    for (path, text) in all.filter(|(path, _)| !path.starts_with("src/model/rules")) {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (opener, error) in OPENERS {
            for after in code.split(opener).skip(1) {
                let Some(literal) = after.trim_start().strip_prefix('"') else { continue };
                let name = literal.split('"').next().unwrap();
                used.insert(name.to_owned());
                match rules.iter().find(|r| r.name == name) {
                    None => wrong.push(format!("{}: {name} has no rule", path.display())),
                    Some(rule) if error && rule.severity != Severity::Error => {
                        // a place may make its error a warning; see `severity =` there
                        if !code.contains("severity = ") {
                            wrong.push(format!("{}: {name} is an error here", path.display()));
                        }
                    }
                    Some(_) => {}
                }
            }
        }
    }
    for rule in &rules {
        if !used.contains(rule.name) {
            wrong.push(format!("no check uses the rule {}", rule.name));
        }
        for text in [rule.summary, rule.remedy, rule.source] {
            let plain = !text.is_empty() && !text.ends_with('.') && !text.contains('\n');
            assert!(plain, "{}: {text:?}", rule.name);
        }
    }
    let names: Vec<&str> = rules.iter().map(|r| r.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "a rule has two rows: {names:?}");
    assert!(wrong.is_empty(), "rules and codes differ:\n{}", wrong.join("\n"));
}

fn only_the_cli_prints() {
    let words = ["println!", "eprintln!", "print!", "eprint!", "env::var", "env::args", "exit("];
    let wrong =
        uses(&words, |path, _| path.starts_with("src/cli") || path == Path::new("src/main.rs"));
    assert!(wrong.is_empty(), "only src/cli does that:\n{}", wrong.join("\n"));
}

/// Words for ways to a terminal, or to JSON, that may bypass the escaping of foreign text.
const WAYS_OUT: [&str; 18] = [
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
    "dbg!",
    "stdout()",
    "stderr()",
    ".print()",
    "STDOUT_FILENO",
    "STDERR_FILENO",
    "Stdio::inherit",
    "set_hook",
    "/dev/tty",
    "/dev/std",
    "/dev/fd",
    "\\u{1b}[",
    "serde_json::to_string",
    "serde_json::to_writer",
];

/// Files that may use some of them beside the printer, with the reason.
const ALLOWED: [(&str, &str, &str); 3] = [
    ("src/cli/prompt.rs", "/dev/tty", "it asks there what is no output, and escapes its prompt"),
    ("src/drivers/libvirt/session.rs", "/dev/tty", "it looks whether there is one"),
    ("src/reconcile/plan/file/mod.rs", "serde_json::to_string", "a file, through escape_json"),
];

fn one_printer() {
    let printer = Path::new("src/cli/output.rs");
    let is_allowed = |path: &Path, word: &str| {
        path == printer
            || ALLOWED.iter().any(|(file, its, _)| path == Path::new(file) && word == *its)
    };
    let wrong = uses(&WAYS_OUT, is_allowed);
    assert!(wrong.is_empty(), "{} prints, nobody else:\n{}", printer.display(), wrong.join("\n"));
    for (file, word, _) in ALLOWED {
        let used = uses(&[word], |path, _| path != Path::new(file));
        assert!(!used.is_empty(), "{file} has no {word} any more");
    }
}

/// Returns the places where code uses some of these words without permission.
fn uses(words: &[&str], may: impl Fn(&Path, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in all_sources() {
        let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
        for (number, line) in code.enumerate().filter(|(_, line)| !is_comment(line)) {
            // a longer word, such as `scope_exit(`, is another one
            let used = |word: &&&str| {
                line.match_indices(**word).any(|(at, _)| {
                    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
                    !(word.starts_with(is_inside) && line[..at].ends_with(is_inside))
                })
            };
            for word in words.iter().filter(used).filter(|word| !may(&path, word)) {
                found.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    found
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// `src/model/kind.rs` belongs to `model`.
fn module_of(path: &Path) -> String {
    let part = path.components().nth(1).unwrap();
    Path::new(part.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned()
}

/// All Rust files of the program and its crates.
fn all_sources() -> Vec<(PathBuf, String)> {
    let crates = CRATES.iter().flat_map(|(name, _)| sources(&format!("crates/{name}/src")));
    sources("src").into_iter().chain(crates).collect()
}

/// All Rust files under a directory of the repository, sorted, with their texts.
fn sources(place: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let one = root.join(place);
    if one.is_file() {
        let text = fs::read_to_string(&one).unwrap();
        return vec![(place.into(), text)];
    }
    let mut open = vec![one];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}
