//! A domain's life.

use super::Rule;
use super::subject::{Deviation, Host, Need, uuid_of};
use virt::error::ErrorCode;
use virt::model::{Affect, DomainOp, MetadataKind, State, UndefineKeep};

pub(super) const RULES: &[Rule] = &[
    ("a_domain_is_defined_and_undefined", None, defined_and_undefined),
    ("a_domain_is_one_name_and_one_uuid", None, one_name_and_one_uuid),
    ("a_domain_starts_and_stops", None, starts_and_stops),
    ("a_domain_is_suspended_and_resumed", None, suspended_and_resumed),
    ("a_domain_shuts_down", Some(Need::GuestsThatObey), shuts_down),
    ("a_domain_that_is_off_is_not_shut_down", None, off_is_not_shut_down),
    ("a_domain_is_redefined_for_its_next_boot", None, redefined_for_its_next_boot),
    ("an_active_domain_outlives_its_definition", None, outlives_its_definition),
    ("a_domains_autostart_stays_when_it_is_redefined", None, autostart_stays),
    ("a_domains_memory_is_set", None, memory_is_set),
    ("a_domains_vcpus_are_set", None, vcpus_are_set),
    ("a_domains_metadata_is_set", Some(Need::Metadata), metadata_is_set),
    ("a_domain_is_kept_by_its_snapshots", Some(Need::Snapshots), kept_by_snapshots),
];

/// Codes with which drivers refuse a call in the wrong state; libvirt's test driver calls some internal
/// errors.
const WRONG_STATE: [ErrorCode; 2] = [ErrorCode::OPERATION_INVALID, ErrorCode::INTERNAL_ERROR];

fn undefine() -> DomainOp {
    DomainOp::Undefine { keep: UndefineKeep::Nothing }
}

fn defined_and_undefined(host: &Host) {
    let web = host.domain("web", "<title>a &amp; b</title>");
    web.define();
    let seen = web.seen();
    assert_eq!((seen.state, seen.uuid, seen.is_persistent), (State::Shutoff, web.uuid, true));
    assert!(seen.live.is_none() && !seen.autostart);
    let config = web.config();
    assert_eq!(config.child_text("title").as_deref(), Some("a & b"));
    assert_eq!(config.child_text("uuid"), Some(web.uuid.to_string()));
    let memory = config.child("memory").unwrap();
    assert_eq!((memory.attr("unit"), memory.text().as_str()), (Some("KiB"), "65536"));
    assert_eq!(config.child_text("currentMemory").as_deref(), Some("65536"));
    assert_eq!(config.child("vcpu").unwrap().attr("placement"), Some("static"));
    assert_eq!(config.child_text("on_reboot").as_deref(), Some("restart"));
    // a host accepts the document that it wrote
    let before = web.config();
    web.done(DomainOp::Define { xml: xmltree::write(&before) });
    assert_eq!(web.config(), before);
    web.done(undefine());
    assert!(web.look().is_none());
}

fn one_name_and_one_uuid(host: &Host) {
    let web = host.domain("single", "");
    web.define();
    let failed = [ErrorCode::OPERATION_FAILED];
    let uuid = web.uuid.to_string();
    let other_uuid = web.xml.replace(&uuid, &uuid_of("another").to_string());
    web.refused(DomainOp::Define { xml: other_uuid }, &failed);
    let no_uuid = web.xml.replace(&format!("<uuid>{uuid}</uuid>"), "");
    web.refused(DomainOp::Define { xml: no_uuid }, &failed);
    let other_name = web.xml.replace("<name>single<", "<name>double<");
    web.refused(DomainOp::Define { xml: other_name }, &failed);
    assert!(host.domain("double", "").look().is_none());
}

fn starts_and_stops(host: &Host) {
    let web = host.domain("runs", "");
    web.define().refused(DomainOp::Destroy, &WRONG_STATE);
    web.start().is(State::Running).refused(DomainOp::Create { paused: false }, &WRONG_STATE);
    assert!(web.live().attr("id").is_some() && web.config().attr("id").is_none());
    web.done(DomainOp::Destroy).is(State::Shutoff);
    assert!(web.seen().live.is_none());
}

fn suspended_and_resumed(host: &Host) {
    let web = host.domain("sleeps", "");
    web.define().refused(DomainOp::Suspend, &WRONG_STATE);
    web.refused(DomainOp::Resume, &WRONG_STATE);
    web.start().done(DomainOp::Suspend).is(State::Paused);
    web.done(DomainOp::Resume).is(State::Running);
    web.done(DomainOp::Suspend).done(DomainOp::Destroy).is(State::Shutoff);
    let paused = DomainOp::Create { paused: true };
    if host.driver.capabilities().unwrap().domain.creates_paused {
        web.done(paused).is(State::Paused).done(DomainOp::Destroy);
    } else {
        web.refused(paused, &[ErrorCode::INVALID_ARG]);
    }
}

fn shuts_down(host: &Host) {
    let web = host.domain("obeys", "");
    web.define().start().done(DomainOp::Shutdown).is(State::Shutoff);
}

fn off_is_not_shut_down(host: &Host) {
    host.domain("is_off", "").define().refused(DomainOp::Shutdown, &WRONG_STATE);
}

