//! Hosts, networks and domains as a picture: SVG by hand, without scripts.
//!
//! - `icon.rs`: a sign for each condition: its shape tells it, and its colour again
//! - `layout.rs`: geometry of one host's picture

mod icon;
mod layout;

pub(super) use icon::{class, favicon, icon};

use super::format::{cut, plain};
use crate::controller::{Condition, ControllerStatus, HostStatus};
use crate::model::{Kind, ResourceId, shown_name};
use layout::{Edge, Layout, Node, PAD, layout};
use maud::{Markup, PreEscaped, html};

/// The style sheet of a picture; a page with pictures needs it, too.
pub(super) const STYLE: &str = include_str!("topology.css");

/// Space between two hosts of the whole picture.
const GAP: u32 = 20;

/// Width of the whole picture beyond which hosts go to the next row.
const CANVAS: u32 = 1400;

/// Least width of a host's box, for its heading.
const BOX_MIN: u32 = 300;

/// Height of a box's heading, and of each line below the name.
const HEADING: u32 = 46;
const LINE: u32 = 18;

/// Height of the whole picture's legend.
const LEGEND: u32 = 32;

/// One host's picture.
pub(super) struct HostPicture<'a> {
    name: &'a str,
    host: &'a HostStatus,
    layout: Layout<'a>,
    width: u32,
    height: u32,
}

impl<'a> HostPicture<'a> {
    /// Lays out the host of that name.
    pub(super) fn new(name: &'a str, host: &'a HostStatus) -> Self {
        let layout = layout(host);
        let (width, top) = (layout.width.max(BOX_MIN), heading(name, host));
        let height = top + layout.height.max(16) + PAD;
        Self { name, host, layout, width, height }
    }

    /// An `<svg>` of its own, in HTML; `index` makes its ids unique there.
    pub(super) fn inline(&self, index: usize) -> Markup {
        let (width, height) = (self.width, self.height);
        let view = format!("0 0 {width} {height}");
        let (title, desc) = (format!("host-{index}"), format!("host-{index}-desc"));
        html! {
            svg.wide[!self.layout.sizes.roomy] xmlns="http://www.w3.org/2000/svg"
                width=(width) height=(height) viewBox=(view)
                role="img" aria-labelledby=(format!("{title} {desc}")) {
                title id=(title) { (self.title()) }
                desc id=(desc) { (self.description()) }
                (self.drawing())
            }
        }
    }

    fn title(&self) -> String {
        let of = |kind| self.host.objects.keys().filter(|id| id.kind == kind).count();
        let (networks, domains) = (of(Kind::Network), of(Kind::Domain));
        format!("{}: networks {networks}, domains {domains}", plain(self.name))
    }

    /// Describes the colours and shapes in words.
    fn description(&self) -> String {
        let lost = self.host.lost.iter().map(|_| "The host cannot be reached.".to_owned());
        let counts = Condition::ALL.into_iter().rev().filter_map(|condition| {
            let count = count(self.host, condition);
            (count > 0).then(|| format!("{count} {}.", condition.label()))
        });
        lost.chain(counts).collect::<Vec<_>>().join(" ")
    }

    fn drawing(&self) -> Markup {
        let top = heading(self.name, self.host);
        let lost = self.host.lost.is_some();
        html! {
            g.lost[lost].dense[!self.layout.sizes.roomy] {
                rect.box x="0.5" y="0.5" width=(self.width - 1) height=(self.height - 1) rx="10" {}
                (self.heading())
                g transform=(format!("translate(0 {top})")) {
                    @for edge in &self.layout.edges { (line(edge)) }
                    @for node in &self.layout.nodes { (chip(node, self.layout.sizes.roomy)) }
                    @if self.layout.nodes.is_empty() {
                        text x=(PAD) y="10" { "no objects of this set" }
                    }
                }
            }
        }
    }

    fn heading(&self) -> Markup {
        // letters are 7 pixels wide at the most, of the name 10
        let inner = self.width - 2 * PAD;
        let columns = |pixels: u32| usize::try_from(inner / pixels).unwrap_or(0);
        let has_uri = has_uri(self.name, self.host);
        html! {
            text.head x=(PAD) y="28" { (cut(self.name, columns(10))) title { (plain(self.name)) } }
            @if has_uri {
                text.uri x=(PAD) y="46" {
                    (cut(&self.host.uri, columns(7))) title { (plain(&self.host.uri)) }
                }
            }
            @if let Some((why, _)) = &self.host.lost {
                text.bad x=(PAD) y=(if has_uri { 64 } else { 46 }) {
                    (cut(&format!("cannot be reached: {why}"), columns(7))) title { (plain(why)) }
                }
            }
        }
    }
}

