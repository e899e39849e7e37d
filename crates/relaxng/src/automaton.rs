//! A grammar as an automaton that is made while documents are read: states, the forks between
//! them, and the tests of values, each computed once.
//!
//! A state is a short list of patterns, nearly always one: what an element may still hold, for each
//! way in which the grammar may be meant. Entering an element is a fork; its parts are the contents
//! that the element may have, and they make the state inside. When the element ends, the parts that
//! matched select the state after it. Attributes and texts are forks as well, whose parts are tested
//! on the value: by `value.rs`, whose tests take steps of the automaton in turn. The two files recurse.

use super::datatype::Context;
use super::derivative::{Derivatives, Step};
use super::explain::Expected;
use super::names::Symbol;
use super::pattern::{ElementId, Grammar, Number, PatternId, Patterns, Table};
use super::value::ValueTest;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::sync::Arc;

/// Most states and residues before all tables are dropped and begun anew: some 30 MiB. libvirt's
/// own test corpus makes 3,000 states; only documents with ever new orders of siblings come here.
const CAP: usize = 40_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StateId(u32);

impl Number for StateId {
    fn new(i: usize) -> Self {
        Self(u32::try_from(i).unwrap_or(u32::MAX))
    }
    fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TransitionId(u32);

/// Cached facts about a state beyond its patterns.
#[derive(Clone, Debug, Default)]
struct Memo {
    closed: Option<StateId>,
    text: Option<TransitionId>,
    /// Transitions by start tags seen here, as their bytes: the fork, and the state after the attributes.
    tags: HashMap<Box<str>, (TransitionId, StateId)>,
}

/// The ways on from a state.
#[derive(Clone, Debug)]
struct Transition {
    /// The patterns that the inside may match.
    parts: Arc<[PatternId]>,
    /// The state inside, with one pattern for each part.
    inside: StateId,
    /// The parts as tests of a value.
    tests: Arc<[Arc<ValueTest>]>,
    /// Derivatives: the index of the part, its place in the state after it, and the rest there.
    rests: Vec<(usize, usize, PatternId)>,
    /// Number of patterns in the state.
    width: usize,
    /// The states after it, by the parts that matched.
    joined: Vec<(u128, StateId)>,
}

/// A grammar with all that was found out about it while matching.
#[derive(Debug)]
pub struct Automaton {
    derivatives: Derivatives,
    states: Table<Arc<[PatternId]>, StateId>,
    memos: Vec<Memo>,
    transitions: Vec<Transition>,
    steps: FxHashMap<(StateId, Step), TransitionId>,
    tests: FxHashMap<PatternId, Arc<ValueTest>>,
    /// Parents of names, for messages.
    parents: FxHashMap<(Symbol, bool), Arc<[ElementId]>>,
    start: StateId,
    cap: usize,
    /// Number of cached start tags.
    tags: usize,
    context_dependent: bool,
    /// Scratch: which parts of a fork matched.
    pub(super) alive: Vec<bool>,
}

impl Automaton {
    /// Creates an automaton whose cache holds only the start state.
    pub fn new(grammar: Arc<Grammar>) -> Self {
        Self::with_cap(grammar, CAP)
    }

    /// Creates an automaton with another limit on its tables: 0 drops them at each start tag, by which tests
    /// show that the cache changes no answer.
    pub fn with_cap(grammar: Arc<Grammar>, cap: usize) -> Self {
        let context_dependent = grammar.is_context_dependent();
        let mut automaton = Self {
            derivatives: Derivatives::new(grammar),
            states: Table::default(),
            memos: Vec::new(),
            transitions: Vec::new(),
            steps: FxHashMap::default(),
            tests: FxHashMap::default(),
            parents: FxHashMap::default(),
            start: StateId(0),
            cap,
            tags: 0,
            context_dependent,
            alive: Vec::new(),
        };
        automaton.begin();
        automaton
    }

    fn begin(&mut self) {
        let start = self.derivatives.grammar().start;
        self.start = self.state(Arc::from([start]));
    }

    /// The grammar.
    pub fn grammar(&self) -> &Arc<Grammar> {
        self.derivatives.grammar()
    }

    /// Whether a prefix in a value may mean something, so that equal texts may mean different things.
    pub(super) fn is_context_dependent(&self) -> bool {
        self.context_dependent
    }

    pub(super) fn patterns(&self) -> &Patterns {
        self.derivatives.patterns()
    }

