//! Hosts in short notation, with the settlements and plans between them.
//! - `hosts.rs`: capabilities of the hosts
//! - `pools.rs`: pools that do not answer

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod hosts;
mod pools;

use self::hosts::capabilities;
use super::*;
use crate::model::{
    Desired, DesiredResource, Effect, Kind, Moving, Observed, ObservedResource, OpKind, Power,
    ResourceId, Settings, State, Unknown, Uuid,
};
use crate::reconcile::ownership::record::WantedRecord;
use crate::reconcile::plan::step::{Milestone, StepAction, Until};
use crate::reconcile::plan::types::{Options, Plan};
use diagnostics::{SourceId, Span};
use std::collections::BTreeSet;
use std::sync::Arc;
use xmltree::{Document, Element, Limits, parse, write};

const SET: &str = "demo";

fn element(text: &str) -> Element {
    parse(SourceId::NONE, text, &Limits::default()).expect("well-formed")
}

fn id(name: &str) -> ResourceId {
    ResourceId::new(Kind::Domain, name)
}

/// Builds the manifest of a guest with these devices.
fn wanted(name: &str, devices: &str) -> DesiredResource {
    DesiredResource {
        id: id(name),
        definition: element(&format!(
            "<domain type='kvm'><name>{name}</name><os><type machine='q35'>hvm</type></os>\
             <devices>{devices}</devices></domain>"
        ))
        .into(),
        settings: Settings::default(),
        depends_on: Vec::new(),
        span: Span::NONE,
        refused: Vec::new(),
    }
}

fn disk(path: &str) -> String {
    format!("<disk type='file'><source file='{path}'/><target dev='vda'/></disk>")
}

/// A guest on a host, as its manifest made it; `n` is its UUID, and `more` goes into its definition.
fn there(
    wanted: &DesiredResource,
    n: u8,
    state: State,
    moving: Option<Moving>,
) -> ObservedResource {
    let uuid = Uuid::from_bytes([n; 16]);
    let text = write(wanted.definition.as_element())
        .replace("machine=\"q35\"", "machine=\"pc-q35-9.1\"")
        .replace("machine='q35'", "machine='pc-q35-9.1'");
    let mut definition = element(&text);
    definition.push(Element::new("uuid").with_text(uuid.to_string()));
    let owner_record = WantedRecord::of(SET, wanted);
    let owner_record =
        moving.iter().fold(owner_record, |owner_record, moving| owner_record.moving(moving));
    owner_record.put(&mut definition, None);
    let live = state.is_active().then(|| definition.clone().with_attr("id", "1"));
    ObservedResource {
        persistent: Some(definition.into()),
        live: live.map(Document::from),
        state,
        autostart: true,
        is_persistent: true,
        ..ObservedResource::unread(wanted.id.clone(), uuid)
    }
}

/// Host with its desired and observed guests, unless it was not read.
struct Host {
    name: &'static str,
    desired: Desired,
    observed: Option<Observed>,
}

fn host(name: &'static str, wants: &[&DesiredResource], has: &[&ObservedResource]) -> Host {
    let resources = wants.iter().map(|r| (r.id.clone(), Arc::new((*r).clone()))).collect();
    let desired = Desired { set: SET.to_owned(), resources, complete: true, ..Desired::default() };
    let resources = has.iter().map(|r| (r.id.clone(), (*r).clone())).collect();
    Host { name, desired, observed: Some(Observed { resources, ..Observed::default() }) }
}

fn unread(name: &'static str, wants: &[&DesiredResource]) -> Host {
    Host { observed: None, ..host(name, wants, &[]) }
}

fn shared() -> [std::path::PathBuf; 1] {
    ["/mnt/images".into()]
}

fn settled(hosts: &[Host], prune: bool, absent: &[&str]) -> Settled {
    settled_with(hosts, prune, absent, None, |_| Pools::new())
}

