//! Loader of manifests, each by itself, that keeps the results of unchanged ones.

use super::assemble::{Loaded, Parts, RefusedAre, put_together};
use super::files::{self, Found, Manifest, Stamp};
use super::format::Lasts;
use super::grammars::{Grammars, SchemaDir};
use super::object::Object;
use super::part::{Part, Text, read_all};
use super::text::text;
use super::uris::check_uris;
use diagnostics::shorten::AllUntold;
use diagnostics::{Diagnostic, Diagnostics, SourceId, Sources, Span};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xmltree::Limits;

/// Reads manifests again and again: only those that have changed are read and checked anew.
#[derive(Debug)]
pub(super) struct Loader {
    /// Grammars of the caller's; `virt.toml` may name others in the place of the embedded ones.
    asked: Grammars,
    grammars: Grammars,
    /// The set, if it is named beside the manifests.
    set: Option<String>,
    refused: RefusedAre,
    lasts: Lasts,
    /// Directory that `virt.toml` names, and diagnostics about the grammars there.
    schema_dir: Option<SchemaDir>,
    wrong: Diagnostics,
    sources: Sources,
    known: HashMap<PathBuf, CachedManifest>,
    /// Numbers of texts that are not used any more.
    free: Vec<SourceId>,
    inventory: Inventory,
    /// Whether something changed that was not given out.
    owed: bool,
}

/// A manifest that was read.
#[derive(Debug)]
struct CachedManifest {
    stamp: Stamp,
    source: SourceId,
    part: Part,
    /// The nearest `virt.toml` when it was last there.
    nearest: Option<usize>,
    /// Whether the file has named an object since it exists.
    named: bool,
    /// Whether somebody still writes to it.
    open: bool,
}

impl CachedManifest {
    /// Returns a warning if the file may not name all objects that it is meant to.
    fn doubt(&self) -> Option<Diagnostic> {
        let said = if self.open {
            let text = "the file's writer has not closed it; nothing is pruned until then";
            Diagnostic::warning("open-manifest", text)
        } else if self.named && self.part.objects.is_empty() && self.part.complete {
            let text =
                "the file names no object any more; nothing is pruned as long as it is there";
            Diagnostic::warning("emptied-manifest", text)
                .hint("remove the file to have its objects deleted")
        } else {
            return None;
        };
        let first = Span { source: self.source, start: 0, end: 0 };
        Some(said.at(first))
    }
}

impl Parts {
    fn take(&mut self, known: &CachedManifest) {
        let CachedManifest { part, nearest, .. } = known;
        let doubt = known.doubt();
        self.complete &= part.complete && doubt.is_none();
        self.diagnostics.extend(part.diagnostics.iter().cloned().chain(doubt));
        self.untold.extend(&part.untold);
        let objects = part.objects.iter().cloned();
        self.objects.extend(objects.map(|o| Object { directory: *nearest, ..o }));
    }
}

/// Files whose last accepted version is used, since somebody may be writing them.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    /// Real paths of the files.
    pub(super) files: BTreeSet<PathBuf>,
    /// Whether those that symbolic links lead to are among them: they may be exchanged together.
    pub(super) links: bool,
    /// Whether those that are gone are among them.
    pub(super) gone: bool,
    /// Files that were touched and are stable: they are read even if they look the same.
    pub(super) touched: BTreeSet<PathBuf>,
    /// Files that somebody is known to write to, whether they are taken or not.
    pub(super) writing: BTreeSet<PathBuf>,
    /// Whether everything was seen to stay as it is for a moment.
    pub(super) looked: bool,
    /// Whether any file differs from its earlier version without a notification.
    pub(super) changing: bool,
}

impl Unsettled {
    /// Whether a file is taken that may be written to as before; `None` if nothing new is known.
    fn is_open(&self, manifest: &Manifest) -> Option<bool> {
        let known = self.looked || self.touched.contains(&manifest.real);
        (known && !self.has(manifest)).then(|| self.writing.contains(&manifest.real))
    }