    /// The elements whose content has an element, or an attribute, that the grammar calls so; found
    /// once for each name.
    pub(super) fn parents(&mut self, name: Symbol, attribute: bool) -> Arc<[ElementId]> {
        let grammar = self.grammar().clone();
        // most slips are no name of the grammar at all
        if grammar.names.name(name).is_none() {
            return Arc::from([]);
        }
        if let Some(known) = self.parents.get(&(name, attribute)) {
            return known.clone();
        }
        let expected = Expected { grammar: &grammar, patterns: &grammar.patterns };
        let found: Arc<[ElementId]> = grammar
            .elements
            .iter()
            .enumerate()
            .filter(|(_, decl)| expected.names(decl.content, name, attribute))
            .map(|(i, _)| ElementId::new(i))
            .collect();
        self.parents.insert((name, attribute), found.clone());
        found
    }

    /// The state before the root element.
    pub(super) fn start(&self) -> StateId {
        self.start
    }

    pub(super) fn state(&mut self, parts: Arc<[PatternId]>) -> StateId {
        let id = self.states.intern(parts);
        if self.memos.len() <= id.index() {
            self.memos.push(Memo::default());
        }
        id
    }

    /// The patterns of a state.
    pub(super) fn parts(&self, state: StateId) -> Arc<[PatternId]> {
        self.states.get(state).cloned().unwrap_or_else(|| Arc::from([]))
    }

    fn part_list(&self, state: StateId) -> &[PatternId] {
        self.states.get(state).map_or(&[], |p| &**p)
    }

    /// Whether no document comes on from here.
    pub(super) fn is_dead(&self, state: StateId) -> bool {
        self.part_list(state).iter().all(|p| *p == Patterns::NOT_ALLOWED)
    }

    /// Whether the element may end here, for any of its patterns.
    pub(super) fn is_final(&self, state: StateId) -> bool {
        self.part_list(state).iter().any(|p| self.patterns().is_nullable(*p))
    }

    /// Marks in `alive` the patterns of the state that may end here.
    pub(super) fn mark_final(&mut self, state: StateId) {
        let parts = self.states.get(state).map_or(&[][..], |p| &**p);
        self.alive.clear();
        self.alive.extend(parts.iter().map(|p| self.derivatives.patterns().is_nullable(*p)));
    }

    /// The ways on from a state by `step`.
    pub(super) fn transition(&mut self, state: StateId, step: Step) -> TransitionId {
        if step == Step::Text {
            if let Some(transition) = self.memos.get(state.index()).and_then(|m| m.text) {
                return transition;
            }
        } else if let Some(transition) = self.steps.get(&(state, step)) {
            return *transition;
        }
        let transition = self.make_transition(state, step);
        let id = TransitionId(u32::try_from(self.transitions.len()).unwrap_or(u32::MAX));
        self.transitions.push(transition);
        if step == Step::Text {
            if let Some(memo) = self.memos.get_mut(state.index()) {
                memo.text = Some(id);
            }
        } else {
            self.steps.insert((state, step), id);
        }
        id
    }

    fn make_transition(&mut self, state: StateId, step: Step) -> Transition {
        let places = self.parts(state);
        let mut parts: Vec<PatternId> = Vec::new();
        let mut rests = Vec::new();
        for (place, pattern) in places.iter().enumerate() {
            for (inside, rest) in &*self.derivatives.branches(*pattern, step) {
                if *rest == Patterns::NOT_ALLOWED {
                    continue;
                }
                let part = parts.iter().position(|p| p == inside).unwrap_or_else(|| {
                    parts.push(*inside);
                    parts.len() - 1
                });
                rests.push((part, place, *rest));
            }
        }
        let parts: Arc<[PatternId]> = parts.into();
        let (inside, tests) = match step {
            Step::Element(_) => (self.state(parts.clone()), Arc::from([])),
            Step::Attribute(_) | Step::Text => {
                let tests = parts.iter().map(|p| self.test(*p)).collect();
                (StateId(u32::MAX), tests)
            }
        };
        Transition { parts, inside, tests, rests, width: places.len(), joined: Vec::new() }
    }

    fn test(&mut self, pattern: PatternId) -> Arc<ValueTest> {
        if let Some(test) = self.tests.get(&pattern) {
            return test.clone();
        }
        let test = Arc::new(ValueTest::new(self.derivatives.grammar(), self.patterns(), pattern));
        self.tests.insert(pattern, test.clone());
        test
    }

    /// The patterns that the inside may match; none where the step is not allowed.
    pub(super) fn transition_parts(&self, transition: TransitionId) -> Arc<[PatternId]> {
        self.transition_at(transition).map_or_else(|| Arc::from([]), |f| f.parts.clone())
    }

    /// The state inside the element that the fork enters, or `None` if it is not allowed.
    pub(super) fn inside(&self, transition: TransitionId) -> Option<StateId> {
        self.transition_at(transition).filter(|f| !f.parts.is_empty()).map(|f| f.inside)
    }

