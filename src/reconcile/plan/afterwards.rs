//! Follow-up calls for live changes that a running instance does not take: decided with the plan, as data.
//!
//! The definition for the next boot is there before the live calls. What the host refuses as wrong is
//! put back in it, so that the next boot does not fail for it; what it does not take while it runs
//! waits, and the running instance keeps a note of it, so that it is not tried again and again.

use crate::model::{Affect, DomainOp, MetadataKind, NAMESPACE, Op, PREFIX, Target};
use crate::reconcile::diff::compare::fits;
use crate::reconcile::diff::difference::{Change, Edit, Side};
use crate::reconcile::kinds::rules;
use crate::reconcile::ownership::identity::not_of;
use crate::reconcile::ownership::record::{digest, is_owned, with_applied, without_owner_record};
use crate::reconcile::ownership::redact;
use crate::reconcile::ownership::redact::{is_secret, presentable, presented};
use diagnostics::{SourceId, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use xmltree::{Element, Limits, Name, NodeRef, Path, parse, write, write_compact};

/// The element of a note.
pub(crate) const NOTE: &str = "waits";

/// Name of the element that holds notes where the running instance has no record.
const NOTES: &str = "running";

/// Longest reason that a note keeps, in characters: QEMU repeats its command line in some. The whole
/// of it was told when it was given.
const REASON_MAX: usize = 2000;

/// Note on a running instance about a change that it did not take, or has not completed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Note {
    /// Digest of the calls of the change.
    pub key: String,
    /// Reason for which it waits.
    pub why: String,
    /// Whether the guest still owes it: then it is requested again.
    pub again: bool,
}

/// Undo of one field of a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Undo {
    /// Position of the element among the elements of each level.
    pub at: Vec<usize>,
    /// Restoration of that element.
    pub what: Restore,
}

impl Undo {
    /// Whether the undo touches an object's identity or ownership: the root, name and UUID, or a record.
    pub(crate) fn says_who(&self, definition: &Element) -> bool {
        let replaced = match &self.what {
            Restore::Replace(xml) | Restore::Insert(xml) => read(xml),
            Restore::Remove | Restore::Attribute { .. } => None,
        };
        let is_identity = |e: &Element| e.is("name") || e.is("uuid");
        let first = self.at.first().and_then(|n| definition.elements().nth(*n));
        let near = self.at.is_empty() || self.at.len() == 1;
        let whole = self.at.is_empty() && !matches!(self.what, Restore::Insert(_));
        let on_the_way = (0..=self.at.len()).filter_map(|n| {
            let at = self.at.get(..n)?;
            at.iter().try_fold(definition, |element, n| element.elements().nth(*n))
        });
        whole
            || first.is_some_and(is_identity)
            || near && replaced.as_ref().is_some_and(is_identity)
            || on_the_way.into_iter().any(is_ours)
            || replaced.as_ref().is_some_and(has_ours)
    }

    /// Returns a description of its effect on the definition, for people and without secrets.
    fn describe(&self, definition: &Element) -> String {
        let mut names: Vec<String> = Vec::new();
        let mut there = Some(definition);
        for n in &self.at {
            there = there.and_then(|element| element.elements().nth(*n));
            names.extend(there.map(|element| element.name.written()));
        }
        let path = names.join("/");
        let text = |e: &Element| write_compact(&presentable(&without_owner_record(e)));
        let was = there.map(text).unwrap_or_default();
        let new = |xml: &str| read(xml).as_ref().map_or_else(|| xml.to_owned(), text);
        match &self.what {
            Restore::Remove => format!("{path} goes: {was}"),
            Restore::Replace(xml) => format!("{path} becomes {}, and was to be {was}", new(xml)),
            Restore::Insert(xml) => format!("{path} gets {}", new(xml)),
            Restore::Attribute { name, value } => {
                let steps = Path::parse(&path).map(|path| path.steps).unwrap_or_default();
                let of = Path { steps, attribute: Some(name.clone()) };
                match value {
                    Some(value) => format!("{path}: {name}='{}'", presented(&of, value)),
                    None => format!("{path}: without {name}"),
                }
            }
        }
    }

    /// Whether a secret stands in it.
    fn has_secret(&self) -> bool {
        match &self.what {
            Restore::Remove => false,
            Restore::Replace(xml) | Restore::Insert(xml) => {
                read(xml).is_some_and(|e| redact::has_secret(&e))
            }
            Restore::Attribute { name, .. } => {
                is_secret(&Path { steps: Vec::new(), attribute: Some(name.clone()) })
            }
        }
    }
}

fn read(xml: &str) -> Option<Element> {
    parse(SourceId::NONE, xml, &Limits::default()).ok()
}

