//! Conflicts that a plan predicts for its steps: each case is a host made by hand and a manifest, without any
//! hypervisor.
// long: one case after the other, on one sort of host

use crate::support::trial;
use diagnostics::SourceId;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::path::PathBuf;
use virt::drivers::Hypervisor;
use virt::model::domain::Storage;
use virt::model::{
    Affect, Capabilities, Desired, DomainCapabilities, DomainOp, Effect, Kind, NetworkCapabilities,
    Observed, ObservedResource, Op, OpKind, Outage, ResourceId, Snapshot, State,
    StorageCapabilities, Unknown, Uuid, Version,
};
use virt::reconcile::{Action, Options, Plan, StepAction, plan};
use xmltree::{Element, Limits, parse, write};

pub(crate) fn trials() -> Vec<Trial> {
    let each: [(&str, fn()); 23] = [
        ("what_hangs_on_a_definition_keeps_it", what_hangs_on_a_definition_keeps_it),
        ("a_saved_image_resumes_the_old_machine", a_saved_image_resumes_the_old_machine),
        ("a_disk_on_an_overlay_is_held_back_and_no_more", a_disk_on_an_overlay),
        ("an_overlay_of_any_sort_is_one", an_overlay_of_any_sort_is_one),
        ("an_overlay_in_the_running_machine_alone", an_overlay_in_the_running_machine_alone),
        ("a_snapshot_of_a_stopped_guest_tells", a_snapshot_of_a_stopped_guest_tells),
        ("an_edit_beside_an_overlay", an_edit_beside_an_overlay),
        ("an_outage_is_named_and_left", an_outage_is_named_and_left),
        ("a_crashed_guest_is_ended_if_asked", a_crashed_guest_is_ended_if_asked),
        ("who_is_paused_for_a_while_is_not_in_sync", who_is_paused_for_a_while),
        ("a_disk_that_a_stranger_writes", a_disk_that_a_stranger_writes),
        ("a_disk_that_may_be_shared", a_disk_that_may_be_shared),
        ("addresses_of_strangers", addresses_of_strangers),
        ("bridges_and_subnets_of_strangers", bridges_and_subnets_of_strangers),
        ("what_needs_a_blocked_network_waits_too", what_needs_a_blocked_network_waits_too),
        ("what_is_handed_on_goes_in_order", what_is_handed_on_goes_in_order),
        ("a_network_is_named_anew", a_network_is_named_anew),
        ("what_was_renamed_by_hand_stays_aside", what_was_renamed_by_hand_stays_aside),
        ("a_network_goes_once_its_last_guest_moved_off", a_network_goes_once_its_last_guest_moved),
        ("only_one_is_planned_for_while_others_are_silent", only_one_while_others_are_silent),
        ("a_network_with_unknown_guests_stays_up", a_network_with_unknown_guests_stays_up),
        ("nothing_is_pruned_while_one_is_silent", nothing_is_pruned_while_one_is_silent),
        ("what_an_object_has_already_is_its_own", what_an_object_has_already_is_its_own),
    ];
    each.into_iter().map(|(name, body)| trial(format!("met/{name}"), body)).collect()
}

// --- making hosts and manifests ---

fn capabilities() -> Capabilities {
    let operations = || OpKind::ALL.into_iter().collect();
    Capabilities {
        version: Version::new(11, 3, 0),
        read_only: false,
        domain: DomainCapabilities {
            operations: operations(),
            undefine_keeps_state: true,
            creates_paused: true,
            mac_prefix: [0x52, 0x54, 0],
            defaults: Hypervisor::Qemu.defaults(),
            live: Hypervisor::Qemu.live_devices(),
        },
        network: NetworkCapabilities { operations: operations() },
        storage: StorageCapabilities::default(),
    }
}

/// A guest with these devices; `inside` stands beside them.
fn guest(name: &str, inside: &str, devices: &str) -> String {
    format!(
        "<domain type='kvm'><name>{name}</name>{inside}<memory unit='KiB'>65536</memory>\
         <currentMemory unit='KiB'>65536</currentMemory>\
         <vcpu placement='static'>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>\
         <devices>{devices}</devices></domain>"
    )
}

fn disk(file: &str) -> String {
    storage(&format!(
        "type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{file}'/>"
    ))
}

fn storage(head: &str) -> String {
    format!("<disk {head}<target dev='vda' bus='virtio'/></disk>")
}

fn nic(network: &str, mac: &str) -> String {
    format!(
        "<interface type='network'><mac address='{mac}'/><source network='{network}'/></interface>"
    )
}

