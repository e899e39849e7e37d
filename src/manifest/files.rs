//! Which files are manifests, and their texts.

use super::Format;
use super::kept::kept;
use super::virt_toml::FILE;
use crate::diag::{Diagnostic, Diagnostics, SourceId, Sources, Span, excerpt};
use crate::model::check_name;
use crate::xml::Limits;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Most manifests that one run reads, and most levels of directories.
const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 32;

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
    /// What mock hosts keep there, by real paths: no manifests.
    pub(super) kept: BTreeSet<PathBuf>,
    /// Why a directory could not be read, or a path that was given is not there.
    pub(super) unseen: Option<String>,
}

impl Found {
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
    /// Where it really is.
    pub(super) real: PathBuf,
    /// Whether a symbolic link leads there, below the path that was given or as that path.
    pub(super) linked: bool,
    /// Which version of it is there.
    pub(super) stamp: Stamp,
    pub(super) format: Format,
    /// The nearest `virt.toml` at or above it, among [`Found::virt_tomls`].
    pub(super) nearest: Option<usize>,
    /// Which of the given paths it was found by, counted from 1.
    pub(super) root: usize,
}

/// What tells two versions of a file apart: where it is, its size, and when it and its inode were
/// written. Time may be set back, and an inode used again; all of it together is not the same twice.
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
    /// Which version of it is there; `None` if it cannot be read.
    pub(super) stamp: Option<Stamp>,
    /// The next one above it.
    pub(super) above: Option<usize>,
    /// Whether it stands in, or beside, a path that was given.
    pub(super) is_top: bool,
}

/// Finds the manifests below `paths`. A file given by itself is read whatever else is beside it,
/// and cannot stand for its whole set, so `complete` is off.
pub(super) fn find(paths: &[PathBuf], out: &mut Diagnostics) -> Found {
    let found = Found { complete: true, ..Found::default() };
    let mut walk = Walk { found, seen: BTreeMap::new(), roots: 0, settings: BTreeMap::new(), out };
    for path in paths {
        walk.root(path);
    }
    walk.found
}

struct Walk<'a> {
    found: Found,
    /// Real paths met so far, below which of the given paths, and the `virt.toml` nearest to each:
    /// neither a symbolic link nor a path given twice makes two of one.
    seen: BTreeMap<PathBuf, (usize, Option<usize>)>,
    /// How many of the given paths were begun.
    roots: usize,
    /// Where each `virt.toml` stands in the list.
    settings: BTreeMap<PathBuf, usize>,
    out: &'a mut Diagnostics,
}

