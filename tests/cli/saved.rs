//! Saved plans: the reviewed steps are the applied ones, whoever had the file in between.

use crate::support::{Needs, Ran, run, trial, trial_if, virt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use diagnostics::SourceId;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use virt::reconcile::plan::file;
use xmltree::{Element, Limits, Name, parse, write};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("cli/saved/a_plan_is_bound_to_its_digest", digest),
        trial("cli/saved/a_definition_is_of_the_object_that_the_step_names", other_object),
        trial("cli/saved/nothing_but_destroy_follows_a_wait", waits),
        trial("cli/saved/a_step_is_for_the_object_that_has_its_uuid", other_uuid),
        trial("cli/saved/what_is_put_back_is_of_the_same_object_and_is_shown", put_back),
        trial("cli/saved/with_a_key_an_unsigned_plan_needs_its_digest", unsigned),
        trial("cli/saved/a_record_remembers_what_the_host_had_and_not_what_a_file_says", records),
        trial("cli/saved/a_plan_that_others_had_needs_its_digest", foreign),
        trial("cli/saved/an_effect_is_no_less_than_what_is_called", effect),
        trial("cli/saved/a_plan_is_shown_whole_before_it_is_applied", shown),
        trial_if(null(), "cli/saved/only_a_file_is_for_its_owner_alone", |directory| {
            owner_alone(directory.path());
        }),
        trial("cli/saved/a_signed_plan_is_applied_as_it_was_signed", signed),
    ]
}

/// Returns a directory with a device in it that accepts anything, or the reason for its absence.
fn null() -> Needs<TempDir> {
    let directory = tempfile::tempdir().unwrap();
    let mut make = Command::new("mknod");
    make.args(["--mode=666"]).arg(directory.path().join("null")).args(["c", "1", "3"]);
    let made = make.stderr(Stdio::null()).status();
    made.is_ok_and(|made| made.success())
        .then_some(directory)
        .ok_or_else(|| "needs to make a device".to_owned())
}

/// A directory of manifests, a host to apply them to, and a plan file.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.0.path().join("m")).unwrap();
        place.write("m/virt.toml", "set = \"demo\"\n");
        place.write("m/web.toml", DOMAIN);
        place
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.0.path().join(path), text).unwrap();
    }

    fn virt(&self, args: &[&str], code: i32) -> Ran {
        let uri = format!("test:///default?state={}/host.xml", self.0.path().display());
        let mut command = virt(args);
        command.args(["-c", &uri]).current_dir(self.0.path());
        run(&mut command).expect(code)
    }

    /// Saves a plan and gives its digest.
    fn plan(&self) -> String {
        self.plan_with(&[])
    }

    fn plan_with(&self, options: &[&str]) -> String {
        let ran = self.virt(&[&["plan", "m", "--out", "saved"], options].concat(), 0);
        let said = ran.stderr();
        let (_, digest) = said.split_once("(sha256:").unwrap();
        format!("sha256:{}", digest.split_once(')').unwrap().0)
    }

    /// Makes a key that plans are signed with.
    fn key(&self, name: &str, byte: char) -> String {
        let file = self.0.path().join(name);
        fs::write(&file, byte.to_string().repeat(32)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file.display().to_string()
    }

    /// Changes the saved plan, as somebody else might.
    fn forge(&self, change: impl Fn(&mut Value)) {
        let file = self.0.path().join("saved");
        let mut plan = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        change(&mut plan);
        fs::write(file, plan.to_string()).unwrap();
    }

    fn objects(&self) -> String {
        self.virt(&["get", "-o", "json"], 0).stdout()
    }
}

const DOMAIN: &str = "[[domain]]\nname = \"web\"\ntype = \"test\"\nmemory = 65536\n\
                      os.type = \"hvm\"\n";

