//! Promise of a plan: the fields that it names are those that an apply changes. Exempt are only fields that
//! libvirt derives by the program's own tables: those that it fills in anew, and the twins of changed ones.

use super::canonical::{Difference, Tree, bare, difference};
use std::collections::BTreeSet;
use virt::model::{Kind, ResourceId};
use virt::reconcile::{Derived, FieldChange, Plan, derived};
use xmltree::{Element, Node, Path, value_at};

/// Fields of a plan that are in no definition.
const NOT_DEFINED: [&str; 4] = ["owner", "power", "autostart", "name"];

/// Fields that the guest chooses while it runs: they are sent, and never a reason for a step.
const CHOSEN: [&str; 1] = ["devices/disk/target/@tray"];

/// The definitions around an apply, and the manifests behind them.
pub(crate) struct Sides<'a> {
    pub(crate) first: &'a Element,
    pub(crate) mine: &'a Element,
    /// Plain define's version of the manifest `after`.
    pub(crate) plain: &'a Element,
    pub(crate) before: &'a Element,
    pub(crate) after: &'a Element,
}

/// The first field that a plan names and that is as before, or that it does not name and that is
/// another one.
pub(crate) fn broken(plan: &Plan, id: &ResourceId, sides: &Sides<'_>) -> Option<Difference> {
    let changes = plan.changes.iter().filter(|change| change.id == *id);
    let fields = changes.flat_map(|c| &c.fields);
    let fields: Vec<&FieldChange> =
        fields.filter(|f| !NOT_DEFINED.contains(&f.path.to_string().as_str())).collect();
    if let Some(kept) = fields.iter().find(|field| is_kept(field, sides)) {
        return Some(Difference {
            path: kept.path.to_string(),
            got: "as before".to_owned(),
            expected: format!("by the plan {:?}", kept.after),
        });
    }
    let mut governed: Vec<Path> = CHOSEN.iter().map(|path| Path::parse(path).unwrap()).collect();
    let mut renewed = Vec::new();
    for field in &fields {
        let Derived { renewed: anew, twins } = derived(id.kind, &field.path);
        governed.extend(twins.iter().map(|path| Path::parse(path).unwrap()));
        renewed.extend(anew.into_iter().map(|path| format!("/{path}")));
    }
    let mut written = BTreeSet::new();
    for manifest in [sides.before, sides.after] {
        collect(manifest, "", &mut written);
    }
    // values filled in anew are the host's, as far as the manifest does not write them
    let mut said = BTreeSet::new();
    collect(sides.after, "", &mut said);
    let is_anew = |way: &String| {
        renewed.iter().any(|r| {
            way.strip_prefix(r.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    written.retain(|way| said.contains(way) || !is_anew(way));
    let mut covered = governed;
    covered.extend(fields.iter().flat_map(|field| covered_by(field)));
    let rest = |definition| rest(id.kind, definition, &covered, &written, sides.after);
    let difference = difference(&rest(sides.mine), &rest(sides.first), "")?;
    Some(Difference {
        expected: format!("{}, and not in the plan", difference.expected),
        ..difference
    })
}

/// Returns the places of a planned field, before and afterwards.
fn covered_by(field: &FieldChange) -> Vec<Path> {
    let path = field.path.clone();
    let key = path.steps.last().and_then(|step| step.key.clone());
    match (&path.attribute, key) {
        (Some(name), Some((key, _))) if key == format!("@{name}") => {
            // the entry is found by its new key afterwards
            let mut renamed = path.clone();
            if let (Some(last), Some(value)) = (renamed.steps.last_mut(), &field.after) {
                last.key = Some((key, value.clone()));
            }
            vec![path, renamed]
        }
        _ => vec![path],
    }
}

/// Whether a field is unchanged, though it was to change. Libvirt may fill in the same value that a manifest
/// drops.
fn is_kept(field: &FieldChange, sides: &Sides<'_>) -> bool {
    let moves = steps(&field.path).any(|above| {
        let count = |root| routes(root, &above, false).len();
        count(sides.first) != count(sides.mine)
    });
    let same = |one, other| {
        // an ordinal is the place in the definition before, and others may move
        loose(&field.path).all(|path| at(one, &path) == at(other, &path))
    };
    // whatever other entries each of them has
    let anywhere = loose(&field.path).next();
    let by_itself: Vec<_> = anywhere.iter().flat_map(|path| at(sides.plain, path)).collect();
    let is_default = field.after.is_none()
        && at(sides.mine, &field.path).iter().all(|value| by_itself.contains(value));
    !moves && !is_default && same(sides.first, sides.mine)
}

/// The paths above a path, and its own, each without an attribute and without the last key.
fn steps(path: &Path) -> impl Iterator<Item = Path> {
    (1..=path.steps.len()).map(|n| {
        let mut steps: Vec<_> = path.steps.iter().take(n).cloned().collect();
        if let Some(last) = steps.last_mut() {
            (last.key, last.ordinal) = (None, None);
        }
        Path { steps, attribute: None }
    })
}

/// The path with all its ordinals, and with fewer from its end on.
fn loose(path: &Path) -> impl Iterator<Item = Path> {
    (0..=path.steps.len()).map(|n| {
        let mut path = path.clone();
        path.steps.iter_mut().skip(n).for_each(|step| step.ordinal = None);
        path
    })
}

/// Returns the content of a path, an attribute by itself.
fn at(root: &Element, path: &Path) -> Vec<Result<Tree, Option<String>>> {
    let found = routes(root, path, true).into_iter().filter_map(|route| descend(root, &route));
    found
        .map(|element| match &path.attribute {
            Some(name) => Err(element.attr_written(name).map(str::to_owned)),
            None => Ok(placeless(Tree::of(element))),
        })
        .filter(|value| !matches!(value, Err(None)))
        .collect()
}

/// Returns a device without the host's choices.
fn placeless(mut tree: Tree) -> Tree {
    tree.children.retain(|child| child.name != "address" && child.name != "alias");
    tree
}

/// The numbers of the children on the way to each element that the steps lead to. Where nothing tells
/// which one of a list is meant, or the ordinal does not count, all of that name are.
fn routes(root: &Element, path: &Path, counts: bool) -> Vec<Vec<usize>> {
    let mut routes = vec![Vec::new()];
    for step in &path.steps {
        let mut longer = Vec::new();
        for route in &routes {
            let Some(element) = descend(root, route) else { continue };
            let meant = element.children.iter().enumerate().filter(|(_, node)| {
                let Node::Element(child) = node else { return false };
                child.name.written() == step.name
                    && step.key.as_ref().is_none_or(|(key, value)| {
                        value_at(child, key).as_deref() == Some(value.as_str())
                    })
            });
            let ordinal = step.ordinal.filter(|_| counts);
            let meant = meant.enumerate().filter(|(n, _)| ordinal.is_none_or(|o| o == n + 1));
            longer.extend(meant.map(|(_, (n, _))| route.iter().copied().chain([n]).collect()));
        }
        routes = longer;
    }
    routes
}

fn descend<'a>(root: &'a Element, route: &[usize]) -> Option<&'a Element> {
    route.iter().try_fold(root, |element, n| match element.children.get(*n) {
        Some(Node::Element(child)) => Some(child),
        _ => None,
    })
}

fn descend_mut<'a>(root: &'a mut Element, route: &[usize]) -> Option<&'a mut Element> {
    route.iter().try_fold(root, |element, n| match element.children.get_mut(*n) {
        Some(Node::Element(child)) => Some(child),
        _ => None,
    })
}

