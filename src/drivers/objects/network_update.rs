//! Changing an entry of a network's section, as virNetworkUpdate does.

use super::errors::fault;
use super::post_parse;
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Kind, Mac, NetworkCommand, NetworkSection};
use xmltree::{Element, Path};

/// Path of a section's entries, and their identity.
struct Section {
    /// libvirt's word for an entry.
    word: &'static str,
    /// The element of an entry.
    entry: &'static str,
    /// The element that holds them, inside the network or its `<ip>`; empty for the network itself.
    holder: &'static str,
    /// Paths of the values that tell entries apart.
    keys: &'static [&'static str],
    /// Whether one equal value makes two entries the same one, or only all of them.
    any: bool,
    /// Whether an entry can be changed.
    modify: bool,
}

fn section(section: NetworkSection) -> Section {
    let new =
        |word, entry, holder, keys| Section { word, entry, holder, keys, any: false, modify: true };
    match section {
        NetworkSection::IpDhcpHost => {
            Section { any: true, ..new("dhcp host", "host", "dhcp", &["@mac", "@ip", "@name"]) }
        }
        NetworkSection::IpDhcpRange => {
            Section { modify: false, ..new("dhcp range", "range", "dhcp", &["@start", "@end"]) }
        }
        NetworkSection::ForwardInterface => {
            Section { modify: false, ..new("interface", "interface", "forward", &["@dev"]) }
        }
        NetworkSection::Portgroup => new("portgroup", "portgroup", "", &["@name"]),
        NetworkSection::DnsHost => new("DNS HOST", "host", "dns", &["@ip"]),
        NetworkSection::DnsTxt => new("DNS TXT", "txt", "dns", &["@name"]),
        NetworkSection::DnsSrv => Section {
            modify: false,
            ..new("DNS SRV", "srv", "dns", &["@service", "@protocol", "@domain", "@target"])
        },
    }
}

/// Changes one entry of `definition`.
pub(crate) fn update(
    definition: &mut Element,
    command: NetworkCommand,
    which: NetworkSection,
    parent: i32,
    entry: &Element,
) -> Result<()> {
    let section = section(which);
    let network = definition.child_text("name").unwrap_or_default();
    if !entry.is(section.entry) {
        let (found, word) = (entry.name.written(), section.entry);
        let message = format!(
            "unexpected element <{found}>, expecting <{word}>, while updating network '{network}'"
        );
        return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::NETWORK, message));
    }
    if command == NetworkCommand::Modify && !section.modify {
        let message = format!("{} entries cannot be modified, only added or deleted", section.word);
        return Err(fault(ErrorCode::OPERATION_UNSUPPORTED, ErrorDomain::NETWORK, message));
    }
    let holder = match section.holder {
        "" => &mut *definition,
        "dhcp" => ip(definition, parent, &section, &network)?.child_or_new("dhcp"),
        "forward" if definition.child("forward").is_none() => {
            return Err(invalid(format!("network '{network}' does not forward")));
        }
        name => definition.child_or_new(name),
    };
    let there = |e: &Element| e.is(section.entry) && section.matches(e, entry, command);
    match command {
        NetworkCommand::AddLast if holder.elements().any(there) => {
            let message = format!(
                "there is an existing {} entry in network '{network}' that matches",
                section.word
            );
            return Err(invalid(message));
        }
        NetworkCommand::AddLast => holder.push(entry.clone()),
        NetworkCommand::Modify => match holder.elements_mut().find(|e| there(e)) {
            Some(place) => *place = entry.clone(),
            None => return Err(section.not_found(&network)),
        },
        NetworkCommand::Delete => {
            if !holder.remove_elements(there) {
                return Err(section.not_found(&network));
            }
        }
    }
    definition.remove_elements(|e| e.is("dns") && is_bare(e));
    for ip in definition.elements_mut().filter(|e| e.is("ip")) {
        ip.remove_elements(|e| e.is("dhcp") && is_bare(e));
    }
    post_parse::sort(Kind::Network, definition);
    Ok(())
}

fn is_bare(element: &Element) -> bool {
    element.attributes.is_empty() && element.elements().next().is_none()
}

/// The `<ip>` element that `parent` counts to; for -1 the one with `<dhcp>`, else the first.
fn ip<'a>(
    definition: &'a mut Element,
    parent: i32,
    section: &Section,
    network: &str,
) -> Result<&'a mut Element> {
    let at = match usize::try_from(parent) {
        Ok(at) => at,
        Err(_) => {
            let mut ips = definition.children_named("ip");
            ips.position(|ip| ip.child("dhcp").is_some()).unwrap_or(0)
        }
    };
    definition.elements_mut().filter(|e| e.is("ip")).nth(at).ok_or_else(|| {
        let index = if parent < 0 { String::new() } else { format!(" at index {parent}") };
        let what = section.word;
        let message = format!(
            "couldn't update {what} entry - no <ip> element found{index} in network '{network}'"
        );
        invalid(message)
    })
}

impl Section {
    /// Whether `wanted` means the entry `there`. A deletion means the one that agrees in all
    /// values it gives.
    fn matches(&self, there: &Element, wanted: &Element, command: NetworkCommand) -> bool {
        let value = |e: &Element, key: &&str| Path::parse(key).and_then(|path| path.value(e));
        let mut given = self.keys.iter().filter_map(|k| Some((value(there, k), value(wanted, k)?)));
        let equal = |(there, wanted): (Option<String>, String)| {
            there.is_some_and(|there| match (Mac::parse(&there), Mac::parse(&wanted)) {
                (Some(a), Some(b)) => a == b,
                _ => there == wanted,
            })
        };
        if self.any && command != NetworkCommand::Delete {
            return given.any(equal);
        }
        let mut some = false;
        given.all(|pair| {
            some = true;
            equal(pair)
        }) && some
    }

    fn not_found(&self, network: &str) -> Error {
        let word = self.word;
        invalid(format!("couldn't locate a matching {word} entry in network '{network}'"))
    }
}

fn invalid(message: String) -> Error {
    fault(ErrorCode::OPERATION_INVALID, ErrorDomain::NETWORK, message)
}