fn digest() {
    let place = Place::new();
    let digest = place.plan();
    let (empty, other) = (place.objects(), digest.replace(|c: char| c.is_ascii_digit(), "0"));
    let ran = place.virt(&["apply", "saved", "--expect", &other], 5);
    assert!(ran.stderr().contains(&digest), "{ran}");
    assert_eq!(place.objects(), empty);
    // one byte more is another plan
    place.write("saved", &(fs::read_to_string(place.0.path().join("saved")).unwrap() + " "));
    place.virt(&["apply", "saved", "--expect", &digest], 5);
    assert_eq!(place.objects(), empty);
    let digest = place.plan();
    place.virt(&["apply", "m", "--expect", &digest], 64);
    place.virt(&["apply", "saved", "--expect", &digest], 0);
    place.virt(&["plan", "m", "--detailed-exitcode"], 0);
}

fn other_object() {
    let place = Place::new();
    let empty = place.objects();
    let of = |from: &'static str, to: &'static str| {
        move |plan: &mut Value| {
            let xml = plan["steps"][0]["action"]["call"]["domain"]["define"]["xml"].take();
            let forged = xml.as_str().unwrap().replace(from, to);
            assert_ne!(xml, forged.as_str());
            plan["steps"][0]["action"]["call"]["domain"]["define"]["xml"] = forged.into();
        }
    };
    for (from, to, why) in [
        ("<name>web<", "<name>db<", "of domain/db"),
        ("<uuid>", "<uuid>0", "another UUID"),
        ("<uuid>", "<genid>", "not well-formed"),
        ("domain", "network", "not one of a domain"),
    ] {
        place.plan();
        place.forge(of(from, to));
        let ran = place.virt(&["apply", "saved"], 1);
        assert!(ran.stderr().contains(why), "{from}: {ran}");
        assert_eq!(place.objects(), empty);
    }
}

/// A definition of somebody else's guest.
const VICTIM: &str = "<domain type='test'><name>victim</name>\
    <uuid>11111111-1111-4111-8111-111111111111</uuid><memory>65536</memory>\
    <os><type>hvm</type></os><devices><disk type='file'><source file='/etc/shadow'/>\
    <target dev='vda'/></disk></devices></domain>";

fn waits() {
    let place = Place::new();
    let empty = place.objects();
    let own = VICTIM.replace("victim", "web");
    let call = |op: Value| json!({ "call": { "domain": op } });
    for otherwise in [
        call(json!({ "define": { "xml": VICTIM } })),
        call(json!({ "define": { "xml": own } })),
        call(json!({ "undefine": { "keep": "remove" } })),
    ] {
        place.plan();
        place.forge(|plan| {
            plan["steps"][0]["action"] = json!({ "wait": {
                "until": "inactive",
                "timeout": { "secs": 0, "nanos": 0 },
                "otherwise": otherwise,
            }});
        });
        for args in [&["plan", "--show", "saved"][..], &["apply", "saved"]] {
            let ran = place.virt(args, 1);
            assert!(ran.stderr().contains("only destroy can"), "{ran}");
        }
        assert_eq!(place.objects(), empty);
    }
    // an operation is for an object of its kind
    place.plan();
    place.forge(|plan| plan["steps"][0]["action"] = json!({ "call": { "network": "destroy" } }));
    let ran = place.virt(&["apply", "saved"], 1);
    assert!(ran.stderr().contains("a domain has no such operation"), "{ran}");
    // a file of another version says so, whatever else it holds
    place.plan();
    place.forge(|plan| {
        plan["format_version"] = 3.into();
        plan["steps"] = json!([{ "older": true }]);
    });
    let ran = place.virt(&["apply", "saved"], 1);
    assert!(ran.stderr().contains("it has format 3; this program reads 4"), "{ran}");
    // a record is what a definition says, and is not set beside it
    place.plan();
    place.forge(|plan| {
        plan["steps"][0]["action"] = json!({ "call": { "domain": { "set-metadata": {
            "kind": { "element": { "key": "virt", "uri": "urn:virt:reconcile:1" } },
            "value": "<owned set='demo'/>",
            "affect": "config",
        }}}});
    });
    let ran = place.virt(&["apply", "saved"], 1);
    assert!(ran.stderr().contains("it sets a record"), "{ran}");
}

