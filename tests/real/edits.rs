//! Edits of one field of an applied manifest: the plan names that field and its effect on the guest, and
//! after the apply all values that the host had filled in are unchanged.

use super::host::{Host, Pool};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::sync::Arc;

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial("real/edits/of_a_stopped_domain", of_a_stopped_domain),
        pool.trial("real/edits/of_a_running_domain", of_a_running_domain),
        pool.trial("real/edits/of_a_network", of_a_network),
        pool.trial("real/edits/dhcp_hosts_change_places", change_places),
    ]
}

/// A domain with firmware of its own. `DIR` and `POWER` are filled in.
const DOMAIN: &str = "<domain type='qemu'>
  <name>edited</name>
  <title>Before</title>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='POWER'/></metadata>
  <memory unit='MiB'>64</memory>
  <currentMemory unit='MiB'>64</currentMemory>
  <vcpu current='1'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <loader readonly='yes' type='pflash'>DIR/halt.fd</loader>
    <nvram template='DIR/vars.fd'/>
    <boot dev='hd'/>
  </os>
  <features><acpi/></features>
  <clock offset='utc'/>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><!-- vda -->
      <source file='DIR/a.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='DIR/a.iso'/>
      <target dev='hda' bus='ide'/>
      <readonly/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='one'/>
      <model type='virtio'/>
    </interface>
    <!-- more -->
  </devices>
</domain>
";

const NETWORK: &str = "<network>
  <name>one</name>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' autostart='no'/></metadata>
  <bridge name='virt-one' stp='on' delay='0'/>
  <ip address='10.151.0.1' prefix='24'>
    <dhcp>
      <range start='10.151.0.100' end='10.151.0.199'/>
      <host mac='52:54:00:00:00:01' ip='10.151.0.10'/>
      <!-- more -->
    </dhcp>
  </ip>
</network>
";

/// An edit of a text, the one field that it changes, and the effect on a running object. A stopped
/// one never notices.
struct Edit {
    from: &'static str,
    to: &'static str,
    path: &'static str,
    running: &'static str,
}

const fn edit(
    from: &'static str,
    to: &'static str,
    path: &'static str,
    running: &'static str,
) -> Edit {
    Edit { from, to, path, running }
}

const MORE: &str = "<!-- more -->";

/// A guest without a driver for its balloon never gives memory back: this is for stopped ones.
const BALLOON: Edit =
    edit("'MiB'>64</currentMemory>", "'MiB'>48</currentMemory>", "currentMemory", "");

const DOMAIN_EDITS: &[Edit] = &[
    edit("'MiB'>64</memory>", "'MiB'>96</memory>", "memory", "next-boot"),
    edit("'1'>2</vcpu>", "'1'>3</vcpu>", "vcpu", "next-boot"),
    edit("Before", "After", "title", "live"),
    edit("<memory ", "<description>new</description><memory ", "description", "live"),
    edit("<boot dev='hd'/>", "<boot dev='network'/>", "os/boot", "next-boot"),
    edit(
        "type='raw'/><!-- vda -->",
        "type='raw' cache='none'/>",
        "devices/disk[target/@dev='vda']/driver/@cache",
        "next-boot",
    ),
    edit("a.img", "b.img", "devices/disk[target/@dev='vda']/source/@file", "next-boot"),
    edit("a.iso", "b.iso", "devices/disk[target/@dev='hda']/source/@file", "live"),
    edit(
        "<model type='virtio'/>",
        "<model type='e1000'/>",
        "devices/interface[mac/@address='52:54:00:00:00:01']/model/@type",
        "next-boot",
    ),
    edit(
        "network='one'",
        "network='two'",
        "devices/interface[mac/@address='52:54:00:00:00:01']/source/@network",
        "live",
    ),
    edit(
        "<model type='virtio'/>",
        "<model type='virtio'/><link state='down'/>",
        "devices/interface[mac/@address='52:54:00:00:00:01']/link",
        "live",
    ),
    edit("offset='utc'", "offset='localtime'", "clock/@offset", "next-boot"),
    edit("<on_crash>destroy", "<on_crash>restart", "on_crash", "live"),
    edit("<on_reboot>restart", "<on_reboot>destroy", "on_reboot", "live"),
    edit("<acpi/>", "<acpi/><pae/>", "features/pae", "next-boot"),
    edit("<os>", "<iothreads>1</iothreads><os>", "iothreads", "live"),
    edit(MORE, "<serial type='pty'><target port='0'/></serial>", "devices/serial", "next-boot"),
    edit(
        MORE,
        "<graphics type='vnc' autoport='yes'/>",
        "devices/graphics[@type='vnc']",
        "next-boot",
    ),
];

