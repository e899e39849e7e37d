//! A domain and its operating system block, read from the tree.

use super::{Console, Disk, Graphics, Interface, InterfaceSource};
use crate::model::{Kind, MemoryError, ResourceId, Uuid, check_name, memory_kib, parse_uuid};
use diagnostics::Span;
use xmltree::NodeRef;

/// A `<domain>` element.
#[derive(Clone, Copy, Debug)]
pub struct Domain<'a> {
    root: NodeRef<'a>,
}

impl<'a> Domain<'a> {
    /// The view of a document's root.
    pub fn new(root: NodeRef<'a>) -> Self {
        Self { root }
    }

    /// The tree behind the view.
    pub fn element(self) -> NodeRef<'a> {
        self.root
    }

    /// The kind of hypervisor, such as `kvm`, `qemu`, `kqemu` or `xen`; `xen` was the default when
    /// there was no other.
    pub fn hypervisor(self) -> &'a str {
        self.root.attr("type").unwrap_or("xen")
    }

    /// The number of the running instance; no manifest needs it.
    pub fn id(self) -> Option<i32> {
        self.root.attr("id")?.parse().ok()
    }

    /// The name.
    pub fn name(self) -> Option<String> {
        self.root.child_text("name")
    }

    /// The UUID, if there is a valid one.
    pub fn uuid(self) -> Option<Uuid> {
        parse_uuid(&self.root.child_text("uuid")?)
    }

    /// The memory at boot in KiB.
    pub fn memory_kib(self) -> Option<Result<u64, MemoryError>> {
        self.root.child("memory").map(amount)
    }

    /// The memory the balloon leaves to the guest, in KiB; `None` means all of it.
    pub fn current_memory_kib(self) -> Option<Result<u64, MemoryError>> {
        self.root.child("currentMemory").map(amount)
    }

    /// Returns the maximum number of processors; `None` if it is not a number. The default is one.
    pub fn vcpus(self) -> Option<u32> {
        self.root.child_text("vcpu").map_or(Some(1), |n| n.parse().ok())
    }

    /// The operating system block.
    pub fn os(self) -> Option<Os<'a>> {
        self.root.child("os").map(|element| Os { element })
    }

    /// Returns the program that chooses the kernel of a paravirtualised Xen guest.
    pub fn bootloader(self) -> Option<String> {
        self.root.child_text("bootloader")
    }

    /// Whether a feature, such as `pae`, `apic` or `acpi`, is asked for.
    pub fn has_feature(self, name: &str) -> bool {
        self.root
            .descend(&["features", name])
            .is_some_and(|feature| feature.attr("state") != Some("off"))
    }

    /// Returns the base of the guest's clock: `utc`, `localtime` or one of libvirt's later words.
    pub fn clock_offset(self) -> &'a str {
        self.root.child("clock").and_then(|c| c.attr("offset")).unwrap_or("utc")
    }

    /// Returns the action for `on_poweroff`, `on_reboot` or `on_crash`, if the document has one.
    pub fn lifecycle(self, event: &str) -> Option<String> {
        self.root.child_text(event)
    }

    /// The emulator to run.
    pub fn emulator(self) -> Option<String> {
        self.root.descend(&["devices", "emulator"]).map(NodeRef::text)
    }

    /// The disks in document order.
    pub fn disks(self) -> impl Iterator<Item = Disk<'a>> {
        self.devices("disk").map(Disk::new)
    }

    /// The network interfaces in document order.
    pub fn interfaces(self) -> impl Iterator<Item = Interface<'a>> {
        self.devices("interface").map(Interface::new)
    }

    /// The networks that its interfaces are on, and where it says so.
    pub fn networks(self) -> impl Iterator<Item = (ResourceId, Span)> + use<'a> {
        self.interfaces().filter_map(|i| match i.source() {
            InterfaceSource::Network(Some(name)) if check_name(name).is_ok() => {
                let place = i.element().child("source").and_then(|s| s.attribute("network"));
                let span = place.map_or(i.element().span(), |a| a.span);
                Some((ResourceId::new(Kind::Network, name), span))
            }
            _ => None,
        })
    }

    /// The consoles in document order.
    pub fn consoles(self) -> impl Iterator<Item = Console<'a>> {
        self.devices("console").map(Console::new)
    }

    /// The graphical displays in document order.
    pub fn graphics(self) -> impl Iterator<Item = Graphics<'a>> {
        self.devices("graphics").map(Graphics::new)
    }

    /// All devices in document order.
    pub fn all_devices(self) -> impl Iterator<Item = NodeRef<'a>> {
        self.root.children_named("devices").flat_map(NodeRef::elements)
    }

    fn devices(self, name: &'static str) -> impl Iterator<Item = NodeRef<'a>> {
        self.root.children_named("devices").flat_map(move |d| d.children_named(name))
    }
}

fn amount(element: NodeRef<'_>) -> Result<u64, MemoryError> {
    memory_kib(&element.text(), element.attr("unit"))
}

/// View of the `<os>` block: the boot sources and their order.
#[derive(Clone, Copy, Debug)]
pub struct Os<'a> {
    element: NodeRef<'a>,
}

impl<'a> Os<'a> {
    /// `hvm` for full virtualisation; `linux` or `xen` for paravirtualised Xen guests.
    pub fn kind(self) -> Option<String> {
        self.element.child_text("type")
    }

