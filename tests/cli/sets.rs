//! Who owns what is named, and never silently a directory's name.

use crate::support::site::{plan_for, walk};
use crate::support::{Ran, run, trial, virt};
use libtest_mimic::Trial;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use virt::drivers::{TestDriver, TestHost};
use virt::manifest::{self, Loaded};
use virt::reconcile::Options;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("cli/sets/without_a_set_apply_and_watch_refuse_with_the_line", refused),
        trial("cli/sets/a_host_that_the_old_build_applied_to_goes_on", upgraded),
        trial("cli/sets/a_virt_toml_without_a_set_is_not_guessed_at", never_guessed),
    ]
}

/// A directory of manifests without a `virt.toml`, and a mock host.
struct Old(TempDir);

impl Old {
    fn new() -> Self {
        let old = Self(tempfile::tempdir().unwrap());
        fs::create_dir(old.path("guests")).unwrap();
        let domain = "<domain type='test'><name>a</name><memory>65536</memory><os><type>hvm</type></os></domain>";
        fs::write(old.path("guests/a.xml"), domain).unwrap();
        old
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn virt(&self, arguments: &[&str]) -> Ran {
        let uri = "test:///default?state=host.xml";
        run(virt(&[&["-c", uri], arguments].concat()).current_dir(self.0.path()))
    }

    /// As the build before did it: the directory's name is the set's, and nobody is asked.
    fn apply_as_before(&self) {
        let loaded: Loaded = manifest::load(&[self.path("guests")]);
        assert_eq!((loaded.desired.set.as_str(), loaded.set_is_named), ("guests", false));
        let driver = TestDriver::open(TestHost::Default, Some(self.path("host.xml"))).unwrap();
        let plan = plan_for(&driver, &loaded, &Options::default());
        assert!(walk(&plan, &driver).is_done());
    }
}

const LINE: &str = "add this line to guests/virt.toml:  set = \"guests\"";

fn refused() {
    let old = Old::new();
    for arguments in [
        ["apply", "guests"].as_slice(),
        &["apply", "--dry-run", "guests"],
        &["apply", "guests/a.xml"],
        &["watch", "--once", "guests"],
        &["watch", "guests"],
        &["plan", "--out", "a.plan", "guests"],
        &["delete", "guests"],
    ] {
        let ran = old.virt(arguments).expect(64);
        assert!(ran.stderr().contains(LINE), "{ran}");
        assert!(!old.path("host.xml").exists(), "{ran}");
    }
    for arguments in [["validate", "guests"], ["plan", "guests"], ["diff", "guests"]] {
        old.virt(&arguments).expect(0);
    }
}

fn upgraded() {
    for by_file in [true, false] {
        let old = Old::new();
        old.apply_as_before();
        let ran = old.virt(&["apply", "guests"]).expect(64);
        assert!(ran.stderr().contains(LINE), "{ran}");
        let ran = if by_file {
            fs::write(old.path("guests/virt.toml"), "set = \"guests\"\n").unwrap();
            old.virt(&["apply", "guests"])
        } else {
            old.virt(&["apply", "--set", "guests", "guests"])
        };
        assert!(ran.stdout().starts_with("Nothing to do: 1 object of set \"guests\""), "{ran}");
        // under another name it is another's
        let ran = old.virt(&["--set", "other", "apply", "guests"]).expect(1);
        assert!(ran.stderr().contains("the set \"guests\" owns it"), "{ran}");
    }
}

fn never_guessed() {
    let old = Old::new();
    old.apply_as_before();
    fs::write(old.path("guests/virt.toml"), "connect = \"test:///default\"\n").unwrap();
    let ran = old.virt(&["watch", "--once", "guests"]).expect(64);
    assert!(ran.stderr().contains(LINE), "{ran}");
    old.virt(&["watch", "--once", "--set", "guests", "guests"]).expect(0);
}
