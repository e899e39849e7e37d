//! Values that libvirt fills in, rewrites and drops when it parses a definition: the common part of its
//! post-parse, as far as its test driver shows it.

use super::device_defaults;
use super::device_defaults::lower_mac;
use super::errors::{fault, parser_of};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Kind, Uuid, check_name};
use std::collections::BTreeSet;
use xmltree::{Element, Node};

/// The elements of a domain that libvirt knows, in the order in which it writes them.
const DOMAIN_ORDER: &str = "name uuid genid title description hwuuid metadata maxMemory memory \
    currentMemory blkiotune memtune memoryBacking vcpu vcpus iothreads iothreadids \
    defaultiothread cputune numatune resource sysinfo bootloader bootloader_args os idmap \
    features throttlegroups cpu clock on_poweroff on_reboot on_crash on_lockfailure pm perf \
    devices seclabel keywrap launchSecurity";

/// The same for the devices.
const DEVICE_ORDER: &str = "emulator disk controller lease filesystem interface smartcard serial \
    parallel console channel input tpm graphics audio sound video hostdev redirdev redirfilter \
    hub watchdog memballoon rng nvram panic shmem memory iommu vsock crypto pstore";

/// The same for a network.
const NETWORK_ORDER: &str = "name uuid title description metadata forward bridge mtu mac domain \
    dns vlan bandwidth port ip route virtualport portgroup";

/// Defaults of domains: path of the element, attribute, value.
const DOMAIN_DEFAULTS: [(&[&str], &str, &str); 5] = [
    (&["vcpu"], "placement", "static"),
    (&["vcpu"], "", "1"),
    (&["os", "type"], "arch", "i686"),
    (&["clock"], "offset", "utc"),
    (&["devices"], "", ""),
];

/// Lifecycle actions: element, default, and what it may be.
const ACTIONS: [(&str, &str, &[&str]); 3] = [
    ("on_poweroff", "destroy", &["destroy", "restart", "preserve", "rename-restart"]),
    ("on_reboot", "restart", &["destroy", "restart", "preserve", "rename-restart"]),
    (
        "on_crash",
        "destroy",
        &[
            "destroy",
            "restart",
            "preserve",
            "rename-restart",
            "coredump-destroy",
            "coredump-restart",
        ],
    ),
];

/// The hypervisors that a domain may be for.
const DOMAIN_TYPES: [&str; 15] = [
    "bhyve",
    "hvf",
    "hyperv",
    "kqemu",
    "kvm",
    "lxc",
    "openvz",
    "parallels",
    "phyp",
    "qemu",
    "test",
    "vbox",
    "vmware",
    "vz",
    "xen",
];

/// Ways in which a network forwards.
const FORWARDS: [&str; 9] =
    ["bridge", "hostdev", "nat", "none", "open", "passthrough", "private", "route", "vepa"];

/// Reads name and UUID, generates the UUID if there is none, and checks what the root element is.
pub(crate) fn identity(kind: Kind, definition: &mut Element) -> Result<Uuid> {
    let parser = parser_of(kind);
    if !definition.is(kind.as_str()) {
        let found = definition.name.written();
        let message = format!("expecting root element of '{kind}', not '{found}'");
        return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::XML, message));
    }
    let name = definition.child_text("name").unwrap_or_default();
    if name.is_empty() {
        return Err(Error::host(ErrorCode::NO_NAME, parser, "missing name information"));
    }
    if name.contains('/') {
        let message = format!("name {name} cannot contain '/'");
        return Err(fault(ErrorCode::XML_ERROR, parser, message));
    }
    if let Err(why) = check_name(&name) {
        return Err(Error::host(ErrorCode::XML_DETAIL, ErrorDomain::XML, format!("name: {why}")));
    }
    definition.child_or_new("name").set_text(name);
    let uuid = match definition.child_text("uuid") {
        Some(text) => Uuid::try_parse(&text)
            .map_err(|_| fault(ErrorCode::INTERNAL_ERROR, parser, "malformed uuid element"))?,
        None => Uuid::new_v4(),
    };
    definition.child_or_new("uuid").set_text(uuid.to_string());
    // live definitions carry an id; the next boot's have none
    definition.remove_attr("id");
    Ok(uuid)
}

