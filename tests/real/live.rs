//! The table of live changes on a guest that has booted: each row's edit is applied, the guest's
//! process is the same, what runs and what boots next both have the change, and nothing is left.

// long: a table with a trial for each of its rows

use super::host::{Host, virsh};
use crate::support::{Guest, Needs, trial_if};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Row: an edit of the manifest, and its effect on both definitions.
struct Row {
    name: &'static str,
    from: &'static str,
    to: &'static str,
    /// The fields that the plan names, all of them live.
    fields: &'static [&'static str],
    /// Pieces of the definitions, without blanks between elements and with double quotes single.
    holds: &'static [&'static str],
    /// Result of taking the edit back.
    back: Back,
}

/// Needs of a row from the kernel, tried in a network of its own.
const KERNEL: &[(&str, &str)] = &[
    ("bandwidth", "tc qdisc add dev lo root sfq"),
    (
        "isolated_port",
        "ip link add b type bridge && ip link add d type dummy && ip link set d master b && \
         bridge link set dev d isolated on",
    ),
];

/// Result of taking an edit back.
#[derive(Clone, Copy, PartialEq)]
enum Back {
    /// Done at once.
    Live,
    /// Waiting for the next boot, for this reason.
    Waits(&'static str),
    /// Requested, and the guest is not seen to follow.
    Pending,
}

const fn row(
    name: &'static str,
    from: &'static str,
    to: &'static str,
    fields: &'static [&'static str],
    holds: &'static [&'static str],
    back: Back,
) -> Row {
    Row { name, from, to, fields, holds, back }
}

const SETTING: &str = "<!--setting-->";
const DEVICE: &str = "<!--device-->";
const NOT_BACK: Back = Back::Waits("cannot be taken back");
const PIN: Back = Back::Waits("not taken away");

const DOMAIN: &str = "<domain type='qemu'>
  <name>g</name>
  <title>Before</title>
  <metadata><app:tag xmlns:app='urn:app' level='1'><app:by>me</app:by></app:tag></metadata>
  <!--setting-->
  <memory unit='MiB'>192</memory>
  <currentMemory unit='MiB'>192</currentMemory>
  <vcpu current='1'>3</vcpu>
  <iothreads>2</iothreads>
  <os><type arch='x86_64' machine='pc'>hvm</type>BOOT</os>
  <features><acpi/></features>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='DIR/a.img'/>
      <target dev='vda' bus='virtio'/><!--vda-->
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='DIR/a.iso'/>
      <target dev='sda' bus='scsi'/>
      <readonly/>
    </disk>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <controller type='virtio-serial' index='0'/>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='one'/>
      <model type='virtio'/><!--nic-->
    </interface>
    SERIAL
    <graphics type='vnc' port='-1' autoport='yes' passwd='before'/>
    <memballoon model='virtio'><!--balloon--></memballoon>
    <!--device-->
  </devices>
</domain>
";

const NETWORK: &str = "<network>
  <name>one</name>
  <bridge name='virt-one' stp='on' delay='0'/>
  <ip address='10.151.0.1' prefix='24'/>
</network>
";

