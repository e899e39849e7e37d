//! What plan says, apply does: the fields that a plan names are those that are others afterwards, but
//! for what libvirt derives from them.

use super::canonical::{Difference, Tree, bare, difference};
use std::collections::BTreeSet;
use virt::model::{Kind, ResourceId};
use virt::reconcile::Plan;
use virt::xml::{Element, Node, Path, value_at};

/// Fields of a plan that are in no definition.
const NOT_DEFINED: [&str; 4] = ["owner", "power", "autostart", "name"];

const FIRMWARE: &[&str] = &["os/loader", "os/nvram", "os/firmware", "features/smm"];

/// What libvirt derives anew when what stands before it changes. A path stands for all elements of that
/// name, and for what is in them.
const DERIVED: &[(&str, &[&str])] = &[
    // another machine is another computer
    ("@type", &["cpu", "os", "features", "devices", "clock", "pm"]),
    ("os/type", &["cpu", "os", "features", "devices", "clock", "pm"]),
    ("os/@firmware", FIRMWARE),
    ("os/firmware", FIRMWARE),
    ("os/loader", FIRMWARE),
    ("os/nvram", FIRMWARE),
    (
        "cpu",
        &["cpu/@check", "cpu/@match", "cpu/@migratable", "cpu/@mode", "cpu/model", "cpu/feature"],
    ),
    ("cpu/numa", &["memory", "currentMemory", "cpu"]),
    ("memory", &["currentMemory", "cpu/numa/cell/@memory"]),
    ("devices/memory", &["memory", "currentMemory", "maxMemory"]),
    ("vcpu", &["numatune", "vcpu", "vcpus", "cpu/topology"]),
    ("numatune", &["vcpu/@placement"]),
    ("iothreads", &["iothreadids"]),
    ("iothreadids", &["iothreads"]),
    ("clock", &["clock/@adjustment", "clock/@basis", "clock/@offset"]),
    (
        "devices/disk/@device",
        &["devices/disk/driver", "devices/disk/readonly", "devices/disk/target/@tray"],
    ),
    ("devices/disk/@type", &["devices/disk/driver", "devices/disk/backingStore"]),
    ("devices/disk/source", &["devices/disk/driver", "devices/disk/backingStore"]),
    ("devices/controller", &["devices/controller/driver", "devices/controller/target"]),
    ("devices/interface/@type", &["devices/interface/model", "devices/interface/target"]),
    ("devices/interface/source", &["devices/interface/target"]),
    ("devices/interface/virtualport", &["devices/interface/virtualport/parameters"]),
    (
        "devices/graphics",
        &[
            "devices/graphics/@port",
            "devices/graphics/@tlsPort",
            "devices/graphics/@autoport",
            "devices/graphics/@listen",
            "devices/graphics/listen",
            "devices/audio",
            "devices/sound/audio",
            "devices/video",
            "devices/input",
        ],
    ),
    ("devices/video", &["devices/video/model"]),
    ("devices/sound", &["devices/audio"]),
    ("devices/audio", &["devices/audio"]),
    ("devices/serial", &["devices/console", "devices/serial/target", "devices/serial/address"]),
    (
        "devices/console",
        &["devices/serial", "devices/console/target", "devices/video", "devices/input"],
    ),
    ("devices/channel", &["devices/channel/target", "devices/channel/source", "devices/video"]),
    ("devices/watchdog", &["devices/watchdog/@action"]),
    ("devices/memory/@model", &["devices/memory"]),
    ("devices/filesystem", &["devices/filesystem/@accessmode", "devices/filesystem/driver"]),
    ("forward", &["forward", "bridge", "mac", "domain", "dns", "virtualport"]),
    ("bridge", &["bridge/@stp", "bridge/@delay", "bridge/@macTableManager"]),
];

/// The first field that a plan names and that is as before, or that it does not name and that is
/// another one; `said` is the manifest. What was is in the definition `first`, what is in `mine`.
pub(crate) fn broken(
    plan: &Plan,
    id: &ResourceId,
    first: &Element,
    mine: &Element,
    said: &Element,
) -> Option<Difference> {
    let changes = plan.changes.iter().filter(|change| change.id == *id);
    let fields: Vec<&Path> = changes.flat_map(|c| &c.fields).map(|f| &f.path).collect();
    let fields: Vec<&Path> =
        fields.into_iter().filter(|p| !NOT_DEFINED.contains(&p.to_string().as_str())).collect();
    let kept = fields.iter().find(|path| at(first, path) == at(mine, path));
    if let Some(path) = kept {
        let expected = "another one, by the plan".to_owned();
        return Some(Difference { path: path.to_string(), got: "as before".to_owned(), expected });
    }
    let mut covered: Vec<Path> = fields.iter().map(|path| (*path).clone()).collect();
    for (governor, derived) in DERIVED {
        let governor = Path::parse(governor).unwrap();
        if fields.iter().any(|path| touches(path, &governor)) {
            covered.extend(derived.iter().map(|path| Path::parse(path).unwrap()));
        }
    }
    // an element that all is in says nothing of what is in it
    let kind = id.kind;
    let (was, is) = (rest(kind, first, &covered, said), rest(kind, mine, &covered, said));
    difference(&is, &was, "")
        .map(|d| Difference { expected: format!("{}, unplanned", d.expected), ..d })
}

/// Whether one of the two is in the other, whichever element of a list is meant.
fn touches(path: &Path, governor: &Path) -> bool {
    let mut path = path.clone();
    for step in &mut path.steps {
        (step.key, step.ordinal) = (None, None);
    }
    governor.covers(&path) || path.covers(governor)
}

/// What is at a path, an attribute by itself.
fn at(root: &Element, path: &Path) -> Vec<Result<Tree, Option<String>>> {
    let found = routes(root, path).into_iter().filter_map(|route| descend(root, &route));
    found
        .map(|element| match &path.attribute {
            Some(name) => Err(element.attr_written(name).map(str::to_owned)),
            None => Ok(Tree::of(element)),
        })
        .filter(|value| !matches!(value, Err(None)))
        .collect()
}

/// The numbers of the children on the way to each element that the steps lead to. Without a key, all
/// of a name are meant: entries of a list move.
fn routes(root: &Element, path: &Path) -> Vec<Vec<usize>> {
    let mut routes = vec![Vec::new()];
    for step in &path.steps {
        let mut longer = Vec::new();
        for route in &routes {
            let Some(element) = descend(root, route) else { continue };
            for (n, node) in element.children.iter().enumerate() {
                let Node::Element(child) = node else { continue };
                let is_meant = child.name.written() == step.name
                    && step.key.as_ref().is_none_or(|(key, value)| {
                        value_at(child, key).as_deref() == Some(value.as_str())
                    });
                if is_meant {
                    longer.push(route.iter().copied().chain([n]).collect());
                }
            }
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

/// What is at none of the paths, without identity.
fn rest(kind: Kind, definition: &Element, covered: &[Path], said: &Element) -> Tree {
    let mut rest = definition.clone();
    let mut gone: BTreeSet<Vec<usize>> = BTreeSet::new();
    for path in covered {
        for route in routes(definition, path) {
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
    bare(kind, &rest, said)
}