fn network(name: &str, bridge: &str, n: u8) -> String {
    let bridge = match bridge {
        "" => String::new(),
        name => format!("<bridge name='{name}'/>"),
    };
    format!("<network><name>{name}</name>{bridge}<ip address='10.80.{n}.1' prefix='24'/></network>")
}

fn read(text: &str) -> Element {
    parse(SourceId::NONE, text, &Limits::default()).unwrap()
}

fn desired(manifests: &[String]) -> Desired {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("virt.toml"), "set = \"s\"\n").unwrap();
    for (n, text) in manifests.iter().enumerate() {
        std::fs::write(directory.path().join(format!("{n:02}.xml")), text).unwrap();
    }
    let loaded = virt::manifest::load(&[PathBuf::from(directory.path())]);
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    Desired::clone(&loaded.desired)
}

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

/// A host, object by object.
#[derive(Clone, Default)]
struct Host(Observed);

impl Host {
    /// Creates a host to which these manifests were applied, with all objects running.
    fn applied(manifests: &[String]) -> Self {
        let mut host = Self::default();
        let plan = host.plan(manifests, &Options::default());
        assert!(plan.refusals.is_empty() && plan.blocked.is_empty(), "{:?}", steps(&plan));
        for step in &plan.steps {
            match &step.action {
                StepAction::Call(op) if op.is(OpKind::Define) => {
                    let xml = op.definition().unwrap();
                    host.put(step.target.id.clone(), step.target.uuid, read(xml));
                }
                action if action.calls(OpKind::Create) => host.start(&step.target.id.to_string()),
                other => panic!("{other:?}"),
            }
        }
        host
    }

    fn put(&mut self, id: ResourceId, uuid: Uuid, definition: Element) {
        let object = ObservedResource {
            state: State::Shutoff,
            is_persistent: true,
            persistent: Some(definition.into()),
            ..ObservedResource::unread(id.clone(), uuid)
        };
        self.0.resources.insert(id, object);
    }

    /// Adds an object that somebody else made; it does not run.
    fn stranger(mut self, text: &str) -> Self {
        let definition = read(text);
        let kind = if definition.is("domain") { Kind::Domain } else { Kind::Network };
        let id = ResourceId::new(kind, definition.child_text("name").unwrap());
        let uuid = Uuid::new_v5(&Uuid::NAMESPACE_URL, id.to_string().as_bytes());
        self.put(id, uuid, definition);
        self
    }

    fn running(mut self, name: &str) -> Self {
        self.start(name);
        self
    }

    fn start(&mut self, name: &str) {
        self.change(name, |object| {
            let mut live = object.persistent.clone().unwrap();
            if object.id.kind == Kind::Domain {
                live.to_mut().set_attr("id", "1");
            }
            (object.live, object.state, object.reason) = (Some(live), State::Running, 1);
        });
    }

    fn stop(&mut self, name: &str) {
        self.change(name, |object| (object.live, object.state) = (None, State::Shutoff));
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut ObservedResource)) {
        change(self.0.resources.get_mut(&id(name)).unwrap());
    }

    /// Puts an overlay over the disk of a guest, with the old image below it.
    fn overlay(&mut self, name: &str, top: &str) {
        self.change(name, |object| {
            for definition in [&mut object.persistent, &mut object.live].into_iter().flatten() {
                put_on_top(definition.to_mut(), top);
            }
        });
    }

    fn plan(&self, manifests: &[String], options: &Options) -> Plan {
        plan(&desired(manifests), &self.0, &capabilities(), options)
    }
}

fn put_on_top(definition: &mut Element, top: &str) {
    let devices = definition.child_mut("devices").unwrap();
    let disk = devices.elements_mut().find(|e| e.is("disk")).unwrap();
    let mut below = Element::new("backingStore");
    below.put_attr("type", disk.attr("type"));
    let moved = ["source", "backingStore"].iter().filter_map(|name| disk.child(name).cloned());
    for layer in moved.collect::<Vec<_>>() {
        below.push(layer);
    }
    disk.remove_elements(|e| e.is("source") || e.is("backingStore"));
    disk.set_attr("type", "file");
    disk.child_or_new("source").set_attr("file", top);
    disk.push(below);
}

fn options(allow: &[Effect]) -> Options {
    Options { allow: allow.iter().copied().collect(), ..Options::default() }
}

fn pruning() -> Options {
    Options { prune: true, max_prune: Some(9), ..Options::default() }
}

fn steps(plan: &Plan) -> Vec<String> {
    let word =
        |step: &virt::reconcile::Step| format!("{} {}", step.action.as_str(), step.target.id.name);
    plan.steps.iter().map(word).collect()
}

