//! Layout of one host's picture: places of its objects, and the lines between them. Geometry only,
//! in whole pixels: the same status gives the same picture.

use crate::controller::{HostStatus, ResourceStatus};
use crate::model::ResourceId;
use std::collections::{BTreeMap, BTreeSet};

/// Space within the border of a host's box.
pub(super) const PAD: u32 = 16;

/// Most domains that have two lines each; more are drawn smaller, in several columns.
const ROOMY_MAX: usize = 12;

/// Domains in a column, as long as there are columns left.
const ROWS: usize = 14;

/// Most columns: what is wider has to be scrolled on most screens.
const COLUMNS_MAX: usize = 6;

/// Sizes of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Whether there is room for a second line in each object.
    pub(super) roomy: bool,
    network: u32,
    domain: u32,
    height: u32,
    /// Space between two objects of a column; lines to further columns run there.
    gap: u32,
    /// Space between networks and domains.
    fan: u32,
    /// Space between two columns of domains.
    gutter: u32,
}

const ROOMY: Sizes =
    Sizes { roomy: true, network: 148, domain: 196, height: 44, gap: 12, fan: 56, gutter: 20 };

const DENSE: Sizes =
    Sizes { roomy: false, network: 104, domain: 126, height: 22, gap: 8, fan: 42, gutter: 14 };

/// Room right of the domains where lines between them bend.
const BEND: u32 = 26;

/// Place of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    pub(super) id: &'a ResourceId,
    /// Status of the object; `None` if others only use it.
    pub(super) object: Option<&'a ResourceStatus>,
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Node<'_> {
    fn right(&self) -> u32 {
        self.x + self.width
    }

    fn middle(&self) -> u32 {
        self.y + self.height / 2
    }
}

/// A line: the first uses the second.
#[derive(Clone, Debug)]
pub(super) struct Edge<'a> {
    pub(super) from: &'a ResourceId,
    pub(super) to: &'a ResourceId,
    /// Path of the line.
    pub(super) path: String,
    /// Place of the arrow, for a line between equals.
    pub(super) arrow: Option<(u32, u32)>,
}

/// The picture of a host's objects, below the heading of its box.
#[derive(Clone, Debug)]
pub(super) struct Layout<'a> {
    pub(super) sizes: Sizes,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) edges: Vec<Edge<'a>>,
}

/// Lays out a host: networks, and other objects that are used, stand left; domains right, those of
/// one network together.
pub(super) fn layout(host: &HostStatus) -> Layout<'_> {
    let left = left_column(host);
    let domains = domains(host, &left);
    let sizes = if domains.len() <= ROOMY_MAX { ROOMY } else { DENSE };
    let columns = match sizes.roomy {
        true => 1,
        false => domains.len().div_ceil(ROWS).clamp(1, COLUMNS_MAX),
    };
    let rows = domains.len().div_ceil(columns);
    let stack =
        |count: usize| (small(count) * (sizes.height + sizes.gap)).saturating_sub(sizes.gap);
    let height = stack(rows.max(left.len()));
    let place = |id, x, y, width| Node {
        id,
        object: host.objects.get(id),
        x,
        y,
        width,
        height: sizes.height,
    };

    let start = if left.is_empty() { PAD } else { PAD + sizes.network + sizes.fan };
    let top = (height - stack(rows)) / 2;
    let row_top = |index: usize| top + small(index / columns) * (sizes.height + sizes.gap);
    let mut nodes = Vec::with_capacity(left.len() + domains.len());
    let ranks = domains.iter().enumerate().map(|(index, (rank, _))| (*rank, row_top(index)));
    for (id, y) in left.iter().zip(beside(left.len(), &ranks.collect::<Vec<_>>(), height, sizes)) {
        nodes.push(place(*id, PAD, y, sizes.network));
    }
    for (index, (_, id)) in domains.iter().enumerate() {
        let x = start + small(index % columns) * (sizes.domain + sizes.gutter);
        nodes.push(place(*id, x, row_top(index), sizes.domain));
    }
    let edges = edges(&nodes, sizes);
    let bend = if edges.iter().any(|e| e.arrow.is_some()) { BEND } else { 0 };
    let right = nodes.iter().map(Node::right).max().unwrap_or(0) + bend;
    Layout { sizes, width: right + PAD, height, nodes, edges }
}