/// Edits that a running guest has to help undo, and this one never does. They stay.
const LASTING_EDITS: &[Edit] = &[
    edit("<vcpu current='1'", "<vcpu current='2'", "vcpu/@current", "live"),
    edit(
        MORE,
        "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><!-- more -->",
        "devices/rng",
        "live",
    ),
    edit(
        MORE,
        "<disk type='file'><driver name='qemu' type='raw'/><source file='DIR/b.img'/>
         <target dev='vdb' bus='virtio'/></disk><!-- more -->",
        "devices/disk[target/@dev='vdb']",
        "live",
    ),
    edit(
        MORE,
        "<interface type='network'><mac address='52:54:00:00:00:02'/><source network='two'/>
         <model type='virtio'/></interface><!-- more -->",
        "devices/interface[mac/@address='52:54:00:00:00:02']",
        "live",
    ),
];

/// Edits of a network that a running guest uses.
const NETWORK_EDITS: &[Edit] = &[
    edit(
        "ip='10.151.0.10'",
        "ip='10.151.0.11'",
        "ip/dhcp/host[@mac='52:54:00:00:00:01']/@ip",
        "live",
    ),
    edit(
        MORE,
        "<host mac='52:54:00:00:00:09' ip='10.151.0.19'/>",
        "ip/dhcp/host[@mac='52:54:00:00:00:09']",
        "live",
    ),
    edit(MORE, "<range start='10.151.0.50' end='10.151.0.59'/>", "ip/dhcp/range[2]", "live"),
    edit("<bridge", "<dns><txt name='n' value='v'/></dns><bridge", "dns", "live"),
    edit("stp='on'", "stp='off'", "bridge/@stp", "next-boot"),
    edit("<bridge", "<domain name='d.example'/><bridge", "domain", "next-boot"),
    edit("<bridge", "<forward mode='nat'/><bridge", "forward", "next-boot"),
    edit("<bridge", "<mtu size='1400'/><bridge", "mtu", "next-boot"),
    edit("10.151.0.1'", "10.151.0.2'", "ip/@address", "next-boot"),
    edit("autostart='no'", "autostart='yes'", "autostart", "none"),
];

/// Edits of one that nobody uses: nobody notices when it goes down and up.
const IDLE_NETWORK_EDITS: &[Edit] = &[
    edit(
        "ip='10.151.0.10'",
        "ip='10.151.0.11'",
        "ip/dhcp/host[@mac='52:54:00:00:00:01']/@ip",
        "live",
    ),
    edit("stp='on'", "stp='off'", "bridge/@stp", "network-restart"),
];

fn of_a_stopped_domain(host: &Host) {
    let mut text = prepare(host, "manual");
    for edit in DOMAIN_EDITS.iter().chain([&BALLOON]).chain(LASTING_EDITS) {
        text = make(host, "edited", &text, edit, "none", false);
    }
}

fn of_a_running_domain(host: &Host) {
    let mut text = prepare(host, "running");
    let id = host.virsh(&["domid", "edited"]);
    for edit in DOMAIN_EDITS {
        text = make(host, "edited", &text, edit, edit.running, false);
    }
    for edit in LASTING_EDITS {
        text = make(host, "edited", &text, edit, edit.running, true);
    }
    assert_eq!(host.virsh(&["domid", "edited"]), id, "the guest was restarted");
}

fn of_a_network(host: &Host) {
    prepare(host, "running");
    let mut text = NETWORK.to_owned();
    for edit in NETWORK_EDITS {
        text = make(host, "one", &text, edit, edit.running, false);
    }
    host.write("edited.xml", &at(host, &DOMAIN.replace("POWER", "manual")));
    host.apply(&[], 0);
    host.virsh(&["destroy", "edited"]);
    for edit in IDLE_NETWORK_EDITS {
        text = make(host, "one", &text, edit, edit.running, false);
    }
}