    fn has(&self, manifest: &Manifest) -> bool {
        let beside = || files::real(manifest.path.parent().unwrap_or(Path::new("")));
        self.files.contains(&manifest.real) || (self.links && !manifest.real.starts_with(beside()))
    }
}

/// Result of reading.
#[derive(Debug)]
pub(super) struct Read {
    /// Loaded manifests; `None` if they are unchanged.
    pub(super) loaded: Option<Loaded>,
    /// Files that changed while they were read; they are taken as they were read last.
    pub(super) moving: Vec<PathBuf>,
    /// Reason for which a file that may be sound was not read: this process, or the machine, has run out of
    /// something.
    pub(super) unread: Option<String>,
}

/// Files that exist, without the content of the manifests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Inventory {
    /// Manifests, with those that are gone and still count.
    manifests: BTreeSet<(PathBuf, Option<usize>)>,
    virt_tomls: Vec<(PathBuf, Option<Stamp>)>,
    complete: bool,
}

impl Inventory {
    fn of(found: &Found, kept: &[(PathBuf, Option<usize>)], complete: bool) -> Self {
        let manifests = found.manifests.iter().map(|m| (m.path.clone(), m.nearest));
        let manifests = manifests.chain(kept.iter().cloned()).collect();
        let virt_tomls = found.virt_tomls.iter().map(|v| (v.path.clone(), v.stamp)).collect();
        Self { manifests, virt_tomls, complete }
    }

    /// Whether a `virt.toml` came or went, so that their numbers mean something else.
    fn is_renumbered(&self, other: &Self) -> bool {
        let paths = |i: &Self| i.virt_tomls.iter().map(|v| v.0.clone()).collect::<Vec<_>>();
        paths(self) != paths(other)
    }
}

impl Loader {
    pub(super) fn new(asked: Grammars, refused: RefusedAre, set: Option<String>) -> Self {
        Self {
            set,
            grammars: asked.clone(),
            asked,
            refused,
            lasts: Lasts::Longer,
            schema_dir: None,
            wrong: Diagnostics::default(),
            sources: Sources::default(),
            known: HashMap::new(),
            free: Vec::new(),
            inventory: Inventory::default(),
            owed: false,
        }
    }

    /// Sets the loader for a process that ends with it.
    pub(super) fn for_good(self) -> Self {
        Self { lasts: Lasts::ForGood, ..self }
    }

    /// Takes the grammars that the `virt.toml` of a path names, unless the caller gave others. Documents
    /// validated by other ones are read anew. Files of a grammar are not followed.
    fn choose_grammars(&mut self, found: &Found) {
        if !matches!(self.asked, Grammars::Embedded) {
            return;
        }
        let top = found.virt_tomls.iter().filter(|file| file.is_top);
        let named = top.filter_map(|file| SchemaDir::named_by(found, file)).next();
        if named == self.schema_dir {
            return;
        }
        let loaded = match &named {
            Some(directory) => directory.grammars(found, &mut self.sources),
            None => Ok(Grammars::Embedded),
        };
        (self.grammars, self.wrong) = match loaded {
            Ok(grammars) => (grammars, Diagnostics::default()),
            Err(wrong) => (Grammars::Embedded, wrong),
        };
        self.schema_dir = named;
        let read: Vec<PathBuf> = self.known.keys().cloned().collect();
        read.iter().for_each(|path| self.forget(path));
        self.owed = true;
    }

    /// Marks the last result undelivered, so that the next load returns it.
    pub(super) fn owe(&mut self) {
        self.owed = true;
    }