fn settled_with(
    hosts: &[Host],
    prune: bool,
    absent: &[&str],
    only: Option<&BTreeSet<ResourceId>>,
    pools: impl Fn(&Host) -> Pools,
) -> Settled {
    let shared = shared();
    let facts: Vec<_> = hosts
        .iter()
        .map(|h| h.observed.as_ref().map(|o| HostFacts::of(o, &pools(h), &shared)))
        .collect();
    let sites: Vec<Site<'_>> = hosts
        .iter()
        .zip(&facts)
        .map(|(h, f)| Site { name: h.name, desired: &h.desired, facts: f.as_ref() })
        .collect();
    let assume_absent = absent.iter().map(|name| (*name).to_owned()).collect();
    settle(Fleet { set: SET, prune, assume_absent: &assume_absent, shared: &shared, only }, &sites)
}

/// Returns the settlement as lines of text.
fn words(hosts: &[Host], prune: bool, absent: &[&str]) -> Vec<String> {
    told(hosts, &settled(hosts, prune, absent))
}

fn told(hosts: &[Host], settled: &Settled) -> Vec<String> {
    let mut words = Vec::new();
    for (id, from, to) in &settled.moves {
        words.push(format!("{} moves {} to {}", id.name, hosts[*from].name, hosts[*to].name));
    }
    for (host, crossing) in hosts.iter().zip(&settled.crossings) {
        let name = host.name;
        for (id, arrival) in &crossing.arriving {
            assert!(arrival.old.is_none());
            words.push(format!("{} goes on on {name}, from {}", id.name, arrival.from));
        }
        for (id, blocked) in &crossing.blocked {
            words.push(format!("{} not on {name}: {}", id.name, blocked.reason));
        }
        for (id, reason) in &crossing.kept {
            words.push(format!("{} stays on {name}: {reason}", id.name));
        }
    }
    words.extend(settled.diagnostics.iter().map(|d| d.summary.clone()));
    words
}

#[track_caller]
fn says(words: &[String], wanted: &[&str]) {
    let alike = words.len() == wanted.len()
        && words.iter().zip(wanted).all(|(word, wanted)| word.starts_with(wanted));
    assert!(alike, "{words:#?} is not {wanted:#?}");
}

fn from(host: &str) -> Option<Moving> {
    Some(Moving { from: host.to_owned(), autostart: true, active: true })
}

#[test]
fn what_does_not_answer_on_one_host_is_not_started_on_another() {
    let (g, other) = (wanted("g", ""), wanted("other", ""));
    let runs = there(&g, 1, State::Running, None);
    let hangs = |mut host: Host, id: &DesiredResource| {
        let unknown = Unknown { uuid: runs.uuid, state: State::Running, why: "late".to_owned() };
        let observed = host.observed.as_mut().unwrap();
        observed.resources.remove(&id.id);
        observed.unknown.insert(id.id.clone(), unknown);
        host
    };
    // its namesake hangs on the host that it is to leave
    let hosts = [hangs(host("a", &[], &[]), &g), host("b", &[&g], &[])];
    says(&words(&hosts, true, &[]), &["g not on b: a has a guest of that name, which does not"]);
    // or on the one that it goes to
    let hosts = [host("a", &[], &[&runs]), hangs(host("b", &[&g], &[]), &g)];
    says(&words(&hosts, true, &[]), &["g stays on a: domain/g does not answer on b"]);
    // a guest that shares nothing with it conflicts with nobody
    let hosts = [hangs(host("a", &[], &[]), &other), host("b", &[&g], &[])];
    says(&words(&hosts, true, &[]), &[]);
    // a third host may have it, too
    let hosts = [host("a", &[], &[&runs]), host("b", &[&g], &[]), hangs(host("c", &[], &[]), &g)];
    says(
        &words(&hosts, true, &[]),
        &[
            "g stays on a: it is to go to b, where c has a guest of that name",
            "g not on b: c has a guest of that name, which does not answer",
        ],
    );
}

