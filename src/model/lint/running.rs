//! Lint of manifests that are the dump of a running object: how most people save a definition. Parts that
//! only the running instance has are not compared; one warning says that they are there.

use diagnostics::{Diagnostic, Diagnostics, Span};
use xmltree::{Attribute, NodeRef};

/// Directory of pseudo-terminals.
const PTY: &str = "/dev/pts/";

/// Returns the signs of a running instance, in the order in which they are named, each with its first place.
pub(in crate::model) fn signs_of_running(root: NodeRef<'_>) -> Vec<(&'static str, Span)> {
    let mut signs = Vec::new();
    let mut sign = |what, span: Option<Span>| signs.extend(span.map(|span| (what, span)));
    let name = |attribute: &Attribute| attribute.name_span;
    sign("the number of the running instance", root.attribute("id").map(name));
    sign("the number of its connections", connections(root).map(name));
    sign("a generated security label", generated_label(root).map(|label| label.span()));
    sign("a pseudo-terminal", first(root, pty).map(|path| path.span));
    sign("the port that the network gave out", first(root, network_port).map(name));
    signs
}

fn first<'a>(
    root: NodeRef<'a>,
    of: fn(NodeRef<'a>) -> Option<&'a Attribute>,
) -> Option<&'a Attribute> {
    root.children_named("devices").flat_map(NodeRef::elements).find_map(of)
}

/// Returns the `connections` attribute of a network, or of a device that it hands on.
fn connections(root: NodeRef<'_>) -> Option<&Attribute> {
    let forward = || root.child("forward").filter(|_| root.is("network"));
    let inside = || {
        let parts = forward()?.elements();
        parts.into_iter().find_map(|part| part.attribute("connections"))
    };
    let own = root.attribute("connections");
    own.or_else(|| forward()?.attribute("connections")).or_else(inside)
}

fn generated_label(root: NodeRef<'_>) -> Option<NodeRef<'_>> {
    let dynamic = |label: &NodeRef<'_>| label.attr("type").is_none_or(|kind| kind == "dynamic");
    let labels = root.children_named("seclabel").filter(dynamic);
    labels.into_iter().find_map(|label| label.child("label").or(label.child("imagelabel")))
}

fn pty(device: NodeRef<'_>) -> Option<&Attribute> {
    let path = || device.child("source")?.attribute("path");
    let path =
        device.attribute("tty").or_else(|| path().filter(|_| device.attr("type") == Some("pty")));
    path.filter(|path| path.value.starts_with(PTY))
}

fn network_port(device: NodeRef<'_>) -> Option<&Attribute> {
    let source = device.child("source").filter(|_| device.is("interface"))?;
    // a bridge alone is a mistake in the type
    source.attribute("network")?;
    let of_network = device.attr("type") == Some("network");
    source.attribute("portid").or_else(|| source.attribute("bridge")).filter(|_| of_network)
}

/// Warns once if the document is the dump of a running object.
pub(in crate::model) fn check_running(root: NodeRef<'_>, out: &mut Diagnostics) {
    let signs = signs_of_running(root);
    let Some((_, place)) = signs.first() else { return };
    let kind = if root.is("network") { "net-dumpxml" } else { "dumpxml" };
    let named: Vec<&str> = signs.iter().map(|(what, _)| *what).collect();
    out.push(
        Diagnostic::warning("running-dump", "this is a dump of what runs")
            .at(*place)
            .detail(format!("it has {}; what only runs is not compared", named.join(", ")))
            .hint(format!("save what starts next: virt export, or virsh {kind} --inactive")),
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    #[test]
    fn signs() {
        let devices = |inside: &str| format!("<domain><devices>{inside}</devices></domain>");
        for (text, expected) in [
            ("<domain id='3'/>".to_owned(), Some("the number of the running instance")),
            ("<network connections='2'/>".to_owned(), Some("the number of its connections")),
            (
                "<network><forward mode='passthrough'><interface dev='a' connections='1'/></forward>\
                 </network>"
                    .to_owned(),
                Some("the number of its connections"),
            ),
            (
                "<domain><seclabel type='dynamic' model='dac'><label>+0:+0</label></seclabel></domain>"
                    .to_owned(),
                Some("a generated security label"),
            ),
            (
                "<domain><seclabel type='static' model='dac'><label>+0:+0</label></seclabel></domain>"
                    .to_owned(),
                None,
            ),
            (devices("<console type='pty' tty='/dev/pts/3'/>"), Some("a pseudo-terminal")),
            (
                devices("<serial type='pty'><source path='/dev/pts/3'/></serial>"),
                Some("a pseudo-terminal"),
            ),
            (devices("<serial type='dev'><source path='/dev/pts/3'/></serial>"), None),
            (
                devices("<interface type='network'><source network='a' bridge='b'/></interface>"),
                Some("the port that the network gave out"),
            ),
            (devices("<interface type='bridge'><source bridge='b'/></interface>"), None),
            (devices("<interface type='network'><source network='a'/></interface>"), None),
            (devices("<interface type='network'><source bridge='b'/></interface>"), None),
            ("<domain/>".to_owned(), None),
            ("<network/>".to_owned(), None),
        ] {
            let root = parse(SourceId::NONE, &text, &Limits::default()).unwrap();
            let found: Vec<_> = signs_of_running(root.node()).into_iter().map(|sign| sign.0).collect();
            assert_eq!(found, Vec::from_iter(expected), "{text}");
        }
    }
}