fn other_uuid() {
    let place = Place::new();
    place.virt(&["apply", "m"], 0);
    let before = place.objects();
    place.write("m/db.toml", &DOMAIN.replace("web", "db"));
    place.plan();
    // the existing object has the UUID of web, and the step says db
    let listed: Value = serde_json::from_str(&before).unwrap();
    let web = listed["objects"].as_array().unwrap().iter().find(|o| o["name"] == "web").unwrap();
    let uuid = web["uuid"].clone();
    place.forge(|plan| {
        plan["steps"][0]["uuid"] = uuid.clone();
        plan["steps"][0]["action"] =
            json!({ "call": { "domain": { "undefine": { "keep": "nothing" } } } });
    });
    let ran = place.virt(&["apply", "saved"], 5);
    assert!(ran.stderr().contains("what has this UUID on the host is domain/web"), "{ran}");
    assert_eq!(place.objects(), before);
}

/// A plan for a guest that runs, with a live change that may be refused.
fn live() -> Place {
    let place = Place::new();
    let running = format!("{DOMAIN}reconcile.power = \"running\"\n");
    place.write("m/web.toml", &running);
    place.virt(&["apply", "m"], 0);
    let disk = "[[domain.devices.disk]]\ntype = \"file\"\nsource.file = \"/new.img\"\n\
                target.dev = \"vdb\"\ntarget.bus = \"virtio\"\n";
    place.write("m/web.toml", &(running + disk));
    place.plan();
    place
}

fn put_back() {
    let place = live();
    let shown = place.virt(&["plan", "--show", "saved"], 0).stdout();
    assert!(shown.contains("if a live change is refused\n    devices/disk goes: <disk"), "{shown}");
    let saved = fs::read_to_string(place.0.path().join("saved")).unwrap();
    // the places of name, UUID and record among the elements of the root
    let replace = |at: Value, xml: &str| json!({ "at": at, "what": { "replace": xml } });
    let insert = |at: Value, xml: &str| json!({ "at": at, "what": { "insert": xml } });
    let record = "<virt:owned xmlns:virt='urn:virt:reconcile:1' set='demo'/>";
    for undo in [
        replace(json!([]), VICTIM),
        replace(json!([0]), "<name>victim</name>"),
        replace(json!([1]), "<uuid>11111111-1111-4111-8111-111111111111</uuid>"),
        replace(json!([3]), "<name>victim</name>"),
        insert(json!([]), "<name>victim</name>"),
        json!({ "at": [0], "what": "remove" }),
        insert(json!([2]), record),
        replace(json!([2, 0]), "<x/>"),
        insert(json!([]), &format!("<metadata>{record}</metadata>")),
    ] {
        place.write("saved", &saved);
        place.forge(|plan| {
            let piece = &mut plan["afterwards"][0]["pieces"][0];
            piece["definition"] = json!([undo]);
            piece["manifest"] = json!([undo]);
        });
        let ran = place.virt(&["apply", "saved"], 1);
        assert!(ran.stderr().contains("it says who the object is, or whose"), "{undo}: {ran}");
    }
    // the record's content matches the undo, and no note is written on another's object
    place.write("saved", &saved);
    place.forge(|plan| {
        let shadow = insert(json!([3]), "<disk><source file='/etc/shadow'/></disk>");
        plan["afterwards"][0]["pieces"][0]["manifest"] = json!([shadow]);
    });
    let ran = place.virt(&["apply", "saved"], 1);
    assert!(ran.stderr().contains("its record would say something else"), "{ran}");
    place.write("saved", &saved);
    place.forge(|plan| plan["afterwards"][0]["target"] = "domain/other".into());
    place.virt(&["apply", "saved"], 1);
    // its other possible effects are shown
    place.write("saved", &saved);
    place.forge(|plan| {
        let shadow = insert(json!([11]), "<disk><source file='/etc/shadow'/></disk>");
        let piece = &mut plan["afterwards"][0]["pieces"][0];
        piece["definition"] = json!([shadow]);
        piece["manifest"] = json!([shadow]);
        plan["afterwards"][0]["definition"] =
            plan["afterwards"][0]["definition"].as_str().unwrap().replace("vdb", "vdc").into();
    });
    for args in [&["plan", "--show", "saved"][..], &["apply", "saved", "--dry-run"]] {
        let shown = place.virt(args, 0).stdout();
        assert!(
            shown.contains("devices gets <disk><source file='/etc/shadow'/></disk>"),
            "{shown}"
        );
        assert!(shown.contains("in this definition:") && shown.contains("dev='vdc'"), "{shown}");
    }
    let said = place.virt(&["plan", "--show", "saved", "-o", "json"], 0).stdout();
    let plan: Value = serde_json::from_str(&said).unwrap();
    assert!(plan["may_put_back"].to_string().contains("/etc/shadow"), "{plan:#}");
}

