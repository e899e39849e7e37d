//! Equality of values: units, numbers, sets, addresses, machine types.

use super::rule::Equivalence;
use crate::model::{Mac, Uuid, memory_bytes, memory_kib, number_set};
use std::net::IpAddr;

/// Unit in which a quantity is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// KiB, rounded up; a bare number is KiB.
    KiB,
    /// Bytes; a bare number is bytes.
    Bytes,
    /// Bytes; a bare number is MiB.
    MiB,
}

/// Elements whose text is a quantity with its unit in `@unit`, by the last two names of their path
/// (`*` for any parent), and what libvirt keeps them in.
const QUANTITIES: &[(&str, Unit)] = &[
    ("domain/memory", Unit::KiB),
    ("domain/currentMemory", Unit::KiB),
    ("domain/maxMemory", Unit::KiB),
    ("memtune/hard_limit", Unit::KiB),
    ("memtune/soft_limit", Unit::KiB),
    ("memtune/swap_hard_limit", Unit::KiB),
    ("memtune/min_guarantee", Unit::KiB),
    ("target/size", Unit::KiB),
    ("target/requested", Unit::KiB),
    ("target/block", Unit::KiB),
    ("label/size", Unit::KiB),
    ("source/pagesize", Unit::KiB),
    ("source/alignsize", Unit::KiB),
    ("shmem/size", Unit::Bytes),
    ("smm/tseg", Unit::MiB),
    ("controller/pcihole64", Unit::KiB),
    ("metadata_cache/max_size", Unit::Bytes),
];

/// Attributes that are a quantity with its unit in the `@unit` beside them.
const QUANTITY_ATTRIBUTES: &[(&str, Unit)] = &[
    ("cell/@memory", Unit::KiB),
    ("hugepages/page/@size", Unit::KiB),
    ("cachetune/cache/@size", Unit::KiB),
];

/// The unit that the element at `pattern` is kept in, if its text is a quantity.
pub(crate) fn quantity(parent: &str, name: &str) -> Option<Unit> {
    let fits =
        |p: &str| p.split_once('/').is_some_and(|(a, b)| b == name && (a == "*" || a == parent));
    QUANTITIES.iter().find(|(p, _)| fits(p)).map(|(_, unit)| *unit)
}

/// The unit of the attribute, if it is a quantity with `@unit` beside it.
pub(crate) fn quantity_attribute(element: &str, attribute: &str) -> Option<Unit> {
    let at = format!("{element}/@{attribute}");
    QUANTITY_ATTRIBUTES.iter().find(|(p, _)| p.ends_with(&at)).map(|(_, unit)| *unit)
}

/// A number of KiB or bytes from a text and its unit; KiB round up, as libvirt does. `None` if it
/// is no number, has an unknown unit or is past 2^64.
pub(crate) fn amount(text: &str, unit: Option<&str>, kept: Unit) -> Option<u64> {
    match kept {
        Unit::KiB => memory_kib(text, unit),
        Unit::Bytes => memory_bytes(text, unit.unwrap_or("bytes")),
        Unit::MiB => memory_bytes(text, unit.unwrap_or("MiB")),
    }
    .ok()
}

/// Returns the rule by which a manifest's value equals a host's; `None` if they differ.
///
/// `element` is the name of the element it stands in, `attribute` that of the attribute, or `None`
/// for the element's text.
pub(crate) fn same_value(
    element: &str,
    attribute: Option<&str>,
    want: &str,
    live: &str,
) -> Option<Equivalence> {
    let (want, live) = (want.trim(), live.trim());
    if want == live {
        return Some(Equivalence::Blanks);
    }
    if is_mac(element, attribute)
        && let (Some(a), Some(b)) = (Mac::parse(want), Mac::parse(live))
    {
        return (a == b).then_some(Equivalence::Mac);
    }
    if is_uuid(element, attribute)
        && let (Ok(a), Ok(b)) = (Uuid::try_parse(want), Uuid::try_parse(live))
    {
        return (a == b).then_some(Equivalence::Uuid);
    }
    if is_ip(attribute)
        && let (Ok(a), Ok(b)) = (want.parse::<IpAddr>(), live.parse::<IpAddr>())
    {
        return (a == b).then_some(Equivalence::Address);
    }
    let same_set = || number_set(want).is_some() && number_set(want) == number_set(live);
    let (rule, same) = match attribute {
        Some("machine") => (Equivalence::Machine, same_machine(want, live)),
        Some("mode" | "fmode" | "dmode") => {
            (Equivalence::Mode, octal(want).is_some() && octal(want) == octal(live))
        }
        Some(name) if is_set(element, name) => (Equivalence::Set, same_set()),
        None if is_set(element, "") => (Equivalence::Set, same_set()),
        // a host rounds a screen's memories up to a power of two
        Some("vram" | "vram64" | "ram" | "vgamem") if element == "model" => {
            let rounded = want.parse::<u64>().ok().and_then(u64::checked_next_power_of_two);
            (Equivalence::PowerOfTwo, rounded == live.parse().ok())
        }
        Some(name) if is_number(element, name) => {
            (Equivalence::Number, number(want).is_some() && number(want) == number(live))
        }
        // a version of USB has two digits behind its point
        Some("version") if element == "usbdev" => (
            Equivalence::Number,
            usb_version(want).is_some() && usb_version(want) == usb_version(live),
        ),
        // the model of a network card is read without regard to case
        Some("type") if element == "model" => (Equivalence::Case, want.eq_ignore_ascii_case(live)),
        Some("model") if element == "controller" => (Equivalence::Auto, want == "auto"),
        // an iSCSI target names its first unit
        Some("name") if element == "source" && want.starts_with("iqn.") => {
            (Equivalence::FirstUnit, live.strip_prefix(want) == Some("/0"))
        }
        _ => return None,
    };
    same.then_some(rule)
}

