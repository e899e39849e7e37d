//! A text through an automaton, event by event, without a tree.

use super::automaton::Automaton;
use super::datatype::Context;
use super::run::Run;
use crate::diag::{Diagnostic, SourceId};
use crate::xml::{AttributeEvent, Event, Events, Limits, NamespaceEvent, QName, Tag};

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
                    fits = if run.before_tag(&events) {
                        start(&mut run, &mut events, &tag, lists, memo)?
                    } else {
                        events.open(&tag, lists.0, lists.1)?;
                        false
                    };
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
    let before = run.state();
    let plain = memo && events.plain_scope();
    if plain && let Some((fork, inside)) = run.automaton.known_tag(before, tag.raw) {
        events.skip_tag();
        run.enter(fork, inside);
        return Ok(true);
    }
    let name = events.open(tag, attributes, namespaces)?;
    let symbol = |run: &Run<'_>, name: &QName<'_>| {
        let uri = name.namespace.as_deref().unwrap_or("");
        run.automaton.grammar().names.symbol(uri, name.local)
    };
    let Some(fork) = run.open(symbol(run, &name)) else { return Ok(false) };
    for a in attributes.iter() {
        if !run.attribute(symbol(run, &a.name), &a.value, events) {
            return Ok(false);
        }
    }
    if !run.close_tag() {
        return Ok(false);
    }
    let unprefixed = name.prefix.is_none() && attributes.iter().all(|a| a.name.prefix.is_none());
    if plain && unprefixed && namespaces.is_empty() {
        run.automaton.remember_tag(before, tag.raw, (fork, run.state()));
    }
    Ok(true)
}

impl Context for Events<'_> {
    fn namespace(&self, prefix: Option<&str>) -> Option<&str> {
        self.resolve_prefix(prefix)
    }
}