fn unsigned() {
    let place = Place::new();
    let key = place.key("ours", 'a');
    let digest = place.plan();
    let empty = place.objects();
    let ran = place.virt(&["apply", "saved", "--signing-key", &key], 5);
    assert!(ran.stderr().contains("it has no signature"), "{ran}");
    assert!(ran.stderr().contains(&format!("--expect {digest}")), "{ran}");
    assert_eq!(place.objects(), empty);
    // nor is one that had a signature
    place.virt(&["plan", "m", "--out", "saved", "--signing-key", &key], 0);
    place.forge(|plan| {
        plan.as_object_mut().unwrap().remove("signature").unwrap();
    });
    place.virt(&["apply", "saved", "--signing-key", &key], 5);
    assert_eq!(place.objects(), empty);
    let digest = place.plan();
    place.virt(&["apply", "saved", "--signing-key", &key, "--expect", &digest], 0);
}

fn records() {
    let place = Place::new();
    let key = place.key("ours", 'a');
    let with_key =
        |args: &[&str], code| place.virt(&[args, &["--signing-key", &key][..]].concat(), code);
    with_key(&["apply", "m"], 0);
    place.write("m/web.toml", &DOMAIN.replace("65536", "131072"));
    let sound = place.plan_with(&["--adopt"]);
    let packed = |xml: &str| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(xml.as_bytes()).unwrap();
        BASE64.encode(encoder.finish().unwrap())
    };
    let text = fs::read_to_string(place.0.path().join("saved")).unwrap();
    let forge = |change: &dyn Fn(&mut Element)| {
        place.write("saved", &text);
        place.forge(|plan| {
            let xml = &mut plan["steps"][0]["action"]["call"]["domain"]["define"]["xml"];
            let mut root =
                parse(SourceId::NONE, xml.as_str().unwrap(), &Limits::default()).unwrap();
            let metadata = root.child_mut("metadata").unwrap();
            change(metadata.elements_mut().next().unwrap());
            *xml = write(&root).into();
        });
        file::digest(&fs::read_to_string(place.0.path().join("saved")).unwrap())
    };
    let shadow = VICTIM.replace("victim", "web");
    // another set's
    forge(&|record| record.set_attr("set", "other"));
    let ran = place.virt(&["apply", "saved"], 1);
    assert!(ran.stderr().contains("its record is of the set \"other\""), "{ran}");
    // a manifest that is not what is defined is seen, and so are the settings
    forge(&|record| {
        record.set_attr("prevent_destroy", "yes");
        record.set_text(packed(&shadow));
    });
    let shown = place.virt(&["plan", "--show", "saved"], 0).stdout();
    assert!(shown.contains("owned: set demo") && shown.contains("prevent_destroy yes"), "{shown}");
    assert!(shown.contains("which is not what is defined:"), "{shown}");
    assert!(shown.contains("<source file='/etc/shadow'/>"), "{shown}");
    // and what was there before is what was there
    let digest = forge(&|record| {
        let name = Name::qualified("virt", "urn:virt:reconcile:1", "previous");
        let previous = Element::named(name).with_attr("set", "demo").with_text(packed(&shadow));
        record.remove_elements(|_| true);
        record.push(previous);
    });
    assert_ne!(digest, sound);
    with_key(&["apply", "saved", "--expect", &digest], 0);
    let ran = with_key(&["history", "domain/web"], 0);
    assert!(!ran.stdout().contains("shadow") && ran.stdout().contains("65536"), "{ran}");
    with_key(&["rollback", "domain/web"], 0);
    with_key(&["apply", "m", "--dry-run", "--detailed-exitcode"], 2);
}