#[test]
fn what_does_not_answer_or_was_not_read_is_unknown_to_only_as_well() {
    let images = disk("/mnt/images/g.img");
    let (g, other) = (wanted("g", &images), wanted("other", ""));
    let (runs, off) = (there(&g, 1, State::Running, None), there(&g, 1, State::Shutoff, None));
    let only = BTreeSet::from([id("g")]);
    let words = |hosts: &[Host]| {
        told(hosts, &settled_with(hosts, true, &[], Some(&only), |_| Pools::new()))
    };
    let hangs = |mut host: Host, id: &DesiredResource| {
        let unknown = Unknown { uuid: runs.uuid, state: State::Running, why: "late".to_owned() };
        host.observed.as_mut().unwrap().unknown.insert(id.id.clone(), unknown);
        host
    };
    // it may be the one that hangs, or what hangs may write to its disk
    let hosts = [hangs(host("a", &[], &[]), &g), host("b", &[&g], &[])];
    says(&words(&hosts), &["g not on b: a has a guest of that name, which does not answer"]);
    let hosts = [hangs(host("a", &[], &[]), &other), host("b", &[&g], &[])];
    says(&words(&hosts), &["g not on b: domain/other on a does not answer, and may write to its"]);
    let hosts = [unread("a", &[]), host("b", &[&g], &[])];
    says(&words(&hosts), &["g not on b: a was not read and may have it"]);
    // a move starts one that is off on a disk; one that runs has it already
    let hosts = [hangs(host("a", &[], &[&off]), &other), host("b", &[&g], &[])];
    says(&words(&hosts), &["g stays on a: it is to go", "g not on b: domain/other on a does not"]);
    let hosts = [hangs(host("a", &[], &[&runs]), &other), host("b", &[&g], &[])];
    says(&words(&hosts), &["g moves a to b"]);
}

#[test]
fn a_guest_that_leaves_one_host_and_appears_on_another_moves() {
    let g = wanted("g", "");
    let runs = there(&g, 1, State::Running, None);
    let hosts = [host("a", &[], &[&runs]), host("b", &[&g], &[])];
    says(&words(&hosts, true, &[]), &["g moves a to b"]);
    says(&words(&hosts, false, &[]), &["g not on b: it is still on a"]);
    // it is on its way
    let comes = there(&g, 1, State::Shutoff, from("a"));
    let begun = [host("a", &[], &[&runs]), host("b", &[&g], &[&comes])];
    says(&words(&begun, true, &[]), &["g moves a to b"]);
    says(&words(&begun, false, &[]), &["g not on b: it is still on a"]);
    // it is gone from there
    let hosts = [host("a", &[], &[]), host("b", &[&g], &[&comes])];
    says(&words(&hosts, false, &[]), &["g goes on on b, from a"]);
    // the manifests have gone back meanwhile
    let off = there(&g, 1, State::Shutoff, None);
    let hosts = [host("a", &[&g], &[&off]), host("b", &[], &[&comes])];
    says(&words(&hosts, true, &[]), &["g moves b to a"]);
    let hosts = [host("a", &[&g], &[&runs]), host("b", &[], &[&comes])];
    says(&words(&hosts, true, &[]), &[]);
    let hosts = [host("a", &[&g], &[&runs]), host("b", &[&g], &[&comes])];
    says(&words(&hosts, true, &[]), &["g not on b: its move from a is not over"]);
}

