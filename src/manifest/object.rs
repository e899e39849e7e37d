//! One resource on its way from a document into the desired state.

use super::document::kind;
use super::format::Format;
use super::grammars::{EXPLAINED_MAX, Validator};
use super::settings;
use crate::grammars::{Toml, Xml};
use crate::model::domain::Domain;
use crate::model::{
    DesiredResource, HostPattern, Kind, Refused, ResourceId, check_definition, check_name,
    check_order,
};
use diagnostics::{Diagnostic, Diagnostics, Sources, Span};
use relaxng::Vocabulary;
use rustc_hash::FxHashSet;
use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;
use xmltree::Element;

/// Resource on its way into the desired state. The content of its manifest is shared with those who have it
/// already; the rest depends on the other manifests, too.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) resource: Arc<DesiredResource>,
    /// Dependencies, each with its place in the manifest.
    pub(super) needs: Vec<(ResourceId, Span)>,
    /// The patterns that choose its hosts, and where they stand.
    pub(super) hosts: Vec<(HostPattern, Span)>,
    /// Whether these are reliable: a mistake in its settings may be one in them.
    pub(super) hosts_known: bool,
    /// The nearest `virt.toml`.
    pub(super) directory: Option<usize>,
    /// The number of the set of hosts that it is for, once that is settled.
    pub(super) selection: usize,
    /// Reason for which it is blocked.
    pub(super) broken: Option<String>,
}

impl Object {
    /// Whether its refused content may be meant to choose its hosts.
    pub(super) fn may_hide_hosts(&self) -> bool {
        let is_refused = |span| self.refused.iter().any(|r| r.problem.span == Some(span));
        self.definition.root().elements().any(|child| is_refused(child.span()))
    }

    /// Turns the refusals of its grammar into errors: no host is asked whether it holds the same.
    pub(super) fn condemn(&mut self, out: &mut Diagnostics) {
        out.extend(self.resource.refused.iter().map(|r| r.problem.clone()));
        if let Some(first) = self.resource.refused.first() {
            self.broken.get_or_insert_with(|| first.reason.clone());
        }
    }
}

impl Deref for Object {
    type Target = DesiredResource;

    fn deref(&self) -> &DesiredResource {
        &self.resource
    }
}

/// Checks one resource by itself. `None` if it has no name to hold it back by.
pub(super) fn object(
    mut root: Element,
    format: Format,
    broken: Option<String>,
    validator: &mut Validator<'_>,
    sources: &Sources,
    out: &mut Diagnostics,
) -> Option<Object> {
    let kind = kind(&root)?;
    let vocabulary: &dyn Vocabulary = match format {
        Format::Xml => &Xml,
        Format::Toml => &Toml,
    };
    let problems = validator.validate(kind, &root, vocabulary);
    let related = |d: &Diagnostic| d.related.iter().map(|l| l.span).collect::<Vec<_>>();
    let said: FxHashSet<Span> =
        problems.iter().flat_map(|d| related(d).into_iter().chain(d.span)).collect();
    let holders = match kind.keeps_metadata() {
        true => root.children_named("metadata").collect::<Vec<_>>(),
        false => root.elements().filter(|e| settings::is_settings(e)).collect(),
    };
    let hosts_known = !holders.iter().any(|holder| touches(holder, &said));
    let mut more = Diagnostics::default();
    // TOML is written in the grammar's order
    if format == Format::Xml {
        check_order(root.node(), &mut more);
    }
    let found = settings::take(kind, &mut root, &mut more);
    // what is wrong in the settings was said
    if let Some(parent) = kind.parent().filter(|_| found.parent.is_none() && hosts_known) {
        more.push(lacks_parent(kind, parent, root.span));
    }
    check_definition(kind, root.node(), &mut more);
    // what the grammar refuses is not explained twice
    let mut explained = said.clone();
    if !said.is_empty() && !more.is_empty() {
        blamed(&root, &said, &mut explained);
    }
    let more: Vec<Diagnostic> =
        more.into_iter().filter(|d| d.span.is_none_or(|s| !explained.contains(&s))).collect();
    let name = root.child_text("name").filter(|n| check_name(n).is_ok());
    let id = match (kind.parent(), &found.parent) {
        (None, _) => name.map(|name| ResourceId::new(kind, name)),
        (Some(_), parent) => name
            .zip(parent.as_ref())
            .map(|(name, (parent, _))| ResourceId::within(kind, parent, &name)),
    };
    let address = |mut d: Diagnostic| {
        d.address = d.address.or_else(|| id.as_ref().map(ToString::to_string));
        d
    };
    let is_sound = broken.is_none() && !more.iter().any(Diagnostic::is_error);
    let may_be_held = id.is_some() && is_sound && hosts_known && may_be_held(&problems);
    let (said, refused) = if may_be_held {
        (Diagnostics::default(), problems)
    } else {
        (problems, Diagnostics::default())
    };
    let mut own = Diagnostics::default();
    own.extend(said.into_iter().chain(more).map(address));
    let broken = broken.or_else(|| first_error(&own, sources));
    out.extend(own);
    let refused = refused.into_iter().map(address);
    let refused = refused.map(|problem| {
        let reason = reason(&problem, sources);
        Refused { problem, reason }
    });
    let refused = refused.collect();
    let mut needs: Vec<_> = found.settings.depends_on.iter().cloned().zip(found.places).collect();
    let parent = kind.parent().zip(found.parent);
    needs.extend(parent.map(|(kind, (name, span))| (ResourceId::new(kind, name), span)));
    if kind.is_guest() {
        needs.extend(Domain::new(root.node()).networks());
    }
    let mut seen = HashSet::new();
    let depends_on = needs.iter().map(|n| &n.0).filter(|id| seen.insert(*id)).cloned().collect();
    let resource = Arc::new(DesiredResource {
        id: id?,
        settings: found.settings,
        depends_on,
        span: root.span,
        definition: root.into(),
        refused,
    });
    let (directory, selection, hosts) = (None, 0, found.hosts);
    Some(Object { resource, needs, hosts, hosts_known, directory, selection, broken })
}

