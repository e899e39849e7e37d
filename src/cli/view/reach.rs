//! Uses of the host by a definition, beyond the guest's or network's own: programs, files, devices,
//! sockets and bridges of the host, and how an emulator is started. A reviewer of a plan has to see
//! all of them, and all of each value.

use crate::reconcile::shown;
use diagnostics::escape;
use xmltree::{Element, NodeRef, Path};

/// Devices and sections that use the host, whatever is in them. Of all others, anything that looks
/// like a path or a URL counts: loaders, kernels, NVRAM and its template, memory backed by files,
/// ACPI tables, ROMs.
const OUT: &[&str] = &[
    "audio",
    "bridge",
    "channel",
    "commandline",
    "console",
    "disk",
    "emulator",
    "filesystem",
    "forward",
    "forwarder",
    "graphics",
    "hostdev",
    "idmap",
    "input",
    "interface",
    "lease",
    "options",
    "override",
    "parallel",
    "redirdev",
    "rng",
    "route",
    "seclabel",
    "serial",
    "shmem",
    "smartcard",
    "tpm",
    "vsock",
];

/// Devices and sections that use the host without naming what: the host's own network, whatever is
/// plugged in.
const BARE: &[&str] = &["forward", "hostdev", "interface", "redirdev"];

/// Parts of a device on the guest's side, or for its own work.
const INSIDE: &[&str] = &[
    "acpi",
    "address",
    "alias",
    "auth",
    "bandwidth",
    "blockio",
    "boot",
    "coalesce",
    "driver",
    "encryption",
    "filterref",
    "geometry",
    "guest",
    "iotune",
    "ip",
    "link",
    "mac",
    "model",
    "mtu",
    "product",
    "protocol",
    "serial",
    "size",
    "space_hard_limit",
    "space_soft_limit",
    "target",
    "throttlefilters",
    "tune",
    "vendor",
    "vlan",
    "wwn",
];

/// Attributes of a device itself that name the host's side.
const OWN: &[&str] = &["listen", "port", "tlsPort", "socket", "path", "file", "managed"];

/// Elements for people, or for other programs.
const WORDS: &[&str] = &["metadata", "title", "description", "name"];

/// An element that uses the host.
pub(super) struct Reach<'a> {
    pub(super) element: NodeRef<'a>,
    /// The use, in one line.
    pub(super) line: String,
}

/// All uses of the host by a definition, a line each, escaped and with secrets redacted.
pub(super) fn lines(definition: &Element) -> Vec<String> {
    reaching(&shown(definition)).into_iter().map(|reach| reach.line).collect()
}

/// The devices and sections that use the host.
pub(super) fn reaching(definition: &Element) -> Vec<Reach<'_>> {
    let mut found = Vec::new();
    for section in definition.elements().filter(|e| !is_word(e)) {
        match section.name.local.as_str() {
            "devices" | "dns" => found.extend(section.elements().filter_map(reach)),
            // libvirt makes and names all bridges but those that it is told to use
            "bridge" => {
                let mode = definition.child("forward").and_then(|f| f.attr("mode"));
                found.extend(reach(section).filter(|_| mode == Some("bridge")));
            }
            _ => found.extend(reach(section)),
        }
    }
    found
}

fn is_word(e: &Element) -> bool {
    WORDS.contains(&e.name.local.as_str())
}

fn reach(element: &Element) -> Option<Reach<'_>> {
    let local = element.name.local.as_str();
    let is_out = OUT.contains(&local);
    let mut values = Vec::new();
    for attribute in &element.attributes {
        let name = attribute.name.local.as_str();
        // a network has nothing inside, and neither has a section without a type
        let is_kind = name == "type" || name == "mode" && matches!(local, "hostdev" | "forward");
        let is_own = !is_kind && (OWN.contains(&name) || element.attr("type").is_none());
        if is_out && is_own || is_place(&attribute.value) {
            values.push(format!("@{name}={}", plain(&attribute.value)));
        }
    }
    text(element, "", is_out, &mut values);
    for child in element.elements() {
        let inside = is_out && INSIDE.contains(&child.name.local.as_str()) && local != "forward";
        leaves(child, "", is_out && !inside, &mut values);
    }
    // a label of another type than the usual takes the confinement away, or makes it another
    let is_unusual = local == "seclabel" && element.attr("type") != Some("dynamic");
    if values.is_empty() && !BARE.contains(&local) && !is_unusual {
        return None;
    }
    let kind = [
        element.attr("mode").filter(|_| matches!(local, "hostdev" | "forward")),
        element.attr("type"),
    ];
    let words = kind.into_iter().flatten().map(plain).chain(values);
    let which =
        element.child("target").and_then(|t| t.attr("dev")).map(|dev| format!(" {}", plain(dev)));
    let line = format!(
        "{}{}: {}",
        escape(&element.name.written()),
        which.unwrap_or_default(),
        words.collect::<Vec<_>>().join(" ")
    );
    Some(Reach { element: element.node(), line })
}