#[test]
fn guests_of_several_hosts_are_no_move_of_one() {
    let g = wanted("g", "");
    let (one, two) = (there(&g, 1, State::Running, None), there(&g, 2, State::Running, None));
    let hosts = [host("a", &[], &[&one]), host("b", &[&g], &[&two])];
    says(&words(&hosts, true, &[]), &[]);
    let hosts = [host("a", &[&g], &[&one]), host("b", &[&g], &[])];
    says(&words(&hosts, true, &[]), &[]);
    let hosts = [host("a", &[], &[&one]), host("b", &[], &[&two]), host("c", &[&g], &[])];
    let unclear = "it leaves a and b and is new on c";
    says(
        &words(&hosts, true, &[]),
        &[
            &format!("g stays on a: {unclear}"),
            &format!("g stays on b: {unclear}"),
            &format!("g not on c: {unclear}"),
        ],
    );
    // another set's guest of that name is none of ours
    let mut other = one;
    other.persistent = Some(element("<domain><name>g</name></domain>").into());
    let hosts = [host("a", &[], &[&other]), host("b", &[&g], &[])];
    says(&words(&hosts, true, &[]), &[]);
}

#[test]
fn what_may_be_on_a_host_that_was_not_read() {
    let (shares, local) = (wanted("g", &disk("/mnt/images/g")), wanted("l", &disk("/srv/l")));
    let hosts = [unread("a", &[]), host("b", &[&shares, &local], &[])];
    says(&words(&hosts, false, &[]), &["g not on b: a was not read and may have it"]);
    says(&words(&hosts, false, &["a"]), &[]);
    // a guest that is moving, with any disks
    let comes = there(&local, 1, State::Shutoff, from("a"));
    let hosts = [unread("a", &[]), host("b", &[&local], &[&comes])];
    says(
        &words(&hosts, false, &[]),
        &["l not on b: its move from a is not over, and a was not read"],
    );
    says(&words(&hosts, false, &["a"]), &["l goes on on b, from a"]);
    // a host that no virt.toml names any more
    let hosts = [host("b", &[&local], &[&comes])];
    says(
        &words(&hosts, false, &[]),
        &["l not on b: its move from a is not over, and a was not read"],
    );
    // the one that it may go to
    let runs = there(&local, 1, State::Running, None);
    let hosts = [host("a", &[], &[&runs]), unread("b", &[&local])];
    says(&words(&hosts, true, &[]), &["l stays on a: it may go to b, which was not read"]);
    let mut broken = host("b", &[], &[]);
    broken.desired.blocked.insert(local.id, "a mistake".to_owned());
    let hosts = [host("a", &[], &[&runs]), broken];
    says(
        &words(&hosts, true, &[]),
        &["l stays on a: it may go to b, where it is blocked: a mistake"],
    );
}

#[test]
fn one_disk_is_written_to_by_one_host() {
    let image = disk("/mnt/images/g");
    let (g, h) = (wanted("g", &image), wanted("h", &image));
    let hosts = [host("a", &[&g], &[]), host("b", &[&h], &[])];
    let both = &[
        "g not on a: domain/h on b is to write to its disk /mnt/images/g",
        "h not on b: domain/g on a is to write",
    ];
    says(&words(&hosts, false, &[]), both);
    let runs = there(&g, 1, State::Running, None);
    let hosts = [host("a", &[&g], &[&runs]), host("b", &[&h], &[])];
    says(&words(&hosts, false, &[]), &["h not on b: domain/g on a writes to its disk"]);
    // a manifest for two hosts
    let hosts = [host("a", &[&g], &[&runs]), host("b", &[&g], &[])];
    says(&words(&hosts, false, &[]), &["g not on b: domain/g on a writes to its disk"]);
    let two = there(&h, 2, State::Running, None);
    let hosts = [host("a", &[&g], &[&runs]), host("b", &[&h], &[&two])];
    says(&words(&hosts, false, &[]), &["domain/h on b shares a disk"]);
    // one of them is not to run; they share it; it is each host's own
    let mut off = h.clone();
    off.settings.power = Power::Stopped;
    let hosts = [host("a", &[&g], &[&runs]), host("b", &[&off], &[])];
    says(&words(&hosts, false, &[]), &[]);
    for devices in [image.replace("<target", "<shareable/><target"), disk("/srv/g")] {
        let (g, h) = (wanted("g", &devices), wanted("h", &devices));
        let hosts = [host("a", &[&g], &[]), host("b", &[&h], &[])];
        says(&words(&hosts, false, &[]), &[]);
    }
}