fn is_ours(element: &Element) -> bool {
    element.name.namespace.as_deref() == Some(NAMESPACE)
}

fn has_ours(element: &Element) -> bool {
    is_ours(element) || element.elements().any(has_ours)
}

/// Restoration of an element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Restore {
    /// Removes the element.
    Remove,
    /// Replaces the element with this one.
    Replace(String),
    /// Inserts this element into it.
    Insert(String),
    /// An attribute had this value, or was not there.
    Attribute {
        /// Name of the attribute.
        name: String,
        /// Former value of the attribute; `None` if it was absent.
        value: Option<String>,
    },
}

/// One live change: its identifier, and the undo of its definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Piece {
    /// A digest of its calls.
    pub key: String,
    /// Undo in the definition; empty where the change stays defined.
    pub definition: Vec<Undo>,
    /// Undo in the manifest that the definition remembers; `None` if that cannot be worked out.
    pub manifest: Option<Vec<Undo>>,
    /// Whether the change is about a medium that may be missing: then it waits, whatever the reason of the
    /// refusal.
    pub optional: bool,
}

/// Follow-up calls for the live changes of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Afterwards {
    /// Object that is changed.
    pub target: Target,
    /// The definition for the next boot, as it stands by then.
    pub definition: String,
    /// Ownership record that the last applied one replaced, if there was one.
    pub owner_record_before: Option<String>,
    /// The live changes, by the number that their steps have.
    pub pieces: Vec<Piece>,
    /// Record of the running instance, without notes; `None` where no notes can be kept.
    pub notes: Option<Notes>,
}

/// The notes of a running instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Notes {
    /// Ownership record of the instance, without notes.
    pub owner_record: Option<String>,
    /// Notes on the instance.
    pub there: Vec<Note>,
    /// Notes that still hold and were not tried.
    pub kept: Vec<Note>,
}

impl Afterwards {
    /// Returns a line, without secrets, for each undo in the definition and each note that may be written.
    pub fn describe(&self) -> Vec<String> {
        let Some(definition) = read(&self.definition) else { return Vec::new() };
        let undo = self.pieces.iter().flat_map(|piece| &piece.definition);
        let notes = self.notes.iter().flat_map(|notes| &notes.kept);
        undo.map(|undo| undo.describe(&definition))
            .chain(notes.map(|note| format!("noted: {}", note.why)))
            .collect()
    }

    /// Whether a secret stands in it.
    pub(crate) fn has_secret(&self) -> bool {
        let documents = [Some(&self.definition), self.owner_record_before.as_ref()];
        let undo = self.pieces.iter().flat_map(|piece| &piece.definition);
        let mut told = self.pieces.iter().filter_map(|piece| piece.manifest.as_ref()).flatten();
        documents.into_iter().flatten().any(|xml| read(xml).is_some_and(|e| redact::has_secret(&e)))
            || undo.into_iter().any(Undo::has_secret)
            || told.any(Undo::has_secret)
    }

    /// Returns the call that puts the definition back where these pieces are refused as wrong; `None` if
    /// nothing is to be put back.
    pub fn put_back(&self, refused: &BTreeSet<usize>) -> Option<Op> {
        let pieces: Vec<&Piece> = self
            .pieces
            .iter()
            .enumerate()
            .filter(|(n, _)| refused.contains(n))
            .map(|(_, p)| p)
            .collect();
        let undo: Vec<&Undo> = pieces.iter().flat_map(|p| &p.definition).collect();
        if undo.is_empty() {
            return None;
        }
        let mut definition = parse(SourceId::NONE, &self.definition, &Limits::default()).ok()?;
        let manifest: Option<Vec<&Undo>> = pieces
            .iter()
            .filter(|p| !p.definition.is_empty())
            .map(|p| p.manifest.as_ref())
            .collect::<Option<Vec<_>>>()
            .map(|lists| lists.into_iter().flatten().collect());
        restore(&mut definition, &undo);
        let told = manifest.is_some_and(|undo| {
            with_applied(&mut definition, |applied| restore(applied, &undo)).is_some()
        });
        // an earlier record is better than a wrong one
        if !told && let Some(before) = &self.owner_record_before {
            let before = parse(SourceId::NONE, before, &Limits::default()).ok()?;
            let metadata = definition.child_or_new("metadata");
            metadata.remove_elements(is_owned);
            metadata.push(before);
        }
        // whatever was put back, it is the same object
        let same = not_of(&self.target, &definition).is_none();
        same.then(|| (rules(self.target.id.kind).ops.define)(write(&definition)))
    }

