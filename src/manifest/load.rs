//! From paths to the desired state.

use super::document::{kind, read};
use super::virt_toml::{self, FILE};
use super::{check, files, settings};
use crate::diag::{Diagnostic, Diagnostics, Sources, Span};
use crate::model::domain::{self, Domain, InterfaceSource};
use crate::model::{Desired, DesiredResource, Kind, ResourceId, Settings, check_name, network};
use crate::xml::Element;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a set of paths asks for, and all that is wrong with it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The desired state: what is sound in it, and what is held back.
    pub desired: Desired,
    /// The texts that were read, for showing places.
    pub sources: Sources,
    /// Problems of all files, sorted by position.
    pub diagnostics: Diagnostics,
    /// The URI that `virt.toml` names, as it is written there.
    pub connect: Option<String>,
}

/// Reads the manifests that `paths` name: files, and directories with all that is below them.
/// Symbolic links are followed, and what they lead to is read once.
///
/// The set's name is what `virt.toml` says; without one it is the name of the directory.
pub fn load(paths: &[PathBuf]) -> Loaded {
    let mut loaded = Loaded::default();
    let found = files::find(paths, &mut loaded.diagnostics);
    loaded.desired.complete = found.complete;
    let mut objects = Vec::new();
    for (path, format) in &found.manifests {
        let Some(source) = files::read(path, &mut loaded.sources, &mut loaded.diagnostics) else {
            loaded.desired.complete = false;
            continue;
        };
        let text = loaded.sources.get(source).map_or("", |s| s.text.as_str());
        let mut problems = Diagnostics::default();
        let roots = read(source, text, *format, &mut problems);
        let broken = first_error(&problems, &loaded.sources);
        // what could not be read may have named more resources
        loaded.desired.complete &= broken.is_none();
        loaded.diagnostics.extend(problems);
        for root in roots {
            let object = object(root, broken.clone(), &loaded.sources, &mut loaded.diagnostics);
            loaded.desired.complete &= object.is_some();
            objects.extend(object);
        }
    }
    check::across(&mut objects, &mut loaded.diagnostics);
    let broken = settle(paths, &found.virt_tomls, &mut loaded);
    assemble(objects, broken, &mut loaded.desired);
    loaded.diagnostics.sort();
    loaded
}

/// A resource on its way into the desired state.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) id: ResourceId,
    pub(super) definition: Element,
    pub(super) settings: Settings,
    /// What it needs, and where it says so.
    pub(super) needs: Vec<(ResourceId, Span)>,
    pub(super) span: Span,
    /// Why it is held back.
    pub(super) broken: Option<String>,
}

/// Checks one resource by itself. `None` if it has no name to hold it back by.
fn object(
    mut root: Element,
    broken: Option<String>,
    sources: &Sources,
    out: &mut Diagnostics,
) -> Option<Object> {
    let kind = kind(&root)?;
    let mut problems = Diagnostics::default();
    let found = settings::take(&mut root, &mut problems);
    match kind {
        Kind::Domain => domain::check(&root, &mut problems),
        Kind::Network => network::check(&root, &mut problems),
    }
    let id = root
        .child_text("name")
        .filter(|n| check_name(n).is_ok())
        .map(|name| ResourceId::new(kind, name));
    let broken = broken.or_else(|| first_error(&problems, sources));
    out.extend(problems.into_iter().map(|mut d| {
        d.address = d.address.or_else(|| id.as_ref().map(ToString::to_string));
        d
    }));
    let mut needs: Vec<_> = found.settings.depends_on.iter().cloned().zip(found.places).collect();
    if kind == Kind::Domain {
        needs.extend(networks_of(&root));
    }
    Some(Object {
        id: id?,
        settings: found.settings,
        needs,
        span: root.span,
        definition: root,
        broken,
    })
}