/// Fills in a domain's definition. Doing it again changes nothing.
pub(crate) fn domain(definition: &mut Element) -> Result<()> {
    let parser = ErrorDomain::DOMAIN;
    match definition.attr("type") {
        None => {
            let message = "missing domain type attribute";
            return Err(fault(ErrorCode::INTERNAL_ERROR, parser, message));
        }
        Some(t) if !DOMAIN_TYPES.contains(&t) => {
            let message = format!("invalid domain type {t}");
            return Err(fault(ErrorCode::CONFIG_UNSUPPORTED, parser, message));
        }
        Some(_) => {}
    }
    if definition.descend(&["os", "type"]).is_none_or(|e| e.text().is_empty()) {
        return Err(fault(ErrorCode::XML_ERROR, parser, "an os <type> must be specified"));
    }
    memory(definition)?;
    for (path, attribute, value) in DOMAIN_DEFAULTS {
        let element = path.iter().fold(&mut *definition, |e, name| e.child_or_new(name));
        match attribute {
            "" if element.text().is_empty() && !value.is_empty() => element.set_text(value),
            "" => {}
            _ if element.attr(attribute).is_none() => element.set_attr(attribute, value),
            _ => {}
        }
    }
    vcpu(definition)?;
    for (name, default, known) in ACTIONS {
        let action = definition.child_or_new(name);
        match action.text() {
            text if text.is_empty() => action.set_text(default),
            text if known.contains(&text.as_str()) => {}
            text => {
                let message = format!("unknown {name} action: {text}");
                return Err(fault(ErrorCode::CONFIG_UNSUPPORTED, parser, message));
            }
        }
    }
    boot(definition)?;
    device_defaults::devices(definition.child_or_new("devices"))?;
    sort(Kind::Domain, definition);
    Ok(())
}

/// Fills in a network's definition; `free_bridge` gives the bridge that a network of this name gets.
pub(crate) fn network(
    definition: &mut Element,
    free_bridge: impl FnOnce(&str) -> String,
) -> Result<()> {
    let name = definition.child_text("name").unwrap_or_default();
    let forward = definition.child_mut("forward").map(|forward| {
        if forward.attr("mode").is_none() {
            forward.set_attr("mode", "nat");
        }
        forward.attr("mode").unwrap_or_default().to_owned()
    });
    let mode = forward.as_deref().unwrap_or("none");
    if !FORWARDS.contains(&mode) {
        let message = format!("unknown forwarding type '{mode}'");
        return Err(fault(ErrorCode::CONFIG_UNSUPPORTED, ErrorDomain::NETWORK, message));
    }
    if ["nat", "route"].contains(&mode) && definition.child("ip").is_none() {
        let message =
            format!("{mode} forwarding requested, but no IP address provided for network '{name}'");
        return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::NETWORK, message));
    }
    if ["nat", "none", "open", "route"].contains(&mode) {
        let bridge = definition.child_or_new("bridge");
        if bridge.attr("name").is_none_or(str::is_empty) {
            bridge.set_attr("name", free_bridge(&name));
        }
        for (attribute, value) in [("stp", "on"), ("delay", "0")] {
            if bridge.attr(attribute).is_none() {
                bridge.set_attr(attribute, value);
            }
        }
    }
    if let Some(mac) = definition.child_mut("mac") {
        lower_mac(mac, ErrorDomain::NETWORK)?;
    }
    sort(Kind::Network, definition);
    Ok(())
}

/// Puts the elements in libvirt's order, and drops what libvirt does not know.
pub(crate) fn sort(kind: Kind, definition: &mut Element) {
    let order = if kind.is_guest() { DOMAIN_ORDER } else { NETWORK_ORDER };
    keep_in_order(definition, order);
    if let Some(devices) = definition.child_mut("devices") {
        keep_in_order(devices, DEVICE_ORDER);
    }
    if let Some(metadata) = definition.child_mut("metadata") {
        // one element of each namespace, none without
        let mut seen = BTreeSet::new();
        metadata.remove_elements(|e| match &e.name.namespace {
            Some(uri) => !seen.insert(uri.clone()),
            None => true,
        });
    }
}

/// Whether libvirt knows a device of that name.
pub(crate) fn is_device(element: &Element) -> bool {
    DEVICE_ORDER.split_whitespace().any(|name| element.is(name))
}

