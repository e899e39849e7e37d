//! Checks across manifests: things that two of them claim, and cycles of dependencies.
//!
//! An object that takes part in either is held back, and so is everything that depends on it. Of
//! several hosts each is a world of its own: what no host has twice is no duplicate.

use super::fleet::{Group, Selections};
use super::object::Object;
use crate::model::domain::{DiskSource, Domain, host_device, listeners};
use crate::model::network::Network;
use crate::model::pool::Pool;
use crate::model::{BitSet, Kind, Mac, Power, ResourceId, Subnet, Uuid, parse_uuid};
use diagnostics::{Diagnostic, Diagnostics, Span};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// Checks all objects against one another, as far as there is a host that they are both for.
pub(super) fn across(objects: &mut [Object], selections: &Selections, out: &mut Diagnostics) {
    unique(objects, selections, names(objects), &NAME, out);
    unique(objects, selections, uuids(objects), &UUID, out);
    unique(objects, selections, macs(objects), &MAC, out);
    unique(objects, selections, bridges(objects), &BRIDGE, out);
    unique(objects, selections, pool_targets(objects), &POOL_TARGET, out);
    unique(objects, selections, disks(objects), &DISK, out);
    unique(objects, selections, host_devices(objects), &HOST_DEVICE, out);
    unique(objects, selections, ports(objects), &PORT, out);
    subnets(objects, selections, out);
    cycles(objects, selections, out);
    hold_dependants(objects, selections);
}

/// A kind of thing that only one object may have.
struct Claim {
    code: &'static str,
    summary: &'static str,
    hint: &'static str,
    /// Whether a second one is only warned of.
    warning: bool,
}

const NAME: Claim = Claim {
    code: "duplicate-name",
    summary: "two resources of a kind have the same name",
    hint: "rename one of them, or remove one file",
    warning: false,
};
const UUID: Claim = Claim {
    code: "duplicate-uuid",
    summary: "two resources of a kind have the same UUID",
    hint: "leave the UUID out: a stable one is made",
    warning: false,
};
const MAC: Claim = Claim {
    code: "duplicate-mac",
    summary: "interfaces of two domains have the same MAC address",
    hint: "leave the address out: a stable one is made",
    warning: false,
};
const BRIDGE: Claim = Claim {
    code: "duplicate-bridge",
    summary: "two networks have the same bridge",
    hint: "leave the bridge's name out: the host finds a free one",
    warning: false,
};
const POOL_TARGET: Claim = Claim {
    code: "duplicate-pool",
    summary: "two pools are the same directory",
    hint: "keep one of them: libvirt refuses the second",
    warning: false,
};
const DISK: Claim = Claim {
    code: "shared-disk",
    summary: "two domains write to the same disk",
    hint: "running both at once destroys the data; mark the disk shareable if the guests \
           coordinate their writes",
    warning: true,
};

const HOST_DEVICE: Claim = Claim {
    code: "shared-hostdev",
    summary: "two domains have the same device of the host",
    hint: "only one of them can run at a time; give the other one another device",
    warning: true,
};
const PORT: Claim = Claim {
    code: "shared-port",
    summary: "two domains listen on the same port",
    hint: "only one of them can run at a time; use autoport, or give each a port of its own",
    warning: true,
};

/// Claims, each with its owner and place.
type Claims<K> = Vec<(K, usize, Span)>;

/// Owners of one claimed thing met so far, with all the hosts that they are for.
#[derive(Default)]
struct Owners {
    hosts: BitSet,
    list: Vec<(usize, Span)>,
}

fn unique<K: Eq + Hash>(
    objects: &mut [Object],
    selections: &Selections,
    claims: Claims<K>,
    claim: &Claim,
    out: &mut Diagnostics,
) {
    let mut known: HashMap<K, Owners> = HashMap::new();
    for (key, owner, span) in claims {
        let owners = known.entry(key).or_default();
        let Some(b) = objects.get(owner) else { continue };
        let Some(hosts) = selections.hosts(b) else { continue };
        let met = |(i, _): &&(usize, Span)| objects.get(*i).is_some_and(|a| selections.meet(a, b));
        // a thing that a thousand hosts have each for itself is not looked for among them all
        let earlier =
            if owners.hosts.intersects(hosts) { owners.list.iter().find(met) } else { None };
        let earlier = earlier.copied();
        if earlier.is_none_or(|(i, _)| i != owner) {
            owners.hosts.union_with(hosts);
            owners.list.push((owner, span));
        }
        let Some((earlier, earlier_span)) = earlier.filter(|(i, _)| *i != owner) else { continue };
        let Some(a) = objects.get(earlier) else { continue };
        let problem = if claim.warning { Diagnostic::warning } else { Diagnostic::error };
        out.push(
            problem(claim.code, claim.summary.to_owned())
                .at(span)
                .address(b.id.to_string())
                .related(earlier_span, format!("the first is {}", a.id))
                .hint(claim.hint),
        );
        if !claim.warning {
            let (first_id, second_id) = (a.id.clone(), b.id.clone());
            hold(objects, earlier, format!("{}: {second_id}", claim.summary));
            hold(objects, owner, format!("{}: {first_id}", claim.summary));
        }
    }
}

