//! UUIDs and MAC addresses that a manifest leaves out: taken from the host, else derived, so that the same
//! manifest gives the same guest on every run and after every crash.

use super::record::digest;
use crate::model::{Kind, Mac, ResourceId, Target, Uuid};
use crate::reconcile::diff::compare::fits_at;
use crate::reconcile::diff::difference::Side;
use crate::reconcile::diff::pairing::pair;
use std::borrow::Cow;
use std::collections::HashSet;
use xmltree::{Element, Node, Path};

/// Returns the UUID of a definition, if it can be parsed: a domain's own, or the one that its firmware
/// reports, which has to be the same.
pub(crate) fn uuid_in(definition: &Element) -> Option<Uuid> {
    let told = || {
        let tables = definition.children_named("sysinfo");
        let systems = tables.filter(|e| e.attr("type") == Some("smbios"));
        let entries = systems.filter_map(|e| e.child("system")).flat_map(Element::elements);
        { entries }.find(|e| e.attr("name") == Some("uuid")).map(Element::text)
    };
    let text = definition.child_text("uuid").or_else(told)?;
    Uuid::try_parse(text.trim()).ok()
}

/// Returns the reason for which a definition is not one of `target`, or nothing if it is: a host goes by the
/// name and the UUID in the document, not by the caller's.
pub(crate) fn not_of(target: &Target, definition: &Element) -> Option<String> {
    let kind = target.id.kind.as_str();
    let name = definition.child_text("name").unwrap_or_default();
    if !definition.is(kind) {
        Some(format!("its definition is not one of a {kind}"))
    } else if name != target.id.name {
        Some(format!("its definition is of {kind}/{name}"))
    } else if uuid_in(definition) != Some(target.uuid) {
        Some("its definition has another UUID".to_owned())
    } else {
        None
    }
}

/// The UUID of a resource that has none yet: version 5 of the set and the resource's identity, and
/// of its host's name in a fleet: one manifest makes a guest on each of several hosts, and neither
/// their UUIDs nor the MAC addresses that follow from them may meet in one network.
pub(crate) fn derived_uuid(set: &str, host: Option<&str>, id: &ResourceId) -> Uuid {
    // no name of a set or a host has a slash, so that none of the texts is another's
    let host = host.map(|h| format!("{h}/")).unwrap_or_default();
    let name = format!("virt:{set}:{host}{}/{}", id.kind.as_str(), id.name);
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// Sets the UUID right behind the name, where hypervisors write it.
pub(crate) fn set_uuid(definition: &mut Element, uuid: Uuid) {
    if let Some(element) = definition.child_mut("uuid") {
        element.set_text(uuid.hyphenated().to_string());
        return;
    }
    let element = Element::new("uuid").with_text(uuid.hyphenated().to_string());
    let name =
        definition.children.iter().position(|n| matches!(n, Node::Element(e) if e.is("name")));
    definition.children.insert(name.map_or(0, |at| at + 1), Node::Element(element));
}

/// Derives a MAC address for each interface without one from the domain's UUID and the interface's position,
/// so that a retry after a crash gives the guest the same.
pub(crate) fn fill_macs(definition: &mut Element, kind: Kind, uuid: Uuid, prefix: [u8; 3]) {
    if !kind.is_guest() {
        return;
    }
    let Some(devices) = definition.child_mut("devices") else { return };
    let mut taken: HashSet<Mac> = devices
        .children_named("interface")
        .filter_map(|i| Mac::parse(i.child("mac")?.attr("address")?))
        .collect();
    let without = devices.elements_mut().filter(|e| e.is("interface") && e.child("mac").is_none());
    for (n, interface) in without.enumerate() {
        let mac = (0..).map(|salt| derived_mac(uuid, n, salt, prefix)).find(|m| !taken.contains(m));
        let Some(mac) = mac else { continue };
        taken.insert(mac);
        let element = Element::new("mac").with_attr("address", mac.to_string());
        interface.children.insert(0, Node::Element(element));
    }
}

/// Returns the manifest with the MAC address that each of its interfaces has in the definition `next_boot`.
/// In a running instance, interfaces stand in the order in which they were plugged in: only their addresses
/// identify them.
pub(crate) fn with_macs<'a>(manifest: &'a Element, next_boot: &Element) -> Cow<'a, Element> {
    let nics = |root: &'_ Element| -> Vec<Element> {
        let devices = root.child("devices");
        devices.into_iter().flat_map(|d| d.children_named("interface")).cloned().collect()
    };
    let (asked, there) = (nics(manifest), nics(next_boot));
    let has_mac = |nic: &Element| nic.child("mac").is_some();
    if there.is_empty() || asked.iter().all(has_mac) {
        return Cow::Borrowed(manifest);
    }
    let path = Path::parse("devices/interface").unwrap_or_default();
    let [asked, there] = [&asked, &there].map(|nics| nics.iter().collect::<Vec<_>>());
    let pairs = pair("devices", (&asked, &there, &[]), &fits_at(Side::NextBoot, &path)).live;
    let mut manifest = manifest.clone();
    let devices = manifest.child_mut("devices").into_iter().flat_map(Element::elements_mut);
    for (nic, partner) in devices.filter(|e| e.is("interface")).zip(pairs) {
        let mac = partner.and_then(|n| there.get(n)).and_then(|nic| nic.child("mac"));
        if let (Some(mac), None) = (mac, nic.child("mac")) {
            nic.children.insert(0, Node::Element(mac.clone()));
        }
    }
    Cow::Owned(manifest)
}

