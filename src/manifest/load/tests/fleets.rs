//! Manifests of a fleet: which host each is for.

use super::*;
use crate::manifest::fleet::HostDesired;
use std::collections::BTreeSet;
use std::sync::Arc;

const HOSTS: &str = "set = 'fleet'\n[hosts]\nkvm01.connect = 'test:///a'\n\
                     kvm02.connect = 'test:///b'\nxen.connect = 'xen:///system'\n";

/// A domain that chooses its hosts.
fn domain_on(name: &str, hosts: &[&str], more: &str) -> String {
    let list: String = hosts.iter().map(|h| format!("<hosts>{h}</hosts>")).collect();
    let settings = format!(
        "<metadata><v:reconcile xmlns:v='{}'>{list}{more}</v:reconcile></metadata>",
        crate::model::NAMESPACE
    );
    domain(name, &settings)
}

/// Returns the desired resources of each host, with a `!` before blocked ones.
fn fleet(loaded: &Loaded) -> Vec<String> {
    let of = |h: &HostDesired| {
        let sound = h.desired.resources.keys().map(ToString::to_string);
        let held = h.desired.blocked.keys().map(|id| format!("!{id}"));
        format!("{}: {}", h.name, sound.chain(held).collect::<Vec<_>>().join(" "))
    };
    loaded.fleet.iter().map(of).collect()
}

#[test]
fn the_innermost_choice_of_hosts_counts() {
    let dir = Dir::new(&[
        ("virt.toml", HOSTS),
        ("all.xml", &domain("all", "")),
        ("own.xml", &domain_on("own", &["*", "!kvm01"], "")),
        ("kvm/virt.toml", "hosts = ['kvm*']"),
        ("kvm/a.xml", &domain("a", "")),
        ("kvm/deep/b.xml", &domain("b", "")),
        ("kvm/deep/c.xml", &domain_on("c", &["xen"], "")),
        ("kvm/one/virt.toml", "hosts = 'kvm02'"),
        ("kvm/one/d.xml", &domain("d", "")),
    ]);
    let loaded = dir.load();
    assert_eq!(problems(&loaded), Vec::<String>::new());
    assert_eq!(
        fleet(&loaded),
        [
            "kvm01: domain/a domain/all domain/b",
            "kvm02: domain/a domain/all domain/b domain/d domain/own",
            "xen: domain/all domain/c domain/own",
        ]
    );
    assert_eq!(loaded.counts, (6, 0));
    assert!(loaded.fleet.iter().all(|h| h.desired.complete && h.desired.set == "fleet"));
    assert_eq!(loaded.fleet[2].connect.text, "xen:///system");
    let place = loaded.sources.place(loaded.fleet[0].connect.span).unwrap();
    assert!(place.ends_with("virt.toml:3:18"), "{place}");
}

#[test]
fn what_no_host_has_twice_is_no_duplicate() {
    let needs_b = "<depends_on>domain/b</depends_on>";
    let needs_a = "<depends_on>domain/a</depends_on>";
    let net = |hosts: &str| {
        domain_on("net", &[hosts], "")
            .replace("domain type='qemu'", "network")
            .replace("domain", "network")
            .replace(
                "<memory>65536</memory>\n<os><type>hvm</type></os>",
                "<ip address='10.0.0.1' prefix='24'/>",
            )
    };
    let dir = Dir::new(&[
        ("virt.toml", HOSTS),
        ("1/web.xml", &domain_on("web", &["kvm01"], "")),
        ("2/web.xml", &domain_on("web", &["kvm02"], "")),
        ("1/net.xml", &net("kvm*")),
        ("2/net.xml", &net("xen")),
        // no host has both edges of the circle
        ("1/a.xml", &domain_on("a", &["kvm01"], needs_b)),
        ("1/b.xml", &domain_on("b", &["kvm01"], "")),
        ("2/a.xml", &domain_on("a", &["kvm02"], "")),
        ("2/b.xml", &domain_on("b", &["kvm02"], needs_a)),
    ]);
    let loaded = dir.load();
    assert_eq!(problems(&loaded), Vec::<String>::new());
    assert_eq!(loaded.counts, (8, 0));
    let same =
        Arc::as_ptr(&loaded.fleet[0].desired.resources[&ResourceId::new(Kind::Network, "net")]);
    let id = ResourceId::new(Kind::Network, "net");
    assert_eq!(same, Arc::as_ptr(&loaded.fleet[1].desired.resources[&id]), "shared");
}

#[test]
fn a_clash_is_said_once_whatever_the_number_of_hosts() {
    let dir = Dir::new(&[
        ("virt.toml", HOSTS),
        ("1.xml", &domain_on("web", &["kvm*"], "")),
        ("2.xml", &domain_on("web", &["*", "!kvm01"], "")),
        ("3.xml", &domain_on("app", &["*"], "<depends_on>domain/web</depends_on>")),
        ("4.xml", &domain_on("r", &["*"], "<depends_on>domain/r</depends_on>")),
        ("5.xml", &domain_on("db", &["xen"], "")),
    ]);
    let loaded = dir.load();
    assert_eq!(
        problems(&loaded),
        [
            "2.xml:1:27 duplicate-name",
            "  1.xml:1:27 the first is domain/web",
            "4.xml:2:108 dependency-cycle",
        ]
    );
    assert_eq!(
        fleet(&loaded),
        [
            "kvm01: !domain/app !domain/r !domain/web",
            "kvm02: !domain/app !domain/r !domain/web",
            "xen: domain/db !domain/app !domain/r !domain/web",
        ]
    );
}