/// All names, attributes and texts of a manifest, by the names on the way.
fn collect(element: &Element, way: &str, into: &mut BTreeSet<String>) {
    for attribute in &element.attributes {
        into.insert(format!("{way}/@{}", attribute.name.local));
    }
    if element.elements().next().is_none() && element.has_text() {
        into.insert(format!("{way}/text"));
    }
    for child in element.elements() {
        let way = format!("{way}/{}", child.name.local);
        into.insert(way.clone());
        collect(child, &way, into);
    }
}

/// Removes the content that no manifest wrote.
fn only_written(element: &mut Element, way: &str, written: &BTreeSet<String>) {
    element.attributes.retain(|a| written.contains(&format!("{way}/@{}", a.name.local)));
    if element.elements().next().is_none() && !written.contains(&format!("{way}/text")) {
        element.set_text("");
    }
    element.remove_elements(|child| !written.contains(&format!("{way}/{}", child.name.local)));
    for child in element.elements_mut() {
        let way = format!("{way}/{}", child.name.local);
        only_written(child, &way, written);
    }
}

/// Returns the content outside of the paths that a manifest wrote, without identity.
fn rest(
    kind: Kind,
    definition: &Element,
    covered: &[Path],
    written: &BTreeSet<String>,
    said: &Element,
) -> Tree {
    let mut rest = definition.clone();
    let mut gone: BTreeSet<Vec<usize>> = BTreeSet::new();
    for path in covered {
        for route in routes(definition, path, false) {
            match &path.attribute {
                None => {
                    gone.insert(route);
                }
                Some(name) => {
                    let Some(element) = descend_mut(&mut rest, &route) else { continue };
                    element.attributes.retain(|a| a.name.written() != *name);
                }
            }
        }
    }
    // the last first, so that the numbers of the others stay
    for route in gone.iter().rev() {
        let Some((last, parent)) = route.split_last() else { continue };
        if let Some(parent) = descend_mut(&mut rest, parent) {
            parent.children.remove(*last);
        }
    }
    only_written(&mut rest, "", written);
    bare(kind, &rest, said)
}
