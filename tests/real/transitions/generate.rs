//! Pairs of manifests from snippets of our own: each governing value changes to each other one.
//!
//! A file of snippets holds tables `[[domain]]` and `[[network]]`, one for each governor:
//!
//!     governor    its name
//!     variants    what varies; a string stands in <devices>, or in <network>; a table names parts
//!     with        the same parts, for all variants
//!     machines    the machines to try it on, instead of q35 and pc in turn; "" leaves it to the variants
//!     may_refuse  why an edit may be refused before anything is done
//!
//! Parts of a domain are type, arch, machine, firmware (an attribute), memory, vcpu, os (in `<os>`),
//! features, top (behind `<os>`), devices, end; of a network, attributes and body. Others fill in
//! `@NAME@`, which is nothing without them.

use super::super::oracle::SETTINGS;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};
use virt::model::Kind;

const FILES: [&str; 4] = [
    include_str!("snippets/machine.toml"),
    include_str!("snippets/storage.toml"),
    include_str!("snippets/devices.toml"),
    include_str!("snippets/network.toml"),
];

/// Both sides of an edit.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// Unique.
    pub(super) name: String,
    /// Governor that changes.
    pub(super) governor: String,
    pub(super) kind: Kind,
    pub(super) before: String,
    pub(super) after: String,
    /// Reason for which it may be refused before anything is done, if it may.
    pub(super) may_refuse: Option<String>,
}

/// Every ordered pair of variants of every governor.
pub(super) fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for file in FILES {
        let tables = DeTable::parse(file).unwrap().into_inner();
        for (kind, governors) in &tables {
            let is_network = kind.get_ref() == "network";
            let kind = if is_network { Kind::Network } else { Kind::Domain };
            for governor in governors.get_ref().as_array().unwrap() {
                pairs.extend(of_governor(kind, governor.get_ref().as_table().unwrap()));
            }
        }
    }
    pairs
}

fn of_governor(kind: Kind, table: &DeTable<'_>) -> Vec<Pair> {
    let value = |key: &str| table.get(key).map(|v| v.get_ref());
    let text = |key: &str| value(key).and_then(DeValue::as_str).map(str::to_owned);
    let governor = text("governor").unwrap();
    let machines: Vec<&str> = match value("machines").and_then(DeValue::as_array) {
        Some(machines) => machines.iter().map(|m| m.get_ref().as_str().unwrap()).collect(),
        None if kind == Kind::Network => vec![""],
        None => vec!["q35", "pc"],
    };
    let common = value("with").map(|with| parts(kind, with)).unwrap_or_default();
    let variants = value("variants").and_then(DeValue::as_array).unwrap();
    let variants: Vec<Parts> =
        variants.iter().map(|v| joined(&common, &parts(kind, v.get_ref()))).collect();
    let mut pairs = Vec::new();
    for from in 0..variants.len() {
        for to in (0..variants.len()).filter(|to| *to != from) {
            // each direction of an edit comes on another machine
            let machine = machines[(from + to + usize::from(from > to)) % machines.len()];
            let name = [kind.as_str(), &governor, machine, &format!("{from}-{to}")]
                .iter()
                .filter(|part| !part.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join("/");
            pairs.push(Pair {
                name,
                governor: governor.clone(),
                kind,
                before: document(kind, machine, &variants[from]),
                after: document(kind, machine, &variants[to]),
                may_refuse: text("may_refuse"),
            });
        }
    }
    pairs
}

type Parts = BTreeMap<String, String>;

fn parts(kind: Kind, value: &DeValue<'_>) -> Parts {
    if let Some(table) = value.as_table() {
        let text = |v: &DeValue<'_>| v.as_str().unwrap().to_owned();
        return table.iter().map(|(k, v)| (k.get_ref().to_string(), text(v.get_ref()))).collect();
    }
    let place = if kind == Kind::Network { "body" } else { "devices" };
    Parts::from([(place.to_owned(), value.as_str().unwrap().to_owned())])
}

/// Joins the parts of both; repeated parts of a manifest are added, others replaced.
fn joined(common: &Parts, own: &Parts) -> Parts {
    let mut all = common.clone();
    for (place, text) in own {
        match place.as_str() {
            "os" | "top" | "devices" | "end" | "body" => {
                all.entry(place.clone()).or_default().push_str(text);
            }
            _ => {
                all.insert(place.clone(), text.clone());
            }
        }
    }
    all
}

fn document(kind: Kind, machine: &str, parts: &Parts) -> String {
    let part =
        |name: &str, default: &str| parts.get(name).cloned().unwrap_or_else(|| default.to_owned());
    let head = format!("<name>trial</name><metadata>{SETTINGS}</metadata>");
    let text = if kind == Kind::Network {
        format!(
            "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'{}>{head}{}</network>",
            part("attributes", ""),
            part("body", ""),
        )
    } else {
        let firmware = parts.get("firmware").map(|f| format!(" firmware='{f}'"));
        format!(
            "<domain type='{}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{head}{}{}\
             <os{}><type arch='{}' machine='{}'>hvm</type>{}</os>{}{}<devices>{}</devices>{}</domain>",
            part("type", "qemu"),
            part("memory", "<memory unit='MiB'>64</memory>"),
            part("vcpu", "<vcpu>2</vcpu>"),
            firmware.unwrap_or_default(),
            part("arch", "x86_64"),
            part("machine", machine),
            part("os", ""),
            part("features", ""),
            part("top", ""),
            part("devices", ""),
            part("end", ""),
        )
    };
    filled_in(&text, parts)
}

/// The text with the part NAME in place of `@NAME@`.
fn filled_in(text: &str, parts: &Parts) -> String {
    let pieces: Vec<&str> = text.split('@').collect();
    let mut filled = String::new();
    for (n, piece) in pieces.iter().enumerate() {
        // every other piece is a name
        match n % 2 {
            0 => filled.push_str(piece),
            _ => filled.push_str(parts.get(*piece).map_or("", String::as_str)),
        }
    }
    filled
}

/// A number made of a text: the same in each run, and evenly spread.
pub(super) fn spread(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // its low bits hardly depend on the first bytes
    let mixed = (fnv ^ (fnv >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 29)
}
