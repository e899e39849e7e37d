//! Loading of the desired state from paths, once; see [`super::watch`] for repeated loads.
//!
//! - `tests.rs`: tests of loading from directories of manifests

use super::assemble::{Loaded, Parts, RefusedAre, put_together};
use super::files;
use super::grammars::Grammars;
use super::loader::Loader;
use diagnostics::Diagnostics;
use std::path::{Path, PathBuf};

/// Reads the manifests that `paths` name: files, and directories with all that is below them.
/// Symbolic links are followed, and what they lead to is read once.
///
/// The set's name is what `virt.toml` says; without one it is the name of the directory.
pub fn load(paths: &[PathBuf]) -> Loaded {
    load_with(paths, &Grammars::Embedded)
}

/// Loads `paths`, validated by these grammars.
pub fn load_with(paths: &[PathBuf], grammars: &Grammars) -> Loaded {
    load_as(paths, grammars, None)
}

/// Loads `paths` for a set that the caller may name: then the manifests' own is not asked for.
pub fn load_as(paths: &[PathBuf], grammars: &Grammars, set: Option<&str>) -> Loaded {
    loader(grammars, RefusedAre::Wrong, set).load(paths)
}

/// Loads `paths` for a caller that asks hosts: refused content stays with its resource, since a host that
/// holds the same has accepted it.
pub fn load_for_hosts(paths: &[PathBuf], grammars: &Grammars, set: Option<&str>) -> Loaded {
    loader(grammars, RefusedAre::ForHosts, set).load(paths)
}

/// Loads `paths` for a process that ends with the result: memory is not freed, which would take as long as a
/// good part of the reading.
pub fn load_for_good(paths: &[PathBuf], grammars: &Grammars, set: Option<&str>) -> Loaded {
    let loader = loader(grammars, RefusedAre::Wrong, set).for_good();
    std::mem::ManuallyDrop::new(loader).load(paths)
}

/// Loads the `virt.toml` of a directory, and none of its manifests.
pub fn load_virt_toml(directory: &Path, set: Option<&str>) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let found = files::find_settings(directory, &mut diagnostics);
    let parts = Parts { diagnostics, ..Parts::default() };
    put_together(&[directory.to_owned()], &found, parts, RefusedAre::ForHosts, set)
}

fn loader(grammars: &Grammars, refused: RefusedAre, set: Option<&str>) -> Loader {
    Loader::new(grammars.clone(), refused, set.map(str::to_owned))
}

#[cfg(test)]
mod tests;