fn together(hosts: &[Host], allow: &[Effect]) -> Vec<Plan> {
    let (none, capabilities) = (Pools::new(), capabilities());
    let options: Vec<Options> = hosts
        .iter()
        .map(|h| Options {
            host: Some(h.name.to_owned()),
            prune: true,
            max_prune: Some(1),
            allow: allow.iter().copied().collect(),
            ..Options::default()
        })
        .collect();
    let parties: Vec<Party<'_>> = hosts
        .iter()
        .zip(&options)
        .map(|(h, options)| Party {
            name: h.name,
            desired: &h.desired,
            observed: h.observed.as_ref().unwrap(),
            pools: &none,
            capabilities: &capabilities,
            options,
        })
        .collect();
    let settled = settled(hosts, true, &[]);
    let plans = plan_together(&parties, &settled.crossings, &settled.moves, &shared());
    plans.into_iter().map(|(_, plan)| plan).collect()
}

fn steps(plan: &Plan) -> Vec<String> {
    let word = |action: &StepAction| match action {
        StepAction::Wait { until: Until::Elsewhere { host, milestone }, .. } => {
            format!("{} on {host}", milestone.as_str())
        }
        action => action.as_str().to_owned(),
    };
    plan.steps.iter().map(|s| format!("{} {}", s.target.id.name, word(&s.action))).collect()
}

fn defined(plan: &Plan, n: usize) -> Element {
    let ops = plan.steps.iter().filter_map(|s| match &s.action {
        StepAction::Call(op) if op.is(OpKind::Define) => op.definition().map(element),
        _ => None,
    });
    ops.clone().nth(n).unwrap()
}

#[test]
fn the_old_one_goes_before_the_new_one_starts_and_is_the_same() {
    let nic = "<interface type='user'><model type='virtio'/></interface>";
    let g = wanted("g", &(disk("/mnt/images/g") + nic));
    let mut old = g.clone();
    let mac = "<interface type='user'><mac address='52:54:00:01:02:03'/><model type='virtio'/></interface>";
    old.definition = wanted("g", &(disk("/mnt/images/g") + mac)).definition;
    let mut runs = there(&old, 1, State::Running, None);
    // by the manifest that has no MAC address
    WantedRecord::of(SET, &g).put(runs.persistent.as_mut().unwrap().to_mut(), None);
    let hosts = [host("a", &[], &[&runs]), host("b", &[&g], &[])];
    let plans = together(&hosts, &[]);
    let [a, b] = plans.as_slice() else { panic!("{plans:?}") };
    assert_eq!(
        steps(a),
        ["g defined on b", "g autostart", "g shutdown", "g wait", "g undefine"],
        "the one that it leaves"
    );
    assert_eq!(
        steps(b),
        ["g define", "g gone on a", "g define", "g autostart", "g create"],
        "the one that it goes to"
    );
    let way = b.moves.get(&id("g")).unwrap();
    assert_eq!((way.from.as_str(), way.to.as_str()), ("a", "b"));
    assert_eq!(a.moves, b.moves);
    for (n, moves) in [(0, true), (1, false)] {
        let defined = defined(b, n);
        assert_eq!(defined.child_text("uuid").unwrap(), Uuid::from_bytes([1; 16]).to_string());
        let mac = defined.descend(&["devices", "interface", "mac"]).unwrap();
        assert_eq!(mac.attr("address"), Some("52:54:00:01:02:03"));
        let machine = defined.descend(&["os", "type"]).unwrap().attr("machine");
        assert_eq!(machine, Some("pc-q35-9.1"));
        let owner_record =
            crate::reconcile::ownership::record::read_owner_record(&defined).unwrap();
        assert_eq!(owner_record.moving.map(|m| m.from), moves.then(|| "a".to_owned()));
    }
}