fn hold(objects: &mut [Object], index: usize, reason: String) {
    if let Some(object) = objects.get_mut(index) {
        object.broken.get_or_insert(reason);
    }
}

fn names(objects: &[Object]) -> Claims<ResourceId> {
    let place = |o: &Object| o.definition.root().child("name").map_or(o.span, |n| n.text_span());
    objects.iter().enumerate().map(|(i, o)| (o.id.clone(), i, place(o))).collect()
}

fn uuids(objects: &[Object]) -> Claims<(Kind, Uuid)> {
    let uuid = |(i, o): (usize, &Object)| {
        let uuid = o.definition.root().child("uuid")?;
        Some(((o.id.kind, parse_uuid(&uuid.text())?), i, uuid.text_span()))
    };
    objects.iter().enumerate().filter_map(uuid).collect()
}

fn of_kind(objects: &[Object], kind: Kind) -> impl Iterator<Item = (usize, &Object)> {
    objects.iter().enumerate().filter(move |(_, o)| o.id.kind == kind)
}

fn macs(objects: &[Object]) -> Claims<Mac> {
    let mut claims = Vec::new();
    for (i, object) in of_kind(objects, Kind::Domain) {
        for interface in Domain::new(object.definition.root()).interfaces() {
            let place = interface.element().child("mac").and_then(|m| m.attribute("address"));
            if let (Some(mac), Some(place)) = (interface.mac(), place) {
                claims.push((mac, i, place.span));
            }
        }
    }
    claims
}

fn bridges(objects: &[Object]) -> Claims<String> {
    let bridge = |(i, o): (usize, &Object)| {
        let name = o.definition.root().child("bridge")?.attribute("name")?;
        Some((name.value.clone(), i, name.span))
    };
    of_kind(objects, Kind::Network).filter_map(bridge).collect()
}

/// Pools of type `dir`, which libvirt tells apart by their directory; all others it tells apart by their
/// source, and takes two that appear in one place.
fn pool_targets(objects: &[Object]) -> Claims<String> {
    let target = |(i, o): (usize, &Object)| {
        let pool = Pool::new(o.definition.root());
        let is_dir = pool.backend()? == "dir";
        is_dir.then_some((pool.target_path()?, i, pool.target()?.text_span()))
    };
    of_kind(objects, Kind::Pool).filter_map(target).collect()
}

fn disks(objects: &[Object]) -> Claims<String> {
    let mut claims = Vec::new();
    for (i, object) in of_kind(objects, Kind::Domain) {
        for disk in Domain::new(object.definition.root()).disks() {
            let Some(DiskSource::File(path) | DiskSource::Block(path)) = disk.source() else {
                continue;
            };
            if !disk.is_readonly() && !disk.is_shareable() {
                let place = disk.element().child("source").map_or(object.span, |s| s.span());
                claims.push((path.to_owned(), i, place));
            }
        }
    }
    claims
}

fn host_devices(objects: &[Object]) -> Claims<String> {
    let mut claims = Vec::new();
    for (i, object) in of_kind(objects, Kind::Domain) {
        for device in Domain::new(object.definition.root()).all_devices() {
            claims.extend(host_device(device).map(|key| (key, i, device.span())));
        }
    }
    claims
}

fn ports(objects: &[Object]) -> Claims<String> {
    let mut claims = Vec::new();
    for (i, object) in of_kind(objects, Kind::Domain) {
        for device in Domain::new(object.definition.root()).all_devices() {
            claims.extend(listeners(device).into_iter().map(|l| (l.key(), i, l.span)));
        }
    }
    claims
}

