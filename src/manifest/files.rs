//! Search for manifests, and their texts. Nothing outside the given paths is read.

use super::format::{Format, format_of, is_passed_over};
use super::given::{Given, given};
use super::kept::kept;
use super::project::FILE;
use super::text::text;
use crate::file::{Elsewhere, Outside, Root, Roots, approach};
use crate::model::check_set_name;
use diagnostics::{Diagnostic, Diagnostics, SourceId, Sources};
use nix::errno::Errno;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Most manifests that one run reads, and most levels of directories.
const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 32;

/// Longest `virt.toml`, in bytes.
const SETTINGS_MAX: usize = 1 << 20;

/// Most names in all directories that one run looks at, manifests or not.
const NAMES_MAX: usize = 1_000_000;

/// The files that make up the desired state.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Manifests in the order in which they are read.
    pub(super) manifests: Vec<Manifest>,
    /// The `virt.toml` of each path given, and those further down.
    pub(super) virt_tomls: Vec<VirtTomlFile>,
    /// Whether everything that the paths name was seen.
    pub(super) complete: bool,
    /// Directories in which changes may concern the manifests, by their real paths.
    pub(super) directories: BTreeSet<PathBuf>,
    /// The versions of the directories that were gone through, as they were before that.
    pub(super) listings: BTreeMap<PathBuf, Option<Stamp>>,
    /// Files that mock hosts keep there, by real paths: they are no manifests.
    pub(super) kept: BTreeSet<PathBuf>,
    /// Reason for which a directory could not be read, or a given path is missing.
    pub(super) unseen: Option<String>,
    /// Reason for which the search is incomplete: the omitted part is arbitrary, so no part of it counts.
    pub(super) over: Option<String>,
    /// The directories that were given, or have the files that were: nothing else is read.
    pub(super) roots: Roots,
}

impl Found {
    /// Takes the text of a `virt.toml` into `sources`. `None` if it cannot be read, as `out` says.
    pub(super) fn read(
        &self,
        file: &VirtTomlFile,
        sources: &mut Sources,
        out: &mut Diagnostics,
    ) -> Option<SourceId> {
        let real = self.roots.resolve(&file.directory, Path::new(FILE));
        match real.and_then(|real| self.roots.read(&real, SETTINGS_MAX)) {
            Ok((bytes, _)) => {
                let add = |name, text| sources.add(name, text);
                text(&file.path, bytes, SETTINGS_MAX, add, out)
            }
            Err(e) => {
                out.push(unreadable(&file.path, &e));
                None
            }
        }
    }

    /// Returns the files of the mock hosts that a `virt.toml` names. Its mistakes are reported where it is
    /// read for good.
    fn kept_by(&self, file: &VirtTomlFile) -> BTreeSet<PathBuf> {
        let real = self.roots.resolve(&file.directory, Path::new(FILE));
        let read = real.and_then(|real| self.roots.read(&real, SETTINGS_MAX));
        let text = read.ok().and_then(|(bytes, _)| String::from_utf8(bytes).ok());
        text.map(|text| kept(&text, &file.directory)).unwrap_or_default()
    }

    /// A manifest or a `virt.toml` that is not the same file, or not the same version of it, as in
    /// `other`, if there is one. Where links lead to manifests, and may be turned to and fro in
    /// between, no directory may have changed either.
    pub(super) fn moved(&self, other: &Self) -> Option<PathBuf> {
        let linked = [self, other].iter().any(|found| found.manifests.iter().any(|m| m.linked));
        let versions = |found: &Self| -> BTreeMap<PathBuf, (Option<PathBuf>, Option<Stamp>)> {
            let manifests = found
                .manifests
                .iter()
                .map(|m| (m.path.clone(), (Some(m.real.clone()), Some(m.stamp))));
            let virt_tomls = found.virt_tomls.iter().map(|v| (v.path.clone(), (None, v.stamp)));
            let listings = found.listings.iter().filter(|_| linked);
            let listings = listings.map(|(path, stamp)| (path.clone(), (None, *stamp)));
            manifests.chain(virt_tomls).chain(listings).collect()
        };
        let (here, there) = (versions(self), versions(other));
        let differs = |path: &&PathBuf| here.get(*path) != there.get(*path);
        here.keys().chain(there.keys()).filter(differs).min().cloned()
    }
}

