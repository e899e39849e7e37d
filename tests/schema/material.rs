//! Material of these tests: libvirt's test files with the verdicts on them, libvirt's grammars as installed,
//! and our own.

use super::{Directory, rendered};
use crate::support::{Needs, run, testdata, tool};
use diagnostics::{SourceId, Sources};
use relaxng::{Automaton, Files, Grammar, load};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;
use xmltree::{Limits, parse};

/// The release that the verdicts are of.
const RELEASE: &str = "11.3.";

/// Directory of the grammars in the package libvirt-common.
const SCHEMAS: &str = "/usr/share/libvirt/schemas";

/// The groups of libvirt's test files that we have a grammar for, with its name.
pub(super) const OURS: [(&str, &str); 5] = [
    ("capability", "capabilities"),
    ("domain", "domain"),
    ("network", "network"),
    ("storagepool", "storagepool"),
    ("storagevol", "storagevol"),
];

/// A file of libvirt's tests.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Path in the archive.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Verdict of libvirt's grammar.
    pub(super) valid: bool,
}

impl Case {
    /// Returns its text; the few files that are not UTF-8 are skipped.
    pub(super) fn text(&self) -> Option<String> {
        fs::read_to_string(&self.path).ok()
    }
}

/// Test files of libvirt, unpacked on first use and removed after the last test.
#[derive(Clone, Debug, Default)]
pub(super) struct Corpus(Arc<OnceLock<TempDir>>);

impl Corpus {
    /// Returns the needs of these tests.
    pub(super) fn needs() -> Needs {
        testdata("libvirt-11.3.0-tests.tar.xz")?;
        testdata("libvirt-11.3.0-verdicts.tsv")?;
        tool("tar").map(drop)
    }

    /// The names of the groups, sorted.
    pub(super) fn groups() -> Needs<Vec<String>> {
        let mut groups: Vec<String> = verdicts()?.into_iter().map(|v| v.0).collect();
        groups.dedup();
        Ok(groups)
    }

    /// The files of a group.
    pub(super) fn cases(&self, group: &str) -> Vec<Case> {
        let root = self.0.get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            let archive = testdata("libvirt-11.3.0-tests.tar.xz").unwrap();
            let mut tar = Command::new(tool("tar").unwrap());
            let names = directory.path().join("names");
            let wanted: Vec<String> = verdicts().unwrap().into_iter().map(|v| v.2).collect();
            fs::write(&names, wanted.join("\n")).unwrap();
            tar.arg("-xJf").arg(archive).arg("-C").arg(directory.path()).arg("-T").arg(names);
            run(&mut tar).expect(0);
            directory
        });
        let of_group = verdicts().unwrap().into_iter().filter(|(g, ..)| g == group);
        let case = |(_, valid, name): (String, bool, String)| Case {
            path: root.path().join(&name),
            name,
            valid,
        };
        of_group.map(case).collect()
    }
}

/// Group, verdict and path, in the order of the file.
fn verdicts() -> Needs<Vec<(String, bool, String)>> {
    let text = fs::read_to_string(testdata("libvirt-11.3.0-verdicts.tsv")?).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines
        .map(|line| {
            let mut columns = line.split('\t').map(str::to_owned);
            let [group, verdict, path] = [(); 3].map(|()| columns.next().unwrap());
            (group, verdict == "valid", path)
        })
        .collect())
}

/// Entries to libvirt's grammars that its package does not have.
fn entries() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/entries")
}

/// A directory of grammars, and behind it our entries to libvirt's.
#[derive(Debug)]
pub(super) struct Schemas(pub(super) PathBuf);

impl Files for Schemas {
    fn read(&self, uri: &str) -> Result<String, String> {
        let own = Directory(self.0.clone());
        own.read(uri).or_else(|problem| Directory(entries()).read(uri).map_err(|_| problem))
    }
}

/// Returns the directory of libvirt's grammars.
pub(super) fn libvirts() -> Needs<PathBuf> {
    let path = Path::new(SCHEMAS);
    if path.join("domain.rng").exists() {
        Ok(path.to_owned())
    } else {
        Err("needs libvirt-common".to_owned())
    }
}

/// Returns the directory of libvirt's grammars, if they are of the verdicts' release.
pub(super) fn libvirts_of_release() -> Needs<PathBuf> {
    let path = libvirts()?;
    let mut query = Command::new(tool("dpkg-query")?);
    let version = run(query.args(["-W", "-f", "${Version}", "libvirt-common"])).stdout();
    match version.starts_with(RELEASE) {
        true => Ok(path),
        false => Err(format!("needs libvirt-common {RELEASE}x, here is {version:?}")),
    }
}

/// Our grammars, as files.
pub(super) fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/relaxng")
}

/// A grammar read from a directory, all its rules checked.
#[track_caller]
pub(super) fn grammar(directory: &Path, name: &str) -> Arc<Grammar> {
    let files = Schemas(directory.to_owned());
    let mut sources = Sources::default();
    match load(&format!("{name}.rng"), &files, &mut sources) {
        Ok(grammar) => Arc::new(grammar),
        Err(problems) => panic!("{name}.rng:\n{}", rendered(&problems, &sources)),
    }
}

/// Whether a document is well-formed and valid, after the check that all ways to ask say the same.
#[track_caller]
pub(super) fn accepts(automaton: &mut Automaton, name: &str, text: &str) -> bool {
    let (limits, source) = (Limits::default(), SourceId::NONE);
    let fast = automaton.accepts(source, text, &limits);
    let Ok(tree) = parse(source, text, &limits) else {
        assert!(fast.is_err(), "{name}: only the tree is not well-formed");
        return false;
    };
    let Ok(fast) = fast else { panic!("{name}: only the events are not well-formed: {fast:?}") };
    assert_eq!(automaton.accepts_tree(&tree), fast, "{name}: tree, events");
    let problems = automaton.validate(&tree, &virt::grammars::Xml);
    assert_eq!(!problems.has_errors(), fast, "{name}: {problems:?}");
    fast
}
