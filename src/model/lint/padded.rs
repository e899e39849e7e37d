//! Blanks around values. A grammar's tokens and numbers are read without them, so it lets them
//! pass; libvirt's own reader takes the value as it stands, and refuses it.

use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::{ChildRef, NodeRef};

/// Elements whose text is anybody's; blanks may be meant.
const FREE_TEXTS: [&str; 20] = [
    "passwd",
    "password",
    "cookie",
    "name",
    "title",
    "description",
    "metadata",
    "cmdline",
    "bootloader",
    "bootloader_args",
    "initarg",
    "initenv",
    "entry",
    "serial",
    "vendor",
    "product",
    "table",
    "hostname",
    "uuid", // libvirt reads it past blanks
    "genid",
];

/// Attributes that may begin or end with blanks: sets of numbers, which libvirt reads past them, and
/// what people make up.
const FREE_ATTRIBUTES: [&str; 11] = [
    "cpuset",
    "cpus",
    "nodeset",
    "vcpus",
    "iothreads",
    "uuid",
    "passwd",
    "password",
    "loadparm",
    "value",
    "stp",
];

/// Attributes that hold a number or one of a few words wherever they stand; libvirt was seen to
/// refuse blanks around them. Others may be names and paths, where a blank is odd but legal.
const STRICT: [&str; 37] = [
    "type",
    "bus",
    "mode",
    "unit",
    "order",
    "current",
    "index",
    "controller",
    "slot",
    "function",
    "port",
    "tlsPort",
    "autoport",
    "offset",
    "policy",
    "placement",
    "state",
    "match",
    "fallback",
    "address",
    "cache",
    "io",
    "discard",
    "startupPolicy",
    "prefix",
    "netmask",
    "family",
    "cellid",
    "iothread",
    "vcpu",
    "sockets",
    "dies",
    "cores",
    "threads",
    "mac",
    "model",
    "device",
];

/// Elements of which the text is a number or one of a few words.
const STRICT_TEXTS: [&str; 13] = [
    "memory",
    "currentMemory",
    "maxMemory",
    "vcpu",
    "iothreads",
    "type",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "on_lockfailure",
    "hard_limit",
    "soft_limit",
    "shares",
];

/// Checks all values in `root`, foreign elements aside.
pub(in crate::model) fn check_padding(root: NodeRef<'_>, out: &mut Diagnostics) {
    let mut open = vec![root];
    while let Some(element) = open.pop() {
        if element.name().namespace.is_some() || element.is("metadata") {
            continue;
        }
        for a in element.attributes().iter().filter(|a| a.name.namespace.is_none()) {
            let name = &a.name.local;
            if is_padded_word(&a.value) && !FREE_ATTRIBUTES.contains(&name.as_str()) {
                // the device to boot from is one of four words, another dev is a name
                let strict = STRICT.contains(&name.as_str()) || element.is("boot");
                say(&format!("{name} of {}", element.name().local), &a.value, strict, out, a.span);
            }
        }
        if element.children().next().is_some() && element.elements().next().is_none() {
            check_text(element, out);
        }
        open.extend(element.elements());
    }
}

fn check_text(element: NodeRef<'_>, out: &mut Diagnostics) {
    let name = element.name().local.as_str();
    if FREE_TEXTS.contains(&name) {
        return;
    }
    let mut text = String::new();
    for node in element.children() {
        if let ChildRef::Text(t) = node {
            text.push_str(&t.value);
        }
    }
    if is_padded_word(&text) {
        let strict = STRICT_TEXTS.contains(&name);
        say(&format!("the text of {name}"), &text, strict, out, element.text_span());
    }
}

/// Whether `text` is one word with whitespace around it. Text with inner whitespace is prose.
fn is_padded_word(text: &str) -> bool {
    let blank = |b: Option<&u8>| b.is_some_and(u8::is_ascii_whitespace);
    let bytes = text.as_bytes();
    if !blank(bytes.first()) && !blank(bytes.last()) {
        return false;
    }
    let word = text.trim_ascii();
    !word.is_empty() && !word.bytes().any(|b| b.is_ascii_whitespace())
}

fn say(what: &str, value: &str, strict: bool, out: &mut Diagnostics, span: diagnostics::Span) {
    let summary = format!("there is whitespace around {what}");
    let problem = if strict {
        Diagnostic::error("padded-value", summary).detail(format!(
            "{}; libvirt takes the value as it is, and does not know it",
            found(value)
        ))
    } else {
        Diagnostic::warning("padded-value", summary)
            .detail(format!("{}; libvirt treats it as part of the value", found(value)))
    };
    out.push(problem.at(span).hint("remove the whitespace"));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    #[test]
    fn blanks_around_a_word_and_nothing_else() {
        for (text, expected) in [
            ("<os><boot dev=' hd '/></os>", vec![true]),
            ("<vcpu current='1 '> 2 </vcpu>", vec![true, true]),
            ("<on_crash>\n  restart\n</on_crash>", vec![true]),
            ("<memory unit=' KiB'>9</memory>", vec![true]),
            ("<a><b path=' /x'/></a>", vec![false]),
            ("<vcpu cpuset=' 0-1 '>2</vcpu>", vec![]),
            ("<title> x </title><description>\n y</description>", vec![]),
            ("<os><cmdline> quiet </cmdline></os>", vec![]),
            ("<a b=' two words '> three of them </a>", vec![]),
            ("<a b=''> </a><c> <d/> </c>", vec![]),
            ("<metadata><x y=' 1 '> 2 </x></metadata>", vec![]),
            ("<q:arg xmlns:q='urn:q' type=' x '/>", vec![]),
        ] {
            let text = format!("<d>{text}</d>");
            let root = parse(SourceId::NONE, &text, &Limits::default()).unwrap();
            let mut out = Diagnostics::default();
            check_padding(root.node(), &mut out);
            assert_eq!(
                out.iter().map(Diagnostic::is_error).collect::<Vec<_>>(),
                expected,
                "{text}"
            );
            assert!(out.iter().all(|d| d.code == "padded-value"));
        }
    }
}
