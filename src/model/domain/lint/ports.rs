//! Ports of the host that the domain listens on, and ports of servers it connects to.

use super::facts::{devices, is_qemu, is_serial_again};
use crate::model::lint::Claims;
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics, Span};
use xmltree::NodeRef;

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    let (mut seen, mut displays) = (Claims::default(), Claims::default());
    for device in devices(root) {
        if device.is("graphics")
            && is_qemu(root)
            && let Some(kind) = device.attribute("type")
            && let Some(first) = displays.claim(&kind.value, kind.span)
        {
            out.push(
                Diagnostic::error("duplicate-graphics", "QEMU has one display of each type")
                    .at(kind.span)
                    .detail(found(&kind.value))
                    .related(first, "the first one")
                    .hint("remove one of them"),
            );
        }
        for listener in listeners(device) {
            if let Some(first) = seen.claim(listener.key(), listener.span) {
                out.push(
                    Diagnostic::error("duplicate-port", "two devices listen on one port")
                        .at(listener.span)
                        .detail(listener.key())
                        .related(first, "the first one")
                        .hint(if device.is("graphics") {
                            "use autoport, or give each a port of its own"
                        } else {
                            "give each a port of its own"
                        }),
                );
            }
        }
        check_vnc(root, device, out);
        check_services(device, out);
        if device.is("disk") {
            check_disk_hosts(device, out);
        }
    }
}

/// A TCP port of the host that something listens on.
#[derive(Debug)]
pub(crate) struct Listener {
    address: String,
    port: u16,
    /// Place of the port.
    pub(crate) span: Span,
}

impl Listener {
    /// Returns a key for the port that only one owner may have.
    pub(crate) fn key(&self) -> String {
        match self.address.as_str() {
            "" => format!("port {}", self.port),
            address => format!("port {} of {address}", self.port),
        }
    }
}

/// The ports that a device listens on, as far as they are fixed.
pub(crate) fn listeners(device: NodeRef<'_>) -> Vec<Listener> {
    if is_serial_again(device) {
        return Vec::new();
    }
    let port = |element: NodeRef<'_>, key: &str, address: &str| {
        let attribute = element.attribute(key)?;
        let port = attribute.value.parse().ok().filter(|p| *p != 0)?;
        Some(Listener { address: address.to_owned(), port, span: attribute.span })
    };
    match device.name().local.as_str() {
        "graphics" => {
            let listen = device.child("listen");
            let fixed = device.attr("autoport") != Some("yes");
            let network = listen.is_none_or(|l| l.attr("type").unwrap_or("address") == "address");
            if !fixed || !network || device.attr("socket").is_some() {
                return Vec::new();
            }
            let address = listen.and_then(|l| l.attr("address")).or(device.attr("listen"));
            let address = address.unwrap_or_default();
            let keys = ["port", "tlsPort", "websocket"].into_iter();
            keys.filter_map(|key| port(device, key, address)).collect()
        }
        "interface" if device.attr("type") == Some("server") => {
            let source = device.child("source");
            source
                .and_then(|s| port(s, "port", s.attr("address").unwrap_or_default()))
                .into_iter()
                .collect()
        }
        "serial" | "parallel" | "console" | "channel" | "redirdev" | "smartcard" | "rng"
            if device.attr("type") == Some("tcp") =>
        {
            device
                .children_named("source")
                .filter(|s| s.attr("mode") == Some("bind"))
                .filter_map(|s| port(s, "service", s.attr("host").unwrap_or_default()))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// First port of VNC: QEMU counts displays from there.
const VNC_FIRST: i64 = 5900;

fn check_vnc(root: NodeRef<'_>, device: NodeRef<'_>, out: &mut Diagnostics) {
    if !device.is("graphics") || device.attr("type") != Some("vnc") || !is_qemu(root) {
        return;
    }
    if device.attr("autoport") == Some("yes") {
        return;
    }
    if let Some(port) = device.attribute("port")
        && let Ok(number) = port.value.parse::<i64>()
        && (1..VNC_FIRST).contains(&number)
    {
        out.push(
            Diagnostic::error("bad-port", "QEMU has no VNC display on this port")
                .at(port.span)
                .detail(format!("{}; expected {VNC_FIRST} to 65535", found(&port.value)))
                .hint("use autoport, or a port from 5900"),
        );
    }
}

/// A service may be a name; a number has to be a port.
fn check_services(device: NodeRef<'_>, out: &mut Diagnostics) {
    for service in device.children_named("source").filter_map(|s| s.attribute("service")) {
        let digits = service.value.bytes().all(|b| b.is_ascii_digit());
        if digits && service.value.parse::<u16>().is_err() {
            // QEMU was seen to start with one, and to take what is left of it in 16 bits
            out.push(
                Diagnostic::warning("bad-port", "this is not a port").at(service.span).detail(
                    format!("{}; expected 1 to 65535, or a service's name", found(&service.value)),
                ),
            );
        }
    }
}

fn check_disk_hosts(disk: NodeRef<'_>, out: &mut Diagnostics) {
    for host in disk.children_named("source").flat_map(|s| s.children_named("host")) {
        if let Some(port) = host.attribute("port")
            && port.value.parse::<u16>().is_err()
        {
            out.push(
                Diagnostic::error("bad-port", "this is not a port")
                    .at(port.span)
                    .detail(format!("{}; expected 1 to 65535", found(&port.value))),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    #[test]
    fn ports_that_two_want_and_ports_that_are_none() {
        let devices = |inside: &str| format!("<devices>{inside}</devices>");
        let vnc = "<graphics type='vnc' port='5901'/>";
        let serial = "<serial type='tcp'><source mode='bind' host='::' service='7000'/></serial>";
        let connect =
            "<serial type='tcp'><source mode='connect' host='a' service='7000'/></serial>";
        let free = "<graphics type='vnc' port='-1' autoport='yes'/>";
        finds(
            check,
            &[
                (&devices(&vnc.repeat(2)), &["79 duplicate-graphics!", "90 duplicate-port!"]),
                (&devices(&format!("{free}{}", vnc.replace("vnc", "spice"))), &[]),
                (&devices(&connect.repeat(2)), &[]),
                (&devices(&serial.repeat(2)), &["161 duplicate-port!"]),
                (
                    &devices("<graphics type='spice' port='5901' tlsPort='5901'/>"),
                    &["73 duplicate-port!"],
                ),
                (
                    &devices(&format!(
                        "{vnc}<graphics type='spice' port='5901' listen='10.0.0.1'/>"
                    )),
                    &[],
                ),
                (&devices("<graphics type='vnc' port='80'/>"), &["56 bad-port!"]),
                (
                    &devices("<serial type='udp'><source service='65536'/></serial>"),
                    &["65 bad-port"],
                ),
                (&devices("<serial type='udp'><source service='syslog'/></serial>"), &[]),
                (
                    &devices("<disk type='network'><source><host port='70000'/></source></disk>"),
                    &["70 bad-port!"],
                ),
            ],
        );
    }
}