/// A machine type as written against the one a host made of it: `q35` stands for any
/// `pc-q35-X.Y`, `pc` for `pc-i440fx-X.Y`, another alias `A` for `A-X.Y`. A host keeps the version
/// it defined a domain with, so any is right until the manifest names one.
fn same_machine(want: &str, live: &str) -> bool {
    let stem = match want {
        "q35" => "pc-q35",
        "pc" => "pc-i440fx",
        other => other,
    };
    live.strip_prefix(stem).and_then(|rest| rest.strip_prefix('-')).is_some_and(|version| {
        version.starts_with(|c: char| c.is_ascii_digit())
            || stem.starts_with("pc-") && !version.is_empty()
    })
}

/// Attributes that are sets of small numbers, such as `0-2,^1`; "" is the element's text.
fn is_set(element: &str, attribute: &str) -> bool {
    matches!(attribute, "cpuset" | "nodeset" | "cpus" | "vcpus" | "iothreads" | "cellid")
        || matches!((element, attribute), ("nodemask" | "nodeset", ""))
}

fn is_mac(element: &str, attribute: Option<&str>) -> bool {
    attribute == Some("mac") || element == "mac" && attribute == Some("address")
}

fn is_uuid(element: &str, attribute: Option<&str>) -> bool {
    match attribute {
        None => matches!(element, "uuid" | "genid"),
        Some(name) => matches!(name, "uuid" | "interfaceid" | "instanceid"),
    }
}

/// Attributes that are IP addresses, which a host writes in their shortest form.
fn is_ip(attribute: Option<&str>) -> bool {
    let names = ["address", "addr", "ip", "start", "end", "gateway"];
    attribute.is_some_and(|name| names.contains(&name))
}

/// Attributes that are numbers, printed padded or in another base.
fn is_number(element: &str, attribute: &str) -> bool {
    match element {
        "address" | "zpci" => !matches!(attribute, "type" | "dev" | "name" | "value" | "uuid"),
        "target" => matches!(attribute, "chassis" | "chassisNr" | "busNr" | "port" | "index"),
        "vendor" | "product" => attribute == "id",
        "timer" => attribute == "frequency",
        "master" => attribute == "startport",
        "bridge" => attribute == "delay",
        _ => matches!(attribute, "iobase" | "irq" | "wwn" | "freq" | "port" | "index" | "lun"),
    }
}

fn number(text: &str) -> Option<i128> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(rest) => (rest, 16),
        None => (text, 10),
    };
    i128::from_str_radix(digits, radix).ok()
}

/// A version such as `1.1`, which is 1.10, in hundredths.
fn usb_version(text: &str) -> Option<u32> {
    let (major, minor) = text.split_once('.').unwrap_or((text, ""));
    let minor = format!("{minor:0<2}");
    major.parse::<u32>().ok()?.checked_mul(100)?.checked_add(minor.parse::<u32>().ok()?)
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_say_the_same() {
        for (element, attribute, want, live, same) in [
            ("mac", Some("address"), "52:54:00:AA:bb:0c", "52:54:00:aa:bb:0c", true),
            ("address", Some("slot"), "3", "0x03", true),
            ("address", Some("slot"), "0x3", "0x04", false),
            ("type", Some("machine"), "q35", "pc-q35-10.0", true),
            ("type", Some("machine"), "pc", "pc-i440fx-7.2", true),
            ("type", Some("machine"), "pc", "pc-q35-7.2", false),
            ("type", Some("machine"), "virt", "virt-9.0", true),
            ("type", Some("machine"), "pc-q35-6.0", "pc-q35-10.0", false),
            ("vcpupin", Some("cpuset"), "0-2,^1", "0,2", true),
            ("vcpupin", Some("cpuset"), "0-2", "0,2", false),
            ("vcpupin", Some("cpuset"), "0-4294967295", "0,2", false),
            (
                "uuid",
                None,
                "C7A5FDBDEDAF9455926AD65C16DB1809",
                "c7a5fdbd-edaf-9455-926a-d65c16db1809",
                true,
            ),
            ("ip", Some("address"), "2001:db8:0::1", "2001:db8::1", true),
            ("source", Some("mode"), "0644", "644", true),
            ("serial", None, "0010", "10", false),
            ("serial", None, "52:54:00:AA:bb:0c", "52:54:00:aa:bb:0c", false),
            ("source", Some("name"), "0x10", "16", false),
            ("target", Some("dir"), "010", "10", false),
            ("model", Some("vram"), "10000", "16384", true),
            ("model", Some("vram"), "8192", "16384", false),
            ("usbdev", Some("version"), "9.4", "9.40", true),
            ("usbdev", Some("version"), "1.04", "1.4", false),
            ("usbdev", Some("version"), "2", "2.00", true),
            ("name", None, "a", "b", false),
        ] {
            assert_eq!(same_value(element, attribute, want, live).is_some(), same, "{want} {live}");
        }
    }

    #[test]
    fn amounts_round_up_and_do_not_overflow() {
        assert_eq!(amount("1", Some("GiB"), Unit::KiB), Some(1_048_576));
        assert_eq!(amount("1", Some("b"), Unit::KiB), Some(1));
        assert_eq!(amount("1000", Some("KB"), Unit::KiB), Some(977));
        assert_eq!(amount("4", Some("M"), Unit::Bytes), Some(4 << 20));
        assert_eq!(amount("20", Some("EiB"), Unit::KiB), None);
        assert_eq!(amount("1", Some("furlong"), Unit::KiB), None);
    }
}