/// Returns all texts of a plan about an object.
fn said(plan: &Plan, of: &str) -> String {
    let change = plan.changes.iter().find(|c| c.id == id(of));
    let mut said: Vec<String> = Vec::new();
    if let Some(change) = change {
        said.extend(change.notes.clone());
        said.extend(change.held.iter().filter_map(|f| f.why.clone()));
        said.push(change.reason.clone());
    }
    said.extend(plan.blocked.get(&id(of)).cloned());
    said.extend(plan.refusals.iter().map(|r| format!("{} {}", r.reason, r.hint)));
    for problem in plan.diagnostics.iter() {
        said.push(format!("{} {}", problem.summary, problem.detail.clone().unwrap_or_default()));
    }
    said.join("\n")
}

#[track_caller]
fn says(plan: &Plan, of: &str, words: &[&str]) {
    let said = said(plan, of);
    assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
}

/// The definition that a plan sends for an object.
fn sent(plan: &Plan, of: &str) -> Option<Element> {
    plan.steps.iter().find_map(|step| match &step.action {
        StepAction::Call(op) if step.target.id == id(of) => op.definition().map(read),
        _ => None,
    })
}

fn web(devices: &str) -> Vec<String> {
    vec![guest("web", "", devices)]
}

/// Adds another guest that stays, so that the set is not empty.
fn with_other(mut manifests: Vec<String>) -> Vec<String> {
    manifests.push(guest("other", "", ""));
    manifests
}

// --- the cases ---

fn what_hangs_on_a_definition_keeps_it() {
    let both = with_other(web(&disk("/web")));
    let left = vec![both[1].clone()];
    let mut host = Host::applied(&both);
    let snapshot = |name: &str| Snapshot { name: name.to_owned(), ..Snapshot::default() };
    host.change("domain/web", |web| web.snapshots = vec![snapshot("s1"), snapshot("s2")]);
    let refused = host.plan(&left, &pruning());
    says(&refused, "domain/web", &["2 snapshots (s1, s2)", "--allow data-loss"]);
    assert_eq!(refused.refusals.len(), 1);
    let allow = Options { allow: [Effect::DataLoss].into(), ..pruning() };
    let taken = host.plan(&left, &allow);
    assert!(taken.refusals.is_empty());
    assert_eq!(steps(&taken), ["shutdown web", "wait web", "undefine web"]);
    host.change("domain/web", |web| {
        (web.snapshots, web.checkpoints) = (Vec::new(), vec!["c1".to_owned()]);
    });
    says(&host.plan(&left, &pruning()), "domain/web", &["1 checkpoint (c1)"]);
    // neither keeps an edit from being made
    let edited = host.plan(&with_other(web(&disk("/web").replace("vda", "vdb"))), &pruning());
    assert!(edited.refusals.is_empty(), "{:?}", edited.refusals);
}

fn a_saved_image_resumes_the_old_machine() {
    let manifests = web(&disk("/web"));
    let mut host = Host::applied(&manifests);
    host.stop("domain/web");
    host.change("domain/web", |web| web.managed_save = true);
    let same = host.plan(&manifests, &Options::default());
    assert_eq!(steps(&same), ["create web"]);
    says(&same, "domain/web", &["a saved image", "resumes"]);
    let edited = vec![manifests[0].replace("65536", "98304")];
    let waits = host.plan(&edited, &Options::default());
    assert_eq!(steps(&waits), ["define web", "create web"]);
    says(&waits, "domain/web", &["a saved image", "--allow data-loss"]);
    let memory = &waits.changes[0].fields[0];
    assert_eq!((memory.effect, waits.leaves_pending()), (Effect::NextBoot, true), "{memory:?}");
    assert!(waits.refusals.is_empty() && waits.changes[0].resumes);
    let discards = host.plan(&edited, &options(&[Effect::DataLoss]));
    assert_eq!(steps(&discards), ["define web", "discard-saved-image web", "create web"]);
    // texts about a guest are no part of the machine
    let described = vec![manifests[0].replace("<memory", "<title>t</title><memory")];
    let titled = host.plan(&described, &Options::default());
    assert!(!titled.leaves_pending(), "{:?}", steps(&titled));
}

