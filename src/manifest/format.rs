//! Formats of manifests, and the names of files in them.

use std::path::Path;

/// Format of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// XML of libvirt, one document per file.
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

/// Lifetime of the process after its manifests are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// Longer: memory is given back.
    Longer,
    /// The process ends with them, and so does its memory.
    ForGood,
}

pub(super) fn format_of(path: &Path) -> Option<Format> {
    Format::of(&path.file_name()?.to_string_lossy())
}

/// Whether the file is hidden, or one that editors leave beside the file they edit.
pub(super) fn is_passed_over(name: &str) -> bool {
    name.starts_with(['.', '#'])
        || name.ends_with('~')
        || [".swp", ".bak", ".orig"].iter().any(|end| name.ends_with(end))
}
