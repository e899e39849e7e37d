//! Restrictions of the specification's section 7 on a grammar in simple form.
//!
//! Every pattern is looked at once, its parts before it: their numbers are lower.

use super::names::NameClass;
use super::pattern::{AttributeId, DataId, ElementId, Grammar, Number, Pattern, PatternId};
use super::summary::{ContentType, Holds, Summary};
use diagnostics::{Diagnostic, Diagnostics, Span, excerpt};
use rustc_hash::FxHashMap;

/// Places of a grammar's parts in the schema: the first, if there are several.
#[derive(Debug, Default)]
pub(super) struct Origins {
    pub(super) patterns: Places,
    pub(super) elements: Places,
    pub(super) attributes: Places,
}

/// Places by number.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Span>);

impl Places {
    /// Notes that the things up to number `last` that are new were made at `span`.
    pub(super) fn reach(&mut self, last: usize, span: Span) {
        if last >= self.0.len() {
            self.0.resize(last + 1, span);
        }
    }

    fn get(&self, at: usize) -> Span {
        self.0.get(at).copied().unwrap_or(Span::NONE)
    }
}

/// Checks the parts that can be reached from the start.
pub(super) fn check(grammar: &Grammar, origins: &Origins, problems: &mut Diagnostics) {
    let reached = Reached::of(grammar);
    let summaries = vec![Summary::default(); grammar.patterns.len()];
    let mut checker = Checker { grammar, origins, problems, summaries };
    for id in reached.patterns {
        checker.pattern(id);
    }
    for id in reached.elements {
        checker.element(id);
    }
    checker.start();
}

/// Parts that can be reached from the start, in the order of the numbers.
struct Reached {
    patterns: Vec<PatternId>,
    elements: Vec<ElementId>,
}

impl Reached {
    fn of(grammar: &Grammar) -> Self {
        let mut seen = vec![false; grammar.patterns.len()];
        let mut seen_elements = vec![false; grammar.elements.len()];
        let mut open = vec![grammar.start];
        while let Some(id) = open.pop() {
            match seen.get_mut(id.index()) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match grammar.patterns.get(id) {
                Pattern::Choice(parts) | Pattern::Interleave(parts) | Pattern::Group(parts) => {
                    open.extend_from_slice(parts);
                }
                Pattern::OneOrMore(part) | Pattern::List(part) => open.push(*part),
                Pattern::Data(id) => open.extend(grammar.data.get(*id).and_then(|d| d.except)),
                Pattern::Attribute(id) => {
                    open.extend(grammar.attributes.get(*id).map(|a| a.content));
                }
                Pattern::Element(id) => {
                    open.extend(grammar.element(*id).map(|e| e.content));
                    if let Some(seen) = seen_elements.get_mut(id.index()) {
                        *seen = true;
                    }
                }
                Pattern::NotAllowed | Pattern::Empty | Pattern::Text | Pattern::Value(_) => {}
            }
        }
        let places =
            |seen: Vec<bool>| seen.into_iter().enumerate().filter(|(_, s)| *s).map(|(i, _)| i);
        Self {
            patterns: places(seen).map(PatternId::new).collect(),
            elements: places(seen_elements).map(ElementId::new).collect(),
        }
    }
}

struct Checker<'g> {
    grammar: &'g Grammar,
    origins: &'g Origins,
    problems: &'g mut Diagnostics,
    summaries: Vec<Summary>,
}

/// Patterns that `<list>` must not hold (7.1.3), with their paths.
const IN_LIST: [(Holds, &str); 5] = [
    (Holds::LIST, "list//list"),
    (Holds::ELEMENT, "list//ref"),
    (Holds::ATTRIBUTE, "list//attribute"),
    (Holds::TEXT, "list//text"),
    (Holds::INTERLEAVE, "list//interleave"),
];

/// Patterns that the exception of a `<data>` must not hold (7.1.4).
const IN_EXCEPT: [(Holds, &str); 8] = [
    (Holds::ATTRIBUTE, "data/except//attribute"),
    (Holds::ELEMENT, "data/except//ref"),
    (Holds::LIST, "data/except//list"),
    (Holds::TEXT, "data/except//text"),
    (Holds::GROUP, "data/except//group"),
    (Holds::INTERLEAVE, "data/except//interleave"),
    (Holds::MORE, "data/except//oneOrMore"),
    (Holds::EMPTY, "data/except//empty"),
];

