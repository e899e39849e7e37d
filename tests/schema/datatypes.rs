//! The table of datatypes, their params and texts in `datatypes.txt`: judged by our code and by jing.

use super::jing::{Jing, escape};
use crate::support::{tool, trial, trial_if};
use diagnostics::{SourceId, Span};
use libtest_mimic::Trial;
use relaxng::datatype::{Constant, Context, Datatype, Param};
use std::fmt::Write;

/// The library that the table is about.
const XSD: &str = "http://www.w3.org/2001/XMLSchema-datatypes";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("schema/datatypes/judges_the_table", ours),
        trial_if(tool("jing"), "schema/datatypes/jing_judges_the_table_so_too", |jing| {
            of_jing(&Jing::new(jing));
        }),
    ]
}

/// One datatype or value, with verdicts on texts.
#[derive(Debug, Default)]
struct Case {
    line: usize,
    name: String,
    /// The text of a `<value>`, for a value.
    value: Option<String>,
    params: Vec<(String, String)>,
    /// Verdict of ours and of jing on the datatype itself, if it is refused.
    refused: Option<Verdict>,
    texts: Vec<(String, Verdict)>,
}

/// Verdicts of ours and of jing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    ours: bool,
    jing: bool,
}

/// Prefixes as the documents for jing declare them.
struct Prefixes;

impl Context for Prefixes {
    fn namespace(&self, prefix: Option<&str>) -> Option<&str> {
        match prefix {
            Some("p") => Some("urn:p"),
            Some("q") => Some("urn:q"),
            _ => None,
        }
    }
}

fn table() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (at, line) in include_str!("datatypes.txt").lines().enumerate() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word.is_empty() && !rest.is_empty() {
            let (name, value) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
            let param = (name.to_owned(), texts(value).join(" "));
            cases.last_mut().unwrap().params.push(param);
            continue;
        }
        let refused = |ours, jing| Some(Verdict { ours, jing });
        let mut case = Case { line: at + 1, ..Case::default() };
        match word {
            "" | "#" => continue,
            "data" => case.name = rest.to_owned(),
            "value" => {
                let (name, text) = rest.split_once(' ').unwrap();
                case.name = name.to_owned();
                case.value = texts(text).pop();
            }
            "refused" => (case.name, case.refused) = (rest.to_owned(), refused(true, true)),
            "refused-by-us" => (case.name, case.refused) = (rest.to_owned(), refused(true, false)),
            "refused-by-jing" => {
                (case.name, case.refused) = (rest.to_owned(), refused(false, true));
            }
            _ => {
                let verdict = match word {
                    "+" => Verdict { ours: true, jing: true },
                    "-" => Verdict { ours: false, jing: false },
                    "+jing-" => Verdict { ours: true, jing: false },
                    "-jing+" => Verdict { ours: false, jing: true },
                    _ => panic!("line {}: {line}", at + 1),
                };
                let texts = texts(rest).into_iter().map(|text| (text, verdict));
                cases.last_mut().unwrap().texts.extend(texts);
                continue;
            }
        }
        cases.push(case);
    }
    cases
}

/// Splits a line into words, or into texts in quotes as in Rust.
fn texts(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let Some(quoted) = rest.strip_prefix('"') else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            found.push(word.to_owned());
            rest = after.trim_start();
            continue;
        };
        let (text, after) = quoted.split_once('"').unwrap();
        let mut out = String::new();
        let mut pieces = text.split("\\u{");
        out.push_str(pieces.next().unwrap());
        for piece in pieces {
            let (code, after) = piece.split_once('}').unwrap();
            out.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
            out.push_str(after);
        }
        found.push(out);
        rest = after.trim_start();
    }
    found
}

impl Case {
    fn datatype(&self) -> Result<Datatype, relaxng::datatype::TypeError> {
        let params = self.params.iter().map(|(name, value)| Param {
            name: name.clone(),
            value: value.clone(),
            span: Span::new(SourceId::NONE, 0, 0),
        });
        Datatype::new(XSD, &self.name, &params.collect::<Vec<_>>())
    }

    fn judge(&self, text: &str) -> bool {
        match &self.value {
            Some(value) => {
                Constant::new(XSD, &self.name, value, &Prefixes).unwrap().matches(text, &Prefixes)
            }
            None => self.datatype().unwrap().allows(text, &Prefixes),
        }
    }

    /// The element of a grammar.
    fn pattern(&self) -> String {
        let name = &self.name;
        if let Some(value) = &self.value {
            return format!("<value type=\"{name}\">{}</value>", escape(value));
        }
        let mut out = format!("<data type=\"{name}\">");
        for (name, value) in &self.params {
            write!(out, "<param name=\"{name}\">{}</param>", escape(value)).unwrap();
        }
        out + "</data>"
    }
}

fn ours() {
    let cases = table();
    let mut wrong = Vec::new();
    let mut judged = 0;
    for case in &cases {
        let refused = case.value.is_none() && case.datatype().is_err();
        judged += 1;
        if refused != case.refused.is_some_and(|verdict| verdict.ours) {
            wrong.push(format!("{}: {}: refused: {refused}", case.line, case.pattern()));
            continue;
        }
        for (text, verdict) in &case.texts {
            judged += 1;
            if case.judge(text) != verdict.ours {
                wrong.push(format!("{}: {}: {text:?}", case.line, case.pattern()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged > 900, "only {judged}");
}

fn of_jing(jing: &Jing) {
    let cases = table();
    let refused = |case: &Case| case.refused.is_some_and(|verdict| verdict.jing);
    let (bad, good): (Vec<_>, Vec<_>) = cases.iter().partition(|case| refused(case));
    let mut wrong = Vec::new();
    let patterns: Vec<_> = bad.iter().map(|case| case.pattern()).collect();
    let found = jing.refused(&patterns);
    for (at, case) in bad.iter().enumerate().filter(|(at, _)| !found.contains(at)) {
        wrong.push(format!("{}: {} is taken ({at})", case.line, case.pattern()));
    }
    let rows: Vec<_> = good
        .iter()
        .flat_map(|case| case.texts.iter().map(|(text, verdict)| (*case, text, *verdict)))
        .collect();
    let pairs: Vec<_> = rows.iter().map(|(case, text, _)| (case.pattern(), *text)).collect();
    let invalid = jing.invalid(&pairs);
    for (at, (case, text, verdict)) in rows.iter().enumerate() {
        if verdict.jing == invalid.contains(&at) {
            wrong.push(format!("{}: {}: {text:?}", case.line, case.pattern()));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