/// Networks that are up at the same time must not share addresses: the host could not tell where
/// to send a packet.
fn subnets(objects: &mut [Object], selections: &Selections, out: &mut Diagnostics) {
    let mut all: Vec<(Subnet, usize, Span)> = Vec::new();
    for (i, object) in of_kind(objects, Kind::Network) {
        for ip in Network::new(object.definition.root()).ips() {
            // 0.0.0.0 stands for no address
            if let (Some(subnet), Some(address)) = (ip.subnet(), ip.address())
                && !address.is_unspecified()
            {
                let place = ip.element().attribute("address").map_or(object.span, |a| a.span);
                all.push((subnet, i, place));
            }
        }
    }
    all.sort_by_key(|(subnet, i, _)| (subnet.is_ipv4(), subnet.first(), *i));
    let mut said = HashSet::new();
    for group in &selections.groups {
        // of those seen so far, the one that reaches furthest
        let mut widest: Option<(Subnet, usize, Span)> = None;
        for &(subnet, i, span) in &all {
            let is_for = |o: &Object| group.has(o) && selections.hosts(o).is_some();
            if !objects.get(i).is_some_and(is_for) {
                continue;
            }
            if let Some((other, j, other_span)) = widest
                && other.is_ipv4() == subnet.is_ipv4()
                && subnet.first() <= other.last()
                && i != j
                && said.insert((other_span, span))
            {
                overlap(objects, [(other, j, other_span), (subnet, i, span)], out);
            }
            let reaches_further = widest
                .is_none_or(|(w, ..)| w.is_ipv4() != subnet.is_ipv4() || subnet.last() > w.last());
            if reaches_further {
                widest = Some((subnet, i, span));
            }
        }
    }
}

fn overlap(objects: &mut [Object], pair: [(Subnet, usize, Span); 2], out: &mut Diagnostics) {
    // the later place is the one to point at, as with all duplicates
    let [a, b] = if pair[0].2 <= pair[1].2 { pair } else { [pair[1], pair[0]] };
    let (Some(first), Some(second)) = (objects.get(a.1), objects.get(b.1)) else { return };
    let both_up = [first, second].iter().all(|o| o.settings.power == Power::Running);
    let problem = if both_up { Diagnostic::error } else { Diagnostic::warning };
    let summary = "the subnets of two networks overlap";
    out.push(
        problem("overlapping-subnets", summary.to_owned())
            .at(b.2)
            .address(second.id.to_string())
            .detail(format!("{} and {}", b.0, a.0))
            .related(a.2, format!("the first is {}", first.id))
            .hint("give one of them other addresses"),
    );
    if both_up {
        let (first_id, second_id) = (first.id.clone(), second.id.clone());
        hold(objects, a.1, format!("{summary}: {second_id}"));
        hold(objects, b.1, format!("{summary}: {first_id}"));
    }
}

/// Finds dependencies that go round. Of several circles through one object one is said at a time.
fn cycles(objects: &mut [Object], selections: &Selections, out: &mut Diagnostics) {
    let mut round = vec![false; objects.len()];
    for group in &selections.groups {
        let edges = edges(objects, group);
        cycles_of(objects, &edges, &mut round, out);
    }
}

