//! Changes that only a restart makes, on guests that have booted: requested gracefully, never by a kill; and
//! networks that go down and up under running guests.

use super::host::{Host, Pool};
use crate::support::{Guest, Needs, Point, Strike, run, trial_if};
use libtest_mimic::Trial;
use std::fs;
use std::process::Command;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    let booted = |name: &str, body: fn(&Host)| {
        let needs: Needs = Host::needs().and_then(|()| Guest::available());
        trial_if(needs, name, move |()| body(&Host::start()))
    };
    vec![
        booted("real/restart/waits_until_it_is_allowed_and_is_graceful", waits_and_is_graceful),
        booted("real/restart/lands_when_the_guest_reboots", lands_when_the_guest_reboots),
        booted("real/restart/a_deaf_guest_is_not_killed", a_deaf_guest_is_not_killed),
        pool.trial("real/restart/of_a_network_gives_cards_back", gives_cards_back),
        pool.trial("real/restart/of_a_network_that_is_cut_short", that_is_cut_short),
        pool.trial("real/restart/a_renamed_domain", a_renamed_domain),
    ]
}

const DOMAIN: &str = "<domain type='qemu'><name>g</name>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='running'>
    <stop timeout='STOP'/></virt:reconcile></metadata>
  <title>one</title>
  <memory unit='MiB'>160</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type>BOOT</os>
  <features><acpi/></features>
  <devices>SERIAL</devices></domain>";

fn boot(host: &Host, options: &str, stop: &str) -> (Guest, String) {
    let guest = Guest::new(host.path("").as_path());
    let manifest = DOMAIN
        .replace("BOOT", &guest.boot(options))
        .replace("SERIAL", &guest.serial())
        .replace("STOP", stop);
    host.write("g.xml", &manifest);
    guest.forget();
    host.apply(&[], 0);
    guest.is_up();
    (guest, manifest)
}

/// An edit of the memory waits, however often it is applied, and an edit of the title beside it does
/// not; allowed, the guest is asked, shuts down by itself and comes back with the new memory.
fn waits_and_is_graceful(host: &Host) {
    let (guest, manifest) = boot(host, "", "60s");
    let id = || host.virsh(&["domid", "g"]);
    let before = id();
    let edited = manifest.replace(">160<", ">200<").replace(">one<", ">two<");
    host.write("g.xml", &edited);
    host.run(&["apply", ".", "--detailed-exitcode"], 3);
    assert_eq!(host.virsh(&["desc", "--title", "g", "--live"]).trim(), "two");
    host.proxy.take_changes();
    for _ in 0..2 {
        let plan = host.run(&["plan", ".", "--detailed-exitcode"], 3).stdout();
        assert!(
            plan.contains("160 MiB → 200 MiB") || plan.contains("163840 KiB → 200 MiB"),
            "{plan}"
        );
        assert!(plan.contains("fixed while it runs"), "{plan}");
        assert_eq!(host.apply(&[], 0), [], "what waits is not done again");
        assert_eq!(id(), before);
    }
    guest.forget();
    host.apply(&["--allow", "restart", "--detailed-exitcode"], 0);
    assert_ne!(id(), before);
    assert!(host.virsh(&["dumpxml", "g"]).contains("<memory unit='KiB'>204800</memory>"));
    guest.is_up();
    host.is_in_sync();
}

