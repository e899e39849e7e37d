//! Grammars in XML syntax, read into their simple form (section 4 of the specification).
//!
//! Three steps: `library` reads all files and checks their syntax; `scope` gathers what the grammars
//! define, includes and overrides included; `compile` makes patterns of what is reached, and
//! [`super::restrict`] checks section 7 on them.
//!
//! - `classes.rs`: name classes: their names resolved (4.8 to 4.10), their restrictions checked (4.16)
//! - `compile.rs`: from elements of a schema to patterns: rules 4.11 to 4.21, from the start on
//! - `context.rs`: inherited context of a schema element: namespaces, datatype library, base URI
//! - `kind.rs`: RELAX NG's own elements: names, attributes, places
//! - `library.rs`: the files of a schema: each read once, with all that it includes or refers to
//! - `node.rs`: elements of a schema, without annotations and comments
//! - `scope.rs`: grammars: definitions, includes and overrides (4.7)
//! - `syntax.rs`: the full syntax (section 3 of the specification), checked on each file (4.1 to 4.5)
//! - `uri.rs`: references to other files: the form of a URI, and RFC 3986's rules of resolution
//! - `xml10_names.rs`: names as XML 1.0 had them up to its fourth edition, which RELAX NG was written for

mod classes;
mod compile;
mod context;
mod kind;
mod library;
mod node;
mod scope;
mod syntax;
mod uri;
mod xml10_names;

pub use library::Files;

use super::pattern::Grammar;
use diagnostics::{Diagnostics, Sources};

/// Loads the schema whose main file is `entry`. Its texts are added to `sources`.
///
/// # Errors
/// All problems that were found, with positions.
pub fn load(entry: &str, files: &dyn Files, sources: &mut Sources) -> Result<Grammar, Diagnostics> {
    let mut problems = Diagnostics::default();
    let library = library::Library::read(entry, files, sources, &mut problems);
    // definitions of a missing file would show as undefined names
    let grammar = match library.entry() {
        Some(root) if !problems.has_errors() => compile::compile(root, &library, &mut problems),
        _ => None,
    };
    match grammar {
        Some(grammar) if !problems.has_errors() => Ok(grammar),
        _ => {
            problems.sort();
            problems.dedup();
            Err(problems)
        }
    }
}