/// Finds the circles on the hosts of one group. `round` has the objects of those said so far.
fn cycles_of(
    objects: &mut [Object],
    edges: &[Vec<(usize, Span)>],
    round: &mut [bool],
    out: &mut Diagnostics,
) {
    let mut state = vec![Visit::New; objects.len()];
    for start in 0..objects.len() {
        // the path walked so far: each node, and how many of its edges are done
        let mut path = vec![(start, 0)];
        // number of nodes, up to each of them, in a reported cycle
        let mut said = vec![usize::from(round.get(start) == Some(&true))];
        while let Some((node, done)) = path.last().copied() {
            let (Some(visit), Some(out_edges)) = (state.get_mut(node), edges.get(node)) else {
                break;
            };
            let next = out_edges.get(done).filter(|_| done > 0 || *visit != Visit::Done);
            let Some((next, _)) = next else {
                *visit = Visit::Done;
                path.pop();
                said.pop();
                continue;
            };
            if *visit != Visit::Done {
                *visit = Visit::Open(path.len() - 1);
            }
            if let Some(last) = path.last_mut() {
                last.1 += 1;
            }
            match state.get(*next) {
                Some(Visit::New) => {
                    let before = said.last().copied().unwrap_or(0);
                    said.push(before + usize::from(round.get(*next) == Some(&true)));
                    path.push((*next, 0));
                }
                Some(Visit::Open(from)) => {
                    let before = from.checked_sub(1).and_then(|at| said.get(at)).copied();
                    // one of the nodes is in another circle already
                    if said.last().copied().unwrap_or(0) > before.unwrap_or(0) {
                        continue;
                    }
                    let circle = path.get(*from..).unwrap_or(&[]).to_vec();
                    say_cycle(objects, edges, &circle, round, out);
                    let counted = said.iter_mut().skip(*from).zip(1..);
                    counted.for_each(|(n, more)| *n = before.unwrap_or(0) + more);
                }
                Some(Visit::Done) | None => {}
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    /// On the current path, at that index.
    Open(usize),
    Done,
}

/// Returns the dependencies of each object, as far as the manifests have them for this group.
fn edges(objects: &[Object], group: &Group) -> Vec<Vec<(usize, Span)>> {
    let mut index: HashMap<&ResourceId, usize> = HashMap::new();
    let mine = || objects.iter().enumerate().filter(|(_, o)| group.has(o));
    for (i, object) in mine() {
        index.entry(&object.id).or_insert(i);
    }
    let mut edges = vec![Vec::new(); objects.len()];
    for (i, object) in mine() {
        let needs = object.needs.iter();
        let found = needs.filter_map(|(id, span)| Some((*index.get(id)?, *span))).collect();
        if let Some(place) = edges.get_mut(i) {
            *place = found;
        }
    }
    edges
}

/// Says a circle with each of its edges. `circle` has each node with the number of its edges
/// walked so far, the last of which is the one to the next node.
fn say_cycle(
    objects: &mut [Object],
    edges: &[Vec<(usize, Span)>],
    circle: &[(usize, usize)],
    round: &mut [bool],
    out: &mut Diagnostics,
) {
    let mut problem: Option<Diagnostic> = None;
    let mut names = Vec::new();
    for (node, walked) in circle {
        let edge = edges.get(*node).and_then(|e| e.get(walked.saturating_sub(1)));
        let (Some(object), Some((next, span))) = (objects.get(*node), edge) else { continue };
        let Some(needed) = objects.get(*next) else { continue };
        names.push(object.id.to_string());
        problem = Some(match problem {
            None => Diagnostic::error("dependency-cycle", "the dependencies form a cycle")
                .at(*span)
                .address(object.id.to_string())
                .hint("remove one of them: nothing could be first"),
            Some(p) => p.related(*span, format!("{} needs {}", object.id, needed.id)),
        });
        if let Some(flag) = round.get_mut(*node) {
            *flag = true;
        }
    }
    names.extend(names.first().cloned());
    let chain = names.join(" needs ");
    out.extend(problem.map(|p| p.detail(chain)));
    for (node, _) in circle {
        hold(objects, *node, "its dependencies form a cycle".to_owned());
    }
}

/// Blocks everything that depends on a blocked resource, directly or not, on each of its hosts: the manifest
/// is one, and is fixed for all of them.
fn hold_dependants(objects: &mut [Object], selections: &Selections) {
    if objects.iter().all(|o| o.broken.is_none()) {
        return;
    }
    let mut dependants: HashMap<ResourceId, Vec<usize>> = HashMap::new();
    let names: HashSet<&ResourceId> = objects.iter().map(|o| &o.id).collect();
    for (i, object) in objects.iter().enumerate() {
        for (need, _) in object.needs.iter().filter(|(need, _)| names.contains(need)) {
            dependants.entry(need.clone()).or_default().push(i);
        }
    }
    let broken = objects.iter().enumerate().filter(|(_, o)| o.broken.is_some());
    let mut broken: VecDeque<usize> = broken.map(|(i, _)| i).collect();
    while let Some(needed) = broken.pop_front() {
        let Some(id) = objects.get(needed).map(|o| o.id.clone()) else { continue };
        for &i in dependants.get(&id).into_iter().flatten() {
            let (Some(a), Some(b)) = (objects.get(needed), objects.get(i)) else { continue };
            if b.broken.is_none() && selections.meet(a, b) {
                hold(objects, i, format!("it needs {id}, which is blocked"));
                broken.push_back(i);
            }
        }
    }
}