    /// Returns the call that notes on the running instance that these pieces wait; `None` if that is noted
    /// already.
    pub fn note(&self, waiting: &[(usize, String, bool)]) -> Option<Op> {
        let notes = self.notes.as_ref()?;
        let mut all: BTreeSet<Note> = notes.kept.iter().cloned().collect();
        for (n, why, again) in waiting {
            let piece = self.pieces.get(*n).filter(|p| !p.key.is_empty())?;
            let why: String = why.chars().take(REASON_MAX).collect();
            all.insert(Note { key: piece.key.clone(), why, again: *again });
        }
        if all == notes.there.iter().cloned().collect() {
            return None;
        }
        let owner_record = notes.owner_record.as_ref();
        let owner_record =
            owner_record.and_then(|m| parse(SourceId::NONE, m, &Limits::default()).ok());
        let is_needed = owner_record.is_some() || !all.is_empty();
        let mut element = owner_record.unwrap_or_else(|| Element::new(NOTES));
        bare(&mut element);
        for note in all {
            let again = note.again.then_some("yes");
            let mut child = Element::new(NOTE).with_attr("key", note.key);
            child.put_attr("again", again);
            element.push(child.with_attr("why", note.why));
        }
        let kind = MetadataKind::Element { key: PREFIX.to_owned(), uri: NAMESPACE.to_owned() };
        let value = is_needed.then(|| write_compact(&element));
        Some(DomainOp::SetMetadata { kind, value, affect: Affect::Live }.into())
    }
}

/// Returns the notes of a running instance, and its ownership record without them.
pub(crate) fn notes(live: &Element) -> Notes {
    let ours = |e: &&Element| e.name.namespace.as_deref() == Some(NAMESPACE);
    let holder = live
        .child("metadata")
        .and_then(|m| m.elements().filter(ours).find(|e| is_owned(e) || e.name.local == NOTES));
    let Some(holder) = holder else { return Notes::default() };
    let there = holder.elements().filter(|e| e.name.local == NOTE).filter_map(|e| {
        let (key, why) = (e.attr("key")?.to_owned(), e.attr("why")?.to_owned());
        Some(Note { key, why, again: e.attr("again") == Some("yes") })
    });
    let there = there.collect();
    let owner_record = is_owned(holder).then(|| {
        let mut owner_record = holder.clone();
        owner_record.remove_elements(|e| e.name.local == NOTE);
        write_compact(&owner_record)
    });
    Notes { owner_record, there, kept: Vec::new() }
}

/// The element as metadata are set: the host puts the namespace on it.
fn bare(element: &mut Element) {
    element.namespaces.retain(|declared| &*declared.uri != NAMESPACE);
    if element.name.namespace.as_deref() == Some(NAMESPACE) {
        element.name = Name::local(element.name.local.clone());
    }
    element.elements_mut().for_each(bare);
}

/// Whether a disk's source may be missing when its domain starts.
pub(crate) fn may_be_missing(source: &Element) -> bool {
    source.attr("startupPolicy") == Some("optional")
}

/// Returns the identifier of a change from one run to the next: a digest of its calls, without a place that
/// was chosen.
pub(crate) fn key<'a>(ops: impl Iterator<Item = &'a Op>) -> String {
    let mut text = String::new();
    for op in ops {
        let xml = match op {
            Op::Domain(DomainOp::Attach { xml, .. }) => {
                parse(SourceId::NONE, xml, &Limits::default()).ok()
            }
            _ => None,
        };
        match xml {
            Some(mut device) => {
                device.remove_elements(|e| e.is("address"));
                text.push_str(&format!("attach {}", write_compact(&device)));
            }
            // what stands on running guests is without the kind
            None => text.push_str(&match op {
                Op::Domain(op) => format!("{op:?}"),
                Op::Network(op) => format!("{op:?}"),
                Op::Pool(op) => format!("{op:?}"),
                Op::Volume(op) => format!("{op:?}"),
            }),
        }
    }
    digest(text.as_bytes())
}

/// The definition for the next boot, as it was and as it will be, and the manifest.
#[derive(Clone, Copy)]
pub(crate) struct Definitions<'a> {
    /// Definition on the host.
    pub(crate) before: Option<NodeRef<'a>>,
    /// Definition with the manifest merged in.
    pub(crate) merged: NodeRef<'a>,
    /// Differences between the two.
    pub(crate) changes: &'a [Change],
    /// The manifest.
    pub(crate) manifest: NodeRef<'a>,
}