impl Walk<'_> {
    fn root(&mut self, path: &Path) {
        self.roots += 1;
        match fs::metadata(path) {
            Err(e) => {
                self.unseen(path, &e);
            }
            Ok(meta) if meta.is_dir() => {
                let top = self.virt_toml(&path.join(FILE), None, true);
                self.directory(path, top, is_link(path), 0);
            }
            Ok(meta) => {
                self.found.complete = false;
                self.note_directory(path.parent().unwrap_or(Path::new("")));
                let beside = path.parent().unwrap_or(Path::new("")).join(FILE);
                let top = self.virt_toml(&beside, None, true);
                match format_of(path) {
                    Some(format) => self.file(path, &meta, format, top, false),
                    None => self.out.push(
                        Diagnostic::error("not-a-manifest", "the file is not a manifest")
                            .address(path.display().to_string())
                            .hint("manifests end in .xml or .toml"),
                    ),
                }
            }
        }
    }

    /// Takes note of a `virt.toml`, if it is there, and says where in the list it is.
    fn virt_toml(&mut self, path: &Path, above: Option<usize>, is_top: bool) -> Option<usize> {
        // one that cannot be read must not pass for one that is not there
        fs::symlink_metadata(path).ok()?;
        let index = self.found.virt_tomls.len();
        match self.settings.entry(real(path)) {
            Entry::Vacant(place) => {
                place.insert(index);
                if is_top {
                    self.found.kept.extend(kept(path));
                }
                let (path, stamp) = (path.to_owned(), Stamp::now(path));
                self.found.virt_tomls.push(VirtTomlFile { path, stamp, above, is_top });
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

    fn directory(&mut self, path: &Path, mut nearest: Option<usize>, linked: bool, depth: usize) {
        if !self.is_new(path, nearest) {
            return;
        }
        if depth > DEPTH_MAX {
            return self.give_up(path, "the directories are nested too deep", DEPTH_MAX);
        }
        let stamp = Stamp::now(path);
        self.found.listings.insert(path.to_owned(), stamp);
        let names = fs::read_dir(path).and_then(|entries| {
            entries.map(|e| e.map(|e| e.file_name())).collect::<Result<BTreeSet<_>, _>>()
        });
        let names = match names {
            Ok(names) => names,
            Err(e) => return self.unseen(path, &e),
        };
        self.note_directory(path);
        if depth > 0 && names.iter().any(|name| name == FILE) {
            nearest = self.virt_toml(&path.join(FILE), nearest, false);
        }
        for name in names {
            let child = path.join(&name);
            let name = name.to_string_lossy();
            if is_passed_over(&name) {
                continue;
            }
            match fs::metadata(&child) {
                Ok(meta) if meta.is_dir() => {
                    self.directory(&child, nearest, linked || is_link(&child), depth + 1);
                }
                Ok(_) if name == FILE => {}
                Ok(meta) => {
                    if let Some(format) = Format::of(&name) {
                        self.file(&child, &meta, format, nearest, linked);
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
        meta: &Metadata,
        format: Format,
        nearest: Option<usize>,
        linked: bool,
    ) {
        if !self.found.kept.is_empty() && self.found.kept.contains(&real(path)) {
            return;
        }
        if self.found.manifests.len() >= FILES_MAX {
            if self.found.complete {
                self.give_up(path, "there are too many manifests", FILES_MAX);
            }
        } else if self.is_new(path, nearest) {
            let linked = linked || is_link(path);
            let (path, real, stamp) = (path.to_owned(), real(path), Stamp::of(meta));
            let root = self.roots;
            let manifest = Manifest { path, real, linked, stamp, format, nearest, root };
            self.found.manifests.push(manifest);
        }
    }

    /// Whether this path was not met before. One that is met under another choice of hosts would be
    /// for the first only, and the others would take it for gone.
    fn is_new(&mut self, path: &Path, nearest: Option<usize>) -> bool {
        match self.seen.entry(real(path)) {
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
        let text = format!("two ways lead here, and the {FILE} nearest to each is another");
        self.out.push(
            Diagnostic::error("ambiguous-hosts", text)
                .address(path.display().to_string())
                .hint("copy the manifests, or let them choose their hosts themselves"),
        );
        false
    }

    fn note_directory(&mut self, path: &Path) {
        self.found.directories.insert(real(path));
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
        self.out.push(
            Diagnostic::error("limit", summary)
                .address(path.display().to_string())
                .detail(format!("at most {limit} are read")),
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

fn format_of(path: &Path) -> Option<Format> {
    Format::of(&path.file_name()?.to_string_lossy())
}

/// Hidden files, and what editors leave beside the file they edit.
pub(super) fn is_passed_over(name: &str) -> bool {
    name.starts_with(['.', '#'])
        || name.ends_with('~')
        || [".swp", ".bak", ".orig"].iter().any(|end| name.ends_with(end))
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error("unreadable", "the path cannot be read")
        .address(path.display().to_string())
        .detail(error.to_string())
}

/// A manifest changes whenever it is read.
pub(super) fn restless(path: &Path) -> Diagnostic {
    Diagnostic::error("restless", "the manifests change while they are read")
        .address(path.display().to_string())
        .detail("nothing was read; try again when nobody writes them".to_owned())
}

/// The name of the directory that `path` is, or that holds the file it is.
pub(super) fn directory_name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = if whole.is_dir() { Some(whole.as_path()) } else { whole.parent() };
    let name = directory.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
    name.filter(|n| check_name(n).is_ok()).unwrap_or_else(|| "default".to_owned())
}

/// Takes a text file into `sources`, up to the limit of a document. `None` if it cannot be read, as
/// `out` says.
pub(super) fn read(path: &Path, sources: &mut Sources, out: &mut Diagnostics) -> Option<SourceId> {
    match bytes(path) {
        Ok(bytes) => text(path, bytes, |name, text| sources.add(name, text), out),
        Err(e) => {
            out.push(unreadable(path, &e));
            None
        }
    }
}

/// The bytes of a document, and one more if it is too long.
pub(super) fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    read_bytes(path, Limits::default().bytes)
}

/// Takes the bytes of a document as text, which `add` is given. `None` if that is not to be read
/// any further, as `out` says.
pub(super) fn text(
    path: &Path,
    bytes: Vec<u8>,
    add: impl FnOnce(String, String) -> SourceId,
    out: &mut Diagnostics,
) -> Option<SourceId> {
    let limit = Limits::default().bytes;
    let name = path.display().to_string();
    if bytes.len() > limit {
        out.push(
            Diagnostic::error("limit", "the manifest is too large")
                .address(name)
                .detail(format!("at most {limit} bytes are read")),
        );
        return None;
    }
    if let Some((encoding, text)) = wide_text(&bytes) {
        let id = add(name, text);
        out.push(not_utf8(id, 0, &format!("the manifest is {encoding}"), encoding));
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(add(name, text)),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            let byte = e.as_bytes().get(at).copied().unwrap_or(0);
            let text = String::from_utf8_lossy(e.as_bytes());
            let declared = declared_encoding(&text).map(excerpt);
            let id = add(name, text.clone().into_owned());
            let encoding = declared.as_deref().unwrap_or("ISO-8859-1");
            let mut problem = not_utf8(id, at, "the manifest is not UTF-8", encoding);
            problem.detail = Some(match &declared {
                Some(declared) => {
                    format!("byte {byte:02X} is none of UTF-8's, and it declares {declared}")
                }
                None => format!("byte {byte:02X} stands where UTF-8 has none such"),
            });
            out.push(problem);
            None
        }
    }
}

fn not_utf8(id: SourceId, at: usize, summary: &str, encoding: &str) -> Diagnostic {
    Diagnostic::error("encoding", summary)
        .at(Span::new(id, at, at + 1))
        .hint(format!("save the file as UTF-8; iconv -f {encoding} -t UTF-8 converts it"))
}

/// The encoding of a text in units of two or four bytes, and the text itself to show. Without a
/// byte order mark it is known by the zero byte beside its first character, which is ASCII in XML
/// and in TOML.
fn wide_text(bytes: &[u8]) -> Option<(&'static str, String)> {
    let (encoding, big) = match bytes {
        [0xff, 0xfe, 0, 0, ..] => return Some(("UTF-32", String::new())),
        [0, 0, 0xfe, 0xff, ..] => return Some(("UTF-32", String::new())),
        [0xff, 0xfe, ..] => ("UTF-16", false),
        [0xfe, 0xff, ..] => ("UTF-16", true),
        [1..=127, 0, ..] => ("UTF-16LE", false),
        [0, 1..=127, ..] => ("UTF-16BE", true),
        _ => return None,
    };
    let unit = |pair: &[u8; 2]| {
        if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
    };
    let units = bytes.as_chunks::<2>().0.iter().map(unit).skip_while(|unit| *unit == 0xfeff);
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    Some((encoding, text.collect()))
}

/// What an XML declaration says of the encoding.
fn declared_encoding(text: &str) -> Option<&str> {
    let declaration = text.strip_prefix("<?xml")?.split_once("?>")?.0;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let encoding = value.get(1..)?.split(quote).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!encoding.is_empty() && encoding.chars().all(plain)).then_some(encoding)
}

/// Reads a regular file, and one byte more than `limit` at the most.
pub(super) fn read_bytes(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    // a pipe or a device would block, or never end
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::render;

    #[test]
    fn other_encodings_are_named_with_the_way_out() {
        let dir = std::env::temp_dir().join(format!("virt-encodings-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let path = dir.join("a.xml");
        let declared = "<?xml version='1.0' encoding='ISO-8859-15'?>\n<a>é</a>";
        let latin: Vec<u8> = declared.chars().map(|c| u8::try_from(c).unwrap_or(0)).collect();
        let wide = |mark: &[u8]| {
            let units = "<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes);
            mark.iter().copied().chain(units).collect::<Vec<u8>>()
        };
        for (bytes, said) in [
            (
                wide(&[0xff, 0xfe]),
                [":1:1: error: the manifest is UTF-16", "1 | <a>é", "-f UTF-16 "],
            ),
            (wide(&[]), [":1:1: error: the manifest is UTF-16LE", "1 | <a>é", "-f UTF-16LE "]),
            (latin, [":2:4: error: the manifest is not UTF-8", "byte E9", "-f ISO-8859-15 "]),
            (b"\n<a>\xe9</a>".to_vec(), [":2:4: error: ", "byte E9", "-f ISO-8859-1 "]),
        ] {
            fs::write(&path, bytes).expect("a file");
            let (mut sources, mut out) = (Sources::default(), Diagnostics::default());
            assert_eq!(read(&path, &mut sources, &mut out), None);
            let text: String = out.iter().map(|d| render(d, &sources)).collect();
            assert!(said.iter().all(|part| text.contains(part)), "{said:?} in {text}");
        }
        fs::remove_dir_all(&dir).expect("removed");
    }
}
