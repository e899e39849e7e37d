//! Paths that are given to be read, and where they may lead.

use super::format::{Format, format_of, is_passed_over};
use super::project::FILE;
use crate::file::{Root, approach};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

/// A path that was given: a directory, or one and the name of a file in it.
pub(super) struct Given {
    pub(super) root: Root,
    pub(super) name: Option<OsString>,
}

/// Opens a given path, through links that may be followed.
pub(super) fn given(path: &Path) -> io::Result<Given> {
    match fs::symlink_metadata(path)?.is_dir() || format_of(path).is_none() && path.is_dir() {
        true => {
            approach(path)?;
            Ok(Given { root: Root::open(path)?, name: None })
        }
        // a link that is named as a manifest may be meant as a directory
        false => {
            let parent = path.parent().unwrap_or(Path::new(""));
            approach(parent)?;
            let name = path.file_name().map(ToOwned::to_owned);
            Ok(Given { root: Root::open(parent)?, name })
        }
    }
}

/// Whether a name in a directory may be that of a manifest, of settings, or of a directory of them.
pub fn may_say_something(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !is_passed_over(&name) && (name == FILE || Format::of(&name).is_some() || path.is_dir())
}