/// The document of what is in something else does not have that, and its settings do not either.
fn lacks_parent(kind: Kind, parent: Kind, span: Span) -> Diagnostic {
    Diagnostic::error("missing-pool", format!("the {kind} is in no {parent}"))
        .at(span)
        .detail(format!("libvirt's document of a {kind} does not name its {parent}"))
        .hint(format!(
            "write [{kind}.reconcile] with {parent} = \"NAME\", or <virt:reconcile {parent}='NAME'/> in XML"
        ))
}

/// Whether something was said on an element, or on anything in it.
fn touches(element: &Element, said: &FxHashSet<Span>) -> bool {
    let places = element.attributes.iter().flat_map(|a| [a.name_span, a.span]);
    places.chain([element.span, element.text_span()]).any(|span| said.contains(&span))
        || element.elements().any(|child| touches(child, said))
}

/// Adds the places of the elements on whose attributes, texts or children something was said.
fn blamed(element: &Element, said: &FxHashSet<Span>, out: &mut FxHashSet<Span>) {
    let places = element.attributes.iter().flat_map(|a| [a.name_span, a.span]);
    if places.chain([element.text_span()]).any(|span| said.contains(&span)) {
        out.insert(element.span);
    }
    element.elements().for_each(|child| blamed(child, said, out));
}

/// Whether a host may hold the refused content: all problems are known, with their places.
fn may_be_held(problems: &Diagnostics) -> bool {
    let is_known = |d: &Diagnostic| d.span.is_some() && !UNEXPLAINED.contains(&d.code);
    problems.len() < EXPLAINED_MAX && problems.iter().all(is_known)
}

/// Codes of problems without a place or an explanation.
const UNEXPLAINED: [&str; 2] = ["more-problems", "schema"];

/// Returns the first error, as the reason for which a resource is blocked.
pub(super) fn first_error(problems: &Diagnostics, sources: &Sources) -> Option<String> {
    problems.iter().find(|d| d.is_error()).map(|first| reason(first, sources))
}

fn reason(problem: &Diagnostic, sources: &Sources) -> String {
    // the line is in the diagnostic; finding it again for each of many objects would take long
    match problem.span.and_then(|s| sources.get(s.source)) {
        Some(source) => format!("{}: {}", source.name, problem.summary),
        None => problem.summary.clone(),
    }
}
