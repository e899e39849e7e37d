//! XML Schema's regular expressions: checked when a grammar is loaded, compiled when first used.
//!
//! They look like everyone's and are not: always anchored, `^` and `$` stand for themselves, there
//! are no lazy quantifiers, back-references or groups with options, and classes can be subtracted.
//!
//! - `blocks.rs`: the blocks of `\p{Is…}`, by the names of XML Schema 1.0 (Unicode 3.1 without its blanks)
//! - `error.rs`: errors of a regular expression
//! - `names.rs`: characters of names, by XML 1.0 fifth edition
//! - `parse.rs`: reads XML Schema's regular expressions
//! - `print.rs`: patterns written down for others: the regex crate, and ECMAScript for JSON Schema
//! - `runs.rs`: patterns without alternatives, matched without an automaton
//! - `set.rs`: sets of characters: one, a range, a class escape, a class in brackets
//! - `walk.rs`: a matcher without an automaton, for messages: it knows how far a text went well

mod blocks;
mod error;
mod names;
mod parse;
mod print;
mod runs;
mod set;
mod walk;

pub(super) use error::PatternError;
pub(super) use names::{is_name_char, is_name_start};

use parse::Node;
use runs::Run;
use std::sync::{Arc, OnceLock};

/// Longest text that a wrong character is looked for in: the search is made for messages, not speed.
const EXPLAINED: usize = 256;

/// Regular expression of a `pattern` param. Clones share the compiled form.
#[derive(Clone)]
pub(super) struct Pattern(Arc<Inner>);

struct Inner {
    source: Box<str>,
    node: Node,
    matcher: OnceLock<Matcher>,
}

/// Method of matching.
enum Matcher {
    /// Characters and classes in a row, which need no automaton.
    Runs(Vec<Run>),
    /// All others.
    Regex(Box<::regex::Regex>),
    /// Walk of the syntax tree, for patterns that the regex crate refuses in spite of [`parse`]'s limits:
    /// slow, but right.
    Walk,
}

impl Pattern {
    /// Checks a regular expression.
    pub(super) fn new(source: &str) -> Result<Self, PatternError> {
        let node = parse::parse(source)?;
        Ok(Self(Arc::new(Inner { source: source.into(), node, matcher: OnceLock::new() })))
    }

    /// The expression as the grammar has it.
    pub(super) fn source(&self) -> &str {
        &self.0.source
    }

    /// Whether all of `text` is in its language.
    pub(super) fn is_match(&self, text: &str) -> bool {
        match self.0.matcher.get_or_init(|| self.compile()) {
            Matcher::Runs(runs) => runs::is_match(runs, text),
            Matcher::Regex(regex) => regex.is_match(text),
            Matcher::Walk => walk::walk(&self.0.node, text).matched,
        }
    }

    /// Returns the number of characters at the start of `text` that can still become a match, if it does not
    /// match.
    pub(super) fn viable(&self, text: &str) -> Option<usize> {
        let short = text.chars().nth(EXPLAINED).is_none();
        let walked = short.then(|| walk::walk(&self.0.node, text)).filter(|w| !w.matched)?;
        Some(walked.furthest)
    }

    /// Returns the expression in ECMAScript's notation, anchored; `None` if that has no equivalent.
    pub(super) fn ecma(&self) -> Option<String> {
        print::ecma(&self.0.node)
    }

    fn compile(&self) -> Matcher {
        if let Some(runs) = runs::runs(&self.0.node) {
            return Matcher::Runs(runs);
        }
        let built = ::regex::RegexBuilder::new(&print::rust(&self.0.node))
            // the parser bounds depth and size; these only must not be hit before
            .nest_limit(1_000)
            .size_limit(64 << 20)
            .build();
        built.map_or(Matcher::Walk, |regex| Matcher::Regex(Box::new(regex)))
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pattern({:?})", self.source())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_runs(source: &str) -> bool {
        let pattern = Pattern::new(source).expect("a pattern");
        runs::runs(&pattern.0.node).is_some()
    }

    #[test]
    fn most_patterns_need_no_automaton() {
        for source in
            ["[0-9]+", "[a-f0-9]{8}-([a-f0-9]{4}-){3}[a-f0-9]{12}", "/.*", "a?b+/?[^/b\\n]*"]
        {
            assert!(is_runs(source), "{source}");
        }
        for source in
            ["a|b", "(ab)*", "[a-z]*a", "[0-9]+(\\.[0-9]+)?", "\\d", "é*e", "a?a", "a*[ab]*"]
        {
            assert!(!is_runs(source), "{source}");
        }
    }

