//! Content that a grammar refuses in a manifest and the host holds in the same form: it stays, with a
//! warning.

use crate::model::{DesiredResource, ObservedResource, Refused};
use crate::reconcile::diff::compare::fits_at;
use crate::reconcile::diff::difference::Side;
use crate::reconcile::diff::normalize::label;
use crate::reconcile::diff::pairing::{List, pair};
use crate::reconcile::ownership::record::without_owner_record;
use diagnostics::{Diagnostic, Span};
use std::collections::HashSet;
use xmltree::{Attribute, Document, Element, Name, Node, Path};

/// Returns the refusals of a resource, each with whether the host holds the same content at that place.
pub(crate) fn judged<'a>(
    desired: &'a DesiredResource,
    host: Option<&ObservedResource>,
) -> Vec<(&'a Refused, bool)> {
    if desired.refused.is_empty() {
        return Vec::new();
    }
    let definition = host.and_then(|host| host.persistent.as_ref().or(host.live.as_ref()));
    let mut walk = Walk { refused: &desired.refused, held: HashSet::new() };
    if let Some(definition) = definition.map(Document::as_element).map(without_owner_record) {
        walk.element(&definition, desired.definition.as_element(), &Path::default());
    }
    let is_held = |r: &Refused| r.problem.span.is_some_and(|span| walk.held.contains(&span));
    desired.refused.iter().map(|r| (r, is_held(r))).collect()
}

/// Returns the warning for a refusal where the host holds the same content.
pub(crate) fn warning(refused: &Refused) -> Diagnostic {
    refused
        .problem
        .clone()
        .into_warning()
        .hint("the host holds the same, so it stays as it is there")
}

/// Problems of content that is present and should not be.
const EXTRA: [&str; 3] = ["unexpected-element", "misplaced-element", "repeated-element"];

struct Walk<'a> {
    refused: &'a [Refused],
    /// Places of refusals where the definition equals the manifest.
    held: HashSet<Span>,
}

impl Walk<'_> {
    /// Returns the problems at a place.
    fn problems_at(&self, span: Span) -> impl Iterator<Item = &Diagnostic> {
        self.refused.iter().map(|r| &r.problem).filter(move |p| p.span == Some(span))
    }

    fn hold(&mut self, span: Span, is_held: bool) {
        if is_held && self.problems_at(span).next().is_some() {
            self.held.insert(span);
        }
    }

    fn element(&mut self, live: &Element, want: &Element, path: &Path) {
        // the element itself is too much, or something in it lacks: then only the whole can agree
        let is_extra = |p: &Diagnostic| EXTRA.contains(&p.code);
        let lacks = self.problems_at(want.span).any(|p| !is_extra(p));
        self.hold(want.span, includes(live, want) && (!lacks || includes(want, live)));
        for attribute in &want.attributes {
            let same =
                live.attr_written(&attribute.name.written()) == Some(attribute.value.as_str());
            self.hold(attribute.span, same);
            self.hold(attribute.name_span, same);
        }
        let same_text = live.text() == want.text();
        for node in &want.children {
            if let Node::Text(text) = node {
                self.hold(text.span, same_text);
            }
        }
        let parent = label(want);
        let mut done: Vec<&Name> = Vec::new();
        for first in want.elements() {
            if done.contains(&&first.name) {
                continue;
            }
            done.push(&first.name);
            let list = List { name: &first.name, label: label(first), parent: &parent };
            let (wanted, there) = (list.of(want), list.of(live));
            let path = path.join(list.step());
            let pairs = pair(&parent, (&wanted, &there, &[]), &fits_at(Side::NextBoot, &path));
            for (element, partner) in wanted.iter().zip(pairs.live) {
                if let Some(partner) = partner.and_then(|n| there.get(n)) {
                    self.element(partner, element, &path);
                }
            }
        }
    }
}

