//! Patterns written down for others: the regex crate, and ECMAScript for JSON Schema.

use super::names::{FOLLOW, START};
use super::parse::Node;
use super::set::{Class, Escape, EscapeKind, Item, Set};
use std::fmt::Write;

/// The pattern in the regex crate's syntax, anchored.
pub(super) fn rust(node: &Node) -> String {
    let mut out = String::from(r"\A(?:");
    write_node(node, &mut out, &mut |set, out| {
        write_rust(set, out);
        true
    });
    out.push_str(r")\z");
    out
}

/// A set alone in the regex crate's syntax, for one character.
pub(super) fn rust_set(set: &Set) -> String {
    let mut out = String::from(r"\A");
    write_rust(set, &mut out);
    out.push_str(r"\z");
    out
}

/// The pattern in ECMAScript's syntax, anchored; `None` for sets that need Unicode's tables and for
/// classes that are subtracted.
pub(super) fn ecma(node: &Node) -> Option<String> {
    let mut out = String::from("^(?:");
    let sayable = write_node(node, &mut out, &mut write_ecma);
    out.push_str(")$");
    sayable.then_some(out)
}

/// Whether each set could be written.
fn write_node(
    node: &Node,
    out: &mut String,
    write_set: &mut impl FnMut(&Set, &mut String) -> bool,
) -> bool {
    match node {
        Node::Set(set) => write_set(set, out),
        Node::Sequence(nodes) => nodes.iter().all(|node| write_node(node, out, write_set)),
        Node::Choice(nodes) => {
            out.push_str("(?:");
            let mut first = true;
            let all = nodes.iter().all(|node| {
                if !std::mem::take(&mut first) {
                    out.push('|');
                }
                write_node(node, out, write_set)
            });
            out.push(')');
            all
        }
        Node::Repeat { node, min, max } => {
            let group = !matches!(**node, Node::Set(_));
            out.push_str(if group { "(?:" } else { "" });
            let sayable = write_node(node, out, write_set);
            out.push_str(if group { ")" } else { "" });
            out.push_str(&quantifier(*min, *max));
            sayable
        }
    }
}

fn quantifier(min: usize, max: Option<usize>) -> String {
    match (min, max) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (min, None) => format!("{{{min},}}"),
        (min, Some(max)) if min == max => format!("{{{min}}}"),
        (min, Some(max)) => format!("{{{min},{max}}}"),
    }
}

fn write_rust(set: &Set, out: &mut String) {
    match set {
        Set::Char(c) => push_code(*c, out),
        Set::Dot => out.push_str(r"[^\n\r]"),
        Set::Escape(escape) => push_escape(*escape, out),
        Set::Class(class) => push_class(class, out),
    }
}

fn push_class(class: &Class, out: &mut String) {
    if class.minus.is_some() {
        out.push('[');
    }
    out.push_str(if class.negated { "[^" } else { "[" });
    for item in &class.items {
        match item {
            Item::Range(from, to) => push_range(*from, *to, out),
            Item::Escape(escape) => push_escape(*escape, out),
        }
    }
    out.push(']');
    if let Some(minus) = &class.minus {
        out.push_str("--");
        push_class(minus, out);
        out.push(']');
    }
}

fn push_escape(escape: Escape, out: &mut String) {
    out.push_str(if escape.negated { "[^" } else { "[" });
    match escape.kind {
        EscapeKind::Space => out.push_str(r" \t\n\r"),
        EscapeKind::Digit => out.push_str(r"\p{Nd}"),
        EscapeKind::Word => out.push_str(r"[^\p{P}\p{Z}\p{C}]"),
        EscapeKind::NameStart => push_ranges(&[&START], "_:A-Za-z", out),
        EscapeKind::NameChar => push_ranges(&[&START, &FOLLOW], r"_:A-Za-z0-9\-.", out),
        EscapeKind::Category(name) => {
            out.push_str(r"\p{");
            out.push_str(name);
            out.push('}');
        }
        EscapeKind::Block(ranges) => push_ranges(&[ranges], "", out),
    }
    out.push(']');
}

fn push_ranges(tables: &[&[(char, char)]], ascii: &str, out: &mut String) {
    out.push_str(ascii);
    for (from, to) in tables.iter().copied().flatten() {
        push_range(*from, *to, out);
    }
}

fn push_range(from: char, to: char, out: &mut String) {
    push_code(from, out);
    out.push('-');
    push_code(to, out);
}

/// Prints a character by its number, so that none has to be known as special.
fn push_code(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        // writing to a string does not fail
        let _ = write!(out, r"\x{{{:x}}}", u32::from(c));
    }
}

fn write_ecma(set: &Set, out: &mut String) -> bool {
    match set {
        Set::Char(c) => push_ecma(*c, r"^$\.*+?()[]{}|/", out),
        Set::Dot => out.push_str(r"[^\n\r]"),
        Set::Escape(escape) => return push_ecma_escape(*escape, false, out),
        Set::Class(class) => {
            out.push_str(if class.negated { "[^" } else { "[" });
            for item in &class.items {
                match item {
                    Item::Range(from, to) => {
                        push_ecma(*from, r"\]^-[", out);
                        if from != to {
                            out.push('-');
                            push_ecma(*to, r"\]^-[", out);
                        }
                    }
                    Item::Escape(escape) if !push_ecma_escape(*escape, true, out) => return false,
                    Item::Escape(_) => {}
                }
            }
            out.push(']');
            return class.minus.is_none();
        }
    }
    true
}

fn push_ecma(c: char, special: &str, out: &mut String) {
    match c {
        '\n' => out.push_str(r"\n"),
        '\r' => out.push_str(r"\r"),
        '\t' => out.push_str(r"\t"),
        c => {
            out.push_str(if special.contains(c) { "\\" } else { "" });
            out.push(c);
        }
    }
}

/// Prints an escape in ECMAScript's notation; only white space is possible without Unicode's tables.
fn push_ecma_escape(escape: Escape, in_class: bool, out: &mut String) -> bool {
    if escape.kind != EscapeKind::Space || (in_class && escape.negated) {
        return false;
    }
    out.push_str(match (in_class, escape.negated) {
        (true, _) => r" \t\n\r",
        (false, true) => r"[^ \t\n\r]",
        (false, false) => r"[ \t\n\r]",
    });
    true
}
