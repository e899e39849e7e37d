//! Conflicts of a plan's steps on a host, reported before the first of them: exit code, words, and unchanged
//! guests and disks.

use super::host::{Host, Pool};
use crate::support::{run, tool, trial_if};
use libtest_mimic::Trial;
use libvirt_rpc::Procedure;
use serde_json::Value;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/met/snapshots_and_checkpoints", snapshots_and_checkpoints),
        pool.trial("real/met/a_saved_image", a_saved_image),
        pool.trial("real/met/an_overlay_in_use", an_overlay_in_use),
        pool.trial("real/met/an_overlay_of_a_stopped_guest", an_overlay_of_a_stopped_guest),
        pool.trial("real/met/what_strangers_have", what_strangers_have),
        pool.trial("real/met/a_stranger_on_the_disk", a_stranger_on_the_disk),
        pool.trial("real/met/renamed_aside_by_hand", renamed_aside_by_hand),
        pool.trial("real/met/a_network_after_its_last_guest", a_network_after_its_last_guest),
        pool.trial("real/met/crashed_and_kept", crashed_and_kept),
        {
            let name = "real/met/paused_by_an_io_error";
            let needs = Host::needs().and_then(|()| tool("qemu-nbd").map(drop));
            match needs {
                Ok(()) => pool.trial(name, paused_by_an_io_error),
                missing => trial_if(missing, name, |()| ()),
            }
        },
    ]
}

/// Time in which a guest has to crash, or to hit a disk's error.
const SOON: Duration = Duration::from_secs(40);

fn guest(name: &str, memory: u32, devices: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name>
           <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1'>
             <stop timeout='1s' force='yes'/></virt:reconcile></metadata>
           <memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>
           <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
           <devices>{devices}</devices></domain>"
    )
}

fn disk(host: &Host, image: &str) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
           <source file='{}'/><target dev='vda' bus='virtio'/></disk>",
        host.path(image).display()
    )
}

fn image(host: &Host, name: &str) {
    let path = host.path(name);
    run(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(path).arg("16M"))
        .expect(0);
}