fn a_disk_on_an_overlay() {
    let manifests = web(&disk("/web"));
    let mut host = Host::applied(&manifests);
    host.overlay("domain/web", "/web.s1");
    host.overlay("domain/web", "/web.s2");
    let plan = host.plan(&manifests, &Options::default());
    assert_eq!(steps(&plan), [""; 0]);
    says(&plan, "domain/web", &["vda runs on an overlay", "blockcommit web vda"]);
    let held = &plan.changes[0].held[0];
    assert_eq!(held.path.to_string(), "devices/disk[target/@dev='vda']/source");
    assert_eq!((held.before.as_deref(), held.after.as_deref()), (Some("/web.s2"), Some("/web")));
    assert!(plan.has_pending() && !plan.changes[0].is_as_asked());
    // nor is it given to the guest a second time, in another place
    let moved = host.plan(&web(&disk("/web").replace("vda", "vdb")), &Options::default());
    assert_eq!((sent_chain(&moved), moved.changes[0].held.len()), (chain(&host), 1));
    // an unrelated path is another disk
    let other = host.plan(&web(&disk("/else")), &Options::default());
    assert!(other.changes[0].held.is_empty() && !other.is_empty());
}

fn an_overlay_of_any_sort_is_one() {
    for below in [
        "type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/web'/>",
        "type='network' device='disk'><driver name='qemu' type='raw'/>\
         <source protocol='nbd' name='web'><host name='store'/></source>",
        "type='volume' device='disk'><driver name='qemu' type='qcow2'/>\
         <source pool='p' volume='web'/>",
    ] {
        let manifests = web(&storage(below));
        let mut host = Host::applied(&manifests);
        host.overlay("domain/web", "/web.s1");
        host.change("domain/web", |web| {
            for definition in [&mut web.persistent, &mut web.live].into_iter().flatten() {
                let devices = definition.to_mut().child_mut("devices").unwrap();
                let disk = devices.elements_mut().find(|e| e.is("disk")).unwrap();
                disk.child_mut("driver").unwrap().set_attr("type", "qcow2");
            }
        });
        let plan = host.plan(&manifests, &Options::default());
        assert_eq!(
            (steps(&plan).len(), plan.changes[0].held.len()),
            (0, 1),
            "{below}: {:?}",
            steps(&plan)
        );
    }
}

fn an_overlay_in_the_running_machine_alone() {
    let manifests = web(&disk("/web"));
    let mut host = Host::applied(&manifests);
    host.change("domain/web", |web| put_on_top(web.live.as_mut().unwrap().to_mut(), "/web.s1"));
    let plan = host.plan(&manifests, &Options::default());
    assert_eq!(steps(&plan), [""; 0]);
    says(&plan, "domain/web", &["overlay", "without what was written since"]);
    // a disk that forgets is on an overlay by its nature
    let forgets = disk("/web").replace("</disk>", "<transient/></disk>");
    let mut host = Host::applied(&web(&forgets));
    host.change("domain/web", |web| put_on_top(web.live.as_mut().unwrap().to_mut(), "/web.T"));
    let plan = host.plan(&web(&forgets), &Options::default());
    assert!(plan.is_empty() && plan.changes[0].is_as_asked(), "{:?}", steps(&plan));
}

fn a_snapshot_of_a_stopped_guest_tells() {
    let manifests = vec![
        guest("web", "", &disk("/web"))
            .replace("<memory", "<metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='stopped'/></metadata><memory"),
    ];
    let mut host = Host::applied(&manifests);
    let place = |file: &str| Storage::of(read(&disk(file)).node()).unwrap();
    host.change("domain/web", |web| {
        let text =
            write(web.persistent.as_ref().unwrap().as_element()).replace("/web'", "/web.s1'");
        web.persistent = Some(read(&text).into());
        let overlays = vec![(place("/web.s1"), place("/web"))];
        web.snapshots = vec![Snapshot { name: "s1".to_owned(), overlays }];
    });
    let plan = host.plan(&manifests, &Options::default());
    assert_eq!(steps(&plan), [""; 0]);
    says(&plan, "domain/web", &["overlay", "the snapshot s1"]);
}

/// The storage of web's disks on the host, from the top.
fn chain(host: &Host) -> Vec<String> {
    chain_of(
        host.0.resources[&id("domain/web")].persistent.as_ref().map(xmltree::Document::as_element),
    )
}

fn chain_of(definition: Option<&Element>) -> Vec<String> {
    let devices = definition.into_iter().filter_map(|d| d.child("devices"));
    let disks = devices.flat_map(|d| d.children_named("disk"));
    disks.flat_map(|disk| Storage::chain(disk.node())).map(|place| place.to_string()).collect()
}