/// A manifest.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) path: PathBuf,
    /// Real path.
    pub(super) real: PathBuf,
    /// Whether a symbolic link leads there, below the path that was given or as that path.
    pub(super) linked: bool,
    /// Version of the file.
    pub(super) stamp: Stamp,
    pub(super) format: Format,
    /// The nearest `virt.toml` at or above it, among [`Found::virt_tomls`].
    pub(super) nearest: Option<usize>,
    /// Number of the given path by which it was found, counted from 1.
    pub(super) root: usize,
}

/// Stamp that identifies a version of a file: its device and inode, its size, and the times when it and its
/// inode were written. Time may be set back, and an inode used again; all of it together does not occur
/// twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([u64; 3], [i64; 4]);

impl Stamp {
    pub(super) fn of(m: &Metadata) -> Self {
        let times = [m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()];
        Self([m.dev(), m.ino(), m.size()], times)
    }

    /// The version that is there now.
    pub(super) fn now(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|m| Self::of(&m))
    }
}

/// A `virt.toml`.
#[derive(Debug)]
pub(super) struct VirtTomlFile {
    pub(super) path: PathBuf,
    /// Version of the file; `None` if it cannot be read.
    pub(super) stamp: Option<Stamp>,
    /// The real path of the directory that it stands in.
    pub(super) directory: PathBuf,
    /// The next one above it.
    pub(super) above: Option<usize>,
    /// Whether the file is in, or beside, a path that was given.
    pub(super) is_top: bool,
}

/// Finds the manifests below `paths`. A file given by itself is read whatever else is beside it,
/// and cannot stand for its whole set, so `complete` is off.
///
/// A symbolic link is followed to what is beneath any of the directories that are given, or have a
/// file that is; one that is given, to what is beneath the directory that it stands in.
pub(super) fn find(paths: &[PathBuf], out: &mut Diagnostics) -> Found {
    let found = Found { complete: true, ..Found::default() };
    let (seen, settings) = (BTreeMap::new(), BTreeMap::new());
    let mut walk = Walk { found, seen, roots: 0, settings, names: NAMES_MAX, is_full: false, out };
    // all are known before the first is gone through
    let open = |path: &PathBuf| {
        let Given { root, name } = given(path)?;
        let real = name.map_or_else(|| root.real().to_owned(), |name| root.real().join(name));
        walk.found.roots.push(root);
        Ok(real)
    };
    let reals: Vec<io::Result<PathBuf>> = paths.iter().map(open).collect();
    for (path, real) in paths.iter().zip(reals) {
        walk.root(path, real);
    }
    walk.found
}

/// Finds the `virt.toml` of a directory, and looks at nothing else there.
pub(super) fn find_settings(directory: &Path, out: &mut Diagnostics) -> Found {
    let found = Found { complete: true, ..Found::default() };
    let (seen, settings) = (BTreeMap::new(), BTreeMap::new());
    let mut walk = Walk { found, seen, roots: 0, settings, names: 0, is_full: false, out };
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    match approach(here).and_then(|()| Root::open(here)) {
        Ok(root) => {
            let real = root.real().to_owned();
            walk.found.roots.push(root);
            walk.virt_toml(&directory.join(FILE), &real, None, true);
        }
        Err(e) => walk.unseen(directory, &e),
    }
    walk.found
}

struct Walk<'a> {
    found: Found,
    /// Real paths met so far, below which of the given paths, and the `virt.toml` nearest to each:
    /// neither a symbolic link nor a path given twice makes two of one.
    seen: BTreeMap<PathBuf, (usize, Option<usize>)>,
    /// Number of the given paths that were begun.
    roots: usize,
    /// Index of each `virt.toml` in the list.
    settings: BTreeMap<PathBuf, usize>,
    /// Number of names that may still be looked at.
    names: usize,
    /// Whether manifests were left out, since there are too many.
    is_full: bool,
    out: &'a mut Diagnostics,
}

/// Sort of a path beneath the roots.
struct Place {
    real: PathBuf,
    metadata: Metadata,
    /// Whether a symbolic link leads there.
    linked: bool,
}

