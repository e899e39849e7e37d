//! Dependencies on a display: channels and sound that only SPICE carries, VNC's short passwords.

use super::facts::{devices, is_qemu};
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::{Attribute, NodeRef};

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    if !is_qemu(root) {
        return;
    }
    let has_spice = devices(root).any(|d| d.is("graphics") && d.attr("type") == Some("spice"));
    for device in devices(root) {
        if !has_spice && let Some((kind, what)) = carried_by_spice(device) {
            out.push(
                Diagnostic::error("needs-spice", format!("{what} needs SPICE graphics"))
                    .at(kind.span)
                    .detail("the domain has no graphics of type spice")
                    .hint("add graphics of type spice, or remove this"),
            );
        }
        check_password(device, out);
    }
}

/// Returns the attribute by which a device is carried by SPICE, and a name for the device.
fn carried_by_spice(device: NodeRef<'_>) -> Option<(&Attribute, &'static str)> {
    let holder = if device.is("rng") { device.child("backend")? } else { device };
    let kind = holder.attribute("type")?;
    let what = match (device.name().local.as_str(), kind.value.as_str()) {
        ("audio", "spice") => "SPICE audio",
        ("audio", _) => return None,
        (_, "spicevmc" | "spiceport") => "a SPICE channel",
        _ => return None,
    };
    Some((kind, what))
}

/// Longest password, in bytes: VNC's authentication makes a DES key of it.
const PASSWORD_MAX: usize = 8;

fn check_password(device: NodeRef<'_>, out: &mut Diagnostics) {
    if device.is("graphics")
        && device.attr("type") == Some("vnc")
        && let Some(password) = device.attribute("passwd")
        && password.value.len() > PASSWORD_MAX
    {
        let length = password.value.len();
        out.push(
            Diagnostic::error("vnc-password", "the VNC password is too long")
                .at(password.span)
                .detail(format!("{length} bytes; expected at most {PASSWORD_MAX}"))
                .hint("shorten it; where that is too weak, use TLS with SASL"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, problems};
    use super::*;

    #[test]
    fn what_needs_spice() {
        let spice = "<graphics type='spice'/>";
        for (device, at) in [
            ("<channel type='spicevmc'/>", 44),
            ("<channel type='spiceport'/>", 44),
            ("<redirdev bus='usb' type='spicevmc'/>", 55),
            ("<smartcard mode='passthrough' type='spicevmc'/>", 65),
            ("<rng><backend type='spicevmc'/></rng>", 49),
            ("<audio id='1' type='spice'/>", 49),
        ] {
            let of = |more: &str| format!("<devices>{device}{more}</devices>");
            let expected = format!("{at} needs-spice!");
            finds(check, &[(&of(""), &[&expected]), (&of(spice), &[])]);
            finds(check, &[(&of("<graphics type='vnc'/>"), &[&expected])]);
            let other = format!("<domain type='test'>{}</domain>", of(""));
            assert_eq!(problems(&other, check), Vec::<String>::new());
        }
        finds(
            check,
            &[("<devices><channel type='unix'/><audio id='1' type='none'/></devices>", &[])],
        );
    }

    #[test]
    fn passwords() {
        let of =
            |kind, word| format!("<devices><graphics type='{kind}' passwd='{word}'/></devices>");
        finds(
            check,
            &[
                (&of("vnc", "12345678"), &[]),
                (&of("vnc", "123456789"), &["58 vnc-password!"]),
                (&of("vnc", "äääää"), &["58 vnc-password!"]),
                (&of("spice", "123456789"), &[]),
            ],
        );
    }
}