    /// The processor architecture, such as `x86_64`.
    pub fn arch(self) -> Option<&'a str> {
        self.element.child("type")?.attr("arch")
    }

    /// The machine type, such as `pc` or `q35`.
    pub fn machine(self) -> Option<&'a str> {
        self.element.child("type")?.attr("machine")
    }

    /// The firmware or, on Xen, the boot loader of the emulated machine.
    pub fn loader(self) -> Option<String> {
        self.element.child_text("loader")
    }

    /// The kernel that is booted directly.
    pub fn kernel(self) -> Option<String> {
        self.element.child_text("kernel")
    }

    /// The first RAM disk of that kernel.
    pub fn initrd(self) -> Option<String> {
        self.element.child_text("initrd")
    }

    /// The command line of that kernel.
    pub fn cmdline(self) -> Option<String> {
        self.element.child_text("cmdline")
    }

    /// The root file system as the guest sees it.
    pub fn root(self) -> Option<String> {
        self.element.child_text("root")
    }

    /// The devices to boot from, first choice first: `fd`, `hd`, `cdrom`, `network`.
    pub fn boot(self) -> impl Iterator<Item = &'a str> {
        self.element.children_named("boot").filter_map(|b| b.attr("dev"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::domain::{DiskDevice, DiskSource, InterfaceSource};
    use diagnostics::SourceId;
    use xmltree::{Element, Limits, parse};

    fn read(text: &str) -> Element {
        parse(SourceId::NONE, text, &Limits::default()).expect("well-formed")
    }

    #[test]
    fn a_paravirtualised_xen_guest() {
        let root = read(
            "<domain type='xen' id='7'><name>pv</name><os><type>linux</type>\
             <kernel>/boot/vmlinuz</kernel><initrd>/boot/initrd</initrd><root>/dev/xvda1</root>\
             <cmdline>ro 3</cmdline></os><memory>131072</memory><vcpu>2</vcpu>\
             <on_crash>rename-restart</on_crash><devices>\
             <disk type='block'><source dev='/dev/vg/pv'/><target dev='xvda1'/></disk>\
             <interface type='bridge'><source bridge='xenbr0'/><mac address='00:16:3e:00:00:01'/>\
             <ip address='10.0.0.9'/><script path='vif-bridge'/></interface>\
             <console tty='/dev/pts/5'/></devices></domain>",
        );
        let domain = Domain::new(root.node());
        let os = domain.os().expect("an os block");
        assert_eq!((domain.hypervisor(), domain.id()), ("xen", Some(7)));
        assert_eq!(domain.memory_kib(), Some(Ok(131_072)));
        assert_eq!(domain.vcpus(), Some(2));
        assert_eq!(os.kind().as_deref(), Some("linux"));
        assert_eq!(os.root().as_deref(), Some("/dev/xvda1"));
        assert_eq!(os.cmdline().as_deref(), Some("ro 3"));
        assert_eq!(domain.lifecycle("on_crash").as_deref(), Some("rename-restart"));
        let disk = domain.disks().next().expect("a disk");
        assert_eq!(disk.source(), Some(DiskSource::Block("/dev/vg/pv")));
        assert_eq!(disk.target(), Some("xvda1"));
        let interface = domain.interfaces().next().expect("an interface");
        assert_eq!(interface.source(), InterfaceSource::Bridge(Some("xenbr0")));
        assert_eq!(interface.ip(), Some("10.0.0.9"));
        assert_eq!(interface.script(), Some("vif-bridge"));
        assert_eq!(domain.consoles().next().and_then(Console::tty), Some("/dev/pts/5"));
    }

    #[test]
    fn a_fully_virtualised_guest() {
        let root = read(
            "<domain type='kqemu'><name>fv</name><uuid>4dea22b31d52d8f32516782e98ab3fa0</uuid>\
             <os><type arch='i686' machine='pc'>hvm</type><loader>/x/hvmloader</loader>\
             <boot dev='cdrom'/><boot dev='hd'/></os><memory unit='MiB'>512</memory>\
             <currentMemory>262144</currentMemory><features><pae/><acpi/><apic state='off'/>\
             </features><clock offset='localtime'/><devices><emulator>/usr/bin/qemu</emulator>\
             <disk type='file' device='cdrom'><target dev='hdc'/><readonly/></disk>\
             <interface type='user'/>\
             <interface type='mcast'><source address='230.0.0.1' port='5558'/></interface>\
             <graphics type='vnc' port='5904'/><graphics type='sdl'/></devices></domain>",
        );
        let domain = Domain::new(root.node());
        assert!(domain.uuid().is_some());
        assert_eq!(domain.memory_kib(), Some(Ok(524_288)));
        assert_eq!(domain.current_memory_kib(), Some(Ok(262_144)));
        assert_eq!(domain.vcpus(), Some(1));
        assert!(domain.has_feature("pae") && !domain.has_feature("apic"));
        assert_eq!(domain.clock_offset(), "localtime");
        let os = domain.os().expect("an os block");
        assert_eq!((os.arch(), os.machine()), (Some("i686"), Some("pc")));
        assert_eq!(os.boot().collect::<Vec<_>>(), ["cdrom", "hd"]);
        let disk = domain.disks().next().expect("a disk");
        assert_eq!((disk.device(), disk.source()), (DiskDevice::Cdrom, None));
        assert!(disk.is_readonly() && !disk.is_shareable());
        let sources: Vec<_> = domain.interfaces().map(Interface::source).collect();
        let tunnel = InterfaceSource::Mcast { address: Some("230.0.0.1"), port: Some("5558") };
        assert_eq!(sources, [InterfaceSource::User, tunnel]);
        let displays: Vec<_> = domain.graphics().map(|g| (g.kind(), g.port())).collect();
        assert_eq!(displays, [(Some("vnc"), Some("5904")), (Some("sdl"), None)]);
    }
}
