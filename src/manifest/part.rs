//! Content of single manifests, read on several threads.

use super::document::read;
use super::format::{Format, Lasts};
use super::grammars::{Grammars, Validator};
use super::object::{Object, first_error, object};
use crate::model::DesiredResource;
use diagnostics::shorten::{AllUntold, shorten};
use diagnostics::{Diagnostic, Diagnostics, SourceId, Sources};
use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::Arc;

/// Content of one manifest by itself.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) objects: Vec<Object>,
    pub(super) diagnostics: Diagnostics,
    /// Number of its unreported problems.
    pub(super) untold: AllUntold,
    /// Whether every resource in it is known by name.
    pub(super) complete: bool,
}

/// The text of a manifest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    /// Index among the manifests.
    pub(super) at: usize,
    pub(super) source: SourceId,
    pub(super) format: Format,
    /// Whether the file has named an object before.
    pub(super) named: bool,
    pub(super) lasts: Lasts,
}

/// Fewest manifests for which a second thread is worth its start.
const PER_THREAD: usize = 32;

/// Reads the manifests on as many threads as there are processors, and gives a part for each.
pub(super) fn read_all(texts: &[Text], sources: &Sources, grammars: &Grammars) -> Vec<Part> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(texts.len() / PER_THREAD).max(1);
    let chunks = texts.chunks(texts.len().div_ceil(threads).max(1));
    if threads == 1 {
        return chunks.flat_map(|chunk| read_some(chunk, sources, grammars)).collect();
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            chunks.map(|chunk| scope.spawn(|| read_some(chunk, sources, grammars))).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .flat_map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn read_some(texts: &[Text], sources: &Sources, grammars: &Grammars) -> Vec<Part> {
    let mut validator = Validator::new(grammars);
    texts.iter().map(|text| read_part(*text, sources, &mut validator)).collect()
}

/// Reads a text by itself as a manifest of one object: the object, if it can be named, with all that
/// is wrong with it.
pub fn read_text(
    name: &str,
    text: &str,
    format: Format,
    grammars: &Grammars,
) -> (Option<Arc<DesiredResource>>, Diagnostics, Sources) {
    let mut sources = Sources::default();
    let source = sources.add(name, text);
    let text = Text { at: 0, source, format, named: false, lasts: Lasts::Longer };
    let part = read_part(text, &sources, &mut Validator::new(grammars));
    let mut diagnostics = part.diagnostics;
    let object = part.objects.into_iter().next().map(|mut object| {
        object.condemn(&mut diagnostics);
        object.resource
    });
    (object, diagnostics, sources)
}

fn read_part(text: Text, sources: &Sources, validator: &mut Validator<'_>) -> Part {
    let Text { source, format, lasts, .. } = text;
    let text = sources.get(source).map_or("", |s| s.text.as_str());
    let mut problems = Diagnostics::default();
    validator.begin_file();
    let roots = read(source, text, format, lasts, &mut problems);
    let broken = first_error(&problems, sources);
    // the unreadable rest may have named more resources
    let mut part = Part {
        objects: Vec::new(),
        diagnostics: Diagnostics::default(),
        untold: AllUntold::new(),
        complete: broken.is_none(),
    };
    let line = |d: &Diagnostic| d.span.and_then(|s| sources.locate(s)).map(|(_, at)| at.line);
    let unread: BTreeSet<_> = problems.iter().filter_map(line).collect();
    part.diagnostics.extend(problems);
    for root in roots {
        let mut said = Diagnostics::default();
        let object = object(root, format, broken.clone(), validator, sources, &mut said);
        // a part that could not be read is not missing
        let is_new = |d: &Diagnostic| {
            unread.is_empty() || line(d).is_none_or(|line| !unread.contains(&line))
        };
        part.diagnostics.extend(said.into_iter().filter(is_new));
        part.complete &= object.is_some();
        part.objects.extend(object);
        if part.diagnostics.len() > DIAGNOSTICS_MAX {
            let said = std::mem::take(&mut part.diagnostics);
            part.diagnostics = shorten(said, &mut part.untold);
        }
    }
    part.diagnostics = shorten(part.diagnostics, &mut part.untold);
    part
}

/// Problems of the objects of one file that are kept until the most important ones are chosen.
const DIAGNOSTICS_MAX: usize = 10_000;
