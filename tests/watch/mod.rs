//! `virt watch` on the built-in host: files, signals, locks, systemd.

mod files;
mod half;
mod locks;
mod loops;
mod pruning;
mod service;

use crate::support::{Watching, run, virt};
use libtest_mimic::Trial;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) fn trials() -> Vec<Trial> {
    let groups = [
        files::trials(),
        half::trials(),
        locks::trials(),
        loops::trials(),
        pruning::trials(),
        service::trials(),
    ];
    groups.into_iter().flatten().collect()
}

/// A built-in host, and a directory of manifests for it.
struct Place {
    directory: TempDir,
}

impl Place {
    /// Manifests of domains with these names.
    fn new(names: &[&str]) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(place.manifests()).unwrap();
        place.write("virt.toml", "set = \"watched\"\n");
        for name in names {
            place.write(&format!("{name}.toml"), &domain(name, 65_536));
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn manifests(&self) -> PathBuf {
        self.path("manifests")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.manifests().join(name), text).unwrap();
    }

    fn uri(&self) -> String {
        format!("test:///default?state={}", self.path("state.xml").display())
    }

    /// Watches the manifests until each of them has its domain.
    #[track_caller]
    fn watch(&self, options: &[&str]) -> Watching {
        let (uri, manifests) = (self.uri(), self.manifests());
        let arguments = ["--connect", &uri, manifests.to_str().unwrap(), "--interval", "1h"];
        run(&mut virt(&["apply", "--connect", &uri, manifests.to_str().unwrap()])).expect(0);
        Watching::start(&[&arguments, options].concat())
    }

    /// The memory of a domain for its next boot, as the host has it.
    fn state(&self) -> String {
        fs::read_to_string(self.path("state.xml")).unwrap()
    }

    /// Holds the host to its manifests.
    #[track_caller]
    fn is_in_sync(&self) {
        let (uri, manifests) = (self.uri(), self.manifests());
        let arguments = ["plan", "--detailed-exitcode", "--connect", &uri];
        run(virt(&arguments).arg(manifests)).expect(0);
    }
}

/// A manifest of a domain that is off, with that memory in KiB.
fn domain(name: &str, memory: u32) -> String {
    format!(
        "[[domain]]\ntype = \"test\"\nname = \"{name}\"\nmemory = {memory}\nos.type = \"hvm\"\n\
         reconcile.power = \"stopped\"\n"
    )
}

/// Puts a file in the place of another one, whole.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}