const ROWS: &[Row] = &[
    row("title", "Before", "After", &["title"], &["<title>After</title>"], Back::Live),
    row(
        "description",
        SETTING,
        "<description>new</description>",
        &["description"],
        &["<description>new</description>"],
        Back::Live,
    ),
    row(
        "metadata_changed",
        "level='1'",
        "level='2'",
        &["metadata/app:tag/@level"],
        &["<app:tag xmlns:app='urn:app' level='2'><app:by>me</app:by></app:tag>"],
        Back::Live,
    ),
    row(
        "metadata_added",
        "<metadata>",
        "<metadata><b:b xmlns:b='urn:b'>x</b:b>",
        &["metadata/b:b"],
        &["<b:b xmlns:b='urn:b'>x</b:b>"],
        Back::Live,
    ),
    row(
        "balloon",
        ">192</currentMemory>",
        ">160</currentMemory>",
        &["currentMemory"],
        &["<currentMemory unit='KiB'>163840</currentMemory>"],
        Back::Live,
    ),
    row(
        "vcpus",
        "current='1'",
        "current='2'",
        &["vcpu/@current"],
        &["<vcpu placement='static' current='2'>3</vcpu>"],
        // QEMU lets the processor go, and libvirt does not see that where one thread runs them all
        Back::Pending,
    ),
    row(
        "vcpupin",
        SETTING,
        "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>",
        &["cputune"],
        &["<vcpupin vcpu='0' cpuset='0'/>"],
        PIN,
    ),
    row(
        "emulatorpin",
        SETTING,
        "<cputune><emulatorpin cpuset='1'/></cputune>",
        &["cputune"],
        &["<emulatorpin cpuset='1'/>"],
        PIN,
    ),
    row(
        "iothreadpin",
        SETTING,
        "<cputune><iothreadpin iothread='2' cpuset='0-1,^0'/></cputune>",
        &["cputune"],
        &["<iothreadpin iothread='2' cpuset='1'/>"],
        PIN,
    ),
    row(
        "iothread_added",
        "<iothreads>2</iothreads>",
        "<iothreads>3</iothreads>",
        &["iothreads"],
        &["<iothreads>3</iothreads>"],
        Back::Live,
    ),
    row(
        "iothread_taken",
        "<iothreads>2</iothreads>",
        "<iothreads>1</iothreads>",
        &["iothreads"],
        &["<iothreads>1</iothreads>"],
        Back::Live,
    ),
    row(
        "iothread_polling",
        "<iothreads>2</iothreads>",
        "<iothreads>2</iothreads><iothreadids><iothread id='1'><poll max='4000'/></iothread>\
         <iothread id='2'/></iothreadids>",
        &["iothreadids"],
        &["<poll max='4000'/>"],
        NOT_BACK,
    ),
    row(
        "cpu_shares",
        SETTING,
        "<cputune><shares>512</shares></cputune>",
        &["cputune"],
        &["<shares>512</shares>"],
        NOT_BACK,
    ),
    row(
        "cpu_quotas",
        SETTING,
        "<cputune><quota>50000</quota><global_quota>80000</global_quota>\
         <emulator_quota>60000</emulator_quota><iothread_quota>70000</iothread_quota></cputune>",
        &["cputune"],
        &[
            "<quota>50000</quota>",
            "<global_quota>80000</global_quota>",
            "<emulator_quota>60000</emulator_quota>",
            "<iothread_quota>70000</iothread_quota>",
        ],
        Back::Live,
    ),
    row(
        "cpu_periods",
        SETTING,
        "<cputune><period>90000</period><global_period>80000</global_period>\
         <emulator_period>70000</emulator_period><iothread_period>60000</iothread_period></cputune>",
        &["cputune"],
        &["<period>90000</period>", "<emulator_period>70000</emulator_period>"],
        NOT_BACK,
    ),
    row(
        "memory_limits",
        SETTING,
        "<memtune><hard_limit unit='GiB'>1</hard_limit><soft_limit unit='MiB'>900</soft_limit>\
         </memtune>",
        &["memtune"],
        &[
            "<hard_limit unit='KiB'>1048576</hard_limit>",
            "<soft_limit unit='KiB'>921600</soft_limit>",
        ],
        Back::Live,
    ),
    row(
        "block_weight",
        SETTING,
        "<blkiotune><weight>300</weight></blkiotune>",
        &["blkiotune"],
        &["<weight>300</weight>"],
        NOT_BACK,
    ),
    row(
        "disk_limits",
        "<!--vda-->",
        "<iotune><read_iops_sec>100</read_iops_sec><write_bytes_sec>1000000</write_bytes_sec>\
         </iotune>",
        &["devices/disk[target/@dev='vda']/iotune"],
        &["<write_bytes_sec>1000000</write_bytes_sec>", "<read_iops_sec>100</read_iops_sec>"],
        Back::Live,
    ),
    row(
        "on_crash",
        "<on_crash>destroy",
        "<on_crash>restart",
        &["on_crash"],
        &["<on_crash>restart</on_crash>"],
        Back::Live,
    ),
    row(
        "on_reboot",
        "<on_reboot>restart",
        "<on_reboot>destroy",
        &["on_reboot"],
        &["<on_reboot>destroy</on_reboot>"],
        Back::Live,
    ),
    row(
        "balloon_statistics",
        "<!--balloon-->",
        "<stats period='5'/>",
        &["devices/memballoon/stats"],
        &["<stats period='5'/>"],
        Back::Live,
    ),
    row(
        "medium",
        "a.iso",
        "b.iso",
        &["devices/disk[target/@dev='sda']/source/@file"],
        &["b.iso'"],
        Back::Live,
    ),
    row(
        "disk_virtio",
        DEVICE,
        "<disk type='file'><driver name='qemu' type='raw'/><source file='DIR/b.img'/>\
         <target dev='vdb' bus='virtio'/></disk>",
        &["devices/disk[target/@dev='vdb']"],
        &["<target dev='vdb' bus='virtio'/>"],
        Back::Live,
    ),
    row(
        "disk_scsi",
        DEVICE,
        "<disk type='file'><driver name='qemu' type='raw'/><source file='DIR/b.img'/>\
         <target dev='sdb' bus='scsi'/></disk>",
        &["devices/disk[target/@dev='sdb']"],
        &["<target dev='sdb' bus='scsi'/>"],
        Back::Live,
    ),
    row(
        "disk_usb",
        DEVICE,
        "<disk type='file'><driver name='qemu' type='raw'/><source file='DIR/b.img'/>\
         <target dev='sdc' bus='usb'/></disk>",
        &["devices/disk[target/@dev='sdc']"],
        &["<target dev='sdc' bus='usb'/>"],
        Back::Live,
    ),
    row(
        "cdrom_scsi",
        DEVICE,
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>\
         <source file='DIR/b.iso'/><target dev='sdd' bus='scsi'/><readonly/></disk>",
        &["devices/disk[target/@dev='sdd']"],
        &["<target dev='sdd' bus='scsi'/>"],
        Back::Live,
    ),
    row(
        "interface_network",
        DEVICE,
        "<interface type='network'><mac address='52:54:00:00:00:02'/><source network='one'/>\
         <model type='virtio'/></interface>",
        &["devices/interface[mac/@address='52:54:00:00:00:02']"],
        &["<mac address='52:54:00:00:00:02'/>"],
        Back::Live,
    ),
    row(
        "interface_bridge",
        DEVICE,
        "<interface type='bridge'><mac address='52:54:00:00:00:03'/><source bridge='virt-one'/>\
         <model type='virtio'/></interface>",
        &["devices/interface[mac/@address='52:54:00:00:00:03']"],
        &["<source bridge='virt-one'/>"],
        Back::Live,
    ),
    row(
        "interface_ethernet",
        DEVICE,
        "<interface type='ethernet'><mac address='52:54:00:00:00:04'/><model type='e1000'/>\
         </interface>",
        &["devices/interface[mac/@address='52:54:00:00:00:04']"],
        &["<interface type='ethernet'>"],
        Back::Live,
    ),
    row(
        "interface_user",
        DEVICE,
        "<interface type='user'><mac address='52:54:00:00:00:05'/><model type='rtl8139'/>\
         </interface>",
        &["devices/interface[mac/@address='52:54:00:00:00:05']"],
        &["<interface type='user'>"],
        Back::Live,
    ),
    row(
        "link",
        "<!--nic-->",
        "<link state='down'/>",
        &["devices/interface[mac/@address='52:54:00:00:00:01']/link"],
        &["<link state='down'/>"],
        Back::Live,
    ),
    row(
        "bandwidth",
        "<!--nic-->",
        "<bandwidth><inbound average='1000' peak='5000'/></bandwidth>",
        &["devices/interface[mac/@address='52:54:00:00:00:01']/bandwidth"],
        &["<inbound average='1000' peak='5000'/>"],
        Back::Live,
    ),
    row(
        "isolated_port",
        "<!--nic-->",
        "<port isolated='yes'/>",
        &["devices/interface[mac/@address='52:54:00:00:00:01']/port"],
        &["<port isolated='yes'/>"],
        Back::Live,
    ),
    row(
        "coalesce",
        "<!--nic-->",
        "<coalesce><rx><frames max='7'/></rx></coalesce>",
        &["devices/interface[mac/@address='52:54:00:00:00:01']/coalesce"],
        &["<frames max='7'/>"],
        Back::Live,
    ),
    row(
        "source_network",
        "<source network='one'/>",
        "<source network='two'/>",
        &["devices/interface[mac/@address='52:54:00:00:00:01']/source/@network"],
        &["<source network='two'"],
        Back::Live,
    ),
    row(
        "graphics_password",
        "passwd='before'",
        "passwd='after'",
        &["devices/graphics[@type='vnc']/@passwd"],
        &["passwd='after'"],
        Back::Live,
    ),
    row(
        "controller_scsi",
        DEVICE,
        "<controller type='scsi' index='1' model='virtio-scsi'/>",
        &["devices/controller[5]"],
        &["<controller type='scsi' index='1' model='virtio-scsi'>"],
        Back::Live,
    ),
    row(
        "controller_virtio_serial",
        DEVICE,
        "<controller type='virtio-serial' index='1'/>",
        &["devices/controller[5]"],
        &["<controller type='virtio-serial' index='1'>"],
        Back::Waits("a controller of the type virtio-serial cannot be unplugged"),
    ),
    row(
        "channel",
        DEVICE,
        "<channel type='unix'><target type='virtio' name='org.example.0'/></channel>",
        &["devices/channel[target/@name='org.example.0']"],
        &["<target type='virtio' name='org.example.0'"],
        Back::Live,
    ),
    row(
        "serial_usb",
        DEVICE,
        "<serial type='file'><source path='DIR/usb.log'/><target type='usb-serial' port='1'/>\
         </serial>",
        &["devices/serial[2]"],
        &["<target type='usb-serial' port='1'>"],
        Back::Live,
    ),
    row(
        "redirdev",
        DEVICE,
        "<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4500'/>\
         <protocol type='raw'/></redirdev>",
        &["devices/redirdev"],
        &["<redirdev bus='usb' type='tcp'>"],
        Back::Live,
    ),
    row(
        "rng",
        DEVICE,
        "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
        &["devices/rng"],
        &["<backend model='random'>/dev/urandom</backend>"],
        Back::Live,
    ),
    row(
        "shmem",
        DEVICE,
        "<shmem name='virt-live'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
        &["devices/shmem[@name='virt-live']"],
        &["<shmem name='virt-live'"],
        Back::Live,
    ),
    row(
        "input_usb",
        DEVICE,
        "<input type='tablet' bus='usb'/>",
        &["devices/input[3]"],
        &["<input type='tablet' bus='usb'>"],
        Back::Live,
    ),
    row(
        "input_virtio",
        DEVICE,
        "<input type='tablet' bus='virtio'/>",
        &["devices/input[3]"],
        &["<input type='tablet' bus='virtio'>"],
        Back::Live,
    ),
    row(
        "watchdog",
        DEVICE,
        "<watchdog model='i6300esb' action='none'/>",
        &["devices/watchdog[@model='i6300esb']"],
        &["<watchdog model='i6300esb' action='none'>"],
        Back::Live,
    ),
];

