//! Hostile text, and documents whose fields have it.

use super::Choices;
use diagnostics::SourceId;
use xmltree::{Element, Limits, parse};

/// Word that no line of an output may begin with, since no text of ours does.
pub(super) const FORGED: &str = "FORGED";

/// A tag that only foreign text has.
pub(super) const TAG: &str = "<i-forged>";

/// Pieces that are put into fields: sequences that control terminals, characters that turn, hide or break
/// text, and syntax of a shell, HTML, JSON and TOML.
const PIECES: &[&str] = &[
    "\nFORGED",
    "\r\nFORGED",
    "\rFORGED",
    "\u{85}FORGED",
    "\u{2028}FORGED",
    "\u{1b}[2J",
    "\u{1b}]0;t\u{7}",
    "\u{1b}[31m",
    "\u{9b}2J",
    "\u{90}q\u{9c}",
    "\u{8}\u{8}",
    "\0",
    "\u{7f}",
    "\u{ad}",
    "\u{34f}",
    "\u{61c}",
    "\u{115f}",
    "\u{200b}",
    "\u{200f}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{3164}",
    "\u{fe0f}",
    "\u{feff}",
    "\u{fff9}",
    "\u{fffe}",
    "\u{1d173}",
    "\u{e0041}",
    "\n",
    "\t",
    "\r",
    TAG,
    "&amp;",
    "\"",
    "'",
    "\\",
    "\"\"\"",
    "'''",
    "$(x)",
    "](",
    "é日",
    "{0}",
    "%s",
    "../",
    "x",
];

/// One to four pieces, or now and then any character.
pub(super) fn hostile(choices: &mut Choices<'_>) -> String {
    let mut text = String::new();
    for _ in 0..=choices.below(4) {
        if choices.chance(10) {
            let number = choices.below(256) * 256 + choices.below(256);
            text.extend(u32::try_from(number).ok().and_then(char::from_u32));
        } else {
            text.push_str(choices.pick(PIECES));
        }
    }
    text
}

/// A text before or behind which something hostile stands.
fn spoilt(text: &str, choices: &mut Choices<'_>) -> String {
    let more = hostile(choices);
    let whole =
        if choices.below(2) == 0 { format!("{text}{more}") } else { format!("{more}{text}") };
    // XML has no way to say the others
    let is_legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    whole.chars().filter(|c| is_legal(*c)).collect()
}

/// Parts that a document must have for the object to exist at all.
const KEPT: [&str; 8] = ["type", "kind", "dev", "bus", "device", "uuid", "memory", "name"];

/// Parts of an object with free text, in which any change stays valid.
const FREE: [&str; 3] = ["title", "description", "metadata"];

/// One of these documents with many or few of its fields spoilt.
pub(super) fn document(text: &str, choices: &mut Choices<'_>) -> Element {
    let mut root = parse(SourceId::NONE, text, &Limits::default()).unwrap();
    let one_in = choices.pick(&[8, 3, 40]);
    for child in root.elements_mut() {
        let is_free = FREE.contains(&child.name.local.as_str());
        spoil(child, choices, if is_free { 2 } else { one_in });
    }
    root
}

fn spoil(element: &mut Element, choices: &mut Choices<'_>, one_in: usize) {
    for attribute in &mut element.attributes {
        let is_kept = KEPT.contains(&attribute.name.local.as_str());
        if !is_kept && choices.below(one_in) == 1 {
            attribute.value = spoilt(&attribute.value, choices);
        }
    }
    let is_leaf = element.elements().next().is_none() && !element.text().is_empty();
    let is_kept = KEPT.contains(&element.name.local.as_str());
    if is_leaf && !is_kept && choices.below(one_in) == 1 {
        element.set_text(spoilt(&element.text(), choices));
    }
    element.elements_mut().for_each(|child| spoil(child, choices, one_in));
}

pub(super) const NETWORK: &str = "<network><name>lan</name><uuid>a860e574-79d4-507e-9e73-365918896e3e</uuid>\
    <metadata><o:x xmlns:o='urn:other' y='text'>text</o:x></metadata><bridge name='virbr9'/>\
    <dns><txt name='text' value='text'/></dns>\
    <ip address='10.9.0.1' prefix='24'><dhcp><host mac='52:54:00:15:00:10' name='text' ip='10.9.0.9'/></dhcp></ip>\
    <portgroup name='text'/></network>";

pub(super) const DOMAIN: &str = "<domain type='test'><name>web</name><uuid>93d5a42f-aac5-4bd1-9c4e-1c6b6e6a3e11</uuid>\
    <title>text</title><description>text</description>\
    <metadata><virt:owned xmlns:virt='urn:virt:reconcile:1' set='text' power='running' autostart='no' \
    stop_timeout_ms='60000' digest='text' at='text'>text</virt:owned></metadata>\
    <memory>65536</memory><os><type>hvm</type><kernel>/text</kernel><cmdline>text</cmdline></os>\
    <devices><emulator>/text</emulator><disk type='file' device='disk'><source file='/text'/>\
    <target dev='vda' bus='virtio'/><serial>text</serial></disk>\
    <interface type='network'><mac address='52:54:00:15:00:10'/><source network='lan'/></interface></devices></domain>";