/// A grammar of one file, which is its text.
#[cfg(test)]
impl Files for &str {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok((*self).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Symbol;
    use diagnostics::Diagnostic;

    struct Texts<'t>(Vec<(&'t str, String)>);

    impl Files for Texts<'_> {
        fn read(&self, uri: &str) -> Result<String, String> {
            let found = self.0.iter().find(|(name, _)| *name == uri);
            found.map(|(_, text)| text.clone()).ok_or_else(|| "no such file".to_owned())
        }
    }

    const START: &str = "<start><element name='e'><empty/></element></start>";

    fn grammar(inside: &str) -> String {
        format!("<grammar xmlns='{}'>\n{inside}</grammar>", kind::RELAX_NG)
    }

    /// Loads a schema of several grammars, or returns all its problems.
    fn loaded(files: &[(&'static str, &str)]) -> Result<Grammar, Vec<String>> {
        let texts = Texts(files.iter().map(|(name, text)| (*name, grammar(text))).collect());
        let mut sources = Sources::default();
        let entry = files.first().expect("a file").0;
        load(entry, &texts, &mut sources).map_err(|problems| {
            let line = |d: &Diagnostic| {
                let place = d.span.and_then(|span| sources.place(span)).expect("a place");
                let more = [&d.detail, &d.hint].map(|m| m.as_deref().unwrap_or("-").to_owned());
                format!("{place} {}: {} ({}; {})", d.code, d.summary, more[0], more[1])
            };
            problems.iter().map(line).collect()
        })
    }

    /// Asserts the beginnings of the messages about a schema of one file.
    fn refused(inside: &str, want: &[&str]) {
        let got = loaded(&[("g", inside)]).err().unwrap_or_default();
        let same = got.len() == want.len() && got.iter().zip(want).all(|(g, w)| g.starts_with(w));
        assert!(same, "{inside}\n{got:#?}");
    }

    #[test]
    fn syntax() {
        refused(
            "<start><elemnt name='a'/></start>",
            &["g:2:8 schema-syntax: RELAX NG has no element <elemnt> (-; did you mean <element>?)"],
        );
        refused(
            "<start><ref nmae='a'/><text/>t</start>",
            &[
                "g:2:8 schema-syntax: <ref> lacks the attribute name",
                "g:2:13 schema-syntax: <ref> has no attribute \"nmae\" in RELAX NG (-; did you \
                 mean name?)",
                "g:2:23 schema-syntax: <start> has more than one child",
                "g:2:30 schema-syntax: text has no meaning in <start>",
            ],
        );
        refused(
            "<element name='a'/><start combine='chioce'><element><define/></element></start>",
            &[
                "g:2:1 schema-syntax: <element> cannot stand here (expected <start>, <define>",
                "g:2:36 schema-syntax: \"chioce\" is no way to combine (-; did you mean choice?)",
                "g:2:44 schema-syntax: <element> is empty; it must hold a pattern",
                "g:2:53 schema-syntax: <define> cannot stand here (expected a name class",
            ],
        );
        refused(
            "<start><element name='a b'><data type='&#x10000;' datatypeLibrary='x'/></element></start>",
            &[
                "g:2:23 schema-syntax: \"a b\" is not a name (-",
                "g:2:40 schema-syntax: \"\u{10000}\" is not a name (names follow XML 1.0",
                "g:2:68 schema-syntax: \"x\" is no datatype library (it is a relative URI",
            ],
        );
    }

    #[test]
    fn references_and_definitions() {
        refused(
            "<start><ref name='disc'/></start><define name='disk'><parentRef name='x'/></define>",
            &[
                "g:2:19 schema-reference: disc is not defined (-; did you mean disk?)",
                "g:2:54 schema-reference: <parentRef> stands in no grammar that could define x",
            ],
        );
        refused(
            "<define name='a'><text/></define>",
            &["g:1:1 schema-reference: the grammar has no"],
        );
        let two =
            format!("{START}<define name='a'><text/></define><define name='a'><text/></define>");
        refused(&two, &["g:2:85 schema-duplicate: the definition of a is there twice"]);
        let ways = format!(
            "{START}<define name='a' combine='choice'><text/></define>\
             <define name='a' combine='interleave'><text/></define>"
        );
        refused(&ways, &["g:2:128 schema-duplicate: the definition of a is combined in two ways"]);
        refused(
            "<start><ref name='a'/></start><define name='a'><group><ref name='b'/></group></define>\
             <define name='b'><optional><ref name='a'/></optional></define>",
            &["g:2:114 schema-recursion: a refers to itself with no element between (a → b → a;"],
        );
        // an element may hold itself
        let own = "<start><ref name='a'/></start><define name='a'><element name='a'><optional>\
                   <ref name='a'/></optional></element></define>";
        assert!(loaded(&[("g", own)]).is_ok());
        // unreferenced definitions are checked, and dropped
        let unused = |inside| format!("{START}<define name='u'>{inside}</define>");
        refused(&unused("<ref name='v'/>"), &["g:2:80 schema-reference: v is not defined"]);
        refused(&unused("<data type='x'/>"), &["g:2:81 schema-datatype:"]);
        let kept = loaded(&[("g", &unused("<element name='x'><text/></element>"))]).expect("right");
        assert_eq!(kept.elements.len(), 1);
    }

    #[test]
    fn includes() {
        let base = "<start><ref name='a'/></start><define name='a'><element name='a'><empty/>\
                    </element></define>";
        let with = |inside: &str| {
            let entry = format!("<include href='../b/base'>{inside}</include>");
            loaded(&[("a/g", &entry), ("b/base", base)])
        };
        let name = |grammar: Grammar| {
            let symbols =
                grammar.elements.iter().flat_map(|e| e.class.listed()).collect::<Vec<_>>();
            symbols.iter().filter_map(|s| Some(grammar.names.name(*s)?.1.to_owned())).collect()
        };
        let names = |inside| -> Vec<String> { with(inside).map(name).expect("right") };
        assert_eq!(names(""), ["a"]);
        let other = "<define name='a'><element name='b'><empty/></element></define>";
        assert_eq!(names(other), ["b"]);
        assert_eq!(names(&format!("<div>{other}</div>")), ["b"]);
        let problems = with("<define name='c'><empty/></define>").expect_err("nothing to override");
        assert_eq!(
            problems,
            ["a/g:2:27 schema-include: the definition of c overrides nothing (../b/base has no \
              definition of c; a definition that is not in the included file stands \
              beside the include)"]
        );
        let of = |files| loaded(files).expect_err("wrong");
        assert_eq!(
            of(&[("g", "<include href='h'/>"), ("h", "<include href='i'/>")]),
            ["h:2:1 schema-file: the schema file \"i\" cannot be read (no such file; h needs it)"]
        );
        assert_eq!(
            of(&[("g", "<include href='h'/>"), ("h", "<include href='g'/>")]),
            ["h:2:1 schema-file: \"g\" includes itself (g → h → g; -)"]
        );
        // the same file twice, in two grammars, is no cycle
        let twice = "<start><choice><grammar><include href='h'/></grammar>\
                     <grammar><include href='h'/></grammar></choice></start>";
        assert!(loaded(&[("g", twice), ("h", START)]).is_ok());
    }

    #[test]
    fn what_is_inherited() {
        // an attribute's name does not inherit ns, an element's does, into other files too
        let entry = "<div ns='urn:x' datatypeLibrary='urn:none'><include href='h'/></div>";
        let inner = "<start><element name='e'><attribute name='a'><data type='token'/></attribute>\
                     <attribute><name>b</name></attribute></element></start>";
        let grammar = loaded(&[("g", entry), ("h", inner)]).expect("right");
        let name = |symbols: Vec<Symbol>| {
            let symbol = symbols.first().expect("one name");
            let (uri, local) = grammar.names.name(*symbol).expect("a name");
            format!("{uri} {local}")
        };
        let attributes: Vec<_> = grammar.attributes.iter().map(|(_, a)| a.class.listed()).collect();
        assert_eq!(attributes.into_iter().map(name).collect::<Vec<_>>(), [" a", "urn:x b"]);
        let element = grammar.elements.first().expect("one");
        assert_eq!(name(element.class.listed()), "urn:x e");
    }

    #[test]
    fn names() {
        let attribute = |inside: &str| {
            format!("<start><element name='e'><attribute>{inside}</attribute></element></start>")
        };
        let at = "g:2:37 schema-name:";
        refused(&attribute("<name ns=''>xmlns</name>"), &["g:2:49 schema-name: namespace"]);
        refused(&attribute("<name>p:x</name>"), &["g:2:43 schema-name: the prefix p is not"]);
        refused(
            &attribute("<nsName ns='http://www.w3.org/2000/xmlns'/>"),
            &[&format!("{at} namespace declarations are not attributes")],
        );
        refused(
            &attribute("<anyName><except><anyName/></except></anyName>"),
            &["g:2:54 schema-name: <anyName> cannot be excepted"],
        );
    }

    #[test]
    fn restrictions() {
        let element = |inside: &str| format!("<start><element name='e'>{inside}</element></start>");
        for (inside, want) in [
            (
                "<oneOrMore><attribute name='a'/><text/></oneOrMore>",
                "g:2:37 schema-restriction: attribute \"a\" may occur more than once (RELAX NG \
                 does not allow the path oneOrMore//group//attribute",
            ),
            (
                "<attribute name='a'><attribute name='b'/></attribute>",
                "g:2:46 schema-restriction: attribute \"b\" cannot stand in <attribute>",
            ),
            (
                "<list><group><element name='x'><text/></element><text/></group></list>",
                "g:2:39 schema-restriction: element \"x\" cannot stand in <list>",
            ),
            (
                "<data type='token'><except><text/></except></data>",
                "g:2:26 schema-restriction: <text> cannot stand in <data>",
            ),
            (
                "<group><attribute name='a'/><optional><attribute name='a'><value>x</value>\
                 </attribute></optional></group>",
                "g:2:64 schema-restriction: attribute \"a\" may be there twice",
            ),
            (
                "<attribute><anyName/></attribute>",
                "g:2:26 schema-restriction: attribute of any name with any of many names is not",
            ),
            (
                "<interleave><text/><mixed><element name='x'><text/></element></mixed></interleave>",
                "g:2:26 schema-restriction: two parts of an <interleave> have text",
            ),
            (
                "<interleave><element name='x'><empty/></element><group><element name='x'><text/>\
                 </element><element name='y'><text/></element></group></interleave>",
                "g:2:81 schema-restriction: two parts of an <interleave> have element \"x\"",
            ),
            (
                "<group><data type='token'/><element name='x'><text/></element></group>",
                "g:2:26 schema-restriction: in element \"e\", a text with a type stands beside",
            ),
        ] {
            refused(&element(inside), &[want]);
        }
        refused(
            "<start><text/></start>",
            &["g:2:8 schema-restriction: <text> cannot stand in <start>"],
        );
        // a list of words with types is one text
        let list = element("<list><data type='token'/><data type='token'/></list>");
        assert!(loaded(&[("g", &list)]).is_ok());
    }

    #[test]
    fn documentation_of_types() {
        let schema = format!(
            "<start xmlns:a='http://relaxng.org/ns/compatibility/annotations/1.0'>\
             <element name='e'><ref name='mac'/></element></start><define name='mac'>\
             <d:documentation xmlns:d='http://relaxng.org/ns/compatibility/annotations/1.0'>a MAC\
             {} address</d:documentation><choice><data type='token'/><value/></choice></define>",
            "\n"
        );
        let grammar = loaded(&[("g", &schema)]).expect("right");
        let (_, data) = grammar.data.iter().next().expect("one");
        assert_eq!(data.documentation.as_deref(), Some("a MAC address"));
        assert_eq!(data.define.as_deref(), Some("mac"));
    }

    /// Checks that nesting, chains of definitions and many paths to one pattern take neither stack nor time.
    #[test]
    fn deep_and_wide() {
        let chain = |count: usize| -> String {
            let link = |i: usize| {
                format!(
                    "<define name='d{i}'><choice><ref name='d{}'/><empty/></choice></define>",
                    i + 1
                )
            };
            (0..count).map(link).collect()
        };
        let start = "<start><element name='e'><ref name='d0'/></element></start>";
        let last = |i| format!("<define name='d{i}'><text/></define>");
        assert!(loaded(&[("g", &format!("{start}{}{}", chain(100), last(100)))]).is_ok());
        let long = format!("{start}{}{}", chain(10_000), last(10_000));
        let problems = loaded(&[("g", &long)]).expect_err("too deep");
        assert!(problems.iter().all(|p| p.contains("nested more than 300 deep")), "{problems:#?}");
        // 2^40 ways to the same element
        let double = |i: usize| {
            let next = i + 1;
            format!(
                "<define name='d{i}'><group><ref name='d{next}'/><ref name='d{next}'/></group></define>"
            )
        };
        let doubled = |count| (0..count).map(double).collect::<String>();
        let x = |i| format!("<define name='d{i}'><element name='x'><text/></element></define>");
        assert!(loaded(&[("g", &format!("{start}{}{}", doubled(10), x(10)))]).is_ok());
        let many = format!("{start}{}{}", doubled(40), x(40));
        let problems = loaded(&[("g", &many)]).expect_err("too wide");
        assert!(problems.iter().all(|p| p.contains("more than 10000 parts")), "{problems:#?}");
    }
}