#[test]
fn a_choice_that_cannot_be_made_out_holds_back_everywhere() {
    let dir = Dir::new(&[
        ("virt.toml", HOSTS),
        ("a.xml", &domain_on("a", &["kvm1"], "")),
        ("b.xml", &domain_on("b", &["!*"], "")),
        ("c/virt.toml", "hosts = ['kmv*']"),
        ("c/c.xml", &domain("c", "")),
        ("d/virt.toml", "hosts = 1"),
        ("d/d.xml", &domain("d", "")),
        ("e.xml", &domain_on("a", &["xen"], "")),
        // a host's sign of life must not hang on a slip of the keyboard
        ("f.xml", &domain_on("f", &["kvm01"], "").replace("hosts>", "hots>")),
        ("g.xml", &domain_on("g", &["kvm01", "!kvm 02"], "")),
    ]);
    let loaded = dir.load();
    assert_eq!(
        problems(&loaded),
        [
            "a.xml:2:87 unknown-host",
            "b.xml:2:87 no-host",
            "f.xml:2:80 unexpected-element",
            "g.xml:2:107 bad-text",
            "virt.toml:1:11 unknown-host",
            "virt.toml:1:9 bad-setting",
        ]
    );
    let hint = loaded.diagnostics.iter().next().and_then(|d| d.hint.clone());
    assert_eq!(hint.as_deref(), Some("did you mean kvm01?"));
    let held = "!domain/b !domain/c !domain/d !domain/f !domain/g";
    assert_eq!(
        fleet(&loaded),
        [
            format!("kvm01: !domain/a {held}"),
            format!("kvm02: !domain/a {held}"),
            // the one that is surely for this host is not a second one
            format!("xen: domain/a {held}"),
        ]
    );
}

#[test]
fn hosts_have_uris_that_can_be_used_and_lead_to_one_host_each() {
    let dir = Dir::new(&[
        (
            "virt.toml",
            "[hosts]\na.connect = 'xen://h/'\nb.connect = 'qemu'\nc.connect = 'x+y:///'\n",
        ),
        ("d.xml", &domain("d", "")),
    ]);
    let loaded = dir.load();
    assert_eq!(problems(&loaded), ["virt.toml:4:14 bad-setting"]);
    assert_eq!(loaded.desired.resources.len(), 1);
    // one host by two names is asked for nothing
    let dir = Dir::new(&[
        ("virt.toml", "[hosts]\na.connect = 'xen://h/'\nb.connect = 'xen://H/system'\n"),
        ("d.xml", &domain("d", "")),
    ]);
    let loaded = dir.load();
    let first = "  virt.toml:2:14 the first is a";
    assert_eq!(problems(&loaded), ["virt.toml:3:14 ambiguous-hosts", first]);
    assert!(loaded.desired.resources.is_empty());
}

#[test]
fn hosts_are_named_before_they_are_chosen() {
    let dir = Dir::new(&[
        ("a.xml", &domain_on("a", &["kvm01"], "")),
        ("b/virt.toml", "hosts = ['kvm01']"),
        ("b/b.xml", &domain("b", "")),
        ("c.xml", &domain("c", "")),
    ]);
    let loaded = dir.load();
    assert_eq!(problems(&loaded), ["a.xml:2:87 unknown-host", "virt.toml:1:9 unknown-host"]);
    assert!(loaded.fleet.is_empty());
    assert_eq!(blocked(&loaded), ["domain/a", "domain/b"]);
    assert_eq!(sound(&loaded), ["domain/c"]);
}

#[test]
fn a_thousand_hosts_with_a_thousand_manifests() {
    let hosts: String = (0..1_000).map(|i| format!("h{i}.connect = 'test:///{i}'\n")).collect();
    let mut text = String::new();
    for i in 0..1_000 {
        // every third is for one host, and all of those have one name
        let (name, host) = if i % 3 == 0 {
            ("own".to_owned(), format!("h{i}"))
        } else {
            (format!("d{i}"), "*".into())
        };
        text.push_str(&format!(
            "[[domain]]\ntype = 'qemu'\nname = '{name}'\nmemory = 1\nos.type = 'hvm'\n\
             reconcile.hosts = '{host}'\n"
        ));
    }
    let dir = Dir::new(&[("virt.toml", &format!("[hosts]\n{hosts}")), ("all.toml", &text)]);
    let loaded = dir.load();
    assert_eq!(problems(&loaded), Vec::<String>::new());
    assert_eq!(loaded.fleet.len(), 1_000);
    let sizes: BTreeSet<usize> = loaded.fleet.iter().map(|h| h.desired.resources.len()).collect();
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [666, 667]);
}

#[test]
fn the_example_of_a_fleet_is_sound() {
    let loaded = load(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet/manifests")]);
    assert_eq!(problems(&loaded), Vec::<String>::new());
    assert_eq!(
        fleet(&loaded),
        [
            "kvm01: network/guests domain/web",
            "kvm02: network/guests domain/web",
            "kvm03: network/guests domain/db",
            "spare: network/guests",
        ]
    );
}