/// Patterns that `<attribute>` must not hold (7.1.1).
const IN_ATTRIBUTE: [(Holds, &str); 2] =
    [(Holds::ELEMENT, "attribute//ref"), (Holds::ATTRIBUTE, "attribute//attribute")];

/// Patterns that `<start>` must not hold (7.1.5).
const IN_START: [(Holds, &str); 8] = [
    (Holds::ATTRIBUTE, "start//attribute"),
    (Holds::STRING, "start//data"),
    (Holds::LIST, "start//list"),
    (Holds::TEXT, "start//text"),
    (Holds::GROUP, "start//group"),
    (Holds::INTERLEAVE, "start//interleave"),
    (Holds::MORE, "start//oneOrMore"),
    (Holds::EMPTY, "start//empty"),
];

impl Checker<'_> {
    fn pattern(&mut self, id: PatternId) {
        let grammar = self.grammar;
        let summary = match grammar.patterns.get(id) {
            Pattern::NotAllowed => Summary::default(),
            Pattern::Empty => Summary::leaf(Holds::EMPTY, ContentType::Empty),
            Pattern::Text => Summary::leaf(Holds::TEXT, ContentType::Complex),
            Pattern::Value(_) => Summary::leaf(Holds::STRING, ContentType::Data),
            Pattern::Element(element) => Summary::of_element(*element),
            Pattern::Attribute(attribute) => self.attribute(*attribute),
            Pattern::Data(data) => self.data(id, *data),
            Pattern::List(part) => {
                let around = self.place(id);
                self.prohibited(*part, &IN_LIST, "7.1.3", around);
                Summary::leaf(Holds::LIST, ContentType::Data)
            }
            Pattern::OneOrMore(part) => self.one_or_more(*part),
            Pattern::Choice(parts) => Summary::choice(parts.iter().map(|p| self.summary(*p))),
            Pattern::Group(parts) => {
                self.attributes_overlap(id, parts);
                Summary::group(Holds::GROUP, parts.iter().map(|p| self.summary(*p)))
            }
            Pattern::Interleave(parts) => {
                self.attributes_overlap(id, parts);
                self.interleave(id, parts);
                Summary::group(Holds::INTERLEAVE, parts.iter().map(|p| self.summary(*p)))
            }
        };
        if let Some(place) = self.summaries.get_mut(id.index()) {
            *place = summary;
        }
    }

    fn summary(&self, id: PatternId) -> &Summary {
        // NOT_ALLOWED has the number 0, and nothing in it
        self.summaries.get(id.index()).or_else(|| self.summaries.first()).unwrap_or(&Summary::NONE)
    }

    fn attribute(&mut self, id: AttributeId) -> Summary {
        let Some(attribute) = self.grammar.attributes.get(id) else { return Summary::default() };
        let around = self.origins.attributes.get(id.index());
        self.prohibited(attribute.content, &IN_ATTRIBUTE, "7.1.1", around);
        self.content_type(attribute.content, "attribute", &attribute.class);
        Summary::of_attribute(id, attribute.class.is_infinite())
    }

    fn data(&mut self, id: PatternId, data: DataId) -> Summary {
        if let Some(except) = self.grammar.data.get(data).and_then(|data| data.except) {
            self.prohibited(except, &IN_EXCEPT, "7.1.4", self.place(id));
        }
        Summary::leaf(Holds::STRING, ContentType::Data)
    }

    fn one_or_more(&mut self, part: PatternId) -> Summary {
        let summary = self.summary(part);
        if summary.grouped {
            let (attribute, around) = self.grouped(part);
            let path = format!("oneOrMore//{around}//attribute");
            let summary = format!("{} may occur more than once", self.what(attribute));
            let problem = self.error(summary, attribute, &path, "7.1.2");
            let hint = "an element has an attribute once: take it out of <oneOrMore>";
            self.problems.push(problem.hint(hint));
        }
        self.summary(part).one_or_more()
    }

    fn element(&mut self, id: ElementId) {
        let Some(element) = self.grammar.element(id) else { return };
        self.content_type(element.content, "element", &element.class);
        if self.summary(element.content).bare {
            let at = self.find(element.content, &|s: &Summary| s.bare);
            let what = self.what(at);
            let summary = format!("{what} with any of many names is not repeated");
            let problem = self.plain(summary, at, "7.3");
            self.problems.push(problem.hint("put it into <zeroOrMore> or <oneOrMore>"));
        }
    }

    fn start(&mut self) {
        let start = self.grammar.start;
        self.prohibited(start, &IN_START, "7.1.5", self.place(start));
    }

    /// Reports the first of `paths` that is present. `outer` is the place of the pattern that must not have
    /// it.
    fn prohibited(
        &mut self,
        inner: PatternId,
        paths: &[(Holds, &str)],
        section: &str,
        outer: Span,
    ) {
        let holds = self.summary(inner).holds;
        let Some((what, path)) = paths.iter().find(|(what, _)| holds.has(*what)) else { return };
        let at = self.find(inner, &|s: &Summary| s.holds.has(*what));
        let around = path.split('/').next().unwrap_or("");
        let summary = format!("{} cannot stand in <{around}>", self.what(at));
        let mut problem = self.error(summary, at, path, section);
        // there is but one `text` and one `empty`, wherever they stand
        if matches!(self.grammar.patterns.get(at), Pattern::Text | Pattern::Empty) {
            problem = problem.at(outer);
        }
        self.problems.push(problem);
    }

    /// Reports a text with a type beside other content, attributes aside (7.2).
    fn content_type(&mut self, content: PatternId, what: &str, class: &NameClass) {
        if self.summary(content).content.is_some() {
            return;
        }
        let at = self.find(content, &|s: &Summary| s.content.is_none());
        let class = self.class(class);
        let summary = format!("in {what} {class}, a text with a type stands beside other content");
        let detail = "<data>, <value> or <list> must be all that there is in an element or \
                      attribute, as one of several alternatives or not, and not be repeated";
        let problem = self.plain(summary, at, "7.2").detail(detail);
        self.problems.push(problem.hint("words separated by whitespace are described by <list>"));
    }

    fn attributes_overlap(&mut self, id: PatternId, parts: &[PatternId]) {
        let grammar = self.grammar;
        let sets = parts.iter().map(|part| &*self.summary(*part).attributes);
        let class = |id: AttributeId| grammar.attributes.get(id).map(|a| &a.class);
        let Some((a, b)) = overlap(grammar, sets, class) else { return };
        let (one, other) = (class(a), class(b));
        let name = one.map_or_else(String::new, |class| self.class(class));
        let summary = format!("attribute {name} may be there twice");
        let mut problem = self.plain(summary, id, "7.3");
        problem.span = Some(self.origins.attributes.get(b.index()));
        if a != b {
            let name = other.map_or_else(String::new, |class| self.class(class));
            let text = format!("this one overlaps with {name}");
            problem = problem.related(self.origins.attributes.get(a.index()), text);
        }
        problem = problem.related(self.origins.patterns.get(id.index()), "both stand in this");
        self.problems.push(problem.hint("put them into a <choice>"));
    }

    /// Checks that interleaved parts differ in the names of elements, and that one of them at most has text
    /// (7.4).
    fn interleave(&mut self, id: PatternId, parts: &[PatternId]) {
        let grammar = self.grammar;
        let mut texts = parts.iter().filter(|part| self.summary(**part).holds.has(Holds::TEXT));
        if texts.nth(1).is_some() {
            let summary = "two parts of an <interleave> have text".to_owned();
            let problem = self.plain(summary, id, "7.4");
            self.problems.push(problem.hint("put <text/> in once, beside the others"));
        }
        let sets = parts.iter().map(|part| &*self.summary(*part).elements);
        let class = |id: ElementId| grammar.element(id).map(|e| &e.class);
        let Some((a, b)) = overlap(grammar, sets, class) else { return };
        let name = class(b).map_or_else(String::new, |class| self.class(class));
        let summary = format!("two parts of an <interleave> have element {name}");
        let mut problem = self.plain(summary, id, "7.4");
        problem.span = Some(self.origins.elements.get(b.index()));
        if a != b {
            problem = problem.related(self.origins.elements.get(a.index()), "the other is here");
        }
        problem = problem.related(self.origins.patterns.get(id.index()), "both stand in this");
        self.problems.push(problem.hint("put them into one part, as <oneOrMore> of a <choice>"));
    }

    /// The innermost pattern that still is so, on the way to the first that makes `id` so.
    fn find(&self, mut id: PatternId, is: &dyn Fn(&Summary) -> bool) -> PatternId {
        loop {
            let parts = match self.grammar.patterns.get(id) {
                Pattern::Choice(parts) | Pattern::Interleave(parts) | Pattern::Group(parts) => {
                    &**parts
                }
                Pattern::OneOrMore(part) => std::slice::from_ref(part),
                _ => return id,
            };
            match parts.iter().find(|part| is(self.summary(**part))) {
                Some(part) => id = *part,
                None => return id,
            }
        }
    }

    /// The attribute that stands in a group or interleave of `id`, and in which of the two.
    fn grouped(&self, id: PatternId) -> (PatternId, &'static str) {
        let around = self.find(id, &|s: &Summary| s.grouped);
        let name = match self.grammar.patterns.get(around) {
            Pattern::Interleave(_) => "interleave",
            _ => "group",
        };
        (self.find(around, &|s: &Summary| s.holds.has(Holds::ATTRIBUTE)), name)
    }

    /// Returns the name of a pattern for people.
    fn what(&self, id: PatternId) -> String {
        match self.grammar.patterns.get(id) {
            Pattern::NotAllowed => "<notAllowed>".to_owned(),
            Pattern::Empty => "<empty>".to_owned(),
            Pattern::Text => "<text>".to_owned(),
            Pattern::Choice(_) => "<choice>".to_owned(),
            Pattern::Interleave(_) => "<interleave>".to_owned(),
            Pattern::Group(_) => "<group>, or several patterns,".to_owned(),
            Pattern::OneOrMore(_) => "<oneOrMore>".to_owned(),
            Pattern::List(_) => "<list>".to_owned(),
            Pattern::Data(_) => "<data>".to_owned(),
            Pattern::Value(_) => "<value>".to_owned(),
            Pattern::Attribute(id) => {
                let class = self.grammar.attributes.get(*id).map(|a| self.class(&a.class));
                format!("attribute {}", class.unwrap_or_default())
            }
            Pattern::Element(id) => {
                let class = self.grammar.element(*id).map(|e| self.class(&e.class));
                format!("element {}", class.unwrap_or_default())
            }
        }
    }

    /// Returns the name of a name class for people.
    fn class(&self, class: &NameClass) -> String {
        if class.is_infinite() {
            return "of any name".to_owned();
        }
        let names = class.listed();
        let names = names.iter().filter_map(|symbol| self.grammar.names.name(*symbol));
        let names: Vec<String> =
            names.map(|(_, local)| format!("\"{}\"", excerpt(local))).collect();
        names.join(" or ")
    }

    fn place(&self, id: PatternId) -> Span {
        match self.grammar.patterns.get(id) {
            Pattern::Attribute(id) => self.origins.attributes.get(id.index()),
            Pattern::Element(id) => self.origins.elements.get(id.index()),
            _ => self.origins.patterns.get(id.index()),
        }
    }

    fn plain(&self, summary: String, at: PatternId, section: &str) -> Diagnostic {
        let detail = format!("RELAX NG does not allow it (section {section})");
        Diagnostic::error("schema-restriction", summary).at(self.place(at)).detail(detail)
    }

    fn error(&self, summary: String, at: PatternId, path: &str, section: &str) -> Diagnostic {
        let detail = format!("RELAX NG does not allow the path {path} (section {section})");
        Diagnostic::error("schema-restriction", summary).at(self.place(at)).detail(detail)
    }
}

/// Two things out of different sets that share a name, if there are such.
fn overlap<'s, 'g, T: Copy + 's>(
    grammar: &Grammar,
    sets: impl Iterator<Item = &'s [T]>,
    class: impl Fn(T) -> Option<&'g NameClass>,
) -> Option<(T, T)> {
    let mut listed = FxHashMap::default();
    let mut all: Vec<(usize, T, &NameClass)> = Vec::new();
    for (part, set) in sets.enumerate() {
        for id in set {
            let Some(names) = class(*id) else { continue };
            for symbol in names.listed() {
                match listed.get(&symbol) {
                    Some((other, first)) if *other != part => return Some((*first, *id)),
                    Some(_) => {}
                    None => {
                        listed.insert(symbol, (part, *id));
                    }
                }
            }
            all.push((part, *id, names));
        }
    }
    // lists of names are settled; classes without end are few
    for (part, id, names) in all.iter().filter(|(_, _, names)| names.is_infinite()) {
        let shares = |(other, _, with): &&(usize, T, &NameClass)| {
            other != part && names.overlaps(with, &grammar.names)
        };
        if let Some((_, other, _)) = all.iter().find(shares) {
            return Some((*id, *other));
        }
    }
    None
}
