//! Which files are manifests, and their texts.

use super::Format;
use super::virt_toml::FILE;
use crate::diag::{Diagnostic, Diagnostics, SourceId, Sources, Span};
use crate::model::check_name;
use crate::xml::Limits;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Most manifests that one run reads, and most levels of directories.
const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 32;

/// The files that make up the desired state.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Manifests in the order in which they are read.
    pub(super) manifests: Vec<(PathBuf, Format)>,
    /// The `virt.toml` of each path given.
    pub(super) virt_tomls: Vec<PathBuf>,
    /// Whether everything that the paths name was seen.
    pub(super) complete: bool,
}

/// Finds the manifests below `paths`. A file given by itself is read whatever else is beside it,
/// and cannot stand for its whole set, so `complete` is off.
pub(super) fn find(paths: &[PathBuf], out: &mut Diagnostics) -> Found {
    let mut walk =
        Walk { found: Found { complete: true, ..Found::default() }, seen: BTreeSet::new(), out };
    for path in paths {
        walk.root(path);
    }
    walk.found
}

struct Walk<'a> {
    found: Found,
    /// Real paths met so far: neither a symbolic link nor a path given twice makes two of one.
    seen: BTreeSet<PathBuf>,
    out: &'a mut Diagnostics,
}

impl Walk<'_> {
    fn root(&mut self, path: &Path) {
        let beside = match fs::metadata(path) {
            Err(e) => return self.unreadable(path, &e),
            Ok(meta) if meta.is_dir() => {
                self.directory(path, 0);
                path
            }
            Ok(_) => {
                self.found.complete = false;
                match format_of(path) {
                    Some(format) => self.file(path, format),
                    None => self.out.push(
                        Diagnostic::error("not-a-manifest", "the file is not a manifest")
                            .address(path.display().to_string())
                            .hint("manifests end in .xml or .toml"),
                    ),
                }
                path.parent().unwrap_or(Path::new(""))
            }
        };
        let settings = beside.join(FILE);
        // one that cannot be read must not pass for one that is not there
        if fs::symlink_metadata(&settings).is_ok() && self.is_new(&settings) {
            self.found.virt_tomls.push(settings);
        }
    }

    fn directory(&mut self, path: &Path, depth: usize) {
        if !self.is_new(path) {
            return;
        }
        if depth > DEPTH_MAX {
            return self.give_up(path, "the directories are nested too deep", DEPTH_MAX);
        }
        let names = fs::read_dir(path).and_then(|entries| {
            entries.map(|e| e.map(|e| e.file_name())).collect::<Result<BTreeSet<_>, _>>()
        });
        let names = match names {
            Ok(names) => names,
            Err(e) => return self.unreadable(path, &e),
        };
        for name in names {
            let child = path.join(&name);
            let name = name.to_string_lossy();
            if is_passed_over(&name) {
                continue;
            }
            match fs::metadata(&child) {
                Ok(meta) if meta.is_dir() => self.directory(&child, depth + 1),
                Ok(_) if name == FILE && depth > 0 => self.out.push(
                    Diagnostic::warning("nested-settings", format!("this {FILE} is not read"))
                        .address(child.display().to_string())
                        .detail("only the one in the directory that is given counts"),
                ),
                Ok(_) if name == FILE => {}
                Ok(_) => {
                    if let Some(format) = Format::of(&name) {
                        self.file(&child, format);
                    }
                }
                Err(e) if Format::of(&name).is_some() => self.unreadable(&child, &e),
                Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: &Path, format: Format) {
        if self.found.manifests.len() >= FILES_MAX {
            if self.found.complete {
                self.give_up(path, "there are too many manifests", FILES_MAX);
            }
        } else if self.is_new(path) {
            self.found.manifests.push((path.to_owned(), format));
        }
    }

    fn is_new(&mut self, path: &Path) -> bool {
        self.seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
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

fn format_of(path: &Path) -> Option<Format> {
    Format::of(&path.file_name()?.to_string_lossy())
}

/// Hidden files, and what editors leave beside the file they edit.
fn is_passed_over(name: &str) -> bool {
    name.starts_with(['.', '#'])
        || name.ends_with('~')
        || [".swp", ".bak", ".orig"].iter().any(|end| name.ends_with(end))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error("unreadable", "the path cannot be read")
        .address(path.display().to_string())
        .detail(error.to_string())
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
    let limit = Limits::default().bytes;
    let bytes = match read_bytes(path, limit) {
        Ok(bytes) => bytes,
        Err(e) => {
            out.push(unreadable(path, &e));
            return None;
        }
    };
    let name = path.display().to_string();
    if bytes.len() > limit {
        out.push(
            Diagnostic::error("limit", "the manifest is too large")
                .address(name)
                .detail(format!("at most {limit} bytes are read")),
        );
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(sources.add(name, text)),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            let id = sources.add(name, String::from_utf8_lossy(e.as_bytes()));
            out.push(
                Diagnostic::error("encoding", "the manifest is not UTF-8")
                    .at(Span::new(id, at, at + 1))
                    .hint("save the file as UTF-8"),
            );
            None
        }
    }
}

fn read_bytes(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    // a pipe or a device would block, or never end
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