#[test]
fn what_one_plan_does_not_hold_is_in_neither() {
    let image = disk("/mnt/images/g");
    let g = wanted("g", &image);
    let runs = |g: &DesiredResource| there(g, 1, State::Running, None);
    let stays = |hosts: [Host; 2], allow: &[Effect], why: &str| {
        let plans = together(&hosts, allow);
        for plan in &plans {
            let moves = plan.steps.iter().any(|s| s.target.id == id("g"));
            assert!(!moves || !plan.refusals.is_empty(), "{:?}", steps(plan));
        }
        let said = plans.iter().flat_map(|p| p.blocked.get(&id("g")));
        let said: Vec<&String> = said.collect();
        assert!(said.iter().any(|s| s.contains(why)), "{said:?}");
    };
    let pair = |old: &DesiredResource, new: &DesiredResource| {
        [host("a", &[], &[&runs(old)]), host("b", &[new], &[])]
    };
    let local = wanted("g", &disk("/srv/g"));
    stays(pair(&local, &local), &[], "nothing shows that b reaches its disk vda, /srv/g");
    let nic = "<interface type='network'><source network='lan'/></interface>";
    let mut needs = wanted("g", &(image.clone() + nic));
    needs.depends_on = vec![ResourceId::new(Kind::Network, "lan")];
    stays(pair(&needs, &needs), &[], "needs network/lan");
    let mut other = g.clone();
    other
        .definition
        .to_mut()
        .push(Element::new("uuid").with_text(Uuid::from_bytes([9; 16]).to_string()));
    stays(pair(&g, &other), &[], "its manifest has the UUID");
    let mut prevented = g.clone();
    prevented.settings.prevent_destroy = true;
    stays(pair(&prevented, &g), &[], "prevent_destroy");
    let mut saved = pair(&g, &g);
    let observed = saved[0].observed.as_mut().unwrap();
    observed.resources.get_mut(&id("g")).unwrap().managed_save = true;
    stays(saved, &[], "saved memory image");
    let mut efi = g.clone();
    efi.definition
        .to_mut()
        .child_mut("os")
        .unwrap()
        .push(Element::new("loader").with_attr("type", "pflash").with_text("/usr/share/ovmf.fd"));
    stays(pair(&efi, &efi), &[], "it would leave its NVRAM behind on a");
    let plans = together(&pair(&efi, &efi), &[Effect::DataLoss]);
    assert!(plans.iter().all(|p| p.moves.len() == 1), "{plans:?}");
    assert_eq!(plans[0].changes[0].effect, Effect::DataLoss);
    let tpm = "<tpm model='tpm-crb'><backend type='emulator'/></tpm>";
    let tpm = wanted("g", &(image + tpm));
    stays(pair(&tpm, &tpm), &[], "it would leave its TPM state behind on a");
}

#[test]
fn a_move_that_ended_anywhere_is_gone_on_with() {
    let mut g = wanted("g", "");
    g.settings.power = Power::Manual;
    let comes = there(&g, 1, State::Shutoff, from("a"));
    let off = ObservedResource { autostart: false, ..there(&g, 1, State::Shutoff, None) };
    let hosts = [host("a", &[], &[&off]), host("b", &[&g], &[&comes])];
    let plans = together(&hosts, &[]);
    assert_eq!(steps(&plans[0]), ["g defined on b", "g undefine"]);
    // the new definition shows that it ran, and started with its host
    let on = ["g autostart", "g create"];
    assert_eq!(steps(&plans[1])[..2], ["g define", "g autostart"]);
    assert_eq!(steps(&plans[1])[4..], on);
    let hosts = [host("a", &[], &[]), host("b", &[&g], &[&comes])];
    let plans = together(&hosts, &[]);
    assert_eq!(steps(&plans[1]), ["g define", "g autostart", "g create"]);
    assert_eq!(Milestone::Gone.as_str(), "gone");
}