impl Walk<'_> {
    /// `known` is where the path really is, as far as that is known.
    fn root(&mut self, path: &Path, known: io::Result<PathBuf>) {
        self.roots += 1;
        let place = known.and_then(|known| {
            if self.found.roots.of(&known).is_ok_and(|root| root.real() == known) {
                let metadata = fs::symlink_metadata(&known)?;
                return Ok(Place { real: known, metadata, linked: is_link(path) });
            }
            self.look_at(known.parent().unwrap_or(Path::new("/")), &known)
        });
        match place {
            Err(e) => self.unseen(path, &e),
            Ok(place) if place.metadata.is_dir() => {
                let top = self.virt_toml(&path.join(FILE), &place.real, None, true);
                self.directory(path, &place.real, top, place.linked, 0);
            }
            Ok(place) => {
                self.found.complete = false;
                let parent = path.parent().unwrap_or(Path::new(""));
                let directory = real(parent);
                let top = self.virt_toml(&parent.join(FILE), &directory, None, true);
                self.found.directories.insert(directory);
                match format_of(path) {
                    Some(format) => self.file(path, place, format, top, false),
                    None => self.out.push(
                        Diagnostic::error("not-a-manifest", "the file is not a manifest")
                            .address(path.display().to_string())
                            .hint("manifests end in .xml or .toml"),
                    ),
                }
            }
        }
    }

    /// Examines `path`, which is in the directory whose real path is `directory`.
    fn look_at(&self, directory: &Path, path: &Path) -> io::Result<Place> {
        let name = path.file_name().map(Path::new).unwrap_or(path);
        let child = directory.join(name);
        self.found.roots.of(&child)?;
        let metadata = fs::symlink_metadata(&child)?;
        if !metadata.is_symlink() {
            return Ok(Place { real: child, metadata, linked: false });
        }
        let real = self.found.roots.resolve(directory, name)?;
        Ok(Place { metadata: fs::symlink_metadata(&real)?, real, linked: true })
    }

    /// Takes note of a `virt.toml`, if it is there, and says where in the list it is.
    fn virt_toml(
        &mut self,
        path: &Path,
        directory: &Path,
        above: Option<usize>,
        is_top: bool,
    ) -> Option<usize> {
        // a file that cannot be read must not pass for a missing one
        fs::symlink_metadata(path).ok()?;
        let place = self.look_at(directory, path).ok();
        let index = self.found.virt_tomls.len();
        let real = place.as_ref().map_or_else(|| directory.join(FILE), |p| p.real.clone());
        match self.settings.entry(real) {
            Entry::Vacant(entry) => {
                entry.insert(index);
                let stamp = place.map(|place| Stamp::of(&place.metadata));
                let (path, directory) = (path.to_owned(), directory.to_owned());
                let file = VirtTomlFile { path, stamp, directory, above, is_top };
                if is_top {
                    self.found.kept.extend(self.found.kept_by(&file));
                }
                self.found.virt_tomls.push(file);
                Some(index)
            }
            Entry::Occupied(known) => {
                let known = *known.get();
                let file = self.found.virt_tomls.get_mut(known)?;
                file.is_top |= is_top;
                Some(known)
            }
        }
    }

    fn directory(
        &mut self,
        path: &Path,
        real: &Path,
        mut nearest: Option<usize>,
        linked: bool,
        depth: usize,
    ) {
        if !self.is_new(path, real, nearest) {
            return;
        }
        if depth > DEPTH_MAX {
            return self.give_up(path, "the directories are nested too deep", DEPTH_MAX);
        }
        let stamp = Stamp::now(path);
        self.found.listings.insert(path.to_owned(), stamp);
        let root = self.found.roots.of(real);
        let names: BTreeSet<OsString> = match root.and_then(|r| r.names(real, self.names)) {
            Ok(names) => names.into_iter().collect(),
            Err(e) => return self.unseen(path, &e),
        };
        self.found.directories.insert(real.to_owned());
        let Some(left) = self.names.checked_sub(names.len()) else {
            return self.give_up(path, "there are too many files", NAMES_MAX);
        };
        self.names = left;
        if depth > 0 && names.iter().any(|name| name == FILE) {
            nearest = self.virt_toml(&path.join(FILE), real, nearest, false);
        }
        for name in names {
            let child = path.join(&name);
            let name = name.to_string_lossy();
            if is_passed_over(&name) {
                continue;
            }
            match self.look_at(real, &child) {
                Ok(place) if place.metadata.is_dir() => {
                    let linked = linked || place.linked;
                    self.directory(&child, &place.real, nearest, linked, depth + 1);
                }
                Ok(_) if name == FILE => {}
                Ok(place) => {
                    if let Some(format) = Format::of(&name) {
                        self.file(&child, place, format, nearest, linked);
                    }
                }
                // other files may lead anywhere; only whether it is a directory is asked
                Err(e) if Outside::is(&e) && name != FILE => {
                    if Format::of(&name).is_some() || child.is_dir() {
                        self.unreadable(&child, &e);
                    }
                }
                Err(e) if Format::of(&name).is_some() => self.unreadable(&child, &e),
                Err(_) => {}
            }
        }
    }

    fn file(
        &mut self,
        path: &Path,
        place: Place,
        format: Format,
        nearest: Option<usize>,
        linked: bool,
    ) {
        if self.found.kept.contains(&place.real) {
            return;
        }
        let Place { real, metadata, .. } = place;
        if self.found.manifests.len() >= FILES_MAX {
            if !std::mem::replace(&mut self.is_full, true) {
                self.give_up(path, "there are too many manifests", FILES_MAX);
            }
        } else if self.is_new(path, &real, nearest) {
            let linked = linked || place.linked;
            let (path, stamp, root) = (path.to_owned(), Stamp::of(&metadata), self.roots);
            let manifest = Manifest { path, real, linked, stamp, format, nearest, root };
            self.found.manifests.push(manifest);
        }
    }

    /// Whether the path was not met before. One that is met under another choice of hosts would be for the
    /// first only, and the others would take it for gone.
    fn is_new(&mut self, path: &Path, real: &Path, nearest: Option<usize>) -> bool {
        match self.seen.entry(real.to_owned()) {
            Entry::Vacant(place) => {
                place.insert((self.roots, nearest));
                return true;
            }
            Entry::Occupied(known) => {
                let (root, choice) = *known.get();
                // a path that was given twice is only that
                if root != self.roots || choice == nearest {
                    return false;
                }
            }
        }
        self.found.complete = false;
        let text = format!("two paths lead here, with a different {FILE} nearest to each");
        self.out.push(
            Diagnostic::error("ambiguous-hosts", text)
                .address(path.display().to_string())
                .hint("copy the manifests, or let them choose their hosts themselves"),
        );
        false
    }

    fn unseen(&mut self, path: &Path, error: &std::io::Error) {
        self.found.unseen.get_or_insert_with(|| format!("{}: {error}", path.display()));
        self.unreadable(path, error);
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        self.found.complete = false;
        self.out.push(unreadable(path, error));
    }

    fn give_up(&mut self, path: &Path, summary: &str, limit: usize) {
        self.found.complete = false;
        self.found.over.get_or_insert_with(|| format!("{summary}: at most {limit} are read"));
        self.out.push(
            Diagnostic::error("limit", summary)
                .address(path.display().to_string())
                .detail(format!("at most {limit} are read, and so none of them counts")),
        );
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink())
}