/// Returns the undo of the fields that these changes of the running instance are about, in the definition and
/// in the manifest.
pub(crate) fn undo(all: Definitions<'_>, live: &[&Change]) -> (Vec<Undo>, Option<Vec<Undo>>) {
    let mut about: Vec<&Change> = Vec::new();
    for change in live {
        let same = |n: &&Change| {
            let spanned = n.span == change.span && n.span != Span::NONE;
            let alike = spanned && n.path.attribute == change.path.attribute;
            alike || n.path.covers(&change.path) || change.path.covers(&n.path)
        };
        let known = about.len();
        about.extend(all.changes.iter().filter(same));
        // it was defined by a run that came no further
        if about.len() == known {
            about.push(change);
        }
    }
    let mut done: Vec<&Change> = Vec::new();
    about.retain(|c| {
        !done.iter().any(|d| std::ptr::eq(*d, *c)) && {
            done.push(c);
            true
        }
    });
    let found: Option<Vec<Undo>> = about
        .iter()
        .map(|c| one(c, all.merged.as_element(), all.before.map(NodeRef::as_element)))
        .collect();
    let Some(definition) = found else { return (Vec::new(), None) };
    let manifest = about
        .iter()
        .map(|c| one(c, all.manifest.as_element(), all.before.map(NodeRef::as_element)))
        .collect();
    (definition, manifest)
}

/// Returns the undo of `change` in `tree`, which has it.
fn one(change: &Change, tree: &Element, before: Option<&Element>) -> Option<Undo> {
    let path = &change.path;
    let element_path = Path { steps: path.steps.clone(), attribute: None };
    match (&change.edit, &path.attribute) {
        (Edit::Add(added), _) => {
            let by_span =
                |e: &Element| e.name == added.name && e.span == added.span && e.span != Span::NONE;
            let at = locate(tree, &by_span).or_else(|| {
                let there = element_path.find(tree)?;
                let is_it = fits(Side::NextBoot, &element_path, there, added);
                is_it.then(|| locate(tree, &|e| std::ptr::eq(e, there)))?
            })?;
            Some(Undo { at, what: Restore::Remove })
        }
        (_, Some(name)) => {
            let by_span = |e: &Element| {
                e.attribute(name).is_some_and(|a| a.span == change.span && a.span != Span::NONE)
            };
            let at = locate(tree, &by_span).or_else(|| {
                let there = element_path.find(tree)?;
                let is_it = there.attr_written(name) == change.after.as_deref();
                is_it.then(|| locate(tree, &|e| std::ptr::eq(e, there)))?
            })?;
            let what = Restore::Attribute { name: name.clone(), value: change.before.clone() };
            Some(Undo { at, what })
        }
        (Edit::Set, None) => {
            let there = element_path.find(tree)?;
            let was = before.and_then(|b| element_path.find(b));
            let what = match was {
                Some(was) => Restore::Replace(write_compact(was)),
                None => Restore::Remove,
            };
            Some(Undo { at: locate(tree, &|e| std::ptr::eq(e, there))?, what })
        }
        (Edit::Remove, None) => {
            let was = before.and_then(|b| element_path.find(b))?;
            let mut steps = path.steps.clone();
            steps.pop();
            let parent = Path { steps, attribute: None };
            let there = parent.find(tree)?;
            let at = locate(tree, &|e| std::ptr::eq(e, there))?;
            Some(Undo { at, what: Restore::Insert(write_compact(was)) })
        }
    }
}

/// Returns the position of the first element for which `is_it` holds.
fn locate(tree: &Element, is_it: &dyn Fn(&Element) -> bool) -> Option<Vec<usize>> {
    if is_it(tree) {
        return Some(Vec::new());
    }
    tree.elements().enumerate().find_map(|(n, child)| {
        let mut rest = locate(child, is_it)?;
        rest.insert(0, n);
        Some(rest)
    })
}

/// Puts the fields back. Removals go last, from the end, so that positions stay right.
fn restore(tree: &mut Element, undo: &[&Undo]) {
    let is_removal = |u: &&&Undo| u.what == Restore::Remove;
    for undo in undo.iter().filter(|u| !is_removal(u)) {
        let Some(element) = element_at(tree, &undo.at) else { continue };
        match &undo.what {
            Restore::Remove => {}
            Restore::Replace(xml) => read(xml).into_iter().for_each(|was| *element = was),
            Restore::Insert(xml) => read(xml).into_iter().for_each(|was| element.push(was)),
            Restore::Attribute { name, value } => element.put_attr(name, value.as_deref()),
        }
    }
    let mut gone: Vec<&Vec<usize>> = undo.iter().filter(is_removal).map(|u| &u.at).collect();
    gone.sort();
    gone.dedup();
    for at in gone.into_iter().rev() {
        let Some((last, parents)) = at.split_last() else { continue };
        if let Some(parent) = element_at(tree, parents) {
            let mut n = 0;
            parent.remove_elements(|_| {
                n += 1;
                n - 1 == *last
            });
        }
    }
}

fn element_at<'a>(tree: &'a mut Element, at: &[usize]) -> Option<&'a mut Element> {
    at.iter().try_fold(tree, |element, n| element.elements_mut().nth(*n))
}
