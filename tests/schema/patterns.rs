//! Patterns of libvirt, where its grammars are installed: on texts that match and on texts that nearly do,
//! our verdicts are jing's.

use super::jing::{Jing, escape};
use crate::support::{tool, trial_if};
use diagnostics::{SourceId, Span};
use libtest_mimic::Trial;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use relaxng::datatype::{Datatype, Param};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use xmltree::{Element, Limits, Node, parse};

const SCHEMAS: &str = "/usr/share/libvirt/schemas";

/// Texts that are generated for each pattern, each of them mutated once too.
const EACH: usize = 15;

pub(crate) fn trials() -> Vec<Trial> {
    let installed = match Path::new(SCHEMAS).is_dir() {
        true => tool("jing"),
        false => Err("needs libvirt's grammars".to_owned()),
    };
    vec![trial_if(installed, "schema/patterns/libvirts_match_as_in_jing", |jing| {
        let mut runner = TestRunner::deterministic();
        let mut rows = Vec::new();
        for pattern in patterns() {
            let texts = texts(&pattern, &mut runner);
            rows.extend(texts.into_iter().map(|text| (pattern.clone(), text)));
        }
        let pairs: Vec<_> = rows.iter().map(|(pattern, text)| (as_data(pattern), text)).collect();
        let invalid = Jing::new(jing).invalid(&pairs);
        let differing: Vec<_> = rows
            .iter()
            .enumerate()
            .filter(|(at, (pattern, text))| allows(pattern, text) == invalid.contains(at))
            .collect();
        assert!(differing.is_empty(), "{differing:#?}");
        assert!(rows.len() > 2_000 && invalid.len() > 200, "{} {}", rows.len(), invalid.len());
    })]
}

fn as_data(pattern: &str) -> String {
    format!("<data type=\"string\"><param name=\"pattern\">{}</param></data>", escape(pattern))
}

fn allows(pattern: &str, text: &str) -> bool {
    let span = Span::new(SourceId::NONE, 0, 0);
    let param = Param { name: "pattern".to_owned(), value: pattern.to_owned(), span };
    let library = "http://www.w3.org/2001/XMLSchema-datatypes";
    Datatype::new(library, "string", &[param]).unwrap().allows(text, &())
}

/// All patterns of all grammars.
fn patterns() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(SCHEMAS).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let document = parse(SourceId::NONE, &text, &Limits::default()).unwrap();
        collect(&document, &mut found);
    }
    assert!(found.len() > 90, "{}", found.len());
    found
}

fn collect(element: &Element, found: &mut BTreeSet<String>) {
    if element.name.local == "param" && element.attr("name") == Some("pattern") {
        found.insert(element.text());
    }
    for child in element.children.iter() {
        if let Node::Element(child) = child {
            collect(child, found);
        }
    }
}

/// Texts of the pattern's language, and with a character dropped, doubled or changed.
fn texts(pattern: &str, runner: &mut TestRunner) -> BTreeSet<String> {
    // the only difference of syntax that libvirt's patterns show
    let rust = pattern.replace('$', "\\$");
    let strategy = proptest::string::string_regex(&rust).unwrap();
    let mutation = (proptest::num::usize::ANY, 0..4_usize, "[ -~é\n]");
    let mut found = BTreeSet::from([String::new()]);
    for _ in 0..EACH {
        let text = strategy.new_tree(runner).unwrap().current();
        // texts that XML cannot hold are not tried
        let text: String = text.chars().filter(|c| allowed(*c)).take(80).collect();
        let mut chars: Vec<char> = text.chars().collect();
        let (at, how, other) = mutation.new_tree(runner).unwrap().current();
        let other = other.chars().next().unwrap();
        let at = at % (chars.len() + 1);
        match how {
            0 if at < chars.len() => drop(chars.remove(at)),
            1 if at < chars.len() => chars[at] = other,
            2 if at < chars.len() => chars.insert(at, chars[at]),
            _ => chars.insert(at, other),
        }
        found.extend([text, chars.into_iter().collect()]);
    }
    found
}

fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
