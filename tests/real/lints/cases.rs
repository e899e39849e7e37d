//! Cases of the rules, each with a refused and an accepted value.

use virt::model::Kind;

/// Domain with a place for each part that a case may change, and its default content.
const DOMAIN: &str = "<domain type='qemu'><name>case</name>{uuid}{memory}{vcpu}{before}\
    <os{os}><type arch='x86_64' machine='{machine}'>hvm</type>{loader}</os>\
    <features>{features}</features>{cpu}<devices>{devices}</devices>{after}</domain>";
const USUAL: [(&str, &str); 11] = [
    ("uuid", ""),
    ("memory", "<memory unit='MiB'>64</memory>"),
    ("vcpu", "<vcpu>2</vcpu>"),
    ("before", ""),
    ("os", ""),
    ("machine", "q35"),
    ("loader", ""),
    ("features", "<acpi/>"),
    ("cpu", ""),
    ("devices", ""),
    ("after", ""),
];

/// Rule, the place that differs, the refused and the accepted content, and the rest of the document. In a
/// network the place is `network`: all its content besides its name.
pub(super) struct Case {
    pub(super) rule: &'static str,
    place: &'static str,
    pub(super) refused: &'static str,
    pub(super) taken: &'static str,
    more: &'static [(&'static str, &'static str)],
}

pub(super) const fn case(
    rule: &'static str,
    place: &'static str,
    refused: &'static str,
    taken: &'static str,
) -> Case {
    Case { rule, place, refused, taken, more: &[] }
}

impl Case {
    const fn with(self, more: &'static [(&'static str, &'static str)]) -> Self {
        Self { more, ..self }
    }

    pub(super) fn kind(&self) -> Kind {
        if self.place == "network" { Kind::Network } else { Kind::Domain }
    }

    pub(super) fn document(&self, text: &str) -> String {
        if self.place == "network" {
            return format!("<network><name>case</name>{text}</network>");
        }
        let mut document = DOMAIN.to_owned();
        for (place, text) in [&[(self.place, text)], self.more, &USUAL].concat() {
            document = document.replace(&format!("{{{place}}}"), text);
        }
        document
    }
}

