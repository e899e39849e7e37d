//! Checks that a plan keeps its word: removed parts are looked for afterwards, and another order takes
//! effect, or is reported as waiting.

use super::host::{Host, Pool};
use crate::support::run;
use libtest_mimic::Trial;
use std::fs;
use std::process::Command;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/word/a_removal_that_stays_is_told", stays),
        pool.trial("real/word/of_a_saved_plan", saved),
        pool.trial("real/word/another_order_of_a_network_that_runs", order_of_network),
        pool.trial("real/word/another_order_of_a_guest_that_runs", order_of_guest),
    ]
}

const WATCHDOG: &str = "<watchdog model='i6300esb' action='reset'/>";

fn domain(power: &str, parts: &str, devices: &str) -> String {
    format!(
        "<domain type='qemu'><name>g</name><metadata><virt:reconcile \
         xmlns:virt='urn:virt:reconcile:1' power='{power}'/></metadata>\
         <memory unit='MiB'>32</memory>\
         <os><type arch='x86_64' machine='pc'>hvm</type></os>{parts}\
         <devices>{devices}</devices></domain>"
    )
}

/// Devices of kinds that no host adds by itself.
const DEVICES: &[&str] = &[
    WATCHDOG,
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "<sound model='ich6'/>",
    "<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/><readonly/></disk>",
    "<graphics type='vnc' port='5999' autoport='no'/>",
    "<channel type='unix'><target type='virtio' name='org.example'/></channel>",
    "<vsock><cid auto='no' address='7'/></vsock>",
    "<shmem name='word'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
];

/// Settings that no host makes by itself.
const SETTINGS: &[&str] = &[
    "<memtune><hard_limit unit='KiB'>1048576</hard_limit></memtune>",
    "<blkiotune><weight>500</weight></blkiotune>",
    "<cputune><shares>512</shares></cputune>",
    "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>",
    "<memoryBacking><locked/></memoryBacking>",
    "<title>text</title>",
];

