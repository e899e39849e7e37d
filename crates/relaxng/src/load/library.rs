//! The files of a schema: each read once, with all that it includes or refers to.

use super::kind::Kind;
use super::node::{self, Node};
use super::syntax::{self, Reference};
use super::uri;
use diagnostics::{Diagnostic, Diagnostics, Sources, Span, excerpt};
use rustc_hash::FxHashMap;
use xmltree::Limits;

/// Source of the texts of schemas.
pub trait Files {
    /// The text of the file `uri`: the name of the entry, or a reference resolved against the name
    /// of the file that has it.
    ///
    /// # Errors
    /// Why there is none.
    fn read(&self, uri: &str) -> Result<String, String>;

    /// Returns the name of the file for messages.
    fn name(&self, uri: &str) -> String {
        uri.to_owned()
    }
}

/// Files of one schema; libvirt's have nine, and a hostile one could name files without end.
const FILES_MAX: usize = 1_000;

/// All files of a schema.
#[derive(Debug, Default)]
pub(super) struct Library {
    files: Vec<File>,
    /// Index of the referenced file, by the start tag of an include or externalRef.
    links: FxHashMap<Span, usize>,
}

#[derive(Debug)]
struct File {
    uri: String,
    /// `None` if it could not be read.
    root: Option<Node>,
    references: Vec<Reference>,
}

impl Library {
    /// The root of the file that was asked for.
    pub(super) fn entry(&self) -> Option<&Node> {
        self.files.first()?.root.as_ref()
    }

    /// The root of the file that an include or externalRef names.
    pub(super) fn target(&self, reference: &Node) -> Option<&Node> {
        self.files.get(*self.links.get(&reference.span)?)?.root.as_ref()
    }

    /// Reads the file `entry` and its references, and checks the syntax of each.
    pub(super) fn read(
        entry: &str,
        files: &dyn Files,
        sources: &mut Sources,
        problems: &mut Diagnostics,
    ) -> Self {
        let mut library = Self::default();
        let mut known = FxHashMap::default();
        // the entry's own dots are worked out too, so that a file that includes it is seen to
        let mut wanted = vec![(uri::resolve("", entry), None)];
        while let Some((uri, from)) = wanted.pop() {
            let id = library.files.len();
            if id == FILES_MAX {
                let summary = format!("the schema has more than {FILES_MAX} files");
                problems.push(error(summary, from));
                break;
            }
            if known.contains_key(&uri) {
                continue;
            }
            let file = File::read(uri, from, files, sources, problems);
            let next = file.references.iter().map(|r| (r.uri.clone(), Some(r.span)));
            wanted.extend(next);
            known.insert(file.uri.clone(), id);
            library.files.push(file);
        }
        for reference in library.files.iter().flat_map(|file| &file.references) {
            if let Some(id) = known.get(&reference.uri) {
                library.links.insert(reference.span, *id);
            }
        }
        library.check_targets(problems);
        library.check_cycles(problems);
        library
    }

    /// An include wants a grammar.
    fn check_targets(&self, problems: &mut Diagnostics) {
        for reference in self.files.iter().flat_map(|file| &file.references) {
            let target = self.links.get(&reference.span).and_then(|id| self.files.get(*id));
            let Some(root) = target.and_then(|file| file.root.as_ref()) else { continue };
            if reference.include && root.kind != Some(Kind::Grammar) {
                let summary = format!("\"{}\" is not a grammar", excerpt(&reference.uri));
                let detail = format!("its root is <{}>", excerpt(root.name()));
                let hint = "a pattern of its own is taken in by <externalRef>";
                problems.push(error(summary, Some(reference.span)).detail(detail).hint(hint));
            }
        }
    }

    /// Refuses a file that includes itself, directly or not (4.6, 4.7).
    fn check_cycles(&self, problems: &mut Diagnostics) {
        let mut done = vec![false; self.files.len()];
        // the way from the entry: files, and how many of the references of each were followed
        let mut way: Vec<(usize, usize)> = Vec::new();
        if !self.files.is_empty() {
            way.push((0, 0));
        }
        while let Some((id, followed)) = way.last_mut() {
            let here = *id;
            let reference = self.files.get(here).and_then(|file| file.references.get(*followed));
            *followed += 1;
            let Some(reference) = reference else {
                if let Some(done) = done.get_mut(here) {
                    *done = true;
                }
                way.pop();
                continue;
            };
            let Some(next) = self.links.get(&reference.span).copied() else { continue };
            if let Some(at) = way.iter().position(|(id, _)| *id == next) {
                let ids = way.iter().skip(at).map(|(id, _)| *id).chain([next]);
                let uris: Vec<String> = ids
                    .filter_map(|id| self.files.get(id))
                    .map(|file| excerpt(&file.uri))
                    .collect();
                let summary = format!("\"{}\" includes itself", excerpt(&reference.uri));
                problems.push(error(summary, Some(reference.span)).detail(uris.join(" → ")));
            } else if done.get(next) == Some(&false) {
                way.push((next, 0));
            }
        }
    }
}

impl File {
    fn read(
        uri: String,
        from: Option<Span>,
        files: &dyn Files,
        sources: &mut Sources,
        problems: &mut Diagnostics,
    ) -> Self {
        let none = |uri| Self { uri, root: None, references: Vec::new() };
        let text = match files.read(&uri) {
            Ok(text) => text,
            Err(why) => {
                let summary = format!("the schema file \"{}\" cannot be read", excerpt(&uri));
                let mut problem = error(summary, from).detail(excerpt(&why));
                if let Some(name) = from.and_then(|span| sources.get(span.source)) {
                    problem.hint = Some(format!("{} needs it", excerpt(&name.name)));
                }
                problems.push(problem);
                return none(uri);
            }
        };
        let source = sources.add(files.name(&uri), text);
        let text = sources.get(source).map_or("", |source| &source.text);
        match node::read(source, text, &Limits::default()) {
            Ok(root) => {
                let references = syntax::check(&root, &uri, problems);
                Self { uri, root: Some(root), references }
            }
            Err(problem) => {
                problems.push(*problem);
                none(uri)
            }
        }
    }
}

fn error(summary: String, at: Option<Span>) -> Diagnostic {
    Diagnostic::error("schema-file", summary).at(at.unwrap_or(Span::NONE))
}