/// Cases of the rules about combinations.
pub(super) const CASES: &[Case] = &[
    case(
        "cpu-migratable",
        "cpu",
        "<cpu mode='host-model' migratable='off'/>",
        "<cpu mode='maximum' migratable='off'/>",
    ),
    case(
        "disk-io",
        "devices",
        "<disk type='file'><driver name='qemu' type='raw' io='native' cache='writeback'/>\
         <source file='/a'/><target dev='vda'/></disk>",
        "<disk type='file'><driver name='qemu' type='raw' io='native' cache='directsync'/>\
         <source file='/a'/><target dev='vda'/></disk>",
    ),
    case(
        "disk-io",
        "devices",
        "<disk type='file'><driver name='qemu' type='raw' io='native'/>\
         <source file='/a'/><target dev='vda'/></disk>",
        "<disk type='file'><driver name='qemu' type='raw' io='io_uring'/>\
         <source file='/a'/><target dev='vda'/></disk>",
    ),
    case(
        "dhcp-host-mac",
        "network",
        "<ip family='ipv6' address='fd00:77::1' prefix='64'>\
         <dhcp><host mac='52:54:00:00:00:01' ip='fd00:77::5'/></dhcp></ip>",
        "<ip family='ipv6' address='fd00:77::1' prefix='64'>\
         <dhcp><host name='a' ip='fd00:77::5'/></dhcp></ip>",
    ),
    case(
        "forward-mode",
        "network",
        "<forward mode='nat'/><ip address='10.77.0.1' prefix='24'/><vlan><tag id='5'/></vlan>",
        "<forward mode='passthrough'><interface dev='lo'/></forward><vlan><tag id='5'/></vlan>",
    ),
    case(
        "forward-mode",
        "network",
        "<portgroup name='a'><vlan><tag id='5'/></vlan></portgroup>",
        "<portgroup name='a'/>",
    ),
    case(
        "hyperv-spinlocks",
        "features",
        "<hyperv><spinlocks state='on'/></hyperv>",
        "<hyperv><spinlocks state='off'/></hyperv>",
    ),
    case(
        "hyperv-spinlocks",
        "features",
        "<hyperv mode='custom'><spinlocks state='on' retries='4094'/></hyperv>",
        "<hyperv mode='custom'><spinlocks state='on' retries='4095'/></hyperv>",
    ),
    case("missing-ip", "network", "<forward mode='route'/>", "<forward mode='open'/>"),
    case("missing-memory", "memory", "<memory>0</memory>", "<memory>1</memory>"),
    case("needs-acpi", "features", "<apic/>", "<acpi/><apic/>")
        .with(&[("loader", "<loader readonly='yes' type='pflash'>/a</loader>")]),
    case(
        "needs-spice",
        "devices",
        "<redirdev bus='usb' type='spicevmc'/><graphics type='vnc'/>",
        "<redirdev bus='usb' type='spicevmc'/><graphics type='spice'/>",
    ),
    case(
        "needs-spice",
        "devices",
        "<audio id='1' type='spice'/><graphics type='vnc'/>",
        "<audio id='1' type='spice'/><graphics type='spice'/>",
    ),
    case("no-ide", "machine", "q35", "pc").with(&[(
        "devices",
        "<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>",
    )]),
    case(
        "pci-slot",
        "devices",
        "<controller type='pci' index='1' model='pcie-root-port'/><interface type='user'>\
         <model type='virtio'/><address type='pci' bus='1' slot='1'/></interface>",
        "<controller type='pci' index='1' model='pcie-root-port'/><interface type='user'>\
         <model type='virtio'/><address type='pci' bus='1' slot='0'/></interface>",
    ),
    case(
        "pci-slot",
        "devices",
        "<controller type='pci' index='1' model='pci-bridge'/><interface type='user'>\
         <model type='rtl8139'/><address type='pci' bus='1' slot='0'/></interface>",
        "<controller type='pci' index='1' model='pci-bridge'/><interface type='user'>\
         <model type='rtl8139'/><address type='pci' bus='1' slot='1'/></interface>",
    )
    .with(&[("machine", "pc")]),
    case(
        "shared-memory",
        "before",
        "<memoryBacking><source type='memfd'/></memoryBacking>",
        "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
    )
    .with(SHARED),
    case(
        "shared-memory",
        "cpu",
        "<cpu><numa><cell id='0' cpus='0-1' memory='65536' memAccess='private'/></numa></cpu>",
        "<cpu><numa><cell id='0' cpus='0-1' memory='65536'/></numa></cpu>",
    )
    .with(&[
        ("before", "<memoryBacking><access mode='shared'/></memoryBacking>"),
        ("devices", VIRTIOFS),
    ]),
    case(
        "stateless-nvram",
        "loader",
        "<loader readonly='yes' type='pflash' stateless='yes'>/a</loader><nvram>/b</nvram>",
        "<loader readonly='yes' type='pflash'>/a</loader><nvram>/b</nvram>",
    ),
    case(
        "vnc-password",
        "devices",
        "<graphics type='vnc' passwd='123456789'/>",
        "<graphics type='vnc' passwd='12345678'/>",
    ),
    case(
        "vsock-cid",
        "devices",
        "<vsock><cid auto='no' address='2'/></vsock>",
        "<vsock><cid auto='no' address='3'/></vsock>",
    ),
];