    /// Whether no text may stand here, but blanks.
    pub(super) fn has_no_text(&mut self, state: StateId) -> bool {
        let transition = self.transition(state, Step::Text);
        self.transition_at(transition).is_none_or(|f| f.parts.is_empty())
    }

    fn transition_at(&self, transition: TransitionId) -> Option<&Transition> {
        self.transitions.get(usize::try_from(transition.0).unwrap_or(usize::MAX))
    }

    fn transition_at_mut(&mut self, transition: TransitionId) -> Option<&mut Transition> {
        self.transitions.get_mut(usize::try_from(transition.0).unwrap_or(usize::MAX))
    }

    /// Tests a value against the parts of a fork and marks in `alive` those that match; says
    /// whether any does.
    pub(super) fn mark_value(
        &mut self,
        transition: TransitionId,
        value: &str,
        cx: &dyn Context,
    ) -> bool {
        let tests =
            self.transition_at(transition).map_or_else(|| Arc::from([]), |f| f.tests.clone());
        let mut alive = std::mem::take(&mut self.alive);
        alive.clear();
        for test in &*tests {
            alive.push(test.matches(self, value, cx));
        }
        let any = alive.contains(&true);
        self.alive = alive;
        any
    }

    /// Marks in `alive` all parts of the fork.
    pub(super) fn mark_all(&mut self, transition: TransitionId) {
        let len = self.transition_at(transition).map_or(0, |f| f.parts.len());
        self.alive.clear();
        self.alive.resize(len, true);
    }

    /// The state after a fork of which the parts marked in `alive` matched.
    pub(super) fn join(&mut self, transition: TransitionId) -> StateId {
        // wider forks are not remembered; no grammar seen has one
        let mask = (self.alive.len() <= 128)
            .then(|| self.alive.iter().enumerate().fold(0, |m, (i, a)| m | (u128::from(*a) << i)));
        if let (Some(mask), Some(f)) = (mask, self.transition_at(transition))
            && let Some((_, state)) = f.joined.iter().find(|(m, _)| *m == mask)
        {
            return *state;
        }
        let state = self.make_join(transition);
        if let (Some(mask), Some(f)) = (mask, self.transition_at_mut(transition)) {
            f.joined.push((mask, state));
        }
        state
    }

    fn make_join(&mut self, transition: TransitionId) -> StateId {
        let Some(f) = self.transition_at(transition) else { return self.state(Arc::from([])) };
        let mut places: Vec<Vec<PatternId>> = vec![Vec::new(); f.width];
        for (part, place, rest) in &f.rests {
            if self.alive.get(*part) == Some(&true)
                && let Some(list) = places.get_mut(*place)
            {
                list.push(*rest);
            }
        }
        let parts: Vec<PatternId> =
            places.into_iter().map(|l| self.derivatives.choice(l)).collect();
        self.state(parts.into())
    }

    /// The state after the last attribute.
    pub(super) fn close_tag(&mut self, state: StateId) -> StateId {
        if let Some(closed) = self.memos.get(state.index()).and_then(|m| m.closed) {
            return closed;
        }
        let parts = self.parts(state);
        let closed = parts.iter().map(|p| self.derivatives.without_attributes(*p)).collect();
        let closed = self.state(closed);
        if let Some(memo) = self.memos.get_mut(state.index()) {
            memo.closed = Some(closed);
        }
        closed
    }

    /// The state behind the attributes as if all that it asks for were there.
    pub(super) fn close_tag_anyway(&mut self, state: StateId) -> StateId {
        let parts = self.parts(state);
        let given = |p: &PatternId| self.derivatives.with_attributes(*p, Patterns::EMPTY);
        let closed = parts.iter().map(given).collect();
        self.state(closed)
    }

    /// Returns the cached transition of a start tag with this text from this state.
    pub(super) fn known_tag(&self, state: StateId, raw: &str) -> Option<(TransitionId, StateId)> {
        self.memos.get(state.index())?.tags.get(raw).copied()
    }

    /// Caches the transition of a start tag.
    pub(super) fn remember_tag(&mut self, state: StateId, raw: &str, to: (TransitionId, StateId)) {
        // a long tag is hardly met twice
        if raw.len() > 256 {
            return;
        }
        // nor is any of a file that has ever new ones
        if self.tags >= self.cap {
            self.memos.iter_mut().for_each(|memo| memo.tags = HashMap::new());
            self.tags = 0;
        }
        if let Some(memo) = self.memos.get_mut(state.index()) {
            memo.tags.insert(raw.into(), to);
            self.tags += 1;
        }
    }

    /// Whether the tables have reached their limit, so that [`Self::renew`] is due.
    pub(super) fn is_full(&self) -> bool {
        let made = self.patterns().len().saturating_sub(self.grammar().patterns.len());
        self.memos.len() > self.cap
            || made > self.cap.saturating_mul(4)
            || self.transitions.len() > self.cap.saturating_mul(4)
    }

