//! The full syntax (section 3 of the specification), checked on the whole of each file: which
//! elements and attributes there are, what they hold, how names and URIs look (4.1 to 4.5).

use super::kind::{Attr, Kind, Place, trim};
use super::node::{Attribute, Node};
use super::{uri, xml10_names};
use diagnostics::{Diagnostic, Diagnostics, Span, closest, excerpt};

/// Reference to another file.
#[derive(Debug)]
pub(super) struct Reference {
    /// Place: the element's start tag.
    pub(super) span: Span,
    /// URI, made absolute.
    pub(super) uri: String,
    /// Whether the reference is an `include`, which wants a grammar, and no `externalRef`.
    pub(super) include: bool,
}

/// Checks a file whose address is `base`, and lists its references.
pub(super) fn check(root: &Node, base: &str, problems: &mut Diagnostics) -> Vec<Reference> {
    let mut checker = Checker { problems, references: Vec::new() };
    if root.rare().is_some_and(|rare| rare.foreign) {
        let summary = format!("<{}> is not an element of RELAX NG", excerpt(root.name()));
        let hint = format!("declare its namespace: xmlns=\"{}\"", super::kind::RELAX_NG);
        checker.problem(root.span, summary, Some(hint));
    } else {
        checker.element(root, Place::Pattern, base);
    }
    checker.references
}

struct Checker<'p> {
    problems: &'p mut Diagnostics,
    references: Vec<Reference>,
}

impl Checker<'_> {
    fn element(&mut self, e: &Node, place: Place, base: &str) {
        let Some(kind) = e.kind else {
            let name = excerpt(e.name());
            let hint = closest(e.name(), Kind::names_at(place));
            let hint = hint.map(|known| format!("did you mean <{known}>?"));
            return self.problem(e.span, format!("RELAX NG has no element <{name}>"), hint);
        };
        if !kind.may_stand(place) {
            return self.misplaced(e, place);
        }
        let own = e.rare().and_then(|rare| rare.base.as_deref());
        let own = own.map(|own| uri::resolve(base, own));
        let base = own.as_deref().unwrap_or(base);
        self.attributes(e, kind, base);
        self.text(e, kind);
        self.children(e, kind, place, base);
    }

    fn children(&mut self, e: &Node, kind: Kind, place: Place, base: &str) {
        let may_be_named = matches!(kind, Kind::Element | Kind::Attribute);
        let from = usize::from(may_be_named && e.attribute(Attr::Name).is_none());
        if from == 1 {
            match e.children.first() {
                Some(class) => self.element(class, Place::NameClass, base),
                None => {
                    let summary = format!("this <{}> has no name", e.name());
                    let hint = "give it the attribute name, or <name>, <anyName> or <nsName> as \
                                its first child";
                    self.problem(e.span, summary, Some(hint.to_owned()));
                }
            }
        }
        let (place, least, most) = content(kind, place);
        let mut count = 0;
        for (i, child) in e.children.iter().skip(from).enumerate() {
            count = i + 1;
            if i == most && place != Place::Nowhere {
                let summary = format!("<{}> has more than one child", e.name());
                let hint = "put them into <group>, <choice> or <interleave>".to_owned();
                let hint = (place == Place::Pattern).then_some(hint);
                self.problem(child.span, summary, hint);
            }
            let excepts = kind == Kind::Data && i > 0;
            if excepts && e.children.get(i - 1).is_some_and(|c| c.kind == Some(Kind::Except)) {
                let summary = "<except> is the last child that <data> may have";
                self.problem(child.span, summary.to_owned(), None);
            }
            self.element(child, place, base);
        }
        if count < least {
            let what = if place == Place::NameClass { "name class" } else { "pattern" };
            let summary = format!("<{}> is empty; it must hold a {what}", e.name());
            let hint = "<empty/> stands for no content, <text/> for any text".to_owned();
            self.problem(e.span, summary, (place == Place::Pattern).then_some(hint));
        }
    }

    fn attributes(&mut self, e: &Node, kind: Kind, base: &str) {
        let known = kind.attributes();
        for a in e.attributes() {
            match a.what {
                Attr::Ns => {}
                Attr::DatatypeLibrary => {
                    if let Some(why) = uri::wrong_library(&a.value) {
                        let summary = format!("\"{}\" is no datatype library", excerpt(&a.value));
                        self.problems.push(error(a.span, summary).detail(why));
                    }
                }
                what if known.iter().any(|(known, _)| *known == what) => {
                    self.value(e, kind, a, base);
                }
                what => self.unknown_attribute(e, what.as_str(), a.span, known),
            }
        }
        for (name, span) in e.rare().map_or(&[][..], |rare| &rare.attributes) {
            self.unknown_attribute(e, name, *span, known);
        }
        for (what, needed) in known {
            if *needed && e.attribute(*what).is_none() {
                let summary = format!("<{}> lacks the attribute {}", e.name(), what.as_str());
                self.problem(e.span, summary, None);
            }
        }
    }

    /// Checks the value of an attribute that the element may have.
    fn value(&mut self, e: &Node, kind: Kind, a: &Attribute, base: &str) {
        let value = trim(&a.value);
        let qualified = matches!(kind, Kind::Element | Kind::Attribute);
        match a.what {
            Attr::Href => self.reference(e, kind, a, base),
            Attr::Combine if matches!(value, "choice" | "interleave") => {}
            Attr::Combine => {
                let hint = closest(value, ["choice", "interleave"]);
                let hint = hint.map_or("combine is choice or interleave".to_owned(), |known| {
                    format!("did you mean {known}?")
                });
                let summary = format!("\"{}\" is no way to combine", excerpt(value));
                self.problem(a.span, summary, Some(hint));
            }
            _ if qualified && xml10_names::is_qname(value) => {}
            _ if !qualified && xml10_names::is_ncname(value) => {}
            _ => self.bad_name(a.span, value),
        }
    }

    fn reference(&mut self, e: &Node, kind: Kind, a: &Attribute, base: &str) {
        if let Some(why) = uri::wrong_reference(&a.value) {
            let summary = format!("\"{}\" cannot be referred to", excerpt(&a.value));
            return self.problems.push(error(a.span, summary).detail(why));
        }
        let uri = uri::resolve(base, &a.value);
        self.references.push(Reference { span: e.span, uri, include: kind == Kind::Include });
    }

    /// Checks that there is text where it has a meaning, and only there.
    fn text(&mut self, e: &Node, kind: Kind) {
        if let Some(span) = e.rare().and_then(|rare| rare.text) {
            let summary = format!("text has no meaning in <{}>", e.name());
            let hint = "a text that a document must have is <value>…</value>".to_owned();
            self.problem(span, summary, Some(hint));
        }
        // not even annotations may stand beside text
        if let Some((name, span)) = e.rare().and_then(|rare| rare.annotation.as_ref()) {
            let summary = format!("<{}> holds text only, not <{}>", e.name(), excerpt(name));
            self.problem(*span, summary, None);
        }
        if kind == Kind::Name && !xml10_names::is_qname(trim(&e.text)) {
            self.bad_name(e.text_span, trim(&e.text));
        }
    }

    fn misplaced(&mut self, e: &Node, place: Place) {
        let expected = match place {
            Place::Pattern => "a pattern",
            Place::NameClass => "a name class: <name>, <anyName>, <nsName> or <choice>",
            Place::Grammar => "<start>, <define>, <div> or <include>",
            Place::Include => "<start>, <define> or <div>",
            Place::Data => "<param> or <except>",
            Place::Open => "<except>",
            Place::Nowhere => "nothing",
        };
        let summary = format!("<{}> cannot stand here", e.name());
        self.problems.push(error(e.span, summary).detail(format!("expected {expected}")));
    }

    fn unknown_attribute(&mut self, e: &Node, name: &str, at: Span, known: &[(Attr, bool)]) {
        let names = known.iter().map(|(what, _)| *what).chain([Attr::Ns, Attr::DatatypeLibrary]);
        let hint = closest(name, names.map(Attr::as_str));
        let hint = hint.map(|known| format!("did you mean {known}?"));
        let summary = format!("<{}> has no attribute \"{}\" in RELAX NG", e.name(), excerpt(name));
        self.problem(at, summary, hint);
    }

    fn bad_name(&mut self, span: Span, value: &str) {
        let summary = format!("\"{}\" is not a name", excerpt(value));
        let detail = "names follow XML 1.0 up to its fourth edition, as RELAX NG does";
        let ascii = value.is_ascii();
        let problem = error(span, summary);
        self.problems.push(if ascii { problem } else { problem.detail(detail) });
    }

    fn problem(&mut self, span: Span, summary: String, hint: Option<String>) {
        let mut problem = error(span, summary);
        problem.hint = hint;
        self.problems.push(problem);
    }
}

