//! Records on objects that somebody else has written: copied, made up, blown up. Each attack is a host
//! whose metadata a stranger could write, and a run of the program over it.

use crate::support::{Ran, run, virt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use diagnostics::SourceId;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use libtest_mimic::Trial;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use virt::drivers::{Driver as _, ExecContext, MockDriver, MockHost};
use virt::model::{Call, DomainOp, Kind, NetworkOp, Outcome, ResourceId, Scope, Target, Uuid};
use xmltree::{Element, Limits, parse, write};

pub(crate) fn trials() -> Vec<Trial> {
    let all: [(&str, fn()); 11] = [
        ("a_copied_record_makes_no_guest_ours_where_there_is_a_key", copied),
        ("a_guests_record_on_networks_is_nobodys", other_kind),
        ("every_part_of_a_record_is_covered", every_part),
        ("a_signature_of_before_is_as_none", formerly),
        ("a_forged_history_is_no_way_back", forged_history),
        ("records_that_unpack_to_too_much_are_not_believed", bombs),
        ("five_forged_records_do_not_stop_pruning", five_forged),
        ("five_records_with_wrong_digests_do_not_stop_pruning", five_wrong),
        ("old_records_are_signed_and_keys_are_changed", rotation),
        ("a_rollback_shows_what_it_brings_back_whole", whole),
        ("a_key_that_others_can_read_is_refused", open_key),
    ];
    let trial = |(name, body): (&str, fn())| {
        Trial::test(format!("records/{name}"), move || {
            body();
            Ok(())
        })
    };
    all.into_iter().map(trial).collect()
}

/// A mock host, its manifests of the set `shop`, and keys.
struct Scene {
    directory: TempDir,
}

const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

fn guest(name: &str, devices: &str) -> String {
    format!(
        "<domain type='test'><name>{name}</name><memory unit='MiB'>64</memory>\
         <os><type>hvm</type></os><devices>{devices}</devices></domain>"
    )
}

fn disk(path: &str) -> String {
    format!("<disk type='file'><source file='{path}'/><target dev='vda' bus='virtio'/></disk>")
}

impl Scene {
    fn new(guests: &[&str]) -> Self {
        let scene = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(scene.path("site")).unwrap();
        scene.write("site/virt.toml", "set = \"shop\"\n");
        for name in guests {
            scene.manifest(name, "");
        }
        for (name, key) in [("key", KEY), ("other", OTHER_KEY)] {
            scene.write(name, key);
            fs::set_permissions(scene.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        scene
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn manifest(&self, name: &str, devices: &str) {
        self.write(&format!("site/{name}.xml"), &guest(name, devices));
    }

    fn configure(&self, text: &str) {
        fs::create_dir_all(self.path("config/virt")).unwrap();
        self.write("config/virt/config.toml", &text.replace("$dir", &self.path("")));
    }

    /// Runs `virt` on the host, with its configuration.
    #[track_caller]
    fn virt(&self, arguments: &[&str], code: i32) -> Ran {
        let uri = format!("test:///default?state={}", self.path("state.xml"));
        let mut command = virt(arguments);
        command.args(["--connect", &uri]).current_dir(self.directory.path());
        command.env("XDG_CONFIG_HOME", self.path("config"));
        run(&mut command).expect(code)
    }

    fn host(&self) -> MockDriver {
        MockDriver::open(MockHost::Default, Some(self.path("state.xml").into())).unwrap()
    }

    /// The definition of a guest, with all that stands on it.
    fn definition(&self, name: &str) -> Element {
        let all = self.host().observe(&Scope::all()).unwrap();
        all.resources[&ResourceId::new(Kind::Domain, name)]
            .persistent
            .clone()
            .unwrap()
            .into_element()
    }

    /// Defines a guest by other means, as somebody else might.
    fn define(&self, definition: &Element) {
        let name = definition.child_text("name").unwrap();
        let uuid = Uuid::parse_str(&definition.child_text("uuid").unwrap()).unwrap();
        let target = Target { id: ResourceId::new(Kind::Domain, name), uuid };
        let call = Call { target, op: DomainOp::Define { xml: write(definition) }.into() };
        let outcomes = self.host().execute(&[call], &ExecContext::default());
        assert!(matches!(outcomes.as_slice(), [Outcome::Done]), "{outcomes:?}");
    }

    fn names(&self) -> Vec<String> {
        let all = self.host().observe(&Scope::all()).unwrap();
        let domains = all.resources.keys().filter(|id| id.kind == Kind::Domain);
        domains.map(|id| id.name.clone()).filter(|name| name != "test").collect()
    }
}

fn packed(text: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    BASE64.encode(encoder.finish().unwrap())
}

/// The element of a record in a definition.
fn record(definition: &mut Element) -> &mut Element {
    let metadata = definition.child_mut("metadata").unwrap();
    metadata.elements_mut().find(|e| e.name.local == "owned").unwrap()
}

fn copied() {
    let scene = Scene::new(&["web", "victim"]);
    // as a stranger sees records: of guests that he may read
    scene.virt(&["apply", "site", "--signing-key", "key"], 0);
    let signed = scene.definition("victim");
    scene.virt(&["delete", "domain/victim", "--adopt"], 0);
    let mut victim = signed.clone();
    victim.child_mut("uuid").unwrap().set_text(Uuid::from_bytes([7; 16]).to_string());
    scene.define(&victim);
    // without a key, a user who may write metadata owns anything, as docs/security.md says
    scene.virt(&["plan", "site"], 0);
    // the signature is of another object
    let ran = scene.virt(&["plan", "site", "--signing-key", "key"], 1);
    assert!(ran.stderr().contains("is not believed: its signature is of no key"), "{ran}");
    assert!(ran.stdout().contains("1 not believed to be of the set"), "{ran}");
    // and without one it is nobody's
    record(&mut victim).remove_attr("signature");
    scene.define(&victim);
    let ran = scene.virt(&["plan", "site", "--signing-key", "key"], 1);
    assert!(ran.stderr().contains("is not believed: it is not signed"), "{ran}");
    let ran = scene.virt(&["get", "domains", "--signing-key", "key"], 0);
    let line = ran.stdout().lines().find(|l| l.starts_with("domain/victim")).unwrap().to_owned();
    assert!(line.contains("unmanaged") && line.contains("not believed"), "{line}");
    scene.virt(&["delete", "domain/victim", "--signing-key", "key"], 5);
    scene.virt(&["history", "domain/victim", "--signing-key", "key"], 1);
    assert!(scene.names().contains(&"victim".to_owned()));
}

/// Checks that a signed record is valid for one kind of object: a user who may define networks gets no guest
/// by it.
fn other_kind() {
    let scene = Scene::new(&["a", "b", "c"]);
    scene.virt(&["apply", "site", "--signing-key", "key"], 0);
    let guest = scene.definition("a");
    let uuid = Uuid::parse_str(&guest.child_text("uuid").unwrap()).unwrap();
    let bridge = Element::new("bridge").with_attr("name", "virbr77");
    let network = Element::new("network")
        .with_child(Element::new("name").with_text("copy"))
        .with_child(Element::new("uuid").with_text(uuid.to_string()))
        .with_child(guest.child("metadata").unwrap().clone())
        .with_child(bridge);
    let target = Target { id: ResourceId::new(Kind::Network, "copy"), uuid };
    let call = Call { target, op: NetworkOp::Define { xml: write(&network) }.into() };
    let outcomes = scene.host().execute(&[call], &ExecContext::default());
    assert!(matches!(outcomes.as_slice(), [Outcome::Done]), "{outcomes:?}");
    let ran = scene.virt(&["get", "networks", "--signing-key", "key"], 0);
    let line = ran.stdout().lines().find(|l| l.starts_with("network/copy")).unwrap().to_owned();
    assert!(line.contains("unmanaged") && line.contains("not believed"), "{line}");
    // nor does it count with what is pruned
    fs::remove_file(scene.path("site/c.xml")).unwrap();
    scene.virt(&["apply", "site", "--prune", "--signing-key", "key"], 0);
    assert_eq!(scene.names(), ["a", "b"]);
}

/// Checks each attribute, moved out of its place, changed, or added.
fn every_part() {
    let edits: [(&str, &str); 7] = [
        (" at='", " virt:at='"),
        (" power='running'", " virt:power='running'"),
        (" allow='restart'", " allow='data-loss'"),
        (" apply_on_reboot='yes'", ""),
        (" set='shop'", " set='shop' others='devices/disk'"),
        (" set='shop'", " set='shop' boots_as='00'"),
        (" set='shop'", " set='shop' moving_from='kvm09'"),
    ];
    for key in [&[][..], &["--signing-key", "key"]] {
        let scene = Scene::new(&[]);
        let settings = "<metadata><reconcile xmlns='urn:virt:reconcile:1' power='running' \
                        apply_on_reboot='yes'><allow>restart</allow></reconcile></metadata>";
        let text = guest("web", "").replace("<os>", &format!("{settings}<os>"));
        scene.write("site/web.xml", &text);
        scene.virt(&[&["apply", "site"], key].concat(), 0);
        let sound = write(&scene.definition("web"));
        for (from, to) in edits {
            assert!(sound.contains(from), "{from}: {sound}");
            let edited = sound.replacen(from, to, 1);
            let root = parse(SourceId::NONE, &edited, &Limits::default()).unwrap();
            scene.define(&root);
            let ran = scene.virt(&[&["get", "domains"], key].concat(), 0);
            let told = ran.stdout();
            let line = told.lines().find(|l| l.starts_with("domain/web")).unwrap();
            assert!(line.contains("not believed"), "{from} {to}: {line}");
        }
        scene.define(&parse(SourceId::NONE, &sound, &Limits::default()).unwrap());
        scene.virt(&[&["plan", "site", "--detailed-exitcode"], key].concat(), 0);
    }
}

/// Checks that a signature which does not cover all that is read counts as none.
fn formerly() {
    let scene = Scene::new(&["web"]);
    scene.virt(&["apply", "site", "--signing-key", "key"], 0);
    let mut old = scene.definition("web");
    record(&mut old).set_attr("signature", BASE64.encode([7; 32]));
    scene.define(&old);
    let ran = scene.virt(&["plan", "site", "--signing-key", "key"], 1);
    assert!(ran.stderr().contains("its signature is of an earlier virt"), "{ran}");
    let until = "[signing]\nkey_file = \"$dir/key\"\naccept_unsigned_until = \"9000-01-01\"\n";
    scene.configure(until);
    let ran = scene.virt(&["plan", "site", "--detailed-exitcode"], 2);
    assert!(ran.stdout().contains("a record to be signed"), "{ran}");
    scene.virt(&["apply", "site"], 0);
    scene.virt(&["plan", "site", "--detailed-exitcode", "--signing-key", "key"], 0);
}

fn forged_history() {
    for key in [&[][..], &["--signing-key", "key"]] {
        let scene = Scene::new(&["web"]);
        scene.virt(&[&["apply", "site"], key].concat(), 0);
        scene.manifest("web", &disk("/new.img"));
        scene.virt(&[&["apply", "site"], key].concat(), 0);
        let mut forged = scene.definition("web");
        let previous = record(&mut forged).elements_mut().next().unwrap();
        previous.set_text(packed(guest("web", &disk("/etc/shadow")).as_bytes()));
        scene.define(&forged);
        let ran = scene.virt(&[&["rollback", "domain/web"], key].concat(), 1);
        assert!(ran.stderr().contains("the version before is not believed"), "{ran}");
        let said = ran.stdout() + &ran.stderr();
        assert!(!said.contains("/etc/shadow"), "{ran}");
        assert!(!write(&scene.definition("web")).contains("/etc/shadow"));
        // the present manifests are not affected
        scene.virt(&[&["plan", "site", "--detailed-exitcode"], key].concat(), 0);
    }
}

fn bombs() {
    const MANY: usize = 60;
    let scene = Scene::new(&["web"]);
    scene.virt(&["apply", "site"], 0);
    let blank = |bytes: usize| format!("<domain>{}</domain>", " ".repeat(bytes));
    let (huge, large) = (packed(blank(64 << 20).as_bytes()), packed(blank(4_000_000).as_bytes()));
    let host = scene.host();
    let mut calls = Vec::new();
    for n in 0..MANY {
        let mut bomb = scene.definition("web");
        let (name, uuid) = (format!("bomb{n}"), Uuid::from_u128(n as u128 + 1));
        bomb.child_mut("name").unwrap().set_text(name.clone());
        bomb.child_mut("uuid").unwrap().set_text(uuid.to_string());
        record(&mut bomb).set_text(if n == 0 { huge.clone() } else { large.clone() });
        let target = Target { id: ResourceId::new(Kind::Domain, name), uuid };
        calls.push(Call { target, op: DomainOp::Define { xml: write(&bomb) }.into() });
    }
    assert!(
        host.execute(&calls, &ExecContext::default()).iter().all(|o| matches!(o, Outcome::Done))
    );
    let begun = Instant::now();
    let ran = scene.virt(&["plan", "site", "--prune", "-o", "json"], 0);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
    let doubted = plan["doubted"].as_array().unwrap();
    let count = |word: &str| {
        doubted.iter().filter(|d| d["reason"].as_str().unwrap().contains(word)).count()
    };
    assert_eq!((doubted.len(), count("more than 4 MiB")), (MANY, 1), "{plan:#}");
    assert!(count("too much together") > MANY / 2, "{plan:#}");
    // valid records are judged first
    assert_eq!(plan["changes"][0]["name"], "web");
}

/// Three guests of ours of which one is to go, and five that a stranger calls ours.
fn with_five(key: &[&str], forge: fn(&mut Element)) {
    let scene = Scene::new(&["a", "b", "c"]);
    scene.virt(&[&["apply", "site"], key].concat(), 0);
    let mut model = scene.definition("a");
    forge(record(&mut model));
    for n in 1..=5 {
        let name = format!("forged{n}");
        model.child_mut("name").unwrap().set_text(name);
        model.child_mut("uuid").unwrap().set_text(Uuid::from_bytes([n; 16]).to_string());
        scene.define(&model);
    }
    fs::remove_file(scene.path("site/c.xml")).unwrap();
    let ran = scene.virt(&[&["apply", "site", "--prune"], key].concat(), 0);
    assert!(ran.stderr().contains("5 objects say that they are of this set"), "{ran}");
    let left = ["a", "b", "forged1", "forged2", "forged3", "forged4", "forged5"];
    assert_eq!(scene.names(), left);
}

fn five_forged() {
    with_five(&["--signing-key", "key"], |_| {});
}

fn five_wrong() {
    with_five(&[], |record| record.set_text(packed(b"<domain><name>x</name></domain>")));
}

fn rotation() {
    let scene = Scene::new(&["web", "db"]);
    scene.virt(&["apply", "site"], 0);
    scene.configure("[signing]\nkey_file = \"$dir/key\"\n");
    let ran = scene.virt(&["plan", "site"], 1);
    assert!(ran.stdout().contains("2 not believed to be of the set"), "{ran}");
    scene.virt(&["apply", "site", "--adopt"], 0);
    scene.virt(&["plan", "site", "--detailed-exitcode"], 0);
    assert!(record(&mut scene.definition("web")).attr("signature").is_some());
    // the next key: what the old one signed is believed, and signed anew
    scene.configure("[signing]\nkey_file = \"$dir/other\"\nold_keys = [\"$dir/key\"]\n");
    let ran = scene.virt(&["plan", "site", "--detailed-exitcode"], 2);
    assert!(ran.stdout().contains("a record to be signed"), "{ran}");
    scene.virt(&["apply", "site"], 0);
    scene.configure("[signing]\nkey_file = \"$dir/other\"\n");
    scene.virt(&["plan", "site", "--detailed-exitcode"], 0);
    // history goes along
    scene.manifest("web", &disk("/new.img"));
    scene.virt(&["apply", "site"], 0);
    scene.virt(&["rollback", "domain/web"], 0);
    assert!(!write(&scene.definition("web")).contains("/new.img"));

    // until a day unsigned ones are signed without being asked
    let scene = Scene::new(&["web"]);
    scene.virt(&["apply", "site"], 0);
    let until = |day: &str| {
        let text =
            format!("[signing]\nkey_file = \"$dir/key\"\naccept_unsigned_until = \"{day}\"\n");
        scene.configure(&text);
    };
    until("2001-01-01");
    scene.virt(&["plan", "site"], 1);
    until("9000-01-01");
    scene.virt(&["apply", "site"], 0);
    until("2001-01-01");
    scene.virt(&["plan", "site", "--detailed-exitcode"], 0);
}

fn whole() {
    let scene = Scene::new(&[]);
    let path = format!("/srv/{}/secret.img", "a".repeat(100));
    scene.manifest("web", &disk(&path));
    scene.virt(&["apply", "site"], 0);
    scene.manifest("web", "");
    scene.virt(&["apply", "site"], 0);
    let ran = scene.virt(&["rollback", "domain/web", "--dry-run"], 0);
    let whole = format!("<source file='{path}'/>");
    assert!(ran.stdout().contains("Elements that this restores, in full:"), "{ran}");
    assert!(ran.stdout().contains(&whole), "{ran}");
}

fn open_key() {
    let scene = Scene::new(&["web"]);
    fs::set_permissions(scene.path("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = scene.virt(&["apply", "site", "--signing-key", "key"], 1);
    assert!(ran.stderr().contains("others have access"), "{ran}");
    // nor does a directory of manifests name a key
    scene.write("site/virt.toml", "set = \"shop\"\nsigning.key_file = \"/k\"\n");
    scene.virt(&["validate", "site"], 1);
    assert_eq!(scene.names(), [] as [&str; 0]);
}