/// Checks that waiting changes are applied when the guest reboots by itself, and its keeper starts it anew.
fn lands_when_the_guest_reboots(host: &Host) {
    let (guest, manifest) = boot(host, "", "60s");
    let manifest = manifest.replace("power='running'", "power='running' apply_on_reboot='yes'");
    host.write("g.xml", &manifest);
    host.apply(&[], 0);
    host.write("g.xml", &manifest.replace(">160<", ">200<"));
    host.run(&["apply", ".", "--detailed-exitcode"], 3);
    host.proxy.take_changes();
    assert_eq!(host.apply(&[], 0), [], "said once");
    assert!(host.virsh(&["dumpxml", "g"]).contains("<on_reboot>destroy</on_reboot>"));
    assert!(host.inactive("g").contains("<on_reboot>restart</on_reboot>"));
    guest.forget();
    let mut watch = host.virt(&["watch", "."]).spawn().unwrap();
    // QEMU may be gone before it answers
    let uri = host.qemu();
    run(Command::new("virsh").args(["--connect", &uri, "reset", "g"]));
    guest.is_up();
    watch.kill().unwrap();
    watch.wait().unwrap();
    let live = host.virsh(&["dumpxml", "g"]);
    assert!(live.contains("<memory unit='KiB'>204800</memory>"), "{live}");
    assert!(live.contains("<on_reboot>restart</on_reboot>"), "{live}");
    host.proxy.take_changes();
    host.is_in_sync();
    // taken back before the guest reboots, nothing is left of it
    host.write("g.xml", &manifest.replace(">160<", ">220<"));
    host.run(&["apply", "."], 0);
    host.write("g.xml", &manifest.replace(">160<", ">200<"));
    host.run(&["apply", "."], 0);
    assert!(host.virsh(&["dumpxml", "g"]).contains("<on_reboot>restart</on_reboot>"));
    host.proxy.take_changes();
    host.is_in_sync();
}

/// A guest that does not hear its power button fails the step when its time is over, and goes on.
fn a_deaf_guest_is_not_killed(host: &Host) {
    let (_guest, manifest) = boot(host, "deaf", "2s");
    let before = host.virsh(&["domid", "g"]);
    host.write("g.xml", &manifest.replace(">160<", ">200<"));
    let ran = host.run(&["apply", ".", "--allow", "restart"], 1);
    assert!(ran.stderr().contains("did not shut down within 2 s"), "{}", ran.stderr());
    assert_eq!(host.virsh(&["domid", "g"]), before);
    assert_eq!(host.virsh(&["domstate", "g"]).trim(), "running");
    // the definition is right all the same, and the next boot has it
    assert!(host.inactive("g").contains("<memory unit='KiB'>204800</memory>"));
    host.run(&["plan", ".", "--detailed-exitcode"], 3);
}

const NETWORK: &str = "<network><name>one</name><bridge name='virt-one' stp='on' delay='0'/>
  <ip address='10.151.0.1' prefix='24'/><portgroup name='slow'/></network>";

/// Guest that halts at once, with an interface that names the network and one that names its bridge.
const ON_IT: &str = "<domain type='qemu'><name>NAME</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type><loader readonly='yes' type='rom'>DIR/halt.fd</loader></os>
  <devices>
    <interface type='network'><source network='one' portgroup='slow'/><model type='virtio'/></interface>
    <interface type='bridge'><source bridge='virt-one'/><model type='virtio'/></interface>
  </devices></domain>";

/// Creates two guests on the network, one of them a stranger's.
fn on_a_network(host: &Host) {
    fs::write(host.path("halt.fd"), vec![0xf4; 256 << 10]).unwrap();
    let domain = ON_IT.replace("DIR", host.directory());
    host.write("one.xml", NETWORK);
    host.write("ours.xml", &domain.replace("NAME", "ours"));
    host.apply(&[], 0);
    fs::write(host.path("stranger.txt"), domain.replace("NAME", "stranger")).unwrap();
    let stranger = host.path("stranger.txt");
    host.virsh(&["create", stranger.to_str().unwrap()]);
}

/// The bridge of each tap.
fn bridges(host: &Host) -> Vec<String> {
    let links = host.inside(Command::new("ip").args(["-o", "link", "show", "type", "tun"]));
    let mut bridges: Vec<String> = links
        .expect(0)
        .stdout()
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| *word != "master");
            words.nth(1).unwrap_or("none").to_owned()
        })
        .collect();
    bridges.sort();
    bridges
}