/// The networks, then used objects that have no status.
fn left_column(host: &HostStatus) -> Vec<&ResourceId> {
    let networks = host.objects.keys().filter(|id| id.kind.connects_guests());
    let used: BTreeSet<&ResourceId> = host.objects.values().flat_map(|o| &o.uses).collect();
    let others = used.into_iter().filter(|id| !host.objects.contains_key(id));
    networks.chain(others).collect()
}

/// The domains, by the rank of the first object of the left column that they use, so that few lines
/// cross.
fn domains<'a>(host: &'a HostStatus, left: &[&ResourceId]) -> Vec<(usize, &'a ResourceId)> {
    let rank: BTreeMap<&ResourceId, usize> =
        left.iter().enumerate().map(|(index, id)| (*id, index)).collect();
    let all = host.objects.iter().filter(|(id, _)| id.kind.is_guest());
    let mut domains: Vec<(usize, &ResourceId)> = all
        .map(|(id, object)| {
            let ranks = object.uses.iter().filter_map(|used| rank.get(used));
            (ranks.min().copied().unwrap_or(usize::MAX), id)
        })
        .collect();
    domains.sort();
    domains
}

/// The tops of the left column: each beside the middle of the domains of its rank, whose tops are
/// given, as far as the others leave room there.
fn beside(count: usize, ranks: &[(usize, u32)], height: u32, sizes: Sizes) -> Vec<u32> {
    let mut tops = Vec::with_capacity(count);
    let mut next = 0;
    for rank in 0..count {
        let users = ranks.iter().filter(|(of, _)| *of == rank).map(|(_, top)| *top);
        let (first, last) = (users.clone().min(), users.max());
        let wanted = first.zip(last).map_or(0, |(first, last)| (first + last) / 2);
        tops.push(wanted.max(next));
        next = wanted.max(next) + sizes.height + sizes.gap;
    }
    // what was pushed out below comes up again
    let mut end = height;
    for top in tops.iter_mut().rev() {
        *top = (*top).min(end.saturating_sub(sizes.height));
        end = top.saturating_sub(sizes.gap);
    }
    tops
}

fn edges<'a>(nodes: &[Node<'a>], sizes: Sizes) -> Vec<Edge<'a>> {
    let place: BTreeMap<&ResourceId, &Node<'a>> = nodes.iter().map(|n| (n.id, n)).collect();
    let mut edges = Vec::new();
    for from in nodes {
        for used in from.object.iter().flat_map(|object| &object.uses) {
            let Some(to) = place.get(used).filter(|to| to.id != from.id) else { continue };
            let (path, arrow) = match (is_left(from), is_left(to)) {
                (false, true) => (across(to, from, sizes), None),
                (true, false) => (across(from, to, sizes), None),
                _ => (around(from, to), Some((to.right(), to.middle()))),
            };
            edges.push(Edge { from: from.id, to: to.id, path, arrow });
        }
    }
    edges
}

fn is_left(node: &Node<'_>) -> bool {
    node.x == PAD && (node.id.kind.connects_guests() || node.object.is_none())
}

/// Path from the left column to a domain. Towards a further column the line runs between two rows.
fn across(left: &Node<'_>, domain: &Node<'_>, sizes: Sizes) -> String {
    let (x0, y0, x1, y1) = (left.right(), left.middle(), domain.x, domain.middle());
    let first = x0 + sizes.fan;
    if x1 == first {
        let bend = (x0 + x1) / 2;
        return format!("M{x0} {y0}C{bend} {y0} {bend} {y1} {x1} {y1}");
    }
    let row = domain.y.saturating_sub(sizes.gap / 2);
    let (bend, end) = ((x0 + first) / 2, x1.saturating_sub(sizes.gutter));
    let turn = end + sizes.gutter / 2;
    format!(
        "M{x0} {y0}C{bend} {y0} {bend} {row} {first} {row}H{end}C{turn} {row} {turn} {y1} {x1} {y1}"
    )
}

/// Path between two objects of a side, around the right.
fn around(from: &Node<'_>, to: &Node<'_>) -> String {
    let (x0, y0, x1, y1) = (from.right(), from.middle(), to.right() + 6, to.middle());
    let bend = x0.max(x1) + BEND - 6;
    format!("M{x0} {y0}C{bend} {y0} {bend} {y1} {x1} {y1}")
}

/// A count as a number of pixels: larger ones are far beyond any picture.
fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX / 1024).min(u32::MAX / 1024)
}
