//! The grammars that manifests are held to: the embedded ones, or those of a directory.

use super::files::{Found, VirtTomlFile, unreadable};
use super::project;
use super::settings;
use crate::file::{Elsewhere, Outside, Root, Roots, approach};
use crate::grammars;
use crate::model::Kind;
use diagnostics::{Diagnostic, Diagnostics, Sources};
use relaxng::{Automaton, Files, Grammar, Vocabulary};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xmltree::Element;

/// The grammars that manifests are held to.
#[derive(Clone, Debug, Default)]
pub enum Grammars {
    /// Grammars of this program.
    #[default]
    Embedded,
    /// Grammars of the user's, by the kind of resource that they describe.
    Given(BTreeMap<Kind, Arc<Grammar>>),
}

impl Grammars {
    /// Loads `domain.rng`, `network.rng`, `storagepool.rng` and `storagevol.rng` from a directory, such
    /// as libvirt's own from `/usr/share/libvirt/schemas`. Some of them may be missing.
    ///
    /// # Errors
    /// What is wrong with a grammar, positioned in `sources`.
    pub fn from_directory(directory: &Path, sources: &mut Sources) -> Result<Self, Diagnostics> {
        match approach(directory).and_then(|()| Root::open(directory)) {
            Ok(root) => Self::from_root(root, directory, sources),
            Err(e) if Elsewhere::of(&e).is_some() => {
                let mut out = Diagnostics::default();
                out.push(unreadable(directory, &e));
                Err(out)
            }
            Err(_) => Err(no_grammar(directory)),
        }
    }

    /// Reads grammars from an open directory, shown as `directory`.
    fn from_root(root: Root, directory: &Path, sources: &mut Sources) -> Result<Self, Diagnostics> {
        let real = root.real().to_owned();
        let mut roots = Roots::default();
        roots.push(root);
        let files = Directory { roots, real, shown: directory.to_owned() };
        let mut found = BTreeMap::new();
        let mut problems = Diagnostics::default();
        for kind in Kind::ALL {
            let name = format!("{}.rng", kind.grammar());
            // what is there and cannot be read is a mistake
            if fs::symlink_metadata(files.real.join(&name)).is_err() {
                continue;
            }
            match relaxng::load(&name, &files, sources) {
                Ok(grammar) => {
                    found.insert(kind, Arc::new(grammar));
                }
                Err(wrong) => problems.extend(wrong),
            }
        }
        if found.is_empty() && problems.is_empty() {
            return Err(no_grammar(directory));
        }
        if problems.has_errors() { Err(problems) } else { Ok(Self::Given(found)) }
    }

    fn grammar(&self, kind: Kind) -> Option<Arc<Grammar>> {
        match self {
            Self::Embedded => grammars::embedded(kind.grammar()),
            Self::Given(grammars) => grammars.get(&kind).cloned(),
        }
    }
}

/// A directory of grammars that a `virt.toml` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SchemaDir {
    /// The real path of where the file stands.
    from: PathBuf,
    /// The directory from there, as it is written.
    name: PathBuf,
    /// The directory as it is shown.
    shown: PathBuf,
}

impl SchemaDir {
    /// Returns the grammar directory that a `virt.toml` names; its mistakes are reported elsewhere.
    pub(super) fn named_by(found: &Found, file: &VirtTomlFile) -> Option<Self> {
        let (mut sources, mut out) = (Sources::default(), Diagnostics::default());
        let source = found.read(file, &mut sources, &mut out)?;
        let text = sources.get(source).map_or("", |s| s.text.as_str());
        let (directory, _) = project::parse(source, text, true, &mut out).schema_dir?;
        let shown = file.path.parent().unwrap_or(Path::new("")).join(&directory);
        Some(Self { from: file.directory.clone(), name: directory.into(), shown })
    }