/// The host says that it has taken a part out, and has not.
fn stays(host: &Host) {
    host.write("virt.toml", "set = 'word'\n");
    let mut wrong = Vec::new();
    let devices = DEVICES.iter().map(|device| ("<devices>", "", *device));
    let settings = SETTINGS.iter().map(|part| ("</metadata>", *part, ""));
    for (place, part, device) in devices.chain(settings) {
        let all = if device.is_empty() { part } else { device };
        let (_, name) = all.split_once('<').unwrap();
        let name = name.split([' ', '>']).next().unwrap();
        let mut told = Vec::new();
        for is_saved in [false, true] {
            host.write("g.xml", &domain("manual", part, device));
            host.apply(&[], 0);
            host.is_in_sync();
            host.write("g.xml", &domain("manual", "", ""));
            host.proxy.keep(place, all);
            let ran = run(&mut apply(host, is_saved));
            assert!(host.inactive("g").contains(&format!("<{name}")), "{all}");
            let said = ran.stdout();
            // the host chooses the slot of a device anew each time
            let what = said.split_once(AS_TOLD).map(|(_, what)| without_slots(what));
            if ran.code() != 4 || !what.as_ref().is_some_and(|what| what.contains(name)) {
                wrong.push(format!("{all}: {ran}"));
            }
            told.push(what);
            host.proxy.disarm();
            host.remove_all();
            host.proxy.take_changes();
        }
        assert_eq!(told[0], told[1], "{all}");
        // a host that does so is in its desired state
        for is_saved in [false, true] {
            host.write("g.xml", &domain("manual", part, device));
            host.apply(&[], 0);
            host.write("g.xml", &domain("manual", "", ""));
            run(&mut apply(host, is_saved)).expect(0);
            host.proxy.take_changes();
            host.is_in_sync();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Heading of the remaining drift.
const AS_TOLD: &str = "The host still differs from the manifests:";

/// An apply of the manifests, or of a plan for them that is saved first.
fn apply(host: &Host, is_saved: bool) -> Command {
    if is_saved {
        host.run(&["plan", ".", "--out", "saved.plan"], 0);
    }
    host.virt(&["apply", if is_saved { "saved.plan" } else { "." }])
}

/// Checks the host after a saved plan like after any other: objects that are made, started, stopped, changed
/// while they run, and removed are as planned.
fn saved(host: &Host) {
    host.take_samples();
    let through = |options: &[&str]| {
        host.run(&[&["plan", ".", "--out", "saved.plan"], options].concat(), 0);
        let ran = host.run(&["apply", "saved.plan", "--output", "json"], 0);
        let last = ran.stdout().lines().last().map(str::to_owned).unwrap();
        assert!(last.contains("\"converged\":true") && last.contains("\"residue\":[]"), "{ran}");
        host.proxy.take_changes();
    };
    through(&[]);
    host.is_in_sync();
    let guest = |power, parts, devices| {
        let stop = "><stop timeout='1s' force='yes'/></virt:reconcile></metadata>";
        host.write("g.xml", &domain(power, parts, devices).replace("/></metadata>", stop));
    };
    guest("running", "", "");
    through(&[]);
    guest("running", "<title>text</title>", WATCHDOG);
    through(&[]);
    guest("running", "", "");
    through(&[]);
    guest("paused", "<vcpu>2</vcpu>", "");
    through(&["--allow", "restart"]);
    guest("stopped", "<vcpu>2</vcpu>", "");
    through(&["--allow", "stops"]);
    host.virsh(&["start", "g"]);
    host.virsh(&["undefine", "g"]);
    through(&["--allow", "stops"]);
    host.is_in_sync();
    fs::remove_file(host.path("g.xml")).unwrap();
    through(&["--prune"]);
    host.is_in_sync();
}

/// Whether one text is before the other in a document.
fn is_before(text: &str, one: &str, other: &str) -> bool {
    let at = |what| text.find(what).unwrap_or_else(|| panic!("no {what} in {text}"));
    at(one) < at(other)
}

/// Checks that a changed order restarts a network, since libvirt takes none while it runs.
fn order_of_network(host: &Host) {
    let interfaces = |one, other| {
        format!(
            "<network><name>n</name><forward mode='private'><interface dev='{one}'/>\
             <interface dev='{other}'/></forward></network>"
        )
    };
    host.write("virt.toml", "set = 'word'\n");
    host.write("n.xml", &interfaces("eth1", "eth2"));
    host.apply(&[], 0);
    host.write("n.xml", &interfaces("eth2", "eth1"));
    let plan = host.plan(&[], 0);
    assert!(plan.to_string().contains("network-restart"), "{plan:#}");
    host.apply(&[], 0);
    host.is_in_sync();
    for options in [&["net-dumpxml", "n"][..], &["net-dumpxml", "n", "--inactive"]] {
        assert!(is_before(&host.virsh(options), "interface dev='eth2'", "interface dev='eth1'"));
    }
}

/// Checks that changed filters of a disk, which are fixed while it is plugged in, wait, and that the guest
/// stays as it is.
fn order_of_guest(host: &Host) {
    let limits = "<throttlegroups>\
        <throttlegroup><total_bytes_sec>10485760</total_bytes_sec><group_name>one</group_name></throttlegroup>\
        <throttlegroup><total_bytes_sec>20971520</total_bytes_sec><group_name>two</group_name></throttlegroup>\
        </throttlegroups>";
    let image = host.path("g.img");
    let mut make = Command::new("qemu-img");
    make.args(["create", "-q", "-f", "qcow2"]).arg(&image).arg("1M");
    assert!(make.status().unwrap().success());
    let filters = |one, other| {
        let disk = format!(
            "<disk type='file'><driver name='qemu' type='qcow2'/><source file='{}'/>\
             <target dev='vda' bus='virtio'/><throttlefilters><throttlefilter group='{one}'/>\
             <throttlefilter group='{other}'/></throttlefilters></disk>",
            image.display()
        );
        domain("paused", limits, &disk)
    };
    host.write("virt.toml", "set = 'word'\n");
    host.write("g.xml", &filters("one", "two"));
    host.apply(&[], 0);
    let guests = host.guests();
    host.write("g.xml", &filters("two", "one"));
    host.apply(&["--detailed-exitcode"], 3);
    host.run(&["plan", ".", "--detailed-exitcode"], 3);
    assert_eq!(host.guests(), guests);
    let (one, two) = ("throttlefilter group='one'", "throttlefilter group='two'");
    assert!(is_before(&host.virsh(&["dumpxml", "g"]), one, two));
    assert!(is_before(&host.inactive("g"), two, one));
    host.virsh(&["destroy", "g"]);
    host.apply(&[], 0);
    host.is_in_sync();
    assert!(is_before(&host.virsh(&["dumpxml", "g"]), two, one));
}

fn without_slots(text: &str) -> String {
    let mut parts = text.split("slot='");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('\'').map_or(part, |(_, rest)| rest))
}