fn an_edit_beside_an_overlay() {
    let manifests = web(&disk("/web"));
    let mut host = Host::applied(&manifests);
    host.overlay("domain/web", "/web.s1");
    let edited = vec![manifests[0].replace("65536", "98304")];
    let plan = host.plan(&edited, &Options::default());
    let sent = sent(&plan, "domain/web").unwrap();
    let places = sent_chain(&plan);
    assert_eq!(places, ["/web.s1", "/web"], "each once, and in order");
    assert_eq!(sent.child_text("memory").as_deref(), Some("98304"));
    assert_eq!(plan.changes[0].held.len(), 1);
    // a manifest that drops its own word on what is below does not take it away
    let explicit = disk("/web").replace("<target", "<backingStore type='file'><format type='raw'/><source file='/golden'/></backingStore><target");
    let mut host = Host::applied(&web(&explicit));
    host.overlay("domain/web", "/web.s1");
    let plan = host.plan(&manifests, &Options::default());
    let kept = sent_chain(&plan);
    assert!(kept.is_empty() || kept == ["/web.s1", "/web", "/golden"], "{kept:?}");
}

fn sent_chain(plan: &Plan) -> Vec<String> {
    chain_of(sent(plan, "domain/web").as_ref())
}

fn an_outage_is_named_and_left() {
    let manifests = web(&disk("/web"));
    for (state, reason, outage, word) in [
        (State::Paused, 5, Outage::IoError, "I/O error"),
        (State::Paused, 6, Outage::Watchdog, "watchdog"),
        (State::Crashed, 1, Outage::Crashed, "crashed"),
    ] {
        let mut host = Host::applied(&manifests);
        host.change("domain/web", |web| (web.state, web.reason) = (state, reason));
        let plan = host.plan(&manifests, &Options::default());
        assert!(plan.is_empty() && plan.refusals.is_empty(), "{:?}", steps(&plan));
        let outages: Vec<_> = plan.outages().collect();
        assert_eq!(outages, [(&id("domain/web"), outage)]);
        says(&plan, "domain/web", &[word]);
        assert!(!plan.changes[0].is_as_asked() && plan.changes[0].says_something());
        // an edit goes on, and it is named still
        let edited = vec![manifests[0].replace("65536", "98304")];
        let plan = host.plan(&edited, &Options::default());
        assert!(!plan.is_empty() && plan.outages().count() == 1, "{:?}", steps(&plan));
        let ends = plan.steps.iter().any(|s| s.action.calls(OpKind::Destroy));
        assert!(!ends, "{:?}", plan.steps);
    }
}

fn a_crashed_guest_is_ended_if_asked() {
    let manifests = web(&disk("/web"));
    let mut host = Host::applied(&manifests);
    host.change("domain/web", |web| (web.state, web.reason) = (State::Crashed, 1));
    let plan = host.plan(&manifests, &options(&[Effect::Restart]));
    assert_eq!(steps(&plan), ["destroy web", "create web"]);
    assert_eq!((plan.outages().count(), plan.changes[0].effect), (0, Effect::Restart));
    // a guest that is to be off is not destroyed unasked either
    let off =
        "<metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='stopped'/></metadata>";
    let stopped = vec![guest("web", off, &disk("/web"))];
    let left = host.plan(&stopped, &Options::default());
    assert_eq!((steps(&left), left.outages().count()), (vec!["define web".to_owned()], 1));
    let ended = host.plan(&stopped, &options(&[Effect::Stops]));
    assert_eq!(steps(&ended), ["define web", "destroy web"]);
}

fn who_is_paused_for_a_while() {
    let manifests = web(&disk("/web"));
    let mut host = Host::applied(&manifests);
    host.change("domain/web", |web| (web.state, web.reason) = (State::Paused, 3));
    let plan = host.plan(&manifests, &Options::default());
    assert!(plan.is_empty() && plan.has_pending());
    says(&plan, "domain/web", &["it is being saved"]);
    // by hand, or by going back to a snapshot: it is resumed
    for reason in [1, 7] {
        host.change("domain/web", |web| web.reason = reason);
        assert_eq!(steps(&host.plan(&manifests, &Options::default())), ["resume web"]);
    }
}

