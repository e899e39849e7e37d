//! Many kills of the program and of libvirtd while running guests are changed. After each the next
//! apply converges, the one after calls nothing, and every guest is the process that it was.
//!
//! By default a few of each; `VIRT_KILLS=50` and `VIRT_TRIALS=all` take that many.

use super::host::{Host, Pool};
use crate::support::{Libvirtd, Point, Strike, Watching, count, run, trial_if, virt};
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/kills/of_the_program", |host| strikes(host, Strike::Kill)),
        pool.trial("real/kills/of_the_program_at_any_time", at_any_time),
        pool.trial("real/kills/of_the_program_by_sigterm", |host| {
            strikes(host, Strike::Terminate);
        }),
        pool.trial("real/kills/of_libvirtd", |host| strikes(host, Strike::KillDaemon)),
        trial_if(Host::needs(), "real/kills/libvirtd_without_room", |()| without_room()),
    ]
}

/// Number of kills of each sort: by default, and in a full run.
const KILLS: [usize; 2] = [12, 50];

fn kills() -> usize {
    count("VIRT_KILLS", KILLS[0], KILLS[1])
}

/// Options that allow an apply to prune in every second version.
const OPTIONS: [&str; 3] = ["--prune", "--max-prune", "1"];

/// The manifests in one of two versions. Between them every guest is changed while it runs: texts, a
/// disk that comes and goes, a card that is switched off and on; an entry of a network changes, another
/// network stops and starts, a stopped domain is edited, and one comes and goes.
fn write(host: &Host, second: bool) {
    let pick = |one: &'static str, two: &'static str| if second { two } else { one };
    let directory = host.directory();
    for guest in ["a", "b"] {
        let disk = format!(
            "<disk type='file'><driver name='qemu' type='raw'/><source file='{directory}/{guest}.img'/>\
             <target dev='sda' bus='usb'/></disk>"
        );
        let disk = if second == (guest == "a") { disk } else { String::new() };
        host.write(
            &format!("{guest}.xml"),
            &format!(
                "<domain type='qemu'><name>{guest}</name><title>{title}</title>{description}
                   <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' autostart='{autostart}'/></metadata>
                   <memory unit='MiB'>32</memory><vcpu>1</vcpu>
                   <os><type arch='x86_64' machine='pc'>hvm</type>
                     <loader readonly='yes' type='pflash'>{directory}/halt.fd</loader>
                     <nvram template='{directory}/vars.fd'/></os><features><acpi/></features>
                   <devices>{disk}<controller type='usb' model='qemu-xhci'/>
                     <interface type='network'><mac address='52:54:00:00:99:0{guest}'/>
                       <source network='net'/><model type='virtio'/><link state='{link}'/></interface>
                   </devices></domain>",
                title = pick("one", "two"),
                description = pick("<description>gone in the other</description>", ""),
                autostart = pick("yes", "no"),
                link = pick("up", "down"),
            ),
        );
    }
    host.write(
        "net.xml",
        &format!(
            "<network><name>net</name><bridge name='virt-kills' stp='on' delay='0'/>
               <ip address='10.154.0.1' prefix='24'><dhcp>
                 <host mac='52:54:00:00:99:0a' ip='10.154.0.1{}'/></dhcp></ip></network>",
            pick("0", "1")
        ),
    );
    host.write(
        "spare.xml",
        &format!(
            "<network><name>spare</name>
               <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='{}'>
                 <allow>network-restart</allow></virt:reconcile></metadata>
               <bridge name='virt-spare' stp='on' delay='0'/></network>",
            pick("running", "stopped")
        ),
    );
    let stopped = |name: &str, memory: &str| {
        format!(
            "[[domain]]\ntype = 'qemu'\nname = '{name}'\nmemory = {memory}\n\
             os.type = {{ arch = 'x86_64', value = 'hvm' }}\nreconcile = {{ power = 'stopped' }}\n"
        )
    };
    let comes_and_goes = if second { stopped("guest", "65536") } else { String::new() };
    let stopped = stopped("off", pick("65536", "131072"));
    host.write("stopped.toml", &(stopped + &comes_and_goes));
}

/// A host with the first version, and its guests.
fn start(host: &Host) -> BTreeSet<u32> {
    host.write("virt.toml", "set = 'kills'\n");
    // firmware that halts at its first instruction, so that a guest costs nothing
    fs::write(host.path("halt.fd"), vec![0xf4; 256 << 10]).unwrap();
    fs::write(host.path("vars.fd"), vec![0; 128 << 10]).unwrap();
    for image in ["a.img", "b.img"] {
        fs::write(host.path(image), vec![0; 1 << 20]).unwrap();
    }
    write(host, false);
    host.apply(&OPTIONS, 0);
    host.is_in_sync();
    let guests = host.guests();
    assert_eq!(guests.len(), 2);
    guests
}

