//! The documents by themselves: well-formed, escaped, deterministic.

use super::connections::get;
use super::{Served, statuses};
use crate::support::trial;
use diagnostics::SourceId;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use xmltree::{Element, Limits, parse};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("page/pictures_are_well_formed", pictures),
        trial("page/no_two_objects_cover_each_other", places),
        trial("page/hostile_text_is_escaped", escapes),
        trial("page/json_has_all_of_it", json),
    ]
}

fn picture(status: virt::controller::ControllerStatus) -> Element {
    let served = Served::new(status);
    let (_, svg) = get(served.address(), "/topology.svg");
    assert_eq!(svg, get(served.address(), "/topology.svg").1, "the same board, another picture");
    parse(SourceId::NONE, &svg, &Limits::default()).unwrap_or_else(|problem| panic!("{problem:?}"))
}

/// All elements of a class, with where they stand: the translations of those around them, summed.
fn of_class<'a>(
    element: &'a Element,
    class: &str,
    at: (u32, u32),
) -> Vec<((u32, u32), &'a Element)> {
    let moved = element.attr("transform").map_or((0, 0), translation);
    let at = (at.0 + moved.0, at.1 + moved.1);
    let is_one = element.attr("class").is_some_and(|c| c.split(' ').any(|word| word == class));
    let inner = element.elements().flat_map(|child| of_class(child, class, at));
    is_one.then_some((at, element)).into_iter().chain(inner).collect()
}

fn child<'a>(element: &'a Element, local: &str) -> Option<&'a Element> {
    element.elements().find(|child| child.name.local == local)
}

fn translation(transform: &str) -> (u32, u32) {
    let inner = transform.strip_prefix("translate(").and_then(|t| t.strip_suffix(')')).unwrap();
    let (x, y) = inner.split_once(' ').unwrap();
    (x.parse().unwrap(), y.parse().unwrap())
}

fn pictures() {
    for (status, nodes, edges) in [
        (statuses::empty(), 0, 0),
        (statuses::one(), 6, 5),
        (statuses::failing(), 5, 4),
        (statuses::fleet(), 12 * 43, 12 * 40),
        (statuses::hostile(), 4, 5),
    ] {
        let root = picture(status);
        assert_eq!(of_class(&root, "node", (0, 0)).len(), nodes);
        assert_eq!(of_class(&root, "edge", (0, 0)).len(), edges);
        assert!(child(&root, "title").is_some() && child(&root, "desc").is_some());
    }
    let served = Served::new(statuses::failing());
    let icon = get(served.address(), "/favicon.svg").1;
    assert!(parse(SourceId::NONE, &icon, &Limits::default()).is_ok());
}

fn places() {
    for status in [statuses::one(), statuses::fleet(), statuses::failing(), statuses::hostile()] {
        let root = picture(status);
        let size = |of: &Element, name: &str| of.attr(name).unwrap().parse::<u32>().unwrap();
        let canvas = (size(&root, "width"), size(&root, "height"));
        let mut taken = BTreeSet::new();
        for ((x, y), node) in of_class(&root, "node", (0, 0)) {
            let rect = child(node, "rect").unwrap();
            let (width, height) = (size(rect, "width"), size(rect, "height"));
            assert!(x + width < canvas.0 && y + height < canvas.1, "{x} {y} is off {canvas:?}");
            for x in x..=x + width {
                for y in (y..=y + height).step_by(4) {
                    assert!(taken.insert((x, y / 4)), "two objects at {x} {y}");
                }
            }
        }
    }
}

fn escapes() {
    let served = Served::new(statuses::hostile());
    for path in ["/", "/?all", "/topology.svg", "/metrics", "/lost"] {
        let (_, body) = get(served.address(), path);
        for foreign in ["<script", "<img", "\u{202e}", "\u{0}", "\u{1b}", "\" onerror"] {
            let found = body.contains(foreign);
            // metrics are no markup; what they have to escape is tested with them
            assert!(!found || path == "/metrics" && foreign.is_ascii(), "{path} has {foreign:?}");
        }
    }
    assert!(get(served.address(), "/").1.contains("&lt;script&gt;"));
}

fn json() {
    let served = Served::new(statuses::one());
    let (_, body) = get(served.address(), "/status.json");
    let value: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(value["format_version"], 1);
    assert_eq!(value["set"], "demo");
    let host = &value["hosts"]["qemu:///system"];
    assert_eq!(host["conditions"]["pending"], 1);
    assert_eq!(host["counters"]["steps_done"], 17);
    assert_eq!(host["plans"][1]["cause"], "manifests/web.toml changed");
    let web = host["objects"].as_array().unwrap().iter().find(|o| o["name"] == "web").unwrap();
    assert_eq!(web["condition"], "pending");
    assert_eq!(web["uses"][2], serde_json::json!({ "kind": "domain", "name": "db" }));
    // names come back as they are
    let served = Served::new(statuses::hostile());
    let value: serde_json::Value =
        serde_json::from_str(&get(served.address(), "/status.json").1).unwrap();
    assert_eq!(value["set"], statuses::HOSTILE);
}
