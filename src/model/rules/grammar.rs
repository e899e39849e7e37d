//! Rules whose diagnostics the grammar makes: allowed places and values.

use super::rule::{GRAMMAR, OURS, Rule};
use diagnostics::Severity::Error;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "bad-text",
        Error,
        "an element whose text is none of those possible",
        "write one of what the message expects",
        GRAMMAR,
    ),
    Rule::new(
        "bad-value",
        Error,
        "an attribute whose value is none of those possible",
        "write one of what the message expects",
        GRAMMAR,
    ),
    Rule::new(
        "misplaced-element",
        Error,
        "an element beside others that exclude it",
        "remove it, or what excludes it",
        GRAMMAR,
    ),
    Rule::new(
        "missing-attribute",
        Error,
        "an element without an attribute that it has to have",
        "add the attribute",
        GRAMMAR,
    ),
    Rule::new(
        "missing-element",
        Error,
        "an element without another that has to be in it",
        "add the element",
        GRAMMAR,
    ),
    Rule::new(
        "repeated-element",
        Error,
        "an element twice where it may stand once",
        "remove one of them",
        GRAMMAR,
    ),
    Rule::new(
        "schema",
        Error,
        "a directory of grammars that lacks the one that is needed",
        "name one that has it, or leave the option out",
        OURS,
    ),
    Rule::new(
        "unexpected-attribute",
        Error,
        "an attribute that its element does not have",
        "take the hint, or remove it",
        GRAMMAR,
    ),
    Rule::new(
        "unexpected-element",
        Error,
        "an element that there is not, or not there",
        "take the hint, or remove it",
        GRAMMAR,
    ),
    Rule::new("unexpected-text", Error, "text where only elements may stand", "remove it", GRAMMAR),
    Rule::new(
        "more-problems",
        Error,
        "problems after too many others in their file to be shown",
        "fix those first",
        OURS,
    ),
];