/// The cases of the rules about values, names and numbers.
pub(super) const VALUES: &[Case] = &[
    case(
        "bad-ip",
        "network",
        "<ip family='ipv6' address='10.77.0.1' prefix='24'/>",
        "<ip address='10.77.0.1' prefix='24'></ip>",
    ),
    case(
        "bad-number",
        "vcpu",
        "<vcpu current='3'>2</vcpu>",
        "<vcpu current='2'>2</vcpu>",
    ),
    case(
        "bad-prefix",
        "network",
        "<ip address='10.77.0.1' prefix='33'/>",
        "<ip address='10.77.0.1' prefix='30'/>",
    ),
    case(
        "bad-prefix",
        "network",
        "<ip family='ipv6' address='fd00::1' netmask='255.255.255.0'/>",
        "<ip family='ipv6' address='fd00::1' prefix='64'/>",
    ),
    case(
        "bad-range",
        "network",
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.9' end='10.77.0.2'/></dhcp></ip>",
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.2' end='10.77.0.9'/></dhcp></ip>",
    ),
    case(
        "bad-route",
        "network",
        "<ip address='10.77.0.1' prefix='24'></ip><route address='10.88.0.0' prefix='16' gateway='10.99.0.2'/>",
        "<ip address='10.77.0.1' prefix='24'></ip><route address='10.88.0.0' prefix='16' gateway='10.77.0.2'/>",
    ),
    case(
        "boot-order",
        "devices",
        "<disk type='file'><source file='/vda'/><target dev='vda'/><boot order='1'/></disk><disk type='file'><source file='/vdb'/><target dev='vdb'/><boot order='1'/></disk>",
        "<disk type='file'><source file='/vda'/><target dev='vda'/><boot order='1'/></disk><disk type='file'><source file='/vdb'/><target dev='vdb'/><boot order='2'/></disk>",
    ),
    case(
        "cpu-topology",
        "cpu",
        "<cpu><topology sockets='1' cores='3' threads='1'/></cpu>",
        "<cpu><topology sockets='1' cores='2' threads='1'/></cpu>",
    ),
    case(
        "disk-bus",
        "devices",
        "<disk type='file' device='floppy'><source file='/fda'/><target dev='fda' bus='virtio'/></disk>",
        "<disk type='file' device='floppy'><source file='/fda'/><target dev='fda' bus='fdc'/></disk>",
    ),
    case(
        "disk-identity",
        "devices",
        "<disk type='file'><source file='/sda'/><target dev='sda'/><product>01234567890123456</product></disk>",
        "<disk type='file'><source file='/sda'/><target dev='sda'/><product>0123456789012345</product></disk>",
    ),
    case(
        "duplicate-address",
        "devices",
        "<disk type='file'><source file='/vda'/><target dev='vda'/><address type='pci' slot='7'/></disk><disk type='file'><source file='/vdb'/><target dev='vdb'/><address type='pci' slot='7'/></disk>",
        "<disk type='file'><source file='/vda'/><target dev='vda'/><address type='pci' slot='7'/></disk><disk type='file'><source file='/vdb'/><target dev='vdb'/><address type='pci' slot='8'/></disk>",
    )
    .with(&[("machine", "pc")]),
    case(
        "duplicate-alias",
        "devices",
        "<disk type='file'><source file='/vda'/><target dev='vda'/><alias name='ua-a'/></disk><disk type='file'><source file='/vdb'/><target dev='vdb'/><alias name='ua-a'/></disk>",
        "<disk type='file'><source file='/vda'/><target dev='vda'/><alias name='ua-a'/></disk><disk type='file'><source file='/vdb'/><target dev='vdb'/><alias name='ua-b'/></disk>",
    ),
    case(
        "duplicate-cell",
        "cpu",
        "<cpu><numa><cell id='0' cpus='0' memory='32768'/><cell id='0' cpus='1' memory='32768'/></numa></cpu>",
        "<cpu><numa><cell id='0' cpus='0' memory='32768'/><cell id='1' cpus='1' memory='32768'/></numa></cpu>",
    ),
    case(
        "duplicate-controller",
        "devices",
        "<controller type='scsi' index='0'/><controller type='scsi' index='0'/>",
        "<controller type='scsi' index='0'/><controller type='scsi' index='1'/>",
    ),
    case(
        "duplicate-hostdev",
        "devices",
        "<hostdev mode='subsystem' type='usb'><source><address bus='9' device='2'/></source></hostdev><hostdev mode='subsystem' type='usb'><source><address bus='9' device='2'/></source></hostdev>",
        "<hostdev mode='subsystem' type='usb'><source><address bus='9' device='2'/></source></hostdev><hostdev mode='subsystem' type='usb'><source><address bus='9' device='3'/></source></hostdev>",
    ),
    case(
        "duplicate-iothread",
        "before",
        "<iothreads>2</iothreads><iothreadids><iothread id='1'/><iothread id='1'/></iothreadids>",
        "<iothreads>2</iothreads><iothreadids><iothread id='1'/><iothread id='2'/></iothreadids>",
    ),
    case(
        "duplicate-seclabel",
        "after",
        "<seclabel type='none' model='dac'/><seclabel type='none' model='dac'/>",
        "<seclabel type='none' model='dac'/>",
    ),
    case(
        "duplicate-target",
        "devices",
        "<disk type='file'><source file='/vda'/><target dev='vda'/></disk><disk type='file'><source file='/vda'/><target dev='vda'/></disk>",
        "<disk type='file'><source file='/vda'/><target dev='vda'/></disk><disk type='file'><source file='/vdb'/><target dev='vdb'/></disk>",
    ),
    case(
        "duplicate-vcpu",
        "before",
        "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='0' cpuset='0'/></cputune>",
        "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='1' cpuset='0'/></cputune>",
    ),
    case(
        "huge-pages",
        "before",
        "<memoryBacking><hugepages><page size='2' unit='MiB'/><page size='1' unit='GiB'/></hugepages></memoryBacking>",
        "<memoryBacking><hugepages><page size='2' unit='MiB'/><page size='1' unit='GiB' nodeset='0'/></hugepages></memoryBacking>",
    )
    .with(&[("cpu", "<cpu><numa><cell id='0' cpus='0-1' memory='65536'/></numa></cpu>")]),
    case(
        "memory-limit",
        "memory",
        "<maxMemory slots='1' unit='MiB'>32</maxMemory><memory unit='MiB'>64</memory>",
        "<maxMemory slots='1' unit='MiB'>128</maxMemory><memory unit='MiB'>64</memory>",
    ),
    case(
        "missing-memory",
        "memory",
        "",
        "<memory unit='MiB'>64</memory>",
    ),
    case(
        "missing-source",
        "devices",
        "<disk type='file'><target dev='vda'/></disk>",
        "<disk type='file'><source file='/vda'/><target dev='vda'/></disk>",
    ),
    case(
        "overlapping-sets",
        "cpu",
        "<cpu><numa><cell id='0' cpus='0' memory='32768'/><cell id='1' cpus='0-1' memory='32768'/></numa></cpu>",
        "<cpu><numa><cell id='0' cpus='0' memory='32768'/><cell id='1' cpus='1' memory='32768'/></numa></cpu>",
    ),
    case(
        "outside-subnet",
        "network",
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.78.0.2' end='10.78.0.9'/></dhcp></ip>",
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.2' end='10.77.0.9'/></dhcp></ip>",
    ),
    case(
        "padded-value",
        "vcpu",
        "<vcpu placement=' static'>2</vcpu>",
        "<vcpu placement='static'>2</vcpu>",
    ),
    case(
        "portgroup",
        "network",
        "<portgroup name='a'/><portgroup name='a'/>",
        "<portgroup name='a'/><portgroup name='b'/>",
    ),
    case(
        "second-dhcp",
        "network",
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.2' end='10.77.0.9'/></dhcp></ip><ip address='10.78.0.1' prefix='24'><dhcp><range start='10.78.0.2' end='10.78.0.9'/></dhcp></ip>",
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.2' end='10.77.0.9'/></dhcp></ip><ip address='10.78.0.1' prefix='24'/>",
    ),
    case(
        "target-name",
        "devices",
        "<disk type='file'><source file='/vda1'/><target dev='vda1'/></disk>",
        "<disk type='file'><source file='/vda'/><target dev='vda'/></disk>",
    ),
    case(
        "unknown-cell",
        "before",
        "<numatune><memnode cellid='1' mode='strict' nodeset='0'/></numatune>",
        "<numatune><memnode cellid='0' mode='strict' nodeset='0'/></numatune>",
    )
    .with(&[("cpu", "<cpu><numa><cell id='0' cpus='0-1' memory='65536'/></numa></cpu>")]),
    case(
        "unknown-iothread",
        "devices",
        "<disk type='file'><driver name='qemu' iothread='2'/><source file='/a'/><target dev='vda'/></disk>",
        "<disk type='file'><driver name='qemu' iothread='1'/><source file='/a'/><target dev='vda'/></disk>",
    )
    .with(&[("before", "<iothreads>1</iothreads>")]),
    case(
        "unknown-throttle-group",
        "devices",
        "<disk type='file'><driver name='qemu'/><source file='/a'/><target dev='vda'/><throttlefilters><throttlefilter group='b'/></throttlefilters></disk>",
        "<disk type='file'><driver name='qemu'/><source file='/a'/><target dev='vda'/><throttlefilters><throttlefilter group='a'/></throttlefilters></disk>",
    )
    .with(&[("before", "<throttlegroups><throttlegroup><group_name>a</group_name><total_iops_sec>100</total_iops_sec></throttlegroup></throttlegroups>")]),
    case(
        "unknown-vcpu",
        "cpu",
        "<cpu><numa><cell id='0' cpus='0-2' memory='65536'/></numa></cpu>",
        "<cpu><numa><cell id='0' cpus='0-1' memory='65536'/></numa></cpu>",
    ),
    case(
        "uuid-mismatch",
        "before",
        "<sysinfo type='smbios'><system><entry name='uuid'>6f1a2b3c-0000-4000-8000-000000000002</entry></system></sysinfo>",
        "<sysinfo type='smbios'><system><entry name='uuid'>6f1a2b3c-0000-4000-8000-000000000001</entry></system></sysinfo>",
    )
    .with(&[("uuid", "<uuid>6f1a2b3c-0000-4000-8000-000000000001</uuid>")]),
    case(
        "video",
        "devices",
        "<video><model type='none'/></video><video><model type='vga'/></video>",
        "<video><model type='vga'/></video>",
    ),
];

const VIRTIOFS: &str = "<filesystem type='mount'><driver type='virtiofs'/><source dir='/tmp'/>\
    <target dir='a'/></filesystem>";
const SHARED: &[(&str, &str)] = &[("devices", VIRTIOFS)];

/// Cases of rules whose documents libvirt takes and does not start.
pub(super) const STARTS: &[Case] = &[case(
    "bad-netmask",
    "network",
    "<bridge name='virt-lints'/><ip address='10.77.0.1' netmask='255.0.255.0'/>",
    "<bridge name='virt-lints'/><ip address='10.77.0.1' netmask='255.255.0.0'/>",
)];