/// The size in KiB that an element with a number and a unit says, rounded up.
pub(crate) fn kib(size: &Element) -> Result<u64> {
    let text = size.text();
    let number: u64 = text.parse().map_err(|_| {
        let path = &size.name.local;
        let message = format!("Invalid value '{text}' for element or attribute './{path}[1]'");
        fault(ErrorCode::XML_ERROR, ErrorDomain::XML, message)
    })?;
    let unit = size.attr("unit").unwrap_or("KiB");
    let factor = factor(unit).ok_or_else(|| {
        let message = format!("unknown suffix '{unit}'");
        fault(ErrorCode::INVALID_ARG, ErrorDomain::NONE, message)
    })?;
    let bytes = u128::from(number) * factor;
    // libvirt counts bytes in 64 bits
    u64::try_from(bytes).map(|bytes| bytes.div_ceil(1024)).map_err(|_| {
        let message = format!("value too large: {number}{unit}");
        fault(ErrorCode::OVERFLOW, ErrorDomain::NONE, message)
    })
}

/// Bytes of a unit; `KB` is decimal, `K` and `KiB` binary, case aside.
fn factor(unit: &str) -> Option<u128> {
    let lower = unit.to_ascii_lowercase();
    if ["b", "byte", "bytes"].contains(&lower.as_str()) {
        return Some(1);
    }
    let mut letters = lower.chars();
    let power = u32::try_from("kmgtpe".find(letters.next()?)?).ok()? + 1;
    match letters.as_str() {
        "" | "ib" => Some(1024_u128.pow(power)),
        "b" => Some(1000_u128.pow(power)),
        _ => None,
    }
}

fn memory(definition: &mut Element) -> Result<()> {
    let max = definition.child("memory").map(kib).transpose()?.unwrap_or(0);
    if max == 0 {
        let message = "Memory size must be specified via <memory> or in the <numa> configuration";
        return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::DOMAIN, message));
    }
    let current = definition.child("currentMemory").map(kib).transpose()?.unwrap_or(0);
    let current = if current == 0 { max } else { current.min(max) };
    let ceiling = definition.child("maxMemory").map(kib).transpose()?;
    for (name, size) in
        [("memory", Some(max)), ("currentMemory", Some(current)), ("maxMemory", ceiling)]
    {
        if let Some(size) = size {
            let element = definition.child_or_new(name);
            element.set_attr("unit", "KiB");
            element.set_text(size.to_string());
        }
    }
    Ok(())
}

fn vcpu(definition: &mut Element) -> Result<()> {
    let vcpu = definition.child_or_new("vcpu");
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0);
    let Some(max) = number(&vcpu.text()) else {
        let message = "maximum vcpus count must be an integer";
        return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::DOMAIN, message));
    };
    let Some(current) = vcpu.attr("current").map_or(Some(max), number) else {
        let message = "current vcpus count must be an integer";
        return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::DOMAIN, message));
    };
    if current > max {
        let message = "maximum vCPU count must not be less than current vCPU count";
        return Err(fault(ErrorCode::CONFIG_UNSUPPORTED, ErrorDomain::DOMAIN, message));
    }
    if current == max {
        vcpu.remove_attr("current");
    }
    Ok(())
}

/// Boots from the disk if nothing says otherwise.
fn boot(definition: &mut Element) -> Result<()> {
    let devices = definition.child("devices");
    let ordered = devices.is_some_and(|d| d.elements().any(|e| e.child("boot").is_some()));
    let os = definition.child_or_new("os");
    let listed = os.child("boot").is_some();
    if ordered && listed {
        let message = "per-device boot elements cannot be used together with os/boot elements";
        return Err(fault(ErrorCode::CONFIG_UNSUPPORTED, ErrorDomain::DOMAIN, message));
    }
    let direct = ["kernel", "init"].iter().any(|name| os.child(name).is_some());
    if !ordered && !listed && !direct {
        os.push(Element::new("boot").with_attr("dev", "hd"));
    }
    Ok(())
}

fn keep_in_order(parent: &mut Element, order: &str) {
    let rank = |e: &Element| order.split_whitespace().position(|name| e.is(name));
    parent.children.retain(|n| matches!(n, Node::Element(e) if rank(e).is_some()));
    parent.children.sort_by_key(|n| match n {
        Node::Element(e) => rank(e),
        Node::Text(_) => None,
    });
}