    #[test]
    fn knows_how_far_a_text_went_well() {
        for (source, text, viable) in [
            ("([0-9a-f]{2}:){5}[0-9a-f]{2}", "52:54:00:12:34:5g", Some(16)),
            ("([0-9a-f]{2}:){5}[0-9a-f]{2}", "52:54:00", Some(8)),
            ("([0-9a-f]{2}:){5}[0-9a-f]{2}", "52:54:00:12:34:56", None),
            ("(vda|vdb)[0-9]*", "vdc", Some(2)),
            ("a{2,3}", "aaaa", Some(3)),
            ("\\p{L}+", "é1", Some(1)),
        ] {
            assert_eq!(
                Pattern::new(source).expect("a pattern").viable(text),
                viable,
                "{source} {text}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_pattern() {
        for (source, what, hint) in [
            ("a*?", "\"?\" follows a quantifier", "lazy"),
            ("(?i)a", "\"(?\" starts no group", "options"),
            ("\\$", "\\$ is no escape", "\"$\" stands for itself"),
            ("\\1", "\\1 is no escape", "back-references"),
            ("[a", "\"[\" is not closed", "\\["),
            ("a{2,1}", "maximum is below its minimum", ""),
            ("\\p{IsGreeek}", "GreeeK", ""),
            ("((a{1000}){1000}){1000}", "multiply beyond the limit", ""),
            (&"(".repeat(1_000_000), "nested more than 50 deep", ""),
            (&"[a-".repeat(1_000_000), "nested more than 50 deep", ""),
        ] {
            let error = Pattern::new(source).expect_err(source);
            let shown = format!("{} {}", error.what, error.hint.unwrap_or_default());
            let (shown, what) = (shown.to_lowercase(), what.to_lowercase());
            assert!(shown.contains(&what) && shown.contains(hint), "{shown}");
        }
    }

    #[test]
    fn writes_ecmascript_where_it_can() {
        for (source, ecma) in [
            ("[0-9]+", Some("^(?:[0-9]+)$")),
            ("a$|/.*", Some("^(?:(?:a\\$|\\/[^\\n\\r]*))$")),
            ("([a-f\\-]{2}:){5}[^,\\]]?", Some("^(?:(?:[a-f\\-]{2}:){5}[^,\\]]?)$")),
            ("[a-z\\s]", Some("^(?:[a-z \\t\\n\\r])$")),
            ("\\p{L}", None),
            ("[a-z-[b]]", None),
        ] {
            let pattern = Pattern::new(source).expect("a pattern");
            assert_eq!(pattern.ecma().as_deref(), ecma, "{source}");
        }
    }

    #[test]
    fn what_the_parser_takes_the_regex_crate_takes() {
        let largest = "\\w".repeat(99);
        for source in ["(.{0,255})", "[a-[a]]", "[^\\s\\S]*", "\\C{50}", "()*", "(a*)*", &largest] {
            let pattern = Pattern::new(source).expect(source);
            assert!(!matches!(pattern.compile(), Matcher::Walk), "{source}");
        }
    }

    /// Generates patterns from the parts of patterns.
    fn patterns() -> impl Strategy<Value = String> {
        let atom = prop_oneof![
            "[abé$^-]",
            Just(".".to_owned()),
            Just("[ab]".to_owned()),
            Just("[^a]".to_owned()),
            Just("[a-é-[b]]".to_owned()),
            Just("\\s".to_owned()),
            Just("\\w".to_owned()),
        ];
        atom.prop_recursive(4, 12, 3, |inner| {
            let many = proptest::collection::vec(inner.clone(), 0..3);
            prop_oneof![
                (inner, "[?*+]|\\{[0-2]\\}|\\{[01],[1-3]\\}|\\{1,\\}")
                    .prop_map(|(node, quantifier)| format!("({node}){quantifier}")),
                many.clone().prop_map(|nodes| nodes.concat()),
                many.prop_map(|nodes| format!("({})", nodes.join("|"))),
            ]
        })
    }

    /// Generates texts that are mostly no patterns.
    fn soup() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            "[-a-c0-9(){}\\[\\]?*+|.,^$é ]",
            "\\\\[nrtsdwicSDWIC.\\-1xp]",
            "\\\\p\\{[A-Z][a-z]?\\}",
        ];
        proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn all_matchers_agree(
            source in patterns(),
            texts in proptest::collection::vec("[abé$ ^-]{0,6}", 8),
        ) {
            let pattern = Pattern::new(&source).expect("a pattern");
            let regex = ::regex::Regex::new(&print::rust(&pattern.0.node)).expect("a regex");
            let runs = runs::runs(&pattern.0.node);
            for text in texts {
                let walked = walk::walk(&pattern.0.node, &text);
                prop_assert_eq!(walked.matched, regex.is_match(&text), "{} {:?}", source, text);
                let fast = runs.as_ref().map_or(walked.matched, |runs| runs::is_match(runs, &text));
                prop_assert_eq!(fast, walked.matched, "{} {:?}", source, text);
            }
        }

        #[test]
        fn nothing_panics(source in soup(), text in "\\PC{0,12}") {
            if let Ok(pattern) = Pattern::new(&source) {
                let matched = pattern.is_match(&text);
                prop_assert_eq!(pattern.viable(&text).is_none(), matched);
                prop_assert!(!matches!(pattern.0.matcher.get(), Some(Matcher::Walk)));
                pattern.ecma();
            }
        }
    }
}
