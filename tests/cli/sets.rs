//! Sets as owners: a set is named explicitly, and never silently after a directory.

use crate::support::site::{plan_for, walk};
use crate::support::{Ran, run, trial, virt};
use libtest_mimic::Trial;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use virt::drivers::{MockDriver, MockHost};
use virt::manifest::{self, Loaded};
use virt::reconcile::Options;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("cli/sets/without_a_set_apply_and_watch_refuse_with_the_line", refused),
        trial("cli/sets/a_host_that_the_old_build_applied_to_goes_on", upgraded),
        trial("cli/sets/released_objects_stay_and_are_nobodys", released),
        trial("cli/sets/another_set_takes_over_what_it_names", taken_over),
        trial("cli/sets/init_names_the_set_that_the_records_have", init),
        trial("cli/sets/a_name_that_reads_as_another_is_refused", hazards),
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

    /// Applies as the build before did: the directory's name is the set's, without a question.
    fn apply_as_before(&self) {
        let loaded: Loaded = manifest::load(&[self.path("guests")]);
        assert_eq!((loaded.desired.set.as_str(), loaded.set_is_named), ("guests", false));
        let driver = MockDriver::open(MockHost::Default, Some(self.path("host.xml"))).unwrap();
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

fn hazards() {
    let old = Old::new();
    for name in
        ["web\u{202e}x", "web\u{200b}", "a\u{2066}b", "\u{feff}web", "a\u{ad}b", "a\u{3164}"]
    {
        fs::write(old.path("guests/virt.toml"), format!("set = \"{name}\"\n")).unwrap();
        let ran = old.virt(&["validate", "guests"]).expect(1);
        assert!(ran.stderr().contains("this cannot name a set: it has a character"), "{ran}");
        fs::remove_file(old.path("guests/virt.toml")).unwrap();
        old.virt(&["plan", "--set", name, "guests"]).expect(64);
        let host = format!("set = 's'\n[hosts.\"{name}\"]\nconnect = 'test:///default'\n");
        fs::write(old.path("guests/virt.toml"), host).unwrap();
        old.virt(&["validate", "guests"]).expect(1);
        fs::remove_file(old.path("guests/virt.toml")).unwrap();
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

fn released() {
    let old = Old::new();
    old.virt(&["apply", "--set", "guests", "guests"]).expect(0);
    let before = old.virt(&["get", "-o", "json"]).expect(0).stdout();
    assert!(before.contains("\"owner\":\"guests\""), "{before}");
    // a name without a host asks which, as a delete does
    let ran = run(virt(&["release", "domain/a"]).current_dir(old.0.path())).expect(64);
    assert!(ran.stderr().contains("name the host with -c URI"), "{ran}");
    let ran = old.virt(&["release", "domain/a", "--dry-run"]).expect(0);
    assert!(ran.stdout().contains("owner  guests → —"), "{ran}");
    assert_eq!(old.virt(&["get", "-o", "json"]).expect(0).stdout(), before);
    let ran = old.virt(&["release", "domain/a"]).expect(0);
    assert!(ran.stdout().contains("Applied: 2 of 2 steps done"), "{ran}");
    let text = fs::read_to_string(old.path("host.xml")).unwrap();
    assert!(!text.contains("urn:virt:reconcile"), "next boot's and running: {text}");
    let after = old.virt(&["get", "domain/a"]).expect(0).stdout();
    assert!(after.contains("running") && !after.contains("guests"), "{after}");
    // it is a stranger's now
    let ran = old.virt(&["release", "domain/a"]).expect(1);
    assert!(ran.stderr().contains("nobody owns it"), "{ran}");
    old.virt(&["apply", "--set", "guests", "guests"]).expect(1);
    let ran = old.virt(&["apply", "--set", "other", "--adopt", "guests"]).expect(0);
    assert!(ran.stdout().contains("owner  — → other"), "{ran}");
    // within a project only what its set owns is let go
    fs::write(old.path("guests/virt.toml"), "set = \"guests\"\n").unwrap();
    let ran = old.virt(&["-f", "guests", "release", "domain/a"]).expect(1);
    assert!(ran.stderr().contains("the set \"other\" owns it"), "{ran}");
}

fn taken_over() {
    let old = Old::new();
    old.virt(&["apply", "--set", "one", "guests"]).expect(0);
    let ran = old.virt(&["apply", "--set", "two", "guests"]).expect(1);
    assert!(ran.stderr().contains("pass --adopt-from one"), "{ran}");
    assert!(ran.stderr().contains("virt release domain/a"), "{ran}");
    // only from the set that is named, and --adopt is for what nobody owns
    for options in [["--adopt-from", "three"].as_slice(), &["--adopt"]] {
        old.virt(&[&["apply", "--set", "two", "guests"], options].concat()).expect(1);
    }
    let ran = old.virt(&["apply", "--set", "two", "--adopt-from", "one", "guests"]).expect(0);
    assert!(ran.stdout().contains("owner  one → two"), "{ran}");
    assert!(ran.stdout().contains("@ domain/a  adopt"), "{ran}");
    let ran = old.virt(&["apply", "--set", "two", "guests"]).expect(0);
    assert!(ran.stdout().starts_with("Nothing to do"), "{ran}");
}

fn init() {
    let virt_toml = |old: &Old| fs::read_to_string(old.path("guests/virt.toml")).unwrap();
    // sets that the old build recorded: the directory's name, or another one
    for set in ["guests", "site"] {
        let old = Old::new();
        old.virt(&["apply", "--set", set, "guests"]).expect(0);
        let ran = old.virt(&["init", "guests"]).expect(0);
        assert!(ran.stderr().contains("1 object of these manifests"), "{ran}");
        assert!(virt_toml(&old).contains(&format!("set = \"{set}\"\n")));
        let ran = old.virt(&["apply", "guests"]).expect(0);
        assert!(ran.stdout().starts_with("Nothing to do"), "{ran}");
        // existing files are never overwritten
        old.virt(&["init", "guests"]).expect(1);
    }
    // nothing is there yet
    let old = Old::new();
    old.virt(&["init", "guests"]).expect(0);
    assert!(virt_toml(&old).contains("set = \"guests\"\n"));
    // another directory of this name has been applied
    let old = Old::new();
    old.virt(&["apply", "--set", "guests", "guests"]).expect(0);
    fs::write(
        old.path("guests/a.xml"),
        fs::read_to_string(old.path("guests/a.xml")).unwrap().replace("<name>a", "<name>b"),
    )
    .unwrap();
    let ran = old.virt(&["init", "guests"]).expect(1);
    assert!(ran.stderr().contains("another directory of this name"), "{ran}");
    assert!(!old.path("guests/virt.toml").exists());
    old.virt(&["init", "--set", "mine", "guests"]).expect(0);
    assert!(virt_toml(&old).contains("set = \"mine\"\n"));
    // a host that does not answer is no host without records
    let old = Old::new();
    let nowhere = "qemu+unix:///system?socket=/nonexistent/sock";
    let mut init = virt(&["-c", nowhere, "init", "guests"]);
    let ran = run(init.current_dir(old.0.path())).expect(1);
    assert!(ran.stderr().contains("--set NAME writes it without asking the host"), "{ran}");
}