fn a_disk_that_a_stranger_writes() {
    for (ours, theirs) in [
        (disk("/web"), disk("/web")),
        (disk("/web"), disk("//web/.").replace("vda", "sdb")),
        (
            storage("type='block' device='disk'><source dev='/dev/vg/web'/>"),
            storage("type='block' device='lun'><source dev='/dev/vg/web'/>"),
        ),
        (
            storage(
                "type='network' device='disk'><source protocol='nbd' name='e'><host name='h'/></source>",
            ),
            storage(
                "type='network' device='disk'><source protocol='nbd' name='e'><host name='h' port='10809'/></source>",
            ),
        ),
        (
            storage("type='file' device='cdrom'><source file='/web'/>").replace("virtio", "sata"),
            disk("/web"),
        ),
    ] {
        let strangers = Host::default()
            .stranger(&guest("hand", "", &theirs))
            .stranger(&guest("made", "", &theirs))
            .running("domain/hand")
            .running("domain/made");
        let plan = strangers.plan(&with_other(web(&ours)), &Options::default());
        says(&plan, "domain/web", &["domain/hand and domain/made have"]);
        assert_eq!(plan.blocked.keys().collect::<Vec<_>>(), [&id("domain/web")]);
        assert_eq!(steps(&plan), ["define other", "create other"], "the rest goes on");
    }
    // the base of a stranger's overlay is in use as well
    let mut host =
        Host::default().stranger(&guest("hand", "", &disk("/web"))).running("domain/hand");
    host.overlay("domain/hand", "/web.s1");
    assert!(host.plan(&web(&disk("/web")), &Options::default()).is_empty());
    // a guest that is off gives a warning only
    let host = Host::default().stranger(&guest("hand", "", &disk("/web")));
    let plan = host.plan(&web(&disk("/web")), &Options::default());
    says(&plan, "domain/web", &["domain/hand"]);
    assert!(!plan.is_empty() && !plan.diagnostics.has_errors());
    // a guest of ours that is down is not started on it, and one that is plugged a disk does not get it
    let mut host = Host::applied(&web(&disk("/web"))).stranger(&guest("hand", "", &disk("/web")));
    host.stop("domain/web");
    let host = host.running("domain/hand");
    assert!(host.plan(&web(&disk("/web")), &Options::default()).is_empty());
    let host = Host::applied(&web("")).stranger(&guest("hand", "", &disk("/web")));
    let host = host.running("domain/hand");
    says(
        &host.plan(&web(&disk("/web")), &Options::default()),
        "domain/web",
        &["domain/hand has /web"],
    );
}

fn a_disk_that_may_be_shared() {
    let share = |mark: &str| disk("/web").replace("</disk>", &format!("<{mark}/></disk>"));
    for (mark, other, free) in [
        ("shareable", "shareable", true),
        ("readonly", "readonly", true),
        ("shareable", "transient", false),
        ("readonly", "transient", false),
    ] {
        let host =
            Host::default().stranger(&guest("hand", "", &share(other))).running("domain/hand");
        let plan = host.plan(&web(&share(mark)), &Options::default());
        assert_eq!(!plan.is_empty(), free, "{mark} {other}: {:?}", steps(&plan));
    }
}

fn addresses_of_strangers() {
    let mac = "52:54:00:aa:bb:cc";
    let lan = network("lan", "", 1);
    let ours = vec![lan.clone(), guest("web", "", &nic("lan", mac))];
    let theirs = guest("hand", "", &nic("lan", &mac.to_uppercase()));
    let running = Host::default().stranger(&theirs).running("domain/hand");
    let plan = running.plan(&ours, &Options::default());
    says(&plan, "domain/web", &["domain/hand has the MAC address 52:54:00:aa:bb:cc"]);
    assert_eq!(steps(&plan), ["define lan", "create lan"]);
    let stopped = Host::default().stranger(&theirs).plan(&ours, &Options::default());
    says(&stopped, "domain/web", &["domain/hand"]);
    assert!(steps(&stopped).contains(&"create web".to_owned()));
    // the address of a bridge
    let bridge = network("hand", "vbr7", 7).replace("<ip", &format!("<mac address='{mac}'/><ip"));
    let plan =
        Host::default().stranger(&bridge).running("network/hand").plan(&ours, &Options::default());
    says(&plan, "domain/web", &["network/hand"]);
}