/// Number of guests that have been started.
static GUESTS: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn trials() -> Vec<Trial> {
    let pool = Pool::default();
    let needs = || -> Needs { Host::needs().and_then(|()| Guest::available()) };
    let rows = ROWS.iter().map(|row| {
        let pool = pool.clone();
        let needs = needs().and_then(|()| kernel_has(row));
        trial_if(needs, format!("real/live/{}", row.name), move |()| {
            let booted = pool.take();
            booted.holds_to(row);
            pool.give(booted);
        })
    });
    let refusals = trial_if(needs(), "real/live/what_waits_says_why", {
        let pool = pool.clone();
        move |()| {
            let booted = pool.take();
            booted.says_why();
            pool.give(booted);
        }
    });
    rows.chain([refusals]).collect()
}

/// Edits that no host can make while the guest runs, and the reason that the plan gives.
const WAITS: &[(&str, &str, &str)] = &[
    (">192</memory>", ">256</memory>", "most memory that it can have is fixed"),
    (">3</vcpu>", ">4</vcpu>", "most processors that it can have are fixed"),
    (
        SETTING,
        "<cpu mode='custom' match='exact'><model>Nehalem</model></cpu>",
        "found its processor when it started",
    ),
    ("<acpi/>", "<acpi/><pae/>", "read only when the domain starts"),
    (
        "<target dev='vda' bus='virtio'/>",
        "<target dev='vda' bus='virtio'/><serial>x</serial>",
        "of a disk is fixed",
    ),
    ("<model type='virtio'/><!--nic-->", "<model type='e1000'/>", "of a interface is fixed"),
    (
        DEVICE,
        "<disk type='file'><driver name='qemu' type='raw'/><source file='DIR/b.img'/>\
      <target dev='hdc' bus='ide'/></disk>",
        "a disk on the bus ide cannot be plugged in",
    ),
    (DEVICE, "<sound model='ich9'/>", "a sound cannot be plugged in"),
    (DEVICE, "<video><model type='vga'/></video>", "of a video is fixed"),
    (
        DEVICE,
        "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>",
        "a tpm cannot be plugged in",
    ),
    (
        DEVICE,
        "<filesystem type='mount'><driver type='virtiofs'/><source dir='DIR'/>\
      <target dir='share'/></filesystem>",
        "shared when the domain started",
    ),
    (DEVICE, "<watchdog model='ib700' action='none'/>", "not an i6300esb"),
    (DEVICE, "<controller type='sata' index='0'/>", "of the type sata cannot be plugged in"),
    (
        DEVICE,
        "<serial type='file'><source path='DIR/s'/><target type='isa-serial' port='1'/>\
      </serial>",
        "neither pci-serial nor usb-serial",
    ),
];

