//! Checks of a volume's values that no grammar can say, with the place of each.

use super::view::{Volume, size};
use crate::model::MemoryError;
use crate::model::lint::{check_padding, check_read_outs};
use crate::model::values::{check_identity, found};
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

/// Elements that only the definition of a volume on a host has.
const READ_OUTS: [&str; 3] = ["key", "source", "physical"];

/// The same of its target.
const TARGET_READ_OUTS: [&str; 2] = ["path", "timestamps"];

/// Adds the problems of the volume document `root` to `out`.
pub fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_identity(root, out);
    check_padding(root, out);
    check_read_outs(root, &READ_OUTS, out);
    if let Some(target) = root.child("target") {
        check_read_outs(target, &TARGET_READ_OUTS, out);
    }
    for element in ["capacity", "allocation"].iter().filter_map(|name| root.child(name)) {
        if size(element) == Err(MemoryError::TooLarge) {
            out.push(
                Diagnostic::error("bad-size", "the size does not fit 64 bits of bytes")
                    .at(element.text_span())
                    .detail(found(&element.text()))
                    .hint("write a smaller number, or a smaller unit"),
            );
        }
    }
    check_capacity(root, out);
    check_backing(root, out);
}

/// An overlay is as large as what it stands on; all else needs a size.
fn check_capacity(root: NodeRef<'_>, out: &mut Diagnostics) {
    let volume = Volume::new(root);
    if volume.capacity().is_none() && volume.backing_store().is_none() {
        out.push(
            Diagnostic::error("missing-capacity", "the volume has no size")
                .at(root.span())
                .detail("only a volume with a backingStore may go without")
                .hint("add capacity"),
        );
    }
}

fn check_backing(root: NodeRef<'_>, out: &mut Diagnostics) {
    if let Some(backing) = Volume::new(root).backing_store()
        && backing.format().is_none()
    {
        out.push(
            Diagnostic::warning("backing-format", "the backing image has no format")
                .at(backing.element().span())
                .detail("libvirt writes raw then: a guest sees the image's file in place of what is in it")
                .hint("add format, with the type that the image has"),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use diagnostics::Sources;
    use xmltree::{Limits, parse};

    /// Each problem as `column code`, errors with `!`.
    fn problems(inside: &str) -> Vec<String> {
        let text = format!("<volume>{inside}</volume>");
        let mut sources = Sources::default();
        let id = sources.add("x.xml", text.as_str());
        let root = parse(id, &text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(root.node(), &mut out);
        out.sort();
        out.iter()
            .map(|d| {
                let (_, at) = sources.locate(d.span.unwrap()).unwrap();
                format!("{} {}{}", at.column, d.code, if d.is_error() { "!" } else { "" })
            })
            .collect()
    }

    #[test]
    fn each_rule_has_its_place() {
        let size = "<capacity>1</capacity>";
        for (inside, expected) in [
            (size.to_owned(), vec![]),
            ("<name>a</name>".into(), vec!["1 missing-capacity!"]),
            (format!("<name>a/b</name>{size}"), vec!["15 bad-name!"]),
            ("<capacity unit='E'>99</capacity>".into(), vec!["28 bad-size!"]),
            (format!("{size}<allocation unit='E'>99</allocation>"), vec!["52 bad-size!"]),
            ("<backingStore><path>/b</path><format type='qcow2'/></backingStore>".into(), vec![]),
            ("<backingStore><path>/b</path></backingStore>".into(), vec!["9 backing-format"]),
            (format!("{size}<key>/a</key>"), vec!["31 read-out"]),
            (format!("{size}<target><path>/a</path></target>"), vec!["39 read-out"]),
        ] {
            assert_eq!(problems(&inside), expected, "{inside}");
        }
    }
}