    /// Drops all tables except those that the document being read still needs: the forks of its open elements
    /// and its present state, which get new numbers.
    pub(super) fn renew(&mut self, open: &mut [&mut TransitionId], current: &mut StateId) {
        let mut transitions: Vec<Transition> = open
            .iter()
            .map(|id| self.transition_at(**id).cloned())
            .map(|f| f.unwrap_or_else(Transition::none))
            .collect();
        let mut parts: Vec<PatternId> = self.part_list(*current).to_vec();
        let rests = transitions.iter_mut().flat_map(|f| f.rests.iter_mut().map(|r| &mut r.2));
        let mut keep: Vec<&mut PatternId> = rests.chain(parts.iter_mut()).collect();
        self.derivatives.reset(&mut keep);
        self.states = Table::default();
        self.memos = Vec::new();
        self.tags = 0;
        self.steps.clear();
        self.tests.clear();
        self.transitions = Vec::new();
        self.begin();
        for (id, mut transition) in open.iter_mut().zip(transitions) {
            transition.joined.clear();
            **id = TransitionId(u32::try_from(self.transitions.len()).unwrap_or(u32::MAX));
            self.transitions.push(transition);
        }
        *current = self.state(parts.into());
        // tables that have to stay may exceed the limit by themselves, and would be renewed at every tag
        if self.is_full() {
            self.cap = self.cap.saturating_mul(2);
        }
    }
}

impl Transition {
    fn none() -> Self {
        Self {
            parts: Arc::from([]),
            inside: StateId(u32::MAX),
            tests: Arc::from([]),
            rests: Vec::new(),
            width: 0,
            joined: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test may fail by panicking"
    )]

    use super::*;
    use crate::{Files, Grammar, Xml, load};
    use diagnostics::{SourceId, Sources};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use xmltree::{Limits, parse};

    /// The repository, whose grammars are large enough to try tables with.
    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    struct Directory;

    impl Files for Directory {
        fn read(&self, uri: &str) -> Result<String, String> {
            let path = repository().join("schemas/relaxng").join(uri);
            std::fs::read_to_string(path).map_err(|e| e.to_string())
        }
    }

    fn domains() -> Arc<Grammar> {
        Arc::new(load("domain.rng", &Directory, &mut Sources::default()).unwrap())
    }

    fn accepts(automaton: &mut Automaton, text: &str) -> bool {
        automaton.accepts(SourceId::NONE, text, &Limits::default()).unwrap()
    }

    /// Returns a domain, and its variants with one line dropped or doubled.
    fn documents() -> Vec<String> {
        let whole = repository().join("tests/schema/seed/xen-hvm.xml");
        let whole = std::fs::read_to_string(whole).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let dropped = (0..lines.len()).step_by(2).map(|i| [&lines[..i], &lines[i + 1..]].concat());
        let doubled = (1..lines.len()).step_by(2).map(|i| [&lines[..=i], &lines[i..]].concat());
        dropped.chain(doubled).map(|lines| lines.join("\n")).collect()
    }

    #[test]
    fn dropping_the_tables_changes_no_answer() {
        let grammar = domains();
        let mut usual = Automaton::new(grammar.clone());
        let mut small = [0, 30].map(|cap| Automaton::with_cap(grammar.clone(), cap));
        let mut counts = [0, 0];
        for text in documents() {
            let Ok(tree) = parse(SourceId::NONE, &text, &Limits::default()) else { continue };
            let fits = accepts(&mut usual, &text);
            counts[usize::from(fits)] += 1;
            for automaton in &mut small {
                assert_eq!(accepts(automaton, &text), fits, "{text}");
                assert_eq!(automaton.accepts_tree(&tree), fits, "{text}");
                let said = usual.validate(&tree, &Xml);
                assert_eq!(automaton.validate(&tree, &Xml), said, "{text}");
            }
        }
        assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
    }

    #[test]
    fn ever_new_tags_are_forgotten() {
        let mut automaton = Automaton::with_cap(domains(), 100);
        for i in 0..1_000 {
            let text = format!(
                "<domain type='kvm'><name>n{i}</name><memory>1</memory><os><type>hvm</type></os>\
                 <devices><emulator>/{i}</emulator><hostdev mode='subsystem' type='usb'><source>\
                 <address bus='{i}' device='1'/></source></hostdev></devices></domain>"
            );
            accepts(&mut automaton, &text);
            let kept: usize = automaton.memos.iter().map(|memo| memo.tags.len()).sum();
            assert!(kept <= 100, "{kept} after {i}");
        }
    }
}
