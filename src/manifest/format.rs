//! How manifests are written, and which files are some by their names.

use std::path::Path;

/// How a manifest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// libvirt's XML, one document a file.
    Xml,
    /// TOML, any number of resources a file.
    Toml,
}

impl Format {
    /// The format that a file name's extension says.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "xml" => Some(Self::Xml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// How long a run goes on once its manifests are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// Longer: memory is given back.
    Longer,
    /// It ends with them, and so does its memory.
    ForGood,
}

pub(super) fn format_of(path: &Path) -> Option<Format> {
    Format::of(&path.file_name()?.to_string_lossy())
}

/// Hidden files, and what editors leave beside the file they edit.
pub(super) fn is_passed_over(name: &str) -> bool {
    name.starts_with(['.', '#'])
        || name.ends_with('~')
        || [".swp", ".bak", ".orig"].iter().any(|end| name.ends_with(end))
}
