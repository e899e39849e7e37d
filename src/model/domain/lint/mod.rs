//! Rules for domains that no grammar can say: values that do not go together. One file a subject;
//! `model/rules.rs` lists them. What libvirt 11.3 refuses, or what cannot start, is an error.

mod addresses;
mod boot;
mod disks;
mod displays;
mod facts;
mod firmware;
mod identity;
mod interfaces;
mod memory;
mod numa;
mod ports;
mod processor;
mod slots;
mod spellings;
mod vcpus;

pub(crate) use addresses::host_device;
pub(crate) use ports::listeners;

use crate::diag::Diagnostics;
use crate::xml::Element;

/// Adds what does not go together in the domain document `root`.
pub(super) fn check(root: &Element, out: &mut Diagnostics) {
    crate::model::lint::check_padding(root, out);
    crate::model::lint::check_running(root, out);
    memory::check(root, out);
    vcpus::check(root, out);
    numa::check(root, out);
    processor::check(root, out);
    firmware::check(root, out);
    boot::check(root, out);
    disks::check(root, out);
    interfaces::check(root, out);
    addresses::check(root, out);
    slots::check(root, out);
    ports::check(root, out);
    displays::check(root, out);
    identity::check(root, out);
    spellings::check(root, out);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use crate::diag::Sources;
    use crate::xml::{Limits, parse};

    /// The problems of `text`, each as `column code`, errors with `!`; the text is one line.
    pub(in crate::model::domain::lint) fn problems(
        text: &str,
        check: fn(&Element, &mut Diagnostics),
    ) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add("x.xml", text);
        let root = parse(id, text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(&root, &mut out);
        out.sort();
        out.iter()
            .map(|d| {
                let (_, at) = sources.locate(d.span.unwrap()).unwrap();
                assert!(d.hint.is_some() || d.detail.is_some(), "{}: no help", d.code);
                format!("{} {}{}", at.column, d.code, if d.is_error() { "!" } else { "" })
            })
            .collect()
    }

    /// Asserts what `check` finds in `<domain type='kvm'>` (19 characters) around each text.
    pub(in crate::model::domain::lint) fn finds(
        check: fn(&Element, &mut Diagnostics),
        cases: &[(&str, &[&str])],
    ) {
        for (inside, expected) in cases {
            let text = format!("<domain type='kvm'>{inside}</domain>");
            assert_eq!(problems(&text, check), *expected, "{inside}");
        }
    }
}