/// Checks that a file of a repository that happens to be a plan is not applied by a user who asks for
/// manifests.
fn foreign() {
    let place = Place::new();
    let (empty, digest) = (place.objects(), place.plan());
    let file = place.0.path().join("saved");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = place.virt(&["apply", "saved"], 5);
    assert!(ran.stderr().contains("others have had access to this plan (mode 644)"), "{ran}");
    assert!(ran.stderr().contains(&format!("--expect {digest}")), "{ran}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("saved", place.0.path().join("link")).unwrap();
    let ran = place.virt(&["apply", "link"], 5);
    assert!(ran.stderr().contains("not read through a symbolic link"), "{ran}");
    assert_eq!(place.objects(), empty);
    place.virt(&["apply", "saved", "--dry-run"], 0);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    place.virt(&["apply", "saved", "--expect", &digest], 0);
}

fn effect() {
    let place = Place::new();
    place.virt(&["apply", "m"], 0);
    place.write("m/web.toml", &DOMAIN.replace("memory", "reconcile.power = \"stopped\"\nmemory"));
    place.plan();
    place.forge(|plan| {
        for step in plan["steps"].as_array_mut().unwrap() {
            step["effect"] = "none".into();
        }
    });
    let said = place.virt(&["plan", "--show", "saved", "-o", "json"], 0).stdout();
    let plan: Value = serde_json::from_str(&said).unwrap();
    let stop = plan["steps"].as_array().unwrap().iter().find(|s| s["op"] == "shutdown").unwrap();
    assert_eq!(stop["effect"], "stops");
}

fn shown() {
    let place = Place::new();
    let digest = place.plan();
    // no host is asked
    let shown = run(virt(&["plan", "--show", "saved"]).current_dir(place.0.path())).expect(0);
    let shown = shown.stdout();
    for part in ["domain/web  define", "65536</memory>", &digest, "set \"demo\""] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(place.virt(&["apply", "saved"], 0).stdout().starts_with(&shown));
}

fn signed() {
    let place = Place::new();
    let (ours, other) = (place.key("ours", 'a'), place.key("other", 'b'));
    let empty = place.objects();
    place.virt(&["plan", "m", "--out", "saved", "--signing-key", &ours], 0);
    // with another key it is not what it says, and whoever has none sees it whole
    let ran = place.virt(&["apply", "saved", "--signing-key", &other], 5);
    assert!(ran.stderr().contains("signature is wrong"), "{ran}");
    let whole = place.virt(&["apply", "saved", "--dry-run"], 0).stdout();
    assert!(whole.contains("<memory"), "{whole}");
    let saved = fs::read(place.0.path().join("saved")).unwrap();
    place.forge(|plan| plan["steps"][0]["effect"] = "live".into());
    place.virt(&["apply", "saved", "--signing-key", &ours], 5);
    assert_eq!(place.objects(), empty);
    fs::write(place.0.path().join("saved"), saved).unwrap();
    let ran = place.virt(&["apply", "saved", "--signing-key", &ours], 0);
    assert!(!ran.stdout().contains("<memory"), "{ran}");
    place.virt(&["plan", "m", "--detailed-exitcode", "--signing-key", &ours], 0);
}

/// Checks that a plan saved as root to a useless place leaves the machine's devices as they are.
fn owner_alone(devices: &Path) {
    let place = Place::new();
    let device = devices.join("null");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    place.virt(&["plan", "m", "--out", device.to_str().unwrap()], 0);
    assert_eq!(mode(&device), 0o666);
    place.write("saved", "");
    fs::set_permissions(place.0.path().join("saved"), fs::Permissions::from_mode(0o644)).unwrap();
    place.plan();
    assert_eq!(mode(&place.0.path().join("saved")), 0o600);
}