fn redefined_for_its_next_boot(host: &Host) {
    let (old, new) = (host.domain("changes", ""), host.domain("changes", "<title>new</title>"));
    old.define().start();
    new.define();
    assert_eq!(new.config().child_text("title").as_deref(), Some("new"));
    assert_eq!(new.live().child_text("title"), None);
    new.is(State::Running).done(DomainOp::Destroy).start();
    assert_eq!(new.live().child_text("title").as_deref(), Some("new"));
    new.done(DomainOp::Destroy);
}

fn outlives_its_definition(host: &Host) {
    let web = host.domain("transient", "");
    web.define().start().done(undefine()).is(State::Running);
    let seen = web.seen();
    assert!(!seen.is_persistent && seen.persistent.is_none() && seen.live.is_some());
    let config = DomainOp::SetMemory { kib: 32768, affect: Affect::Config };
    web.refused(config, &[ErrorCode::OPERATION_INVALID]);
    // a definition makes it persistent again
    web.define();
    assert!(web.seen().is_persistent);
    web.done(undefine()).done(DomainOp::Destroy);
    assert!(web.look().is_none());
}

fn autostart_stays(host: &Host) {
    let web = host.domain("eager", "");
    web.define().done(DomainOp::SetAutostart { on: true }).define();
    assert!(web.seen().autostart);
    web.done(DomainOp::SetAutostart { on: false });
    assert!(!web.seen().autostart);
}

fn memory_is_set(host: &Host) {
    let web = host.domain("balloon", "");
    let set = |kib, affect| DomainOp::SetMemory { kib, affect };
    web.define().done(set(32768, Affect::Config));
    assert_eq!(web.config().child_text("currentMemory").as_deref(), Some("32768"));
    web.refused(set(65537, Affect::Config), &[ErrorCode::INVALID_ARG]);
    web.refused(set(0, Affect::Config), &[ErrorCode::INVALID_ARG]);
    web.refused(set(32768, Affect::Live), &[ErrorCode::OPERATION_INVALID]);
    let both = match host.deviates(Deviation::MemoryIsSetInOnePlace) {
        true => ErrorCode::INVALID_ARG,
        false => ErrorCode::OPERATION_INVALID,
    };
    web.refused(set(32768, Affect::Both), &[both]);
}

fn vcpus_are_set(host: &Host) {
    let web = host.domain("threads", "");
    let set = |count, affect| DomainOp::SetVcpus { count, affect };
    let current = || web.config().child("vcpu").unwrap().attr("current").map(str::to_owned);
    web.define().done(set(1, Affect::Config));
    assert_eq!(current().as_deref(), Some("1"));
    web.done(set(2, Affect::Config));
    assert_eq!(current(), None);
    web.refused(set(3, Affect::Config), &[ErrorCode::INVALID_ARG]);
    web.refused(set(0, Affect::Config), &[ErrorCode::INVALID_ARG]);
    web.refused(set(1, Affect::Live), &[ErrorCode::OPERATION_INVALID]);
}

fn metadata_is_set(host: &Host) {
    let web = host.domain("noted", "");
    web.define().start();
    let set = |kind, value: Option<&str>| DomainOp::SetMetadata {
        kind,
        value: value.map(str::to_owned),
        affect: Affect::Both,
    };
    let element =
        || MetadataKind::Element { key: "v".to_owned(), uri: "urn:virt:contract".to_owned() };
    web.done(set(MetadataKind::Title, Some("<&>")));
    web.done(set(MetadataKind::Description, Some("two\nlines")));
    web.done(set(element(), Some("<owner name='a'><x/></owner>")));
    web.done(set(element(), Some("<owner name='b'><x/></owner>")));
    for definition in [web.config(), web.live()] {
        assert_eq!(definition.child_text("title").as_deref(), Some("<&>"));
        assert_eq!(definition.child_text("description").as_deref(), Some("two\nlines"));
        let metadata = definition.child("metadata").unwrap();
        let owners: Vec<_> = metadata.elements().collect();
        assert_eq!(owners.len(), 1, "a namespace has one element");
        assert_eq!(owners[0].name.namespace.as_deref(), Some("urn:virt:contract"));
        assert_eq!(owners[0].attr("name"), Some("b"));
    }
    web.refused(set(MetadataKind::Title, Some("two\nlines")), &[ErrorCode::INVALID_ARG]);
    web.refused(set(element(), Some("<broken")), &[ErrorCode::XML_DETAIL]);
    for kind in [MetadataKind::Title, MetadataKind::Description, element()] {
        web.done(set(kind, None));
    }
    let config = web.config();
    assert!(["title", "description"].iter().all(|name| config.child(name).is_none()));
    assert!(config.child("metadata").is_none_or(|m| m.elements().next().is_none()));
    web.done(DomainOp::Destroy);
}

/// Snapshots are seen, and go with a definition only where that is said.
fn kept_by_snapshots(host: &Host) {
    let web = host.domain("pictured", "");
    let names = || web.seen().snapshots.into_iter().map(|s| s.name).collect::<Vec<_>>();
    web.define();
    assert_eq!(names(), [""; 0]);
    web.snapshot("one").snapshot("two");
    assert_eq!(names(), ["one", "two"]);
    web.refused(undefine(), &[ErrorCode::OPERATION_INVALID]);
    // an edit leaves them
    web.define();
    assert_eq!(names(), ["one", "two"]);
    web.done(DomainOp::Undefine { keep: UndefineKeep::Firmware });
    assert!(web.look().is_none());
    web.define();
    assert_eq!(names(), [""; 0], "it came back with them");
    web.done(undefine());
}