/// Returns whether this machine's kernel meets the row's need.
fn kernel_has(row: &Row) -> Needs {
    match KERNEL.iter().find(|(name, _)| *name == row.name) {
        Some((_, command)) => {
            let mut trial = Command::new("unshare");
            trial.args(["--net", "sh", "-c", command]).stderr(Stdio::null());
            let works = trial.status().is_ok_and(|status| status.success());
            works.then_some(()).ok_or_else(|| format!("needs a kernel that does: {command}"))
        }
        None => Ok(()),
    }
}

/// Hosts with a guest that has booted, which no trial is using.
#[derive(Clone, Default)]
struct Pool(Arc<Mutex<Vec<Booted>>>);

impl Pool {
    fn take(&self) -> Booted {
        let idle = self.0.lock().unwrap().pop();
        idle.unwrap_or_else(Booted::new)
    }

    fn give(&self, booted: Booted) {
        self.0.lock().unwrap().push(booted);
    }
}

/// A host with a guest that has booted.
struct Booted {
    host: Host,
    guest: Guest,
    manifest: String,
    /// Name that no other guest has: where daemons cannot have cgroups of their own, guests of one name and
    /// number share one, and quotas in it hold each other up.
    name: String,
}

impl Booted {
    fn new() -> Self {
        let host = Host::start();
        for file in ["a.img", "b.img", "a.iso", "b.iso"] {
            fs::write(host.path(file), vec![0; 1 << 20]).unwrap();
        }
        let guest = Guest::new(host.path("").as_path());
        let name = format!("g{}", GUESTS.fetch_add(1, Ordering::Relaxed));
        let manifest = DOMAIN
            .replace("<name>g<", &format!("<name>{name}<"))
            .replace("BOOT", &guest.boot(""))
            .replace("SERIAL", &guest.serial())
            .replace("DIR", host.directory());
        host.write("one.xml", NETWORK);
        host.write("two.xml", &NETWORK.replace("one", "two").replace("10.151", "10.152"));
        host.write("g.xml", &manifest);
        guest.forget();
        host.apply(&[], 0);
        guest.is_up();
        host.is_in_sync();
        Self { host, guest, manifest, name }
    }