    /// Reads the directory's grammars. It is one of the directories that were given, or beneath one: the text
    /// of a grammar is printed with its mistakes.
    pub(super) fn grammars(
        &self,
        found: &Found,
        sources: &mut Sources,
    ) -> Result<Grammars, Diagnostics> {
        let real = found.roots.resolve(&self.from, &self.name);
        match real.and_then(|real| found.roots.of(&real)?.directory(&real)) {
            Ok(root) => Grammars::from_root(root, &self.shown, sources),
            Err(e) if Outside::is(&e) => {
                let mut out = Diagnostics::default();
                let hint = "--schema-dir takes grammars from anywhere";
                out.push(unreadable(&self.shown, &e).hint(hint));
                Err(out)
            }
            Err(_) => Err(no_grammar(&self.shown)),
        }
    }
}

/// A directory without any.
fn no_grammar(directory: &Path) -> Diagnostics {
    let mut out = Diagnostics::default();
    out.push(
        Diagnostic::error("schema", "the directory has no grammar of any kind of resource")
            .address(directory.display().to_string())
            .hint("it should hold domain.rng, network.rng, storagepool.rng or storagevol.rng"),
    );
    out
}

/// Files of a directory. Included ones have to be beneath it, too: a mistake in a file is shown with its
/// line, whatever the file is.
struct Directory {
    roots: Roots,
    real: PathBuf,
    /// The directory as it was written.
    shown: PathBuf,
}

/// Longest grammar file that is read, in bytes; libvirt's largest has 300 KB.
const GRAMMAR_MAX: usize = 16 << 20;

impl Files for Directory {
    fn read(&self, uri: &str) -> Result<String, String> {
        let real = self.roots.resolve(&self.real, Path::new(uri));
        let read = real.and_then(|real| self.roots.read(&real, GRAMMAR_MAX));
        let (bytes, _) = read.map_err(|e| e.to_string())?;
        if bytes.len() > GRAMMAR_MAX {
            return Err(format!("more than {GRAMMAR_MAX} bytes are not read"));
        }
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
    }

    fn name(&self, uri: &str) -> String {
        self.shown.join(uri).display().to_string()
    }
}

/// Validates documents, one after the other; the automaton of each grammar is kept.
#[derive(Debug)]
pub(super) struct Validator<'a> {
    grammars: &'a Grammars,
    automata: BTreeMap<Kind, Option<Automaton>>,
    /// Problems of the file so far.
    explained: usize,
}

/// Most problems of one file that are explained: a file may hold a hundred thousand resources, each
/// with the same slip.
pub(super) const EXPLAINED_MAX: usize = 100;

impl<'a> Validator<'a> {
    pub(super) fn new(grammars: &'a Grammars) -> Self {
        Self { grammars, automata: BTreeMap::new(), explained: 0 }
    }

    /// Begins another file: as many problems of it are explained as of one document.
    pub(super) fn begin_file(&mut self) {
        self.explained = 0;
    }

    /// Returns the problems of a document by its grammar.
    pub(super) fn validate(
        &mut self,
        kind: Kind,
        root: &Element,
        vocabulary: &dyn Vocabulary,
    ) -> Diagnostics {
        let made = || self.grammars.grammar(kind).map(Automaton::new);
        // grammars of others have no place for our settings but the metadata
        let bare = match self.grammars {
            Grammars::Given(_) if !kind.keeps_metadata() => {
                let mut bare = root.clone();
                bare.remove_elements(settings::is_settings);
                Some(bare)
            }
            Grammars::Given(_) | Grammars::Embedded => None,
        };
        let root = bare.as_ref().unwrap_or(root);
        match self.automata.entry(kind).or_insert_with(made) {
            // an explanation takes a hundred times as long as a verdict
            Some(automaton) if self.explained >= EXPLAINED_MAX => {
                let mut out = Diagnostics::default();
                if !automaton.accepts_tree(root) {
                    let summary = format!("this {kind} has problems, too");
                    let hint = "they are explained when those before them in the file are fixed";
                    out.push(Diagnostic::error("more-problems", summary).at(root.span).hint(hint));
                }
                out
            }
            Some(automaton) => {
                let problems = automaton.validate(root, vocabulary);
                self.explained += problems.len();
                problems
            }
            None => {
                let mut out = Diagnostics::default();
                out.push(
                    Diagnostic::error("schema", format!("there is no grammar of a {kind}"))
                        .at(root.span)
                        .hint(format!(
                            "the directory of grammars should hold {}.rng",
                            kind.grammar()
                        )),
                );
                out
            }
        }
    }
}
