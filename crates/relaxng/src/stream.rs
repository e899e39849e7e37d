//! A text through an automaton, event by event, without a tree.

use super::automaton::Automaton;
use super::datatype::Context;
use super::matcher::Run;
use diagnostics::{Diagnostic, SourceId};
use xmltree::{AttributeEvent, Event, Events, Limits, NamespaceEvent, Tag};

impl Automaton {
    /// Whether the grammar takes the document. Memory is that of the automaton, the depth of the
    /// document and its longest text.
    ///
    /// # Errors
    /// The document is not well-formed; the position is in the source `source`.
    pub fn accepts(
        &mut self,
        source: SourceId,
        text: &str,
        limits: &Limits,
    ) -> Result<bool, Box<Diagnostic>> {
        let mut events = Events::new(source, text, limits);
        let mut attributes = Vec::new();
        let mut namespaces = Vec::new();
        let memo = !self.is_context_dependent();
        let mut run = Run::new(self);
        let mut fits = true;
        loop {
            match events.next()? {
                Event::Start(tag) if fits => {
                    let lists = (&mut attributes, &mut namespaces);
                    fits = start(&mut run, &mut events, &tag, lists, memo)?;
                }
                // the rest is read on: it may be malformed
                Event::Start(tag) => {
                    events.open(&tag, &mut attributes, &mut namespaces)?;
                }
                Event::Text { text, .. } if fits => run.text(&text),
                Event::End if fits => fits = run.end(&events),
                Event::Text { .. } | Event::End => {}
                Event::Eof => return Ok(fits && run.finish()),
            }
        }
    }
}

/// Takes a start tag. One that was met before in the same state is known by its bytes, as long as
/// no namespace is declared that could give them another meaning.
fn start<'a>(
    run: &mut Run<'_>,
    events: &mut Events<'a>,
    tag: &Tag<'a>,
    (attributes, namespaces): (&mut Vec<AttributeEvent<'a>>, &mut Vec<NamespaceEvent>),
    memo: bool,
) -> Result<bool, Box<Diagnostic>> {
    if !run.before_tag(events) {
        // the text before it is not allowed; what is in the tag may be malformed still
        events.open(tag, attributes, namespaces)?;
        return Ok(false);
    }
    let before = run.state();
    let plain = memo && events.plain_scope();
    if plain && let Some((transition, inside)) = run.automaton.known_tag(before, tag.raw) {
        events.skip_tag();
        run.enter(transition, inside);
        return Ok(true);
    }
    let name = events.open(tag, attributes, namespaces)?;
    let all = attributes.iter().map(|a| (a.name.uri(), a.name.local, &*a.value));
    let Some(transition) = run.start_tag((name.uri(), name.local), all, events) else {
        return Ok(false);
    };
    let unprefixed = name.prefix.is_none() && attributes.iter().all(|a| a.name.prefix.is_none());
    if plain && unprefixed && namespaces.is_empty() {
        run.automaton.remember_tag(before, tag.raw, (transition, run.state()));
    }
    Ok(true)
}

impl Context for Events<'_> {
    fn namespace(&self, prefix: Option<&str>) -> Option<&str> {
        self.resolve_prefix(prefix)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use crate::load;
    use diagnostics::Sources;
    use std::sync::Arc;

    /// Whether a grammar takes a document; `None` if it is not well-formed.
    fn accepts(grammar: &'static str, document: &str) -> Option<bool> {
        let grammar = load("g.rng", &grammar, &mut Sources::default()).unwrap();
        let mut automaton = Automaton::new(Arc::new(grammar));
        automaton.accepts(SourceId::NONE, document, &Limits::default()).ok()
    }

    #[test]
    fn text_before_a_tag_is_refused_and_the_tag_still_read() {
        let grammar = "<element name='a' xmlns='http://relaxng.org/ns/structure/1.0'>\
                       <zeroOrMore><element name='b'><empty/></element></zeroOrMore></element>";
        assert_eq!(accepts(grammar, "<a> <b/> <b/> </a>"), Some(true));
        assert_eq!(accepts(grammar, "<a> <b/> x <b/> </a>"), Some(false));
        assert_eq!(accepts(grammar, "<a> <b/> x <b c='1' c='2'/> </a>"), None);
    }

    #[test]
    fn a_prefix_is_declared_on_a_tag_that_comes_too_late() {
        let grammar = "<element name='a' xmlns='http://relaxng.org/ns/structure/1.0'>\
                       <element name='b'><empty/></element></element>";
        let document = "<a>x<b xmlns:p='urn:p'><p:c/></b></a>";
        assert_eq!(accepts(grammar, document), Some(false));
    }

    #[test]
    fn a_prefix_in_a_text_is_that_of_its_element() {
        let grammar = "<element name='a' xmlns='http://relaxng.org/ns/structure/1.0' xmlns:p='u' \
                       datatypeLibrary='http://www.w3.org/2001/XMLSchema-datatypes'>\
                       <value type='QName'>p:x</value></element>";
        assert_eq!(accepts(grammar, "<a xmlns:q='u'>q:x</a>"), Some(true));
        assert_eq!(accepts(grammar, "<a xmlns:q='v'>q:x</a>"), Some(false));
        assert_eq!(accepts(grammar, "<a>p:x</a>"), Some(false));
    }
}