    /// Returns both definitions, in one spelling: the running one, and that for the next boot.
    fn definitions(&self) -> [String; 2] {
        let dump = |arguments: &[&str]| {
            let text = virsh(&self.host.qemu(), arguments).replace('"', "'");
            text.lines().map(str::trim).collect::<String>()
        };
        [
            dump(&["dumpxml", &self.name, "--security-info"]),
            dump(&["dumpxml", &self.name, "--inactive", "--security-info"]),
        ]
    }

    fn holds_to(&self, row: &Row) {
        let host = &self.host;
        let id = host.virsh(&["domid", &self.name]);
        assert!(self.manifest.contains(row.from), "{}", row.from);
        let to = match row.from {
            SETTING | DEVICE => format!("{}{}", row.to, row.from),
            _ => row.to.to_owned(),
        };
        let edited = self.manifest.replacen(row.from, &to, 1).replace("DIR", host.directory());
        host.write("g.xml", &edited);
        let plan = host.plan(&[], 0);
        let live: Vec<String> = row.fields.iter().map(|path| format!("{path} live")).collect();
        assert_eq!(shown(&plan), live, "{plan:#}");
        host.apply(&["--detailed-exitcode"], 0);
        assert_eq!(host.virsh(&["domid", &self.name]), id, "the guest was restarted");
        let definitions = self.definitions();
        for (definition, piece) in
            definitions.iter().flat_map(|d| row.holds.iter().map(move |piece| (d, piece)))
        {
            assert!(definition.contains(piece), "{piece} is not in {definition}");
        }
        host.is_in_sync();
        self.back(row, &id);
    }