/// Whether an element has all that another one has, to the letter.
fn includes(all: &Element, part: &Element) -> bool {
    let has = |a: &Attribute| all.attr_written(&a.name.written()) == Some(a.value.as_str());
    let mut free: Vec<&Element> = all.elements().collect();
    let mut found = |child: &Element| {
        let at = free.iter().position(|e| includes(e, child));
        at.map(|at| free.remove(at)).is_some()
    };
    all.name == part.name
        && (part.text().is_empty() || all.text() == part.text())
        && part.attributes.iter().all(has)
        && part.elements().all(&mut found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Format, Grammars, read_text};
    use crate::model::{Kind, ObservedResource, ResourceId, State, Uuid};
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    /// Returns the codes of the refusals for a network, each with a `=` before it where the host holds the
    /// same content.
    fn said(manifest: &str, host: &str) -> Vec<String> {
        let text = |inside: &str| format!("<network><name>lan</name>{inside}</network>");
        let read = read_text("lan.xml", &text(manifest), Format::Xml, &Grammars::Embedded);
        let desired = read.0.expect("it has a name");
        let id = ResourceId::new(Kind::Network, "lan");
        let definition = parse(SourceId::NONE, &text(host), &Limits::default());
        let host = ObservedResource {
            state: State::Running,
            is_persistent: true,
            persistent: Some(definition.expect("well-formed").into()),
            ..ObservedResource::unread(id, Uuid::default())
        };
        let word = |(r, is_held): (&Refused, bool)| {
            format!("{}{}", if is_held { "=" } else { "" }, r.problem.code)
        };
        judged(&desired, Some(&host)).into_iter().map(word).collect()
    }

    #[test]
    fn what_the_host_holds_just_so_agrees() {
        let trunk = "<portgroup name='Trunk Core'/>";
        assert_eq!(said(trunk, trunk), ["=bad-value"]);
        assert_eq!(said(trunk, "<portgroup name='Trunk Core' default='yes'/>"), ["=bad-value"]);
        let bridge = "<bridge name='br0' stp='maybe' colour='red'/>";
        assert_eq!(said(bridge, bridge), ["=bad-value", "=unexpected-attribute"]);
        let element = "<bridge name='br0'/><frills kind='new'><deep>1</deep></frills>";
        assert_eq!(
            said(element, &element.replace("<deep>", "<more/><deep>")),
            ["=unexpected-element"]
        );
        let twice = "<domain name='a'/><domain name='a'/>";
        assert_eq!(said(twice, twice), ["=repeated-element"]);
    }

    #[test]
    fn what_the_host_does_not_hold_is_refused() {
        let trunk = "<portgroup name='Trunk Core'/>";
        assert_eq!(said(trunk, ""), ["bad-value"]);
        assert_eq!(said(trunk, "<portgroup name='Trunk-Core'/>"), ["bad-value"]);
        let two = "<portgroup name='Trunk Core'/><portgroup name='a b'/>";
        assert_eq!(said(two, trunk), ["=bad-value", "bad-value"]);
        // the same value elsewhere is not the same
        let vlan = |group: &str| {
            format!(
                "<portgroup name='a'{}/><portgroup name='b'{}/>",
                if group == "a" { " default='maybe'" } else { "" },
                if group == "b" { " default='maybe'" } else { "" }
            )
        };
        assert_eq!(said(&vlan("a"), &vlan("b")), ["bad-value"]);
        let element = "<frills><deep>1</deep></frills>";
        assert_eq!(said(element, "<frills><deep>2</deep></frills>"), ["unexpected-element"]);
        assert_eq!(
            said("<domain name='a'/><domain name='a'/>", "<domain name='a'/>"),
            ["repeated-element"]
        );
    }

    #[test]
    fn where_something_lacks_the_whole_has_to_agree() {
        let lacks = "<portgroup default='yes'/>";
        assert_eq!(said(lacks, lacks), ["=missing-attribute"]);
        assert_eq!(said(lacks, "<portgroup name='a' default='yes'/>"), ["missing-attribute"]);
    }
}