/// Expected objects by name, with the UUIDs seen so far.
struct Objects(BTreeMap<String, String>);

impl Objects {
    /// Holds the host to its objects: none is missing, none is there twice or was made anew.
    #[track_caller]
    fn are_there(&mut self, host: &Host, second: bool, after: &str) {
        let mut found = Vec::new();
        for name in host.names(&["list", "--all", "--name"]) {
            let uuid = host.virsh(&["domuuid", &name]);
            found.push((name, uuid));
        }
        for name in host.names(&["net-list", "--all", "--name"]) {
            let uuid = host.virsh(&["net-uuid", &name]);
            found.push((name, uuid));
        }
        let mut names = BTreeSet::new();
        for (name, uuid) in found {
            assert!(names.insert(name.clone()), "{after}: {name} is there twice");
            let known = self.0.entry(name.clone()).or_insert_with(|| uuid.clone());
            assert_eq!(*known, uuid, "{after}: {name} was made anew");
        }
        let guest = second.then_some("guest");
        let wanted = ["a", "b", "net", "off", "spare"].into_iter().chain(guest);
        let wanted: BTreeSet<String> = wanted.map(str::to_owned).collect();
        assert_eq!(names, wanted, "{after}");
    }
}

/// The next apply converges, and all is as it should be.
#[track_caller]
fn recovers(host: &Host, guests: &BTreeSet<u32>, objects: &mut Objects, second: bool, after: &str) {
    host.apply(&OPTIONS, 0);
    host.is_in_sync();
    assert_eq!(host.guests(), *guests, "{after}: a guest is another process");
    objects.are_there(host, second, after);
}

/// Strikes at each call in turn that changes the host, before it arrives and after it was answered.
#[expect(clippy::print_stdout, reason = "how many it was is worth seeing")]
fn strikes(host: &Host, strike: Strike) {
    let guests = start(host);
    let mut objects = Objects(BTreeMap::new());
    let (mut struck, mut second, mut passing) = (0, false, 0);
    // spread over the apply if there are to be fewer than it has calls
    let stride = if kills() < 40 { 3 } else { 1 };
    while struck < kills() {
        second = !second;
        write(host, second);
        let point = if (struck + passing) % 2 == 0 { Point::Before } else { Point::After };
        let parallel = if struck % 4 < 2 { "1" } else { "16" };
        let words = format!("{strike:?} {struck} {point:?} call {passing}, {parallel} at once");
        host.proxy.arm(passing, point, strike);
        let apply = [&["apply", ".", "--parallel", parallel], OPTIONS.as_slice()].concat();
        let ran = run(&mut host.virt(&apply));
        if host.proxy.disarm() {
            // it has no more calls
            ran.expect(0);
            assert!(passing > 5, "{words}: an apply of hardly any call");
            passing = (passing + 1) % stride;
            continue;
        }
        match strike {
            Strike::Kill => assert_eq!(ran.code(), -1, "{words}: not killed\n{ran}"),
            Strike::KillDaemon => {
                assert!(matches!(ran.code(), 0 | 1 | 4), "{words}\n{ran}");
                host.wait_until_it_answers();
            }
            Strike::Terminate | Strike::Cut | Strike::Refuse(_) => {}
        }
        host.proxy.take_changes();
        if strike == Strike::KillDaemon {
            remove_half_a_network(host);
        }
        recovers(host, &guests, &mut objects, second, &words);
        struck += 1;
        passing += stride;
    }
    println!("{strike:?}: {struck} times");
}

/// A libvirtd that is killed while it starts a network leaves the bridge behind and then refuses to
/// start the network again, until somebody takes it away.
fn remove_half_a_network(host: &Host) {
    let active = host.names(&["net-list", "--name"]);
    let spare = ["link", "show", "virt-spare"];
    let is_there = host.inside(Command::new("ip").args(spare)).code() == 0;
    if is_there && !active.contains(&"spare".to_owned()) {
        host.inside(Command::new("ip").args(["link", "delete", "virt-spare"])).expect(0);
    }
}

/// SIGKILL after any time, on a machine that nobody watches through a proxy.
fn at_any_time(host: &Host) {
    let guests = start(host);
    let mut objects = Objects(BTreeMap::new());
    let mut second = false;
    for number in 0..kills() {
        second = !second;
        write(host, second);
        let mut apply = host.virt(&[&["apply", "."], OPTIONS.as_slice()].concat());
        apply.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut program = apply.spawn().unwrap();
        // an apply takes some 200 ms: from its very begin to about its end
        let time = Duration::from_millis(u64::try_from(number * 7 % 29 * 10).unwrap());
        std::thread::sleep(time);
        program.kill().unwrap();
        program.wait().unwrap();
        host.proxy.take_changes();
        recovers(host, &guests, &mut objects, second, &format!("killed after {time:?}"));
    }
}