pub(super) fn real(path: &Path) -> PathBuf {
    // the parent of a name by itself is the empty path
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let address = path.display().to_string();
    if let Some(elsewhere) = Elsewhere::of(error) {
        let real = elsewhere.real.display();
        return Diagnostic::error("outside", "the path leads elsewhere by a symbolic link")
            .address(address)
            .detail(error.to_string())
            .hint(format!("if that is what you mean, give it by its own path: {real}"));
    }
    if Outside::is(error) {
        return Diagnostic::error("outside", "the path leads out of what is to be read")
            .address(address)
            .detail(error.to_string())
            .hint(
                "put a copy in the place of the link, or give a directory that has both, or the \
                 other one as well",
            );
    }
    Diagnostic::error("unreadable", "the path cannot be read")
        .address(address)
        .detail(error.to_string())
}

/// Whether an error says nothing of the file, but that files, or memory, have run out.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM))
}

/// A manifest changes whenever it is read.
pub(super) fn changing(path: &Path) -> Diagnostic {
    Diagnostic::error("restless", "the manifests change while they are read")
        .address(path.display().to_string())
        .detail("nothing was read; try again when nobody writes them".to_owned())
}

/// The name of the directory that `path` is, or that holds the file it is.
pub(super) fn directory_name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = if whole.is_dir() { Some(whole.as_path()) } else { whole.parent() };
    let name = directory.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
    name.filter(|n| check_set_name(n).is_ok()).unwrap_or_else(|| "default".to_owned())
}