/// Entries of an active network take over addresses from one another.
fn change_places(host: &Host) {
    let network = |a: u8, b: u8| {
        let more = format!("<host mac='52:54:00:00:00:02' ip='10.151.0.{b}'/>");
        NETWORK.replace("ip='10.151.0.10'", &format!("ip='10.151.0.{a}'")).replace(MORE, &more)
    };
    for (a, b) in [(10, 11), (11, 12), (12, 11)] {
        host.write("one.xml", &network(a, b));
        host.apply(&[], 0);
        let xml = host.virsh(&["net-dumpxml", "one"]);
        for (mac, ip) in [(1, a), (2, b)] {
            let entry = format!("<host mac='52:54:00:00:00:0{mac}' ip='10.151.0.{ip}'/>");
            assert!(xml.contains(&entry), "{xml}");
        }
        host.is_in_sync();
    }
}

/// Puts the manifests there and applies them; gives the domain's.
fn prepare(host: &Host, power: &str) -> String {
    // firmware that halts at its first instruction, so that the guest costs nothing
    fs::write(host.path("halt.fd"), vec![0xf4; 256 << 10]).unwrap();
    fs::write(host.path("vars.fd"), vec![0; 128 << 10]).unwrap();
    for image in ["a.img", "b.img", "a.iso", "b.iso"] {
        fs::write(host.path(image), vec![0; 1 << 20]).unwrap();
    }
    host.write("one.xml", NETWORK);
    let two = NETWORK.replace("one", "two").replace("10.151", "10.152");
    host.write("two.xml", &two.replace("52:54:00:00:00:01", "52:54:00:00:00:02"));
    let text = at(host, &DOMAIN.replace("POWER", power));
    host.write("edited.xml", &text);
    host.apply(&[], 0);
    text
}

fn at(host: &Host, text: &str) -> String {
    text.replace("DIR", host.directory())
}

/// Makes an edit of the manifest of `name` and, unless it lasts, takes it back; gives the manifest
/// as it is then.
fn make(host: &Host, name: &str, text: &str, edit: &Edit, effect: &str, lasts: bool) -> String {
    let Edit { from, to, path, .. } = edit;
    assert!(text.contains(from), "{from}");
    let file = format!("{name}.xml");
    let edited = text.replacen(from, &at(host, to), 1);
    let before = host.inactive("edited");
    host.write(&file, &edited);
    let plan = host.plan(&[], 0);
    assert_eq!(shown(&plan), [format!("{name} update {path} {effect}")], "{plan:#}");
    host.apply(&[], 0);
    let after = host.inactive("edited");
    assert!(is_kept(&before, &after), "{to}: {before}\n{after}");
    let waits = format!("{name} waits {path} next-boot");
    let left: &[String] = if effect == "next-boot" { &[waits] } else { &[] };
    assert_eq!(shown(&host.plan(&[], 0)), left, "{to}");
    assert_eq!(host.apply(&[], 0), [], "{to}");
    if lasts {
        return edited;
    }
    host.write(&file, text);
    host.apply(&[], 0);
    let plan = host.plan(&[], 0);
    assert_eq!(shown(&plan), [""; 0], "{to} was not undone");
    text.to_owned()
}

/// Returns a plan's changes: object, action, field and effect; or that something waits.
fn shown(plan: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let mut lines = Vec::new();
    for change in plan["changes"].as_array().unwrap() {
        for (list, action) in [("fields", word(&change["action"])), ("pending", "waits".to_owned())]
        {
            for field in change[list].as_array().unwrap() {
                let (path, effect) = (word(&field["path"]), word(&field["effect"]));
                lines.push(format!("{} {action} {path} {effect}", word(&change["name"])));
            }
        }
    }
    lines
}

/// Whether values that the host filled in, or was given to keep, are in both: identities and places.
fn is_kept(before: &str, after: &str) -> bool {
    const MARKS: [&str; 6] =
        ["<uuid>", "<mac ", "<address type='pci'", "<type arch=", "<loader", "<nvram"];
    let lines = |text: &str| {
        let lines = text.lines().map(|line| line.trim().to_owned());
        lines.filter(|line| MARKS.iter().any(|mark| line.starts_with(mark))).collect::<Vec<_>>()
    };
    let mut after = lines(after).into_iter();
    // devices may have come between
    lines(before).iter().all(|line| after.any(|other| other == *line))
}
