//! Random grammars as schemas in XML syntax.

use super::grammar::{DATA, Grammar, LOCALS, NAMESPACES, Names, Rng, VALUES};
use std::fmt::Write as _;

impl Grammar {
    /// The grammar as a schema.
    pub(crate) fn write(&self) -> String {
        let mut out = concat!(
            "<grammar xmlns=\"http://relaxng.org/ns/structure/1.0\" ",
            "datatypeLibrary=\"http://www.w3.org/2001/XMLSchema-datatypes\" ",
            "xmlns:x=\"urn:x\" xmlns:y=\"urn:y\">\n<start>"
        )
        .to_owned();
        write(&self.start, &mut out);
        out.push_str("</start>\n");
        for (i, define) in self.defines.iter().enumerate() {
            match define {
                // a choice or an interleave may as well be spread over several definitions
                Rng::Choice(parts) if i % 2 == 0 => combined(i, "choice", parts, &mut out),
                Rng::Interleave(parts) if i % 2 == 0 => combined(i, "interleave", parts, &mut out),
                _ => {
                    let _ = write!(out, "<define name=\"d{i}\">");
                    write(define, &mut out);
                    out.push_str("</define>\n");
                }
            }
        }
        out.push_str("</grammar>\n");
        out
    }
}

fn combined(i: usize, how: &str, parts: &[Rng], out: &mut String) {
    for part in parts {
        let _ = write!(out, "<define name=\"d{i}\" combine=\"{how}\">");
        write(part, out);
        out.push_str("</define>\n");
    }
}

fn write(pattern: &Rng, out: &mut String) {
    let one = std::slice::from_ref::<Rng>;
    match pattern {
        Rng::Empty => out.push_str("<empty/>"),
        Rng::NotAllowed => out.push_str("<notAllowed/>"),
        Rng::Text => out.push_str("<text/>"),
        Rng::Choice(parts) => tag("choice", parts, out),
        Rng::Group(parts) => tag("group", parts, out),
        Rng::Interleave(parts) => tag("interleave", parts, out),
        Rng::Mixed(parts) => tag("mixed", parts, out),
        Rng::Optional(part) => tag("optional", one(part), out),
        Rng::ZeroOrMore(part) => tag("zeroOrMore", one(part), out),
        Rng::OneOrMore(part) => tag("oneOrMore", one(part), out),
        Rng::List(part) => tag("list", one(part), out),
        Rng::Ref(i) => {
            let _ = write!(out, "<ref name=\"d{i}\"/>");
        }
        Rng::Element(names, part) => named("element", names, part, out),
        Rng::Attribute(names, part) => named("attribute", names, part, out),
        Rng::Data(row, except) => {
            let (foreign, name, params, _) = DATA[*row];
            let library = if foreign { "" } else { " datatypeLibrary=\"\"" };
            let _ = write!(out, "<data type=\"{name}\"{library}>");
            for (name, value) in params {
                let _ = write!(out, "<param name=\"{name}\">{value}</param>");
            }
            if !except.is_empty() {
                tag("except", except, out);
            }
            out.push_str("</data>");
        }
        Rng::Value(row) => {
            let (library, name, text, _) = VALUES[*row];
            let _ = match library {
                None => write!(out, "<value>{text}</value>"),
                Some(true) => write!(out, "<value type=\"{name}\">{text}</value>"),
                Some(false) => {
                    write!(out, "<value type=\"{name}\" datatypeLibrary=\"\">{text}</value>")
                }
            };
        }
    }
}

fn tag(name: &str, parts: &[Rng], out: &mut String) {
    let _ = write!(out, "<{name}>");
    parts.iter().for_each(|part| write(part, out));
    let _ = write!(out, "</{name}>");
}

fn named(what: &str, names: &Names, part: &Rng, out: &mut String) {
    match names {
        // three ways to write a name
        Names::One(0, local) => {
            let _ = write!(out, "<{what} name=\"{}\">", LOCALS[*local]);
        }
        Names::One(1, local) => {
            let _ = write!(out, "<{what} name=\"x:{}\">", LOCALS[*local]);
        }
        Names::One(ns, local) => {
            let (uri, local) = (NAMESPACES[*ns], LOCALS[*local]);
            let _ = write!(out, "<{what} name=\"{local}\" ns=\"{uri}\">");
        }
        _ => {
            let _ = write!(out, "<{what}>");
            name_class(names, out);
        }
    }
    // an inherited `ns` is undone
    match (names, part) {
        (Names::One(2, _), part) => {
            out.push_str("<group ns=\"\">");
            write(part, out);
            out.push_str("</group>");
        }
        (_, part) => write(part, out),
    }
    let _ = write!(out, "</{what}>");
}

fn name_class(names: &Names, out: &mut String) {
    let except = |except: &Option<Box<Names>>, out: &mut String| {
        if let Some(inner) = except {
            out.push_str("<except>");
            name_class(inner, out);
            out.push_str("</except>");
        }
    };
    match names {
        Names::Any(inner) => {
            out.push_str("<anyName>");
            except(inner, out);
            out.push_str("</anyName>");
        }
        Names::Ns(ns, inner) => {
            let _ = write!(out, "<nsName ns=\"{}\">", NAMESPACES[*ns]);
            except(inner, out);
            out.push_str("</nsName>");
        }
        Names::One(ns, local) => {
            let _ = write!(out, "<name ns=\"{}\">{}</name>", NAMESPACES[*ns], LOCALS[*local]);
        }
        Names::Choice(all) => {
            out.push_str("<choice>");
            all.iter().for_each(|n| name_class(n, out));
            out.push_str("</choice>");
        }
    }
}