fn error(span: Span, summary: String) -> Diagnostic {
    Diagnostic::error("schema-syntax", summary).at(span)
}

/// Returns the allowed content of an element at `place`, beside its name class: its sort, and the least and
/// largest number.
fn content(kind: Kind, place: Place) -> (Place, usize, usize) {
    match kind {
        Kind::Element
        | Kind::Group
        | Kind::Interleave
        | Kind::Optional
        | Kind::ZeroOrMore
        | Kind::OneOrMore
        | Kind::List
        | Kind::Mixed
        | Kind::Define => (Place::Pattern, 1, usize::MAX),
        Kind::Choice if place == Place::NameClass => (Place::NameClass, 1, usize::MAX),
        Kind::Choice => (Place::Pattern, 1, usize::MAX),
        Kind::Except if place == Place::Open => (Place::NameClass, 1, usize::MAX),
        Kind::Except => (Place::Pattern, 1, usize::MAX),
        Kind::Start => (Place::Pattern, 1, 1),
        Kind::Attribute => (Place::Pattern, 0, 1),
        Kind::Grammar => (Place::Grammar, 0, usize::MAX),
        Kind::Div if place == Place::Include => (Place::Include, 0, usize::MAX),
        Kind::Div => (Place::Grammar, 0, usize::MAX),
        Kind::Include => (Place::Include, 0, usize::MAX),
        Kind::Data => (Place::Data, 0, usize::MAX),
        Kind::AnyName | Kind::NsName => (Place::Open, 0, 1),
        Kind::Ref
        | Kind::ParentRef
        | Kind::Empty
        | Kind::Value
        | Kind::NotAllowed
        | Kind::Text
        | Kind::ExternalRef
        | Kind::Param
        | Kind::Name => (Place::Nowhere, 0, 0),
    }
}