fn bridges_and_subnets_of_strangers() {
    let bridge = Host::default().stranger(&network("hand", "vbr1", 7));
    let plan = bridge.plan(&[network("lan", "vbr1", 1)], &Options::default());
    says(&plan, "network/lan", &["network/hand has the bridge vbr1"]);
    assert!(plan.is_empty());
    let wide = network("hand", "vbr7", 1).replace("'24'", "'16'");
    let subnet = Host::default().stranger(&wide);
    let off = subnet.plan(&[network("lan", "", 1)], &Options::default());
    says(&off, "network/lan", &["network/hand", "10.80.1.0/24"]);
    assert_eq!(steps(&off), ["define lan", "create lan"], "it is off: only warned of");
    let on = subnet.running("network/hand").plan(&[network("lan", "", 1)], &Options::default());
    says(&on, "network/lan", &["network/hand has the subnet"]);
    assert!(on.is_empty());
    // a bridge of the host may be used by many
    let on_host = |name: &str| {
        format!(
            "<network><name>{name}</name><forward mode='bridge'/><bridge name='br0'/></network>"
        )
    };
    let plan =
        Host::default().stranger(&on_host("hand")).plan(&[on_host("lan")], &Options::default());
    assert!(!plan.is_empty() && plan.diagnostics.is_empty(), "{:?}", steps(&plan));
    // but no other network can make one of that name
    let plan = Host::default()
        .stranger(&on_host("hand"))
        .plan(&[network("lan", "br0", 1)], &Options::default());
    says(&plan, "network/lan", &["network/hand has the bridge br0"]);
}

fn what_needs_a_blocked_network_waits_too() {
    let manifests =
        vec![network("lan", "vbr1", 1), guest("web", "", &nic("lan", "52:54:00:00:00:01"))];
    let host = Host::default().stranger(&network("hand", "vbr1", 7));
    let plan = host.plan(&manifests, &Options::default());
    assert!(plan.is_empty());
    assert_eq!(plan.blocked.len(), 2, "{:?}", plan.blocked);
    // it is there, and cannot be started: nor can its guest
    let mut host = Host::applied(&manifests).stranger(&network("hand", "vbr7", 1));
    host.stop("domain/web");
    host.stop("network/lan");
    let plan = host.running("network/hand").plan(&manifests, &Options::default());
    assert!(plan.is_empty(), "{:?}", steps(&plan));
}