fn derived_mac(uuid: Uuid, n: usize, salt: u32, prefix: [u8; 3]) -> Mac {
    let hash = digest(format!("virt:mac:{uuid}:{n}:{salt}").as_bytes());
    let byte = |at: usize| {
        hash.get(at * 2..at * 2 + 2).and_then(|h| u8::from_str_radix(h, 16).ok()).unwrap_or(0)
    };
    let [a, b, c] = prefix;
    Mac([a, b, c, byte(0), byte(1), byte(2)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    #[test]
    fn derived_values_are_stable_and_distinct() {
        let id = ResourceId::new(Kind::Domain, "web");
        let uuid = derived_uuid("demo", None, &id);
        assert_eq!(uuid, derived_uuid("demo", None, &id));
        assert_ne!(uuid, derived_uuid("other", None, &id));
        assert_ne!(uuid, derived_uuid("demo", Some("kvm01"), &id));
        assert_ne!(uuid, derived_uuid("demo", None, &ResourceId::new(Kind::Network, "web")));
        let text = "<domain><name>web</name><devices><interface type='user'/>\
                    <interface type='user'/></devices></domain>";
        let mut one = parse(SourceId::NONE, text, &Limits::default()).expect("well-formed");
        fill_macs(&mut one, Kind::Domain, uuid, [0x52, 0x54, 0]);
        set_uuid(&mut one, uuid);
        let mut two = one.clone();
        fill_macs(&mut two, Kind::Domain, uuid, [0x52, 0x54, 0]);
        assert_eq!(one, two);
        let devices = one.child("devices").expect("devices");
        let macs: Vec<_> =
            devices.elements().filter_map(|e| e.child("mac")?.attr("address")).collect();
        assert!(
            macs.len() == 2
                && macs.first() != macs.last()
                && macs.iter().all(|m| m.starts_with("52:54:00:"))
        );
        assert_eq!(uuid_in(&one), Some(uuid));
        let told = "<domain><sysinfo type='smbios'><system>\
                    <entry name='uuid'>c7a5fdbd-edaf-9455-926a-d65c16db1809</entry>\
                    </system></sysinfo></domain>";
        let told = parse(SourceId::NONE, told, &Limits::default()).expect("well-formed");
        assert_eq!(uuid_in(&told), Uuid::try_parse("c7a5fdbd-edaf-9455-926a-d65c16db1809").ok());
    }
}