/// The networks that a domain's interfaces are on, and where it says so.
fn networks_of(root: &Element) -> Vec<(ResourceId, Span)> {
    let named = |i: domain::Interface<'_>| match i.source() {
        InterfaceSource::Network(Some(name)) if check_name(name).is_ok() => {
            let place = i.element().child("source").and_then(|s| s.attribute("network"));
            Some((ResourceId::new(Kind::Network, name), place.map_or(i.element().span, |a| a.span)))
        }
        _ => None,
    };
    Domain::new(root).interfaces().filter_map(named).collect()
}

fn first_error(problems: &Diagnostics, sources: &Sources) -> Option<String> {
    let first = problems.iter().find(|d| d.is_error())?;
    Some(match first.span.and_then(|s| sources.place(s)) {
        Some(place) => format!("{place}: {}", first.summary),
        None => first.summary.clone(),
    })
}

/// Settles the name of the set and the connection; returns why nothing may be applied, if so.
fn settle(paths: &[PathBuf], virt_tomls: &[PathBuf], loaded: &mut Loaded) -> Option<String> {
    let mut problems = Diagnostics::default();
    let (mut set, mut connect) = (None, None);
    for path in virt_tomls {
        let Some(source) = files::read(path, &mut loaded.sources, &mut problems) else { continue };
        let text = loaded.sources.get(source).map_or("", |s| s.text.as_str());
        let found = virt_toml::parse(source, text, &mut problems);
        agree(&mut set, found.set, "set", &mut problems);
        agree(&mut connect, found.connect, "connection", &mut problems);
    }
    loaded.connect = connect.map(|c| c.0);
    match set {
        Some((set, _)) => loaded.desired.set = set,
        None => {
            let names: Vec<String> = paths.iter().map(|p| directory_name(p)).collect();
            if names.iter().any(|n| Some(n) != names.first()) {
                problems.push(
                    Diagnostic::error("ambiguous-set", "the paths do not say whose they are")
                        .detail(format!("without a {FILE} they are {}", names.join(", ")))
                        .hint(format!("give one of them a {FILE} with a set")),
                );
            }
            loaded.desired.set = names.into_iter().next().unwrap_or_default();
        }
    }
    let broken = first_error(&problems, &loaded.sources);
    loaded.desired.complete &= broken.is_none();
    loaded.diagnostics.extend(problems);
    broken
}

/// Keeps the first of several values and complains of another one.
fn agree(
    kept: &mut Option<(String, Span)>,
    found: Option<(String, Span)>,
    what: &str,
    out: &mut Diagnostics,
) {
    match (&kept, found) {
        (_, None) => {}
        (None, found) => *kept = found,
        (Some((first, first_span)), Some((other, span))) if *first != other => out.push(
            Diagnostic::error("ambiguous-set", format!("two paths name a different {what}"))
                .at(span)
                .related(*first_span, "the first one")
                .hint("apply them one after the other"),
        ),
        (Some(_), Some(_)) => {}
    }
}

/// The name of the directory that `path` is, or that holds the file it is.
fn directory_name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = if whole.is_dir() { Some(whole.as_path()) } else { whole.parent() };
    let name = directory.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
    name.filter(|n| check_name(n).is_ok()).unwrap_or_else(|| "default".to_owned())
}

fn assemble(objects: Vec<Object>, broken: Option<String>, desired: &mut Desired) {
    let mut resources = BTreeMap::new();
    for object in objects {
        let Object { id, definition, settings, needs, span, broken: own } = object;
        if let Some(reason) = own.or_else(|| broken.clone()) {
            desired.held_back.entry(id).or_insert(reason);
            continue;
        }
        let mut depends_on: Vec<ResourceId> = Vec::new();
        for (need, _) in needs {
            if !depends_on.contains(&need) {
                depends_on.push(need);
            }
        }
        let resource = DesiredResource { id: id.clone(), definition, settings, depends_on, span };
        resources.insert(id, resource);
    }
    desired.resources = resources;
}