/// Renders all hosts as one document.
pub(super) fn picture(status: &ControllerStatus) -> String {
    let hosts: Vec<HostPicture<'_>> =
        status.hosts.iter().map(|(name, host)| HostPicture::new(name, host)).collect();
    let (places, width, height) = arrange(&hosts);
    let view = format!("0 0 {width} {height}");
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(view)
            role="img" aria-labelledby="title desc" {
            title id="title" { "Hosts, networks and domains of set " (plain(&status.set)) }
            desc id="desc" {
                @for host in &hosts { (host.title()) ". " (host.description()) " " }
            }
            style { (PreEscaped(STYLE)) }
            rect.canvas width=(width) height=(height) {}
            @for (index, condition) in Condition::ALL.into_iter().enumerate() {
                g transform=(format!("translate({} {GAP})", usize::try_from(GAP).unwrap_or(0) + index * 100)) {
                    (icon(condition))
                    text x="22" y="12" { (condition.label()) }
                }
            }
            @for (host, (x, y)) in hosts.iter().zip(&places) {
                g transform=(format!("translate({x} {y})")) { (host.drawing()) }
            }
        }
    };
    markup.into_string()
}

/// Positions of the hosts: side by side, as far as the canvas goes.
fn arrange(hosts: &[HostPicture<'_>]) -> (Vec<(u32, u32)>, u32, u32) {
    let (mut x, mut y, mut row) = (GAP, GAP + LEGEND, 0);
    // the legend's width at least
    let mut width = 540;
    let mut places = Vec::with_capacity(hosts.len());
    for host in hosts {
        if x > GAP && x + host.width + GAP > CANVAS {
            (x, y, row) = (GAP, y + row + GAP, 0);
        }
        places.push((x, y));
        x += host.width + GAP;
        row = row.max(host.height);
        width = width.max(x);
    }
    (places, width, y + row + GAP)
}

/// Number of a host's objects in this condition.
pub(super) fn count(host: &HostStatus, condition: Condition) -> usize {
    Kind::ALL.into_iter().map(|kind| host.count(kind, condition)).sum()
}

/// Whether the host's objects have two lines each, and stand in one column.
pub(super) fn is_roomy(host: &HostStatus) -> bool {
    layout(host).sizes.roomy
}

fn heading(name: &str, host: &HostStatus) -> u32 {
    let lines = u32::from(has_uri(name, host)) + u32::from(host.lost.is_some());
    HEADING + lines * LINE
}

/// Whether the host is named by its URI, as no `virt.toml` names it.
fn has_uri(name: &str, host: &HostStatus) -> bool {
    host.uri != name
}

fn chip(node: &Node<'_>, roomy: bool) -> Markup {
    let (word, state) = match node.object {
        Some(object) => (object.condition.label(), plain(&object.state)),
        None => ("not of this set", String::new()),
    };
    let class = node.object.map_or("other", |object| class(object.condition));
    // letters of 12 and 11 pixels are 7.3 and 6.7 wide
    // what is not of this set has no sign
    let inset = match (node.object, roomy) {
        (None, _) => 12,
        (Some(_), true) => 34,
        (Some(_), false) => 27,
    };
    let columns = usize::try_from((node.width - inset - 4) * 10 / if roomy { 73 } else { 67 });
    let name = cut(&shown_name(&node.id.name), columns.unwrap_or(0));
    let said = if state.is_empty() { word.to_owned() } else { format!("{state}, {word}") };
    html! {
        g class={ "node " (class) } transform=(format!("translate({} {})", node.x, node.y)) {
            title { (shown(node.id)) " — " (said) }
            rect x="0.5" y="0.5" width=(node.width - 1) height=(node.height - 1) rx="6" {}
            g transform=(if roomy { "translate(10 14)" } else { "translate(6 3)" }) {
                @if let Some(object) = node.object { (icon(object.condition)) }
            }
            @if roomy {
                text.name x=(inset) y="19" { (name) }
                text x=(inset) y="34" { (cut(&said, columns.unwrap_or(0) + 2)) }
            } @else {
                text.name x=(inset) y="15" { (name) }
            }
        }
    }
}

fn line(edge: &Edge<'_>) -> Markup {
    html! {
        g.edge.needs[edge.arrow.is_some()] {
            title { (shown(edge.from)) " uses " (shown(edge.to)) }
            path d=(edge.path) {}
            @if let Some((x, y)) = edge.arrow {
                path.tip d=(format!("M{x} {y}l7 -4v8z")) {}
            }
        }
    }
}

/// An id as it may be shown.
fn shown(id: &ResourceId) -> String {
    id.to_string()
}