fn leaves(element: &Element, above: &str, all: bool, values: &mut Vec<String>) {
    let path = format!("{above}{}", escape(&element.name.written()));
    for attribute in element.attributes.iter().filter(|a| all || is_place(&a.value)) {
        let name = escape(&attribute.name.written());
        values.push(format!("{path}/@{name}={}", plain(&attribute.value)));
    }
    text(element, &path, all, values);
    for child in element.elements() {
        leaves(child, &format!("{path}/"), all, values);
    }
}

fn text(element: &Element, path: &str, all: bool, values: &mut Vec<String>) {
    let text = element.text();
    if element.has_text() && (all || is_place(&text)) {
        let sign = if path.is_empty() { "" } else { "=" };
        values.push(format!("{path}{sign}{}", plain(text.trim())));
    }
}

/// Whether a value looks like a file, a device or an address outside of the guest.
fn is_place(value: &str) -> bool {
    value.trim_start().starts_with('/') || ["://", "json:", "../"].iter().any(|s| value.contains(s))
}

/// Whether a value at this path is shown whole, since it uses the host.
pub(super) fn is_whole(path: &Path, value: &str) -> bool {
    let local = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
    let names: Vec<String> = path.steps.iter().map(|s| local(&s.name)).collect();
    if names.first().is_some_and(|name| WORDS.contains(&name.as_str())) {
        return false;
    }
    // a value may be an element
    let quoted = ["='/", "=\"/", ">/"].iter().any(|s| value.contains(s));
    quoted || is_place(value) || names.iter().any(|name| OUT.contains(&name.as_str()))
}