    /// The version of a manifest that was read last.
    pub(super) fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.known.get(path).map(|known| known.stamp)
    }

    /// The `virt.toml`s that were there then, each with its version.
    pub(super) fn virt_tomls(&self) -> impl Iterator<Item = (&PathBuf, Option<Stamp>)> {
        self.inventory.virt_tomls.iter().map(|(path, stamp)| (path, *stamp))
    }

    /// The manifests that are known.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.known.keys()
    }

    /// Reads all that `paths` name as it is at one moment: while something of it changes it is read
    /// anew, and what never rests is a problem.
    pub(super) fn load(&mut self, paths: &[PathBuf]) -> Loaded {
        let mut diagnostics = Diagnostics::default();
        let mut found = files::find(paths, &mut diagnostics);
        let mut moved = None;
        for _ in 0..READINGS {
            // of several readings it is the last that counts
            self.owe();
            let read = self.load_found(paths, &found, diagnostics, &Unsettled::default());
            diagnostics = Diagnostics::default();
            let after = files::find(paths, &mut diagnostics);
            moved = read.moving.into_iter().next().or_else(|| found.moved(&after));
            if moved.is_none() {
                return read.loaded.unwrap_or_default();
            }
            std::thread::sleep(REST);
            found = after;
        }
        // no part of it is better than nothing: it may belong to any version
        let mut loaded = Loaded::default();
        loaded.diagnostics.extend(moved.map(|path| files::changing(&path)));
        loaded
    }

    /// Reads the manifests found below `paths`; `diagnostics` has the problems of the search.
    pub(super) fn load_found(
        &mut self,
        paths: &[PathBuf],
        found: &Found,
        mut diagnostics: Diagnostics,
        unsettled: &Unsettled,
    ) -> Read {
        self.choose_grammars(found);
        let mut complete = found.complete;
        let (mut texts, mut moving, mut changed) = (Vec::new(), Vec::new(), false);
        let mut unread = None;
        for (at, manifest) in found.manifests.iter().enumerate() {
            let known = self.known.get(&manifest.path);
            let is_unsettled = unsettled.has(manifest);
            let is_same = |k: &CachedManifest| {
                k.stamp == manifest.stamp && !unsettled.touched.contains(&manifest.real)
            };
            if known.is_some_and(|k| is_unsettled || is_same(k)) {
                continue;
            }
            if is_unsettled {
                complete = false;
                continue;
            }
            // where links led, so that what they lead to next is not taken for it
            let read = found.roots.read(&manifest.real, Limits::MANIFEST.bytes);
            let is_other = read.as_ref().is_ok_and(|(_, of)| Stamp::of(of) != manifest.stamp);
            let bytes = read.map(|(bytes, _)| bytes);
            if is_other || Stamp::now(&manifest.path) != Some(manifest.stamp) {
                complete &= known.is_some();
                moving.push(manifest.real.clone());
                continue;
            }
            match bytes {
                Ok(bytes) if self.says(manifest, &bytes) => {}
                Ok(bytes) => {
                    texts.extend(self.take_in(at, manifest, bytes));
                    changed = true;
                }
                // its former content still counts, as far as that is known
                Err(e) => {
                    if files::is_exhaustion(&e) {
                        unread = Some(format!("{}: {e}", manifest.path.display()));
                    }
                    diagnostics.push(files::unreadable(&manifest.path, &e));
                    complete = false;
                }
            }
        }
        for (text, part) in texts.iter().zip(read_all(&texts, &self.sources, &self.grammars)) {
            if let Some(manifest) = found.manifests.get(text.at) {
                let (stamp, source, nearest) = (manifest.stamp, text.source, manifest.nearest);
                let named = text.named || !part.objects.is_empty();
                let known = CachedManifest { stamp, source, part, nearest, named, open: false };
                self.known.insert(manifest.path.clone(), known);
            }
        }
        // an unreadable file may give another error each time
        changed |= !diagnostics.is_empty();
        for manifest in &found.manifests {
            let (known, open) = (self.known.get_mut(&manifest.path), unsettled.is_open(manifest));
            if let (Some(known), Some(open)) = (known, open) {
                changed |= known.open != open;
                known.open = open;
            }
        }
        let mut parts = Parts { complete, diagnostics, ..Parts::default() };
        let kept = self.gather(found, unsettled.gone, &mut parts);
        let inventory = Inventory::of(found, &kept, parts.complete);
        if !kept.is_empty() && inventory.is_renumbered(&self.inventory) {
            // it is not known which hosts those that are kept are for; this comes again when all is
            // settled
            self.owed |= changed;
            return Read { loaded: None, moving, unread };
        }
        changed |= inventory != self.inventory || std::mem::take(&mut self.owed);
        self.inventory = inventory;
        parts.sources = self.sources.clone();
        parts.grammars = self.wrong.clone();
        let set = self.set.as_deref();
        let loaded = changed.then(|| {
            let mut loaded = put_together(paths, found, parts, self.refused, set);
            check_uris(&mut loaded);
            loaded
        });
        Read { loaded, moving, unread }
    }

    /// Assembles the cached manifests. Those that are gone are forgotten, or added and named if they may be
    /// coming back.
    fn gather(
        &mut self,
        found: &Found,
        keep_gone: bool,
        parts: &mut Parts,
    ) -> Vec<(PathBuf, Option<usize>)> {
        for manifest in &found.manifests {
            let Some(known) = self.known.get_mut(&manifest.path) else { continue };
            known.nearest = manifest.nearest;
            parts.take(known);
        }
        let mut gone = Vec::new();
        if self.known.len() != found.manifests.len() {
            let there: BTreeSet<&PathBuf> = found.manifests.iter().map(|m| &m.path).collect();
            gone.extend(self.known.keys().filter(|path| !there.contains(path)).cloned());
            gone.sort();
        }
        if !keep_gone {
            gone.drain(..).for_each(|path| self.forget(&path));
        }
        let mut kept = Vec::new();
        for path in gone {
            let Some(known) = self.known.get(&path) else { continue };
            parts.take(known);
            kept.push((path, known.nearest));
        }
        kept
    }

    /// Whether a manifest was read already with just these bytes.
    fn says(&mut self, manifest: &Manifest, bytes: &[u8]) -> bool {
        let Some(known) = self.known.get_mut(&manifest.path) else { return false };
        let text = self.sources.get(known.source).map(|source| source.text.as_bytes());
        let same = text == Some(bytes);
        if same {
            known.stamp = manifest.stamp;
        }
        same
    }

    /// Caches the bytes of a manifest as text, or the fact that they are no text.
    fn take_in(&mut self, at: usize, manifest: &Manifest, bytes: Vec<u8>) -> Option<Text> {
        let Manifest { path, stamp, format, nearest, .. } = manifest;
        let named = self.known.get(path).is_some_and(|known| known.named);
        let mut diagnostics = Diagnostics::default();
        let mut taken = None;
        let add = |name, text| *taken.insert(self.source(path, name, text));
        if let Some(source) = text(path, bytes, Limits::MANIFEST.bytes, add, &mut diagnostics) {
            return Some(Text { at, source, format: *format, named, lasts: self.lasts });
        }
        let source = taken.unwrap_or_else(|| self.source(path, String::new(), String::new()));
        let untold = AllUntold::new();
        let part = Part { objects: Vec::new(), diagnostics, untold, complete: false };
        let known =
            CachedManifest { stamp: *stamp, source, part, nearest: *nearest, named, open: false };
        self.known.insert(path.clone(), known);
        None
    }

    /// Takes a text in, in the place of the one that the file had before.
    fn source(&mut self, path: &Path, name: String, text: String) -> SourceId {
        let before = self.known.remove(path).map(|known| known.source);
        match before.or_else(|| self.free.pop()) {
            Some(source) => {
                self.sources.replace(source, name, text);
                source
            }
            None => self.sources.add(name, text),
        }
    }

    fn forget(&mut self, path: &Path) {
        if let Some(known) = self.known.remove(path) {
            self.sources.replace(known.source, "", "");
            self.free.push(known.source);
        }
    }
}

/// Most attempts to read manifests that change meanwhile.
const READINGS: usize = 10;

/// Pause before changing manifests are read again.
const REST: Duration = Duration::from_millis(50);