/// A libvirtd whose definitions have a small disk of their own, as full as is asked for.
struct Full {
    libvirtd: Libvirtd,
}

impl Full {
    fn start() -> Self {
        let before = "mount -t tmpfs -o size=128k,mode=755 tmpfs /etc/libvirt/qemu\n\
                      mkdir -p /etc/libvirt/qemu/networks/autostart\n";
        Self { libvirtd: Libvirtd::start_with("", before, |_| {}) }
    }

    /// Leaves this number of KiB free; `None` for all that there are.
    fn leave(&self, free: Option<usize>) {
        let script = "cd /etc/libvirt/qemu; rm -f fill; [ $# = 1 ] || exit 0\n\
                      all=$(df -k --output=avail . 2>/dev/null | tail -n 1)\n\
                      head -c $(((all - $1) << 10)) /dev/zero >fill";
        let mut fill = Command::new("nsenter");
        fill.arg(format!("--mount=/proc/{}/ns/mnt", self.libvirtd.first()));
        fill.args(["--", "sh", "-euc", script, "sh"]).args(free.map(|free| free.to_string()));
        run(&mut fill).expect(0);
    }

    fn virsh(&self, arguments: &[&str]) -> String {
        super::host::virsh(&self.libvirtd.qemu_uri(), arguments)
    }
}

/// Definitions that do not fit are refused, those that were there are whole, also for a daemon that
/// reads them anew; with room again the next apply does the rest.
fn without_room() {
    let full = Full::start();
    let directory = tempfile::tempdir().unwrap();
    let write = |description: &str| {
        for name in ["a", "b", "c"] {
            let text = format!(
                "[[domain]]\ntype = 'qemu'\nname = '{name}'\nmemory = 65536\ndescription = '{description}'\n\
                 os.type = {{ arch = 'x86_64', value = 'hvm' }}\nreconcile = {{ power = 'stopped' }}\n"
            );
            fs::write(directory.path().join(format!("{name}.toml")), text).unwrap();
        }
    };
    let apply = || {
        let mut apply = virt(&["apply", "--parallel", "1", "--connect"]);
        run(apply.arg(full.libvirtd.qemu_uri()).arg(directory.path()))
    };
    let descriptions = || {
        let one = |name: &&str| full.virsh(&["desc", name]).trim().to_owned();
        ["a", "b", "c"].iter().map(one).collect::<Vec<_>>()
    };
    fs::write(directory.path().join("virt.toml"), "set = 'full'\n").unwrap();
    let mut failed = 0;
    for free in (0..=32).step_by(4) {
        let (old, new) =
            (format!("{free} short"), format!("{free} {}", "long ".repeat(2400).trim()));
        write(&old);
        apply().expect(0);
        write(&new);
        full.leave(Some(free));
        let ran = apply();
        failed += usize::from(ran.code() == 1);
        assert!(ran.code() == 0 || ran.stderr().contains("No space left"), "{free} KiB\n{ran}");
        full.libvirtd.kill_daemon();
        full.libvirtd.wait_until_it_answers();
        let whole = |there: &String| *there == old || *there == new;
        assert!(descriptions().iter().all(whole), "{free} KiB: {:?}", descriptions());
        full.leave(None);
        apply().expect(0);
        assert_eq!(descriptions(), vec![new; 3], "{free} KiB");
        let state = full.virsh(&["list", "--all", "--name"]);
        assert_eq!(state.split_whitespace().count(), 3, "{state}");
    }
    assert!(failed >= 3, "{failed}: never without room");
    // a watch tries again by itself until there is room
    let uri = full.libvirtd.qemu_uri();
    let place = directory.path().to_str().unwrap();
    let mut watching = Watching::start(&["--connect", &uri, place, "--interval", "1h"]);
    full.leave(Some(0));
    let new = format!("watched {}", "long ".repeat(2400).trim());
    write(&new);
    let told = watching.event("reconciled", |told| told["outcome"] == "failed");
    assert!(told.to_string().contains("No space left"), "{told:#}");
    full.leave(None);
    let deadline = Instant::now() + Duration::from_secs(120);
    while descriptions() != vec![new.clone(); 3] {
        assert!(Instant::now() < deadline, "{:?}", descriptions());
        std::thread::sleep(Duration::from_millis(100));
    }
    watching.end();
}