/// A value, whole, in quotes where its bounds would not be seen.
pub(super) fn plain(value: &str) -> String {
    let is_odd = value.is_empty() || value.contains(char::is_whitespace);
    if is_odd { format!("\"{}\"", escape(value)) } else { escape(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    fn of(text: &str) -> Vec<String> {
        lines(&parse(SourceId::NONE, text, &Limits::default()).expect("well-formed"))
    }

    /// Devices as manifests have them, and the line for each.
    const DEVICES: &[(&str, &str)] = &[
        ("<emulator>/a/../b</emulator>", "emulator: /a/../b"),
        (
            "<disk type='file'><driver name='qemu'/><source file='/a'/><target dev='vda' bus='virtio'/></disk>",
            "disk vda: file source/@file=/a",
        ),
        (
            "<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>",
            "disk vda: volume source/@pool=p source/@volume=v",
        ),
        (
            "<disk type='file'><source file='/a'/><backingStore type='file'><source file='/b'/></backingStore></disk>",
            "disk: file source/@file=/a backingStore/@type=file backingStore/source/@file=/b",
        ),
        (
            "<serial type='file'><source path='/etc/cron.d/x'/></serial>",
            "serial: file source/@path=/etc/cron.d/x",
        ),
        ("<console type='pty' tty='/dev/pts/1'/>", "console: pty @tty=/dev/pts/1"),
        (
            "<parallel type='dev'><source path='/dev/parport0'/><log file='/l'/></parallel>",
            "parallel: dev source/@path=/dev/parport0 log/@file=/l",
        ),
        (
            "<channel type='unix'><source mode='bind' path='/s'/><target type='virtio' name='a'/></channel>",
            "channel: unix source/@mode=bind source/@path=/s",
        ),
        (
            "<rng model='virtio'><backend model='random'>/dev/sda</backend></rng>",
            "rng: @model=virtio backend/@model=random backend=/dev/sda",
        ),
        (
            "<memory model='nvdimm'><source><path>/m</path></source><target><size>1</size></target></memory>",
            "memory: source/path=/m",
        ),
        ("<shmem name='s'><server path='/s'/></shmem>", "shmem: @name=s server/@path=/s"),
        (
            "<tpm model='a'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
            "tpm: @model=a backend/@type=passthrough backend/device/@path=/dev/tpm0",
        ),
        (
            "<input type='evdev'><source dev='/dev/input/event1'/></input>",
            "input: evdev source/@dev=/dev/input/event1",
        ),
        (
            "<hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='1'/></source><address bus='2'/></hostdev>",
            "hostdev: subsystem pci @managed=yes source/address/@bus=1",
        ),
        (
            "<filesystem type='mount'><binary path='/v'/><source dir='/'/><target dir='a'/></filesystem>",
            "filesystem: mount binary/@path=/v source/@dir=/",
        ),
        (
            "<interface type='ethernet'><script path='../x'/><mac address='a'/></interface>",
            "interface: ethernet script/@path=../x",
        ),
        (
            "<interface type='vhostuser'><source type='unix' path='/s' mode='client'/></interface>",
            "interface: vhostuser source/@type=unix source/@path=/s source/@mode=client",
        ),
        ("<interface type='user'/>", "interface: user"),
        (
            "<smartcard mode='host-certificates'><certificate>c</certificate></smartcard>",
            "smartcard: @mode=host-certificates certificate=c",
        ),
        (
            "<vsock model='virtio'><cid auto='no' address='3'/></vsock>",
            "vsock: @model=virtio cid/@auto=no cid/@address=3",
        ),
        (
            "<graphics type='vnc' port='-1' listen='0.0.0.0'/>",
            "graphics: vnc @port=-1 @listen=0.0.0.0",
        ),
        (
            "<video><model type='virtio'><acceleration rendernode='/dev/dri/x'/></model></video>",
            "video: model/acceleration/@rendernode=/dev/dri/x",
        ),
        ("<pstore backend='acpi-erst'><path>/p</path></pstore>", "pstore: path=/p"),
        ("<audio id='1' type='file' path='/a'/>", "audio: file @path=/a"),
    ];

    #[test]
    fn devices_say_where_they_lead() {
        for (device, line) in DEVICES {
            let text = format!("<domain><devices>{device}</devices></domain>");
            assert_eq!(of(&text), [*line], "{device}");
        }
        for inside in [
            "<controller type='usb' model='qemu-xhci'/>",
            "<serial type='pty'/>",
            "<input type='tablet' bus='usb'/>",
            "<memballoon model='virtio'/>",
            "<video><model type='virtio'/></video>",
            "<watchdog model='itco'/>",
        ] {
            let text = format!("<domain><devices>{inside}</devices></domain>");
            assert_eq!(of(&text), [""; 0], "{inside}");
        }
    }

    #[test]
    fn sections_say_where_they_lead() {
        let domain = "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><name>/n</name>\
            <description>/d</description><metadata><a b='/x'/></metadata>\
            <os><type>hvm</type><loader type='pflash'>/l</loader><nvram template='/t'>/n</nvram>\
            <kernel>/k</kernel><initrd>/i</initrd><cmdline>quiet</cmdline></os>\
            <memory>1</memory><seclabel type='none'/><seclabel type='dynamic' model='dac'/>\
            <q:commandline><q:arg value='-x'/><q:env name='A' value='b'/></q:commandline></domain>";
        assert_eq!(
            of(domain),
            [
                "os: loader=/l nvram/@template=/t nvram=/n kernel=/k initrd=/i",
                "seclabel: none",
                "q:commandline: q:arg/@value=(sensitive) q:env/@name=A q:env/@value=(sensitive)",
            ]
        );
        let network = "<network xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name>\
            <bridge name='br0'/><forward mode='bridge'/><ip address='10.0.0.1' prefix='24'/>\
            <d:options><d:option value='conf-file=/etc/x'/></d:options></network>";
        assert_eq!(
            of(network),
            ["bridge: @name=br0", "forward: bridge", "d:options: d:option/@value=conf-file=/etc/x",]
        );
        let nat = "<network><bridge name='virbr0'/><forward mode='nat' dev='eth0'/></network>";
        assert_eq!(of(nat), ["forward: nat @dev=eth0"]);
    }
}
