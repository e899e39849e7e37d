//! Manifests in a directory of their own, and runs of the library over them.

use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use virt::drivers::Driver;
use virt::manifest::{self, Loaded};
use virt::model::{Observed, Scope};
use virt::reconcile::{Clock, Event, Options, Plan, Report, apply, plan};

/// The repository's sample manifests.
pub(crate) const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests");

/// A directory of manifests.
pub(crate) struct Site {
    directory: TempDir,
}

impl Site {
    /// A site of the set `site` with these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let site = Self { directory: tempfile::tempdir().unwrap() };
        site.write("virt.toml", "set = \"site\"\n");
        for (name, text) in files {
            site.write(name, text);
        }
        site
    }

    /// Writes or overwrites a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).unwrap();
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Loads the manifests; none of them has an error.
    pub(crate) fn load(&self) -> Loaded {
        load(self.directory.path())
    }
}

/// Loads sound manifests.
pub(crate) fn load(path: &Path) -> Loaded {
    let loaded = manifest::load(&[path.to_owned()]);
    let problems: Vec<String> =
        loaded.diagnostics.iter().map(|d| diagnostics::render(d, &loaded.sources)).collect();
    assert!(!loaded.diagnostics.has_errors(), "{}", problems.concat());
    loaded
}

/// Observes the host.
pub(crate) fn observe(driver: &dyn Driver) -> Observed {
    driver.observe(&Scope::all()).unwrap()
}

/// Returns the plan for loaded manifests.
pub(crate) fn plan_for(driver: &dyn Driver, loaded: &Loaded, options: &Options) -> Plan {
    plan(&loaded.desired, &observe(driver), &driver.capabilities().unwrap(), options)
}

/// Plans and applies, without waiting for real.
pub(crate) fn converge(driver: &dyn Driver, loaded: &Loaded, options: &Options) -> (Plan, Report) {
    let plan = plan_for(driver, loaded, options);
    let report = walk(&plan, driver);
    (plan, report)
}

/// Applies a plan, without waiting for real.
pub(crate) fn walk(plan: &Plan, driver: &dyn Driver) -> Report {
    apply(plan, driver, &FastClock::default(), 16, &mut |_: Event<'_>| {})
}

/// A clock on which waiting takes no time.
pub(crate) struct FastClock {
    start: Instant,
    slept: std::cell::Cell<Duration>,
}

impl Default for FastClock {
    fn default() -> Self {
        Self { start: Instant::now(), slept: Default::default() }
    }
}

impl Clock for FastClock {
    fn now(&self) -> Instant {
        self.start + self.slept.get()
    }

    fn sleep(&self, time: Duration) {
        self.slept.set(self.slept.get() + time);
    }
}