fn restarted(host: &Host) {
    let xml = host.virsh(&["net-dumpxml", "one"]);
    assert!(xml.contains("stp='off'"), "{xml}");
    assert_eq!(bridges(host), ["virt-one"; 4]);
    has_its_portgroup(host);
    assert_eq!(host.names(&["net-list", "--all", "--name"]), ["one"]);
}

fn has_its_portgroup(host: &Host) {
    for guest in ["ours", "stranger"] {
        let xml = host.virsh(&["dumpxml", guest]);
        assert!(xml.contains("<source network='one' portgroup='slow'"), "{xml}");
    }
}

fn gives_cards_back(host: &Host) {
    on_a_network(host);
    let ids = [host.virsh(&["domid", "ours"]), host.virsh(&["domid", "stranger"])];
    assert_eq!(bridges(host), ["virt-one"; 4]);
    host.write("one.xml", &NETWORK.replace("stp='on'", "stp='off'"));
    let ran = host.run(&["apply", ".", "--detailed-exitcode"], 3).stdout();
    assert!(ran.contains("not restarted under running guests: ours, stranger"), "{ran}");
    let ran = host.run(&["plan", ".", "--allow", "network-restart"], 0).stdout();
    assert!(ran.contains("cut off until it is back: ours, stranger"), "{ran}");
    host.apply(&["--allow", "network-restart", "--detailed-exitcode"], 0);
    restarted(host);
    assert_eq!([host.virsh(&["domid", "ours"]), host.virsh(&["domid", "stranger"])], ids);
    host.is_in_sync();
}

/// Checks that after an interrupted restart the next run takes all interfaces home.
fn that_is_cut_short(host: &Host) {
    on_a_network(host);
    host.write("one.xml", &NETWORK.replace("stp='on'", "stp='off'"));
    host.proxy.take_changes();
    for (turn, passing) in [1, 3, 6, 7, 8, 9, 11].into_iter().enumerate() {
        host.proxy.arm(passing, Point::After, Strike::Kill);
        let killed = host.virt(&["apply", ".", "--allow", "network-restart"]).output().unwrap();
        assert!(!killed.status.success());
        assert!(!host.proxy.disarm(), "nothing was cut at {passing}");
        host.apply(&["--allow", "network-restart"], 0);
        let stp = if turn % 2 == 0 { "off" } else { "on" };
        assert!(host.virsh(&["net-dumpxml", "one"]).contains(&format!("stp='{stp}'")));
        assert_eq!(bridges(host), ["virt-one"; 4], "cut at {passing}");
        has_its_portgroup(host);
        assert_eq!(host.names(&["net-list", "--all", "--name"]), ["one"], "cut at {passing}");
        host.is_in_sync();
        let next = if turn % 2 == 0 { "stp='on'" } else { "stp='off'" };
        host.write("one.xml", &NETWORK.replace("stp='on'", next));
    }
}

/// A new name in the manifest is a new name on the host, once the domain is shut off.
fn a_renamed_domain(host: &Host) {
    let uuid = "0c5e5a0f-2a8c-4a0e-9a44-6f0d9f4a2a11";
    let manifest = format!(
        "<domain type='qemu'><name>before</name><uuid>{uuid}</uuid><memory unit='MiB'>32</memory>
         <os><type arch='x86_64'>hvm</type></os></domain>"
    );
    host.write("one.xml", &manifest);
    host.apply(&[], 0);
    host.write("one.xml", &manifest.replace("before", "after"));
    let ran = host.run(&["apply", "."], 1);
    assert!(ran.stderr().contains("shut it down first"), "{}", ran.stderr());
    assert_eq!(host.names(&["list", "--name"]), ["before"]);
    host.virsh(&["destroy", "before"]);
    host.apply(&[], 0);
    assert_eq!(host.names(&["list", "--all", "--name"]), ["after"]);
    assert_eq!(host.virsh(&["domuuid", "after"]).trim(), uuid);
    host.is_in_sync();
}
