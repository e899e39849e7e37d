//! Tests of loading from directories of manifests.
//!
//! - `fleets.rs`: manifests of a fleet: which host each is for

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic and tell"
)]

mod fleets;

use super::*;
use crate::model::{Kind, ResourceId};
use std::fs;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory of its own for one test, removed afterwards.
struct Dir(PathBuf);

impl Dir {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("virt-load-{}-{number}", process::id()));
        let dir = Self(path);
        for (name, text) in files {
            let path = dir.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn load(&self) -> Loaded {
        load(std::slice::from_ref(&self.0))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A domain, with `more` inside it.
fn domain(name: &str, more: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory>65536</memory>\n\
         <os><type>hvm</type></os>{more}</domain>"
    )
}

fn needs(id: &str) -> String {
    format!(
        "<metadata><v:reconcile xmlns:v='{}'><depends_on>{id}</depends_on></v:reconcile>\
         </metadata>",
        crate::model::NAMESPACE
    )
}

/// Each problem as `file:line:column code`, and each place that belongs to it below.
fn problems(loaded: &Loaded) -> Vec<String> {
    let place = |span| {
        let place = loaded.sources.place(span).unwrap_or_default();
        place.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let mut list = Vec::new();
    for d in loaded.diagnostics.iter() {
        list.push(format!("{} {}", d.span.map(place).unwrap_or_default(), d.code));
        list.extend(d.related.iter().map(|l| format!("  {} {}", place(l.span), l.text)));
    }
    list
}

fn blocked(loaded: &Loaded) -> Vec<String> {
    loaded.desired.blocked.keys().map(ToString::to_string).collect()
}

fn sound(loaded: &Loaded) -> Vec<String> {
    loaded.desired.resources.keys().map(ToString::to_string).collect()
}

#[test]
fn reads_a_directory_in_order_and_passes_over_what_is_no_manifest() {
    let web = "[[domain]]\ntype = 'qemu'\nname = 'web'\nmemory = 65536\nos.type = 'hvm'\n\
               [domain.reconcile]\npower = 'stopped'\ndepends_on = ['domain/db']\n\
               [[domain.devices.interface]]\ntype = 'network'\nsource.network = 'lan'\n";
    let dir = Dir::new(&[
        ("virt.toml", "set = 'demo'\nconnect = 'test:///default'\n"),
        ("b/web.toml", web),
        ("db.xml", &domain("db", "")),
        ("db.xml~", "<"),
        (".hidden.xml", "<"),
        (".git/x.xml", "<"),
        ("#db.xml#", "<"),
        ("db.xml.bak", "<"),
        ("notes.txt", "<"),
    ]);
    let loaded = dir.load();
    assert_eq!(problems(&loaded), Vec::<String>::new());
    assert_eq!(sound(&loaded), ["domain/db", "domain/web"]);
    assert!(loaded.desired.complete);
    assert_eq!(loaded.desired.set, "demo");
    assert_eq!(loaded.connect.as_ref().map(|c| c.text.as_str()), Some("test:///default"));
    let web = &loaded.desired.resources[&ResourceId::new(Kind::Domain, "web")];
    assert_eq!(web.settings.power, crate::model::Power::Stopped);
    let needs: Vec<String> = web.depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["domain/db", "network/lan"]);
    assert!(web.definition.root().child("metadata").is_none());
}

#[test]
fn what_two_choices_of_hosts_lead_to_is_not_taken_for_one() {
    let dir = Dir::new(&[
        ("virt.toml", "set = 'f'\nhosts.a.connect = 'test:///a'\nhosts.b.connect = 'test:///b'\n"),
        ("a/virt.toml", "hosts = ['a']\n"),
        ("b/virt.toml", "hosts = ['b']\n"),
        (".shared/web.xml", &domain("web", "")),
    ]);
    for host in ["a", "b"] {
        std::os::unix::fs::symlink("../.shared", dir.0.join(host).join("common")).unwrap();
    }
    let loaded = dir.load();
    assert_eq!(problems(&loaded), [" ambiguous-hosts"]);
    assert!(!loaded.desired.complete, "nothing is pruned");
}

#[test]
fn the_samples_are_sound() {
    let loaded = load(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")]);
    assert_eq!(problems(&loaded), Vec::<String>::new());
    assert_eq!(
        sound(&loaded),
        ["network/backend", "network/lan", "domain/db", "domain/jump", "domain/web"]
    );
}

#[test]
fn one_bad_file_holds_back_itself_and_its_dependants() {
    let dir = Dir::new(&[
        ("a.xml", &domain("a", "<vcpu>0</vcpu>")),
        ("b.xml", &domain("b", &needs("domain/a"))),
        ("c.xml", &domain("c", &needs("domain/b"))),
        ("d.xml", &domain("d", &needs("domain/elsewhere"))),
    ]);
    let loaded = dir.load();
    assert_eq!(problems(&loaded), ["a.xml:2:32 bad-text"]);
    assert_eq!(blocked(&loaded), ["domain/a", "domain/b", "domain/c"]);
    assert_eq!(sound(&loaded), ["domain/d"]);
    assert!(loaded.desired.complete, "all of them are known by name");
}

#[test]
fn an_unreadable_file_makes_the_rest_incomplete() {
    let dir = Dir::new(&[
        ("a.xml", &domain("a", "")),
        ("b.xml", "<domain>"),
        ("c.toml", "[[domain]]\nname = 'c'\nmemory = 1.5\n"),
    ]);
    fs::write(dir.0.join("d.xml"), b"<domain>\xff</domain>").unwrap();
    let loaded = dir.load();
    assert_eq!(
        problems(&loaded)[..3],
        ["b.xml:1:1 xml", "c.toml:1:1 missing-attribute", "c.toml:1:1 missing-element"]
    );
    assert_eq!(problems(&loaded).last().map(String::as_str), Some("d.xml:1:9 encoding"));
    assert_eq!(
        (sound(&loaded), blocked(&loaded)),
        (vec!["domain/a".into()], vec!["domain/c".into()])
    );
    assert!(!loaded.desired.complete);
}

#[test]
fn what_two_files_claim_is_said_with_both_places() {
    let nic = "<devices><interface type='user'><mac address='52:54:00:00:00:01'/></interface>\
               <disk><source file='/d'/><target dev='vda'/></disk></devices>";
    let uuid = "<uuid>4dea24b3-1d52-d8f3-2516-782e98a23fa0</uuid>";
    let net = |name: &str, ip: &str| {
        format!("<network><name>{name}</name><ip address='{ip}' prefix='16'/></network>")
    };
    let dir = Dir::new(&[
        ("a.xml", &domain("a", nic)),
        ("b.xml", &domain("b", nic)),
        ("c.xml", &domain("c", uuid)),
        ("d.xml", &domain("d", uuid)),
        ("e.xml", &domain("e", "")),
        ("f.xml", &domain("e", "")),
        ("g.xml", &net("g", "10.1.0.1")),
        ("h.xml", &net("h", "10.1.2.1")),
        ("i.xml", &net("i", "10.2.0.1")),
        ("j.xml", &net("j", "0.0.0.0")),
    ]);
    let loaded = dir.load();
    assert_eq!(
        problems(&loaded),
        [
            "b.xml:2:72 duplicate-mac",
            "  a.xml:2:72 the first is domain/a",
            "b.xml:2:110 shared-disk",
            "  a.xml:2:110 the first is domain/a",
            "d.xml:2:32 duplicate-uuid",
            "  c.xml:2:32 the first is domain/c",
            "f.xml:1:27 duplicate-name",
            "  e.xml:1:27 the first is domain/e",
            "h.xml:1:37 overlapping-subnets",
            "  g.xml:1:37 the first is network/g",
        ]
    );
    assert_eq!(sound(&loaded), ["network/i", "network/j"]);
}

#[test]
fn a_circle_is_said_with_every_edge() {
    let dir = Dir::new(&[
        ("a.xml", &domain("a", &needs("domain/b"))),
        ("b.xml", &domain("b", &needs("domain/c"))),
        ("c.xml", &domain("c", &needs("domain/a"))),
        ("d.xml", &domain("d", &needs("domain/d"))),
        ("e.xml", &domain("e", &needs("domain/a"))),
        ("f.xml", &domain("f", "")),
    ]);
    let loaded = dir.load();
    assert_eq!(
        problems(&loaded),
        [
            "a.xml:2:92 dependency-cycle",
            "  b.xml:2:92 domain/b needs domain/c",
            "  c.xml:2:92 domain/c needs domain/a",
            "d.xml:2:92 dependency-cycle",
        ]
    );
    let detail = loaded.diagnostics.iter().next().and_then(|d| d.detail.clone());
    assert_eq!(detail.as_deref(), Some("domain/a needs domain/b needs domain/c needs domain/a"));
    assert_eq!(sound(&loaded), ["domain/f"]);
}

#[test]
fn a_long_chain_is_no_circle_and_no_stack_overflow() {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut text = String::new();
    for i in 0..5_000 {
        text.push_str(&format!(
            "[[domain]]\ntype = 'qemu'\nname = 'd{i}'\nmemory = 1\nos.type = 'hvm'\n\
             reconcile.depends_on = 'domain/d{}'\n",
            i + 1
        ));
    }
    files.push(("all.toml".to_owned(), text));
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let loaded = Dir::new(&files).load();
    assert_eq!(problems(&loaded), Vec::<String>::new());
    assert_eq!(loaded.desired.resources.len(), 5_000);
}

#[cfg(unix)]
#[test]
fn symbolic_links_make_no_second_one_and_no_loop() {
    use std::os::unix::fs::symlink;
    let dir = Dir::new(&[("x/a.xml", &domain("a", ""))]);
    symlink(dir.0.join("x/a.xml"), dir.0.join("b.xml")).unwrap();
    symlink(&dir.0, dir.0.join("x/loop")).unwrap();
    symlink(dir.0.join("x"), dir.0.join("y")).unwrap();
    symlink(dir.0.join("nowhere"), dir.0.join("z.xml")).unwrap();
    let loaded = dir.load();
    assert_eq!(problems(&loaded), [" unreadable"]);
    assert_eq!(sound(&loaded), ["domain/a"]);
    assert!(!loaded.desired.complete);
}

#[test]
fn a_set_is_named_or_the_directory_is() {
    let dir = Dir::new(&[
        ("a/a.xml", &domain("a", "")),
        ("b/b.xml", &domain("b", "")),
        ("b/virt.toml", "set = 'other'"),
        ("c/virt.toml", "set = 'third'"),
        ("c/sub/virt.toml", "set = 'x'"),
    ]);
    let load = |names: &[&str]| {
        let paths: Vec<PathBuf> = names.iter().map(|n| dir.0.join(n)).collect();
        load(&paths)
    };
    assert_eq!(load(&["a"]).desired.set, "a");
    assert_eq!(load(&["b"]).desired.set, "other");
    assert_eq!(load(&["a", "b"]).desired.set, "other");
    let file = load(&["b/b.xml"]);
    assert_eq!(file.desired.set, "other");
    assert!(!file.desired.complete, "one file is not the whole set");
    assert_eq!(sound(&file), ["domain/b"]);
    let two = load(&["b", "c"]);
    assert_eq!(problems(&two)[0], "virt.toml:1:8 ambiguous-set");
    assert!(sound(&two).is_empty(), "the set is not known");
    assert_eq!(problems(&load(&["c"])), ["virt.toml:1:1 nested-settings"]);
    assert_eq!(problems(&load(&["nowhere"])), [" unreadable"]);
}

#[test]
fn a_volume_is_known_by_its_pool_and_needs_it() {
    let volume = |pool: &str, name: &str| {
        let settings = format!("<v:reconcile xmlns:v='urn:virt:reconcile:1' pool='{pool}'/>");
        format!("<volume><name>{name}</name>{settings}<capacity>1</capacity></volume>")
    };
    let dir = Dir::new(&[
        ("a.xml", &volume("one", "data")),
        ("b.xml", &volume("two", "data")),
        (
            "c.toml",
            "[[pool]]\nname = 'one'\ntype = 'dir'\ntarget.path = '/srv'\nreconcile.power = 'stopped'\n",
        ),
        ("d.toml", "[[volume]]\nname = 'data'\ncapacity = 1\nreconcile.pool = 'one'\n"),
        ("e.xml", "<pool type='dir'><name>x</name><target><path>/a</path></target></pool>"),
        ("f.xml", "<pool type='dir'><name>y</name><target><path>/a/</path></target></pool>"),
    ]);
    let loaded = dir.load();
    assert_eq!(
        problems(&loaded),
        [
            "d.toml:2:9 duplicate-name",
            "  a.xml:1:15 the first is volume/one/data",
            "f.xml:1:46 duplicate-pool",
            "  e.xml:1:46 the first is pool/x",
        ]
    );
    let desired = &loaded.desired;
    let ids: Vec<String> = desired.resources.keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["pool/one", "volume/two/data"]);
    for resource in desired.resources.values() {
        assert!(!resource.definition.root().elements().any(|e| e.name().namespace.is_some()));
    }
    let needs = |id: &str| desired.resources[&ResourceId::parse(id).unwrap()].depends_on.clone();
    assert_eq!(needs("volume/two/data"), [ResourceId::parse("pool/two").unwrap()]);
    assert_eq!(needs("pool/one"), []);
}