    /// Takes the edit back. A guest that does not follow at once is started anew.
    fn back(&self, row: &Row, id: &str) {
        let host = &self.host;
        host.write("g.xml", &self.manifest);
        match row.back {
            Back::Live => {
                host.apply(&["--detailed-exitcode"], 0);
                assert_eq!(&host.virsh(&["domid", &self.name]), id, "the guest was restarted");
                host.is_in_sync();
                return;
            }
            Back::Pending => drop(host.apply(&["--detailed-exitcode"], 3)),
            Back::Waits(why) => {
                host.apply(&["--detailed-exitcode"], 3);
                assert_eq!(&host.virsh(&["domid", &self.name]), id, "the guest was restarted");
                let plan = host.plan(&[], 0);
                let waits = &plan["changes"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|c| c["name"] == self.name.as_str());
                let reason = &waits.unwrap()["pending"][0]["reason"];
                assert!(reason.as_str().is_some_and(|r| r.contains(why)), "{plan:#}");
            }
        }
        self.guest.forget();
        host.virsh(&["destroy", &self.name]);
        host.apply(&[], 0);
        self.guest.is_up();
        host.is_in_sync();
    }
}

impl Booted {
    /// Checks that a change which cannot be made live is planned as waiting, with the reason.
    fn says_why(&self) {
        for (from, to, why) in WAITS {
            assert!(self.manifest.contains(from), "{from}");
            let to = match *from {
                SETTING | DEVICE => format!("{to}{from}"),
                _ => (*to).to_owned(),
            };
            let mut edited = self.manifest.replacen(from, &to, 1);
            if to.contains("virtiofs") {
                // the next boot has what it needs, or it is refused as wrong
                let shared = "<memoryBacking><source type='memfd'/><access mode='shared'/>\
                              </memoryBacking>";
                edited = edited.replacen(SETTING, &format!("{shared}{SETTING}"), 1);
            }
            self.host.write("g.xml", &edited.replace("DIR", self.host.directory()));
            let plan = self.host.plan(&[], 0);
            let changes = plan["changes"].as_array().unwrap().iter();
            let fields = changes.flat_map(|change| change["fields"].as_array().unwrap());
            let said: Vec<String> = fields
                .filter(|field| field["effect"] == "next-boot")
                .map(|field| field["reason"].as_str().unwrap_or_default().to_owned())
                .collect();
            assert!(said.iter().any(|reason| reason.contains(why)), "{to}: {said:?}");
        }
        self.host.write("g.xml", &self.manifest);
        self.host.is_in_sync();
    }
}

/// The fields of a plan with their effects.
fn shown(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().unwrap().iter();
    let fields = changes.flat_map(|change| change["fields"].as_array().unwrap());
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    fields.map(|f| format!("{} {}", word(&f["path"]), word(&f["effect"]))).collect()
}