fn what_is_handed_on_goes_in_order() {
    // a disk goes from a guest that is dropped to another one
    let before = with_other(vec![guest("old", "", &disk("/web"))]);
    let after = with_other(vec![guest("anew", "", &disk("/web"))]);
    let plan = Host::applied(&before).plan(&after, &pruning());
    let order = steps(&plan);
    let at = |what: &str| order.iter().position(|step| step == what).unwrap();
    assert!(at("undefine old") < at("create anew"), "{order:?}");
    assert!(plan.blocked.is_empty() && plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    // without --prune it stays where it is
    let plan = Host::applied(&before).plan(&after, &Options::default());
    says(&plan, "domain/anew", &["domain/old has /web"]);
}

fn a_network_is_named_anew() {
    let before = vec![network("a", "vbr1", 1), guest("other", "", "")];
    let after = vec![network("b", "vbr1", 1), guest("other", "", "")];
    let plan = Host::applied(&before).plan(&after, &pruning());
    let order = steps(&plan);
    let at = |what: &str| order.iter().position(|step| step == what).unwrap();
    assert!(at("undefine a") < at("define b"), "{order:?}");
    let plan = Host::applied(&before).plan(&after, &Options::default());
    says(&plan, "network/b", &["network/a has the bridge vbr1"]);
}

fn what_was_renamed_by_hand_stays_aside() {
    let manifests = with_other(web(&disk("/web")));
    let mut host = Host::applied(&manifests);
    host.stop("domain/web");
    let mut web = host.0.resources.remove(&id("domain/web")).unwrap();
    web.id = id("domain/web-broken");
    web.persistent.as_mut().unwrap().to_mut().child_mut("name").unwrap().set_text("web-broken");
    let aside = web.clone();
    host.0.resources.insert(web.id.clone(), web);
    for options in [Options::default(), pruning()] {
        let plan = host.plan(&manifests, &options);
        says(&plan, "domain/web", &["domain/web-broken"]);
        assert!(plan.is_empty() && plan.orphans.is_empty(), "{:?}", steps(&plan));
    }
    // nor is it pruned once there is another web
    let own = guest("web", "<uuid>11111111-2222-4333-8444-555555555555</uuid>", &disk("/new"));
    let anew = with_other(vec![own]);
    let mut host = Host::applied(&anew);
    host.0.resources.insert(aside.id.clone(), aside);
    let plan = host.plan(&anew, &pruning());
    assert!(plan.is_empty(), "{:?}", steps(&plan));
}

fn a_network_goes_once_its_last_guest_moved() {
    let mac = "52:54:00:00:00:01";
    let before = vec![network("a", "", 1), network("b", "", 2), guest("g", "", &nic("a", mac))];
    let after = vec![before[1].clone(), guest("g", "", &nic("b", mac))];
    let host = Host::applied(&before);
    let plan = host.plan(&after, &pruning());
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let moves = plan.steps.iter().position(|step| {
        matches!(
            &step.action,
            StepAction::Call(Op::Domain(DomainOp::Update { affect: Affect::Live, .. }))
        )
    });
    let goes = plan.steps.iter().position(|step| step.target.id == id("network/a"));
    assert!(moves.is_some() && moves < goes, "{:?}", steps(&plan));
    // a guest that stays on it, and one that is left alone, keep it
    let two = [&before[..], &[guest("h", "", &nic("a", "52:54:00:00:00:02"))]].concat();
    let host = Host::applied(&two);
    let left = [&after[..], &two[3..]].concat();
    let plan = host.plan(&left, &pruning());
    assert!(!plan.refusals.is_empty() || !plan.blocked.is_empty(), "{:?}", steps(&plan));
}

fn only_one_while_others_are_silent() {
    let manifests = with_other(web(&disk("/web")));
    let only = |name: &str| Options { only: BTreeSet::from([id(name)]), ..Options::default() };
    let mut host = Host::default();
    let unknown = Unknown {
        uuid: Uuid::default(),
        state: State::Running,
        why: "no answer in 5 s".to_owned(),
    };
    host.0.unknown.insert(id("domain/hung"), unknown.clone());
    // a guest that takes nothing of anybody's
    let plan = host.plan(&manifests, &only("domain/other"));
    assert_eq!(steps(&plan), ["define other", "create other"]);
    let plan = host.plan(&manifests, &only("domain/web"));
    says(&plan, "domain/web", &["domain/hung does not answer", "/web"]);
    assert!(plan.is_empty());
    // things that it has already are nobody else's
    let mut host = Host::applied(&manifests);
    host.0.unknown.insert(id("domain/hung"), unknown.clone());
    let edited: Vec<String> = manifests.iter().map(|m| m.replace("65536", "98304")).collect();
    assert_eq!(steps(&host.plan(&edited, &only("domain/web"))), ["define web"]);
    // and one that does not answer itself is not made anew
    let mut host = Host::default();
    host.0.unknown.insert(id("domain/other"), unknown);
    let plan = host.plan(&manifests, &only("domain/other"));
    says(&plan, "domain/other", &["does not answer"]);
    assert!(plan.is_empty());
}

fn nothing_is_pruned_while_one_is_silent() {
    let manifests = with_other(web(&disk("/web")));
    let prune = Options { prune: true, ..Options::default() };
    let mut host = Host::applied(&manifests);
    let left = &manifests[..manifests.len() - 1];
    assert_eq!(host.plan(left, &prune).orphans, [] as [ResourceId; 0]);
    let unknown =
        Unknown { uuid: Uuid::default(), state: State::Running, why: "no answer".to_owned() };
    host.0.unknown.insert(id("domain/hung"), unknown);
    let plan = host.plan(left, &prune);
    assert!(plan.is_empty() && plan.refusals.is_empty(), "{:?}", steps(&plan));
    assert_eq!(plan.orphans, [id("domain/other")]);
    let said: Vec<&str> = plan.diagnostics.iter().filter_map(|d| d.detail.as_deref()).collect();
    assert!(
        said.concat().contains("domain/hung does not answer, so nothing is pruned"),
        "{said:?}"
    );
    // and what it may be for does not keep the others from being edited
    assert!(!plan.has_outage());
}

fn a_network_with_unknown_guests_stays_up() {
    let off =
        "<metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='stopped'/></metadata>";
    let before = vec![network("lan", "", 1)];
    let mut host = Host::applied(&before);
    let unknown =
        Unknown { uuid: Uuid::default(), state: State::Running, why: "no answer".to_owned() };
    host.0.unknown.insert(id("domain/hung"), unknown);
    let after = vec![before[0].replace("<ip", &format!("{off}<ip"))];
    let plan = host.plan(&after, &Options::default());
    says(&plan, "network/lan", &["domain/hung does not answer"]);
    assert!(plan.is_empty(), "{:?}", steps(&plan));
}

fn what_an_object_has_already_is_its_own() {
    // a stranger that took up our address later does not keep ours from being edited
    let mac = "52:54:00:aa:bb:cc";
    let ours = |memory: &str| {
        vec![network("lan", "", 1), guest("web", "", &nic("lan", mac)).replace("65536", memory)]
    };
    let host = Host::applied(&ours("65536"));
    let host = host.stranger(&guest("hand", "", &nic("lan", mac))).running("domain/hand");
    let plan = host.plan(&ours("98304"), &Options::default());
    assert_eq!(steps(&plan), ["define web"], "{:?}", plan.blocked);
    assert!(plan.changes.iter().all(|c| c.action != Action::Delete));
}