/// A set with a guest on an image, and one that stays when it goes.
fn web(host: &Host) {
    host.write("virt.toml", "set = \"met\"\n");
    image(host, "web.qcow2");
    host.write("web.xml", &guest("web", 64, &disk(host, "web.qcow2")));
    host.write("other.xml", &guest("other", 32, ""));
    host.apply(&[], 0);
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} in {SOON:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn digest(host: &Host, name: &str) -> Vec<u8> {
    fs::read(host.path(name)).unwrap()
}

#[track_caller]
fn refused(host: &Host, options: &[&str], words: &[&str]) {
    let plan = host.plan(options, 5);
    let refusal = &plan["refusals"][0];
    let said = format!("{} {}", refusal["reason"], refusal["hint"]);
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    assert_eq!(host.apply(options, 5), []);
}

fn snapshots_and_checkpoints(host: &Host) {
    web(host);
    let prune = ["--prune", "--max-prune", "1"];
    for (make, words) in [
        (&["snapshot-create-as", "web", "s1"], &["1 snapshot (s1)", "--allow data-loss"]),
        (&["checkpoint-create-as", "web", "c1"], &["1 checkpoint (c1)", "--allow data-loss"]),
    ] {
        host.virsh(make);
        let before = host.guests();
        let text = fs::read_to_string(host.path("web.xml")).unwrap();
        // an edit is none of its business
        host.write("web.xml", &text.replace("<vcpu>1<", "<vcpu>2<"));
        host.apply(&[], 0);
        fs::remove_file(host.path("web.xml")).unwrap();
        refused(host, &prune, words);
        assert_eq!(host.guests(), before, "a guest was touched");
        let allow = [&prune[..], &["--allow", "data-loss"]].concat();
        let done = host.apply(&allow, 0);
        assert!(done.contains(&Procedure::DOMAIN_UNDEFINE_FLAGS), "{done:?}");
        assert_eq!(host.names(&["list", "--all", "--name"]), ["other"]);
        assert!(host.path("web.qcow2").exists());
        host.write("web.xml", &text);
        host.apply(&[], 0);
    }
}

fn memory(definition: &str) -> &str {
    let at = definition.split("<memory unit='KiB'>").nth(1).unwrap();
    at.split('<').next().unwrap()
}

fn a_saved_image(host: &Host) {
    web(host);
    host.virsh(&["managedsave", "web"]);
    let got = host.run(&["get", "domain/web"], 0).stdout();
    assert!(got.contains("saved image"), "{got}");
    host.write("web.xml", &guest("web", 96, &disk(host, "web.qcow2")));
    let plan = host.run(&["plan", ".", "--detailed-exitcode"], 2).stdout();
    assert!(plan.contains("saved image") && plan.contains("next boot"), "{plan}");
    host.apply(&["--detailed-exitcode"], 3);
    assert_eq!(memory(&host.virsh(&["dumpxml", "web"])), "65536", "it was not resumed");
    assert_eq!(memory(&host.inactive("web")), "98304");
    host.run(&["plan", ".", "--detailed-exitcode"], 3);
    // discarded only if that is asked for
    host.virsh(&["managedsave", "web"]);
    host.write("web.xml", &guest("web", 80, &disk(host, "web.qcow2")));
    let done = host.apply(&["--allow", "data-loss"], 0);
    assert!(done.contains(&Procedure::DOMAIN_MANAGED_SAVE_REMOVE), "{done:?}");
    assert_eq!(memory(&host.virsh(&["dumpxml", "web"])), "81920");
    host.is_in_sync();
    // and an image of the machine as it is defined is resumed
    host.virsh(&["managedsave", "web"]);
    assert_eq!(host.apply(&[], 0), [Procedure::DOMAIN_CREATE_WITH_FLAGS]);
    host.is_in_sync();
}

fn snapshot(host: &Host, domain: &str, options: &[&str]) {
    let file = format!("vda,file={}", host.path("web.s1").display());
    let command = ["snapshot-create-as", domain, "s1", "--disk-only", "--diskspec", &file];
    host.virsh(&[&command[..], options].concat());
}

fn held(plan: &Value) -> (&str, &str) {
    let web = plan["changes"].as_array().unwrap().iter().find(|c| c["name"] == "web").unwrap();
    let field = &web["held"][0];
    (field["path"].as_str().unwrap(), field["reason"].as_str().unwrap())
}

fn an_overlay_in_use(host: &Host) {
    web(host);
    let before = host.guests();
    snapshot(host, "web", &["--no-metadata"]);
    let plan = host.plan(&["--detailed-exitcode"], 3);
    let (path, why) = held(&plan);
    assert_eq!(path, "devices/disk[target/@dev='vda']/source");
    assert!(why.contains("vda runs on an overlay") && why.contains("blockcommit"), "{why}");
    assert_eq!(host.apply(&[], 0), []);
    let got = host.run(&["get", "domain/web"], 0).stdout();
    assert!(got.contains("blocked: vda runs on an overlay"), "{got}");
    let got = host.run(&["get"], 0).stdout();
    assert!(got.contains("pending") && !got.contains("drifted"), "{got}");
    // the rest goes on, and names each image once
    host.write("web.xml", &guest("web", 96, &disk(host, "web.qcow2")));
    host.apply(&[], 0);
    let defined = host.inactive("web");
    assert_eq!((defined.matches("web.s1").count(), memory(&defined)), (1, "98304"), "{defined}");
    assert!(defined.matches("web.qcow2").count() <= 1, "{defined}");
    assert_eq!(host.guests(), before);
    host.virsh(&["blockcommit", "web", "vda", "--active", "--pivot", "--wait"]);
    host.apply(&[], 0);
    let defined = host.inactive("web");
    assert_eq!((defined.matches("web.s1").count(), defined.matches("web.qcow2").count()), (0, 1));
    host.virsh(&["destroy", "web"]);
    host.virsh(&["start", "web"]);
    host.is_in_sync();
}

fn an_overlay_of_a_stopped_guest(host: &Host) {
    web(host);
    host.virsh(&["destroy", "web"]);
    snapshot(host, "web", &[]);
    let (base, overlay) = (digest(host, "web.qcow2"), digest(host, "web.s1"));
    let stopped = guest("web", 64, &disk(host, "web.qcow2"))
        .replace("reconcile:1'>", "reconcile:1' power='stopped'>");
    host.write("web.xml", &stopped);
    host.apply(&[], 0);
    let plan = host.plan(&["--detailed-exitcode"], 3);
    assert!(held(&plan).1.contains("the snapshot s1"), "{}", held(&plan).1);
    assert!(host.inactive("web").contains("web.s1"));
    assert_eq!((digest(host, "web.qcow2"), digest(host, "web.s1")), (base, overlay));
}

/// A plan that leaves an object alone because of another one, and an apply that does nothing for it.
#[track_caller]
fn blocked(host: &Host, object: &str, words: &[&str]) {
    let before = host.guests();
    let plan = host.plan(&[], 1);
    let held = plan["held_back"].as_array().unwrap();
    let reason = held.iter().find(|h| h["target"] == object).map(|h| &h["reason"]);
    let reason = reason.unwrap_or_else(|| panic!("{object} is not blocked: {plan:#}"));
    let reason = reason.as_str().unwrap();
    assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
    assert_eq!(host.apply(&[], 1), []);
    assert_eq!(host.guests(), before);
}

fn what_strangers_have(host: &Host) {
    host.write("virt.toml", "set = \"met\"\n");
    let network = |name: &str, bridge: &str, n: u8| {
        format!(
            "<network><name>{name}</name><bridge name='{bridge}'/>
               <ip address='10.157.{n}.1' prefix='24'/></network>"
        )
    };
    let define = |command: &str, text: &str| {
        host.write("hand.txt", text);
        host.virsh(&[command, host.path("hand.txt").to_str().unwrap()]);
    };
    define("net-define", &network("handmade", "virt-h", 1));
    // a bridge is refused even while its network is off
    host.write("lan.xml", &network("lan", "virt-h", 2));
    blocked(host, "network/lan", &["network/handmade", "the bridge virt-h"]);
    // addresses are only warned of then
    host.write("lan.xml", &network("lan", "virt-l", 1));
    let warned = host.run(&["plan", "."], 0);
    assert!(warned.stderr().contains("network/handmade"), "{warned}");
    host.virsh(&["net-start", "handmade"]);
    blocked(host, "network/lan", &["network/handmade", "10.157.1.0/24"]);
    host.write("lan.xml", &network("lan", "virt-l", 2));
    host.apply(&[], 0);
    let nic = "<interface type='network'><mac address='52:54:00:15:70:01'/>
                  <source network='lan'/></interface>";
    define("define", &guest("hand", 32, nic));
    host.write("web.xml", &guest("web", 32, nic));
    host.virsh(&["start", "hand"]);
    blocked(host, "domain/web", &["domain/hand", "52:54:00:15:70:01"]);
    host.virsh(&["destroy", "hand"]);
    host.virsh(&["undefine", "hand"]);
    host.apply(&[], 0);
    host.is_in_sync();
}

fn a_stranger_on_the_disk(host: &Host) {
    host.write("virt.toml", "set = \"met\"\n");
    image(host, "web.qcow2");
    for name in ["one", "two"] {
        let shared = disk(host, "web.qcow2").replace("</disk>", "<shareable/></disk>");
        let shared = shared.replace("type='qcow2'", "type='raw'");
        host.write("hand.txt", &guest(name, 32, &shared));
        host.virsh(&["define", host.path("hand.txt").to_str().unwrap()]);
        host.virsh(&["start", name]);
    }
    let before = digest(host, "web.qcow2");
    host.write("web.xml", &guest("web", 32, &disk(host, "web.qcow2")));
    blocked(host, "domain/web", &["domain/one and domain/two", "web.qcow2"]);
    assert_eq!(digest(host, "web.qcow2"), before);
    host.virsh(&["destroy", "one"]);
    blocked(host, "domain/web", &["domain/two"]);
    host.virsh(&["destroy", "two"]);
    host.apply(&[], 0);
}

fn renamed_aside_by_hand(host: &Host) {
    web(host);
    host.virsh(&["destroy", "web"]);
    host.virsh(&["domrename", "web", "web-broken"]);
    blocked(host, "domain/web", &["web-broken"]);
    let prune = host.run(&["apply", ".", "--prune"], 1);
    assert!(prune.stdout().contains("web-broken"), "{prune}");
    let names = host.names(&["list", "--all", "--name"]);
    assert_eq!(names, ["other", "web-broken"]);
    host.virsh(&["domrename", "web-broken", "web"]);
    host.apply(&[], 0);
    host.is_in_sync();
}

fn a_network_after_its_last_guest(host: &Host) {
    host.write("virt.toml", "set = \"met\"\n");
    let network = |name: &str, n: u8| {
        format!(
            "<network><name>{name}</name><bridge name='virt-m{name}'/>
               <ip address='10.158.{n}.1' prefix='24'/></network>"
        )
    };
    let nic = |network: &str| {
        format!(
            "<interface type='network'><mac address='52:54:00:15:80:01'/>
               <source network='{network}'/><model type='virtio'/></interface>"
        )
    };
    host.write("a.xml", &network("a", 1));
    host.write("b.xml", &network("b", 2));
    host.write("g.xml", &guest("g", 32, &nic("a")));
    host.apply(&[], 0);
    let before = host.guests();
    fs::remove_file(host.path("a.xml")).unwrap();
    host.write("g.xml", &guest("g", 32, &nic("b")));
    host.apply(&["--prune", "--max-prune", "1"], 0);
    assert_eq!(host.names(&["net-list", "--all", "--name"]), ["b"]);
    assert_eq!(host.guests(), before);
    host.is_in_sync();
}

/// Checks that an outage is named by every report on the host, and that nothing is done about it.
#[track_caller]
fn is_down(host: &Host, name: &str, words: &str, word: &str) {
    let before = host.guests();
    let plan = host.plan(&[], 4);
    let change = plan["changes"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap();
    assert_eq!(change["outage"], word, "{plan:#}");
    for (command, code) in [
        (&["plan", "."][..], 4),
        (&["plan", ".", "--detailed-exitcode"], 4),
        (&["apply", "."], 4),
        (&["watch", ".", "--once"], 4),
        (&["get"], 0),
    ] {
        let ran = host.run(command, code);
        let said = ran.stdout() + &ran.stderr();
        assert!(said.contains(words), "{command:?}: {said}");
    }
    assert_eq!(host.proxy.take_changes(), []);
    assert_eq!(host.guests(), before);
}

fn crashed_and_kept(host: &Host) {
    host.write("virt.toml", "set = \"met\"\n");
    // a boot sector that reports a panic to the port of the panic device
    let mut sector = vec![0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd];
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector.resize(1 << 20, 0);
    fs::write(host.path("crash.raw"), sector).unwrap();
    let devices = format!(
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>
           <target dev='hda' bus='ide'/></disk><panic model='isa'/>",
        host.path("crash.raw").display()
    );
    let text = guest("crash", 64, &devices).replace("machine='q35'", "machine='pc'");
    let text = text.replace("<devices>", "<on_crash>preserve</on_crash><devices>");
    host.write("crash.xml", &text);
    host.apply(&[], 0);
    wait_for("no crash", || host.virsh(&["domstate", "crash"]).contains("crashed"));
    host.proxy.take_changes();
    is_down(host, "crash", "crashed", "crashed");
    let before = host.guests();
    let done = host.apply(&["--allow", "restart"], 0);
    assert_eq!(done, [Procedure::DOMAIN_DESTROY_FLAGS, Procedure::DOMAIN_CREATE_WITH_FLAGS]);
    assert_ne!(host.guests(), before);
}

/// Ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn paused_by_an_io_error(host: &Host) {
    host.write("virt.toml", "set = \"met\"\n");
    fs::write(host.path("io.raw"), vec![0; 4 << 20]).unwrap();
    let socket = host.path("nbd.sock");
    let image = format!(
        "driver=raw,file.driver=blkdebug,file.inject-error.0.event=read_aio,\
         file.inject-error.0.errno=5,file.image.driver=file,file.image.filename={}",
        host.path("io.raw").display()
    );
    let mut command = Command::new("qemu-nbd");
    command.args(["-t", "-e", "8", "-k"]).arg(&socket).args(["--image-opts", &image]);
    let _server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_for("no server", || socket.exists());
    let devices = format!(
        "<disk type='network' device='disk'>
           <driver name='qemu' type='raw' error_policy='stop' rerror_policy='stop'/>
           <source protocol='nbd'><host transport='unix' socket='{}'/></source>
           <target dev='vda' bus='virtio'/></disk>",
        socket.display()
    );
    host.write("io.xml", &guest("io", 64, &devices));
    host.run(&["apply", "."], 0);
    let state = || host.virsh(&["domstate", "io", "--reason"]);
    wait_for("no error", || state().contains("error"));
    host.proxy.take_changes();
    is_down(host, "io", "I/O error", "io-error");
    assert!(state().contains("paused"), "it was resumed");
}
