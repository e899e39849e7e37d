//! Merge of a manifest into a definition: the differences, and the merged definition.
//!
//! One comparison gives both, so that they cannot disagree: it finds what differs, with the edits that
//! make the definition what the manifest asks for. The functions are pure.

use super::compare::{Comparison, Differences, compare};
use super::difference::{Change, Edit, IgnoredDifference, Side};
use super::normalize;
use crate::model::Kind;
use xmltree::{Element, Node, Path};

/// Result of [`overlay`].
#[derive(Clone, Debug)]
pub struct Overlay {
    /// The definition with the manifest merged in.
    pub merged: Element,
    /// The differences, in the order of the manifest. Empty means: nothing to do. An ordinal in a
    /// path counts the entries of the definition.
    pub changes: Vec<Change>,
    /// Entries of lists that have differences inside, by their path, as they are when merged.
    pub touched: Vec<(Path, Element)>,
}

impl Overlay {
    /// Adds the removals found by a second comparison, made with [`merged`](Self::merged).
    pub(crate) fn take_away(&mut self, more: Self) {
        self.changes.extend(more.changes.into_iter().filter(|c| c.edit == Edit::Remove));
        for (path, element) in more.touched {
            self.touched.retain(|(known, _)| *known != path);
            self.touched.push((path, element));
        }
        self.merged = more.merged;
    }
}

/// Merges the manifest `want` into the definition `live`. `last` is the manifest as it was applied last;
/// `ignore` are paths left to others.
pub fn overlay(
    kind: Kind,
    side: Side,
    live: &Element,
    want: &Element,
    last: Option<&Element>,
    ignore: &[Path],
) -> Overlay {
    merge_into(kind, side, live, want, last, ignore, false).0
}

/// Merges as [`overlay`] does, and returns the ignored differences, too.
pub(crate) fn explained(
    kind: Kind,
    side: Side,
    live: &Element,
    want: &Element,
    last: Option<&Element>,
    ignore: &[Path],
) -> (Overlay, Vec<IgnoredDifference>) {
    merge_into(kind, side, live, want, last, ignore, true)
}

fn merge_into(
    kind: Kind,
    side: Side,
    live: &Element,
    want: &Element,
    last: Option<&Element>,
    ignore: &[Path],
    explain: bool,
) -> (Overlay, Vec<IgnoredDifference>) {
    let said = normalize::prepare(kind, want, live);
    // a manifest that was applied as it is takes nothing away, and what differs is drift
    let unchanged = last.is_some_and(|last| std::ptr::eq(last, want));
    let last = last.filter(|_| !unchanged).map(|last| normalize::prepare(kind, last, live));
    let (want_now, last) = (&said, last.as_ref());
    let of = Comparison {
        kind,
        side,
        live: live.node(),
        want: want_now.node(),
        last: last.map(Element::node),
        unchanged,
        ignore,
        explain,
    };
    let Differences { mut changes, edits, touched, ignored } = compare(of);
    let touched = touched.into_iter().filter_map(|(path, place)| {
        let element = element_at(live, &place)?;
        let made = edits.at(&place).map_or_else(|| element.clone(), |e| e.made_on(element));
        Some((path, made))
    });
    let touched = touched.collect();
    let mut merged = edits.made_on(live);
    normalize::finish(kind, &said, live, &mut merged);
    normalize::drop_implied(want, &mut changes);
    (Overlay { merged, changes, touched }, ignored)
}

/// The element at a place: the numbers of child nodes to descend.
fn element_at<'a>(root: &'a Element, place: &[usize]) -> Option<&'a Element> {
    place.iter().try_fold(root, |element, child| match element.children.get(*child)? {
        Node::Element(e) => Some(e),
        Node::Text(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::{collection, sample};

    /// Names and values that rules know, in places where they make no sense.
    const NAMES: [&str; 32] = [
        "devices",
        "disk",
        "interface",
        "controller",
        "console",
        "serial",
        "target",
        "source",
        "driver",
        "mac",
        "address",
        "alias",
        "model",
        "memory",
        "currentMemory",
        "vcpu",
        "vcpus",
        "cpu",
        "numa",
        "cell",
        "feature",
        "os",
        "boot",
        "type",
        "cputune",
        "vcpusched",
        "ip",
        "route",
        "dhcp",
        "host",
        "forward",
        "metadata",
    ];
    const ATTRIBUTES: [&str; 16] = [
        "type", "dev", "name", "address", "unit", "mode", "port", "id", "vcpus", "model", "index",
        "netmask", "prefix", "memory", "ipv6", "path",
    ];
    const VALUES: [&str; 20] = [
        "",
        "0",
        "1",
        "0x01",
        "2",
        "1-2",
        "auto",
        "no",
        "raw",
        "GiB",
        "furlong",
        "vda",
        "pc",
        "hd",
        "52:54:00:00:00:01",
        "52:54:00:00:00:0A",
        "255.255.255.0",
        "24",
        "network",
        "ua-x",
    ];

    fn tree() -> impl Strategy<Value = Element> {
        let attribute = (sample::select(&ATTRIBUTES[..]), sample::select(&VALUES[..]));
        let attributes = collection::vec(attribute, 0..3);
        let bare = (sample::select(&NAMES[..]), attributes, sample::select(&VALUES[..])).prop_map(
            |(name, attributes, text)| {
                let element = Element::new(name).with_text(text);
                attributes.into_iter().fold(element, |e, (name, value)| e.with_attr(name, value))
            },
        );
        bare.clone().prop_recursive(4, 24, 5, move |inner| {
            (bare.clone(), collection::vec(inner, 0..5))
                .prop_map(|(e, children)| children.into_iter().fold(e, Element::with_child))
        })
    }

    fn definition() -> impl Strategy<Value = Element> {
        collection::vec(tree(), 0..4).prop_map(|children| {
            children.into_iter().fold(Element::new("domain"), Element::with_child)
        })
    }

    fn kind() -> impl Strategy<Value = Kind> {
        sample::select(vec![Kind::Domain, Kind::Network])
    }

    fn paths(overlay: &Overlay) -> Vec<String> {
        overlay.changes.iter().map(|c| c.path.to_string()).collect()
    }

    #[test]
    fn an_empty_group_beside_another_is_one_of_two() {
        let group = || Element::new("cputune");
        let want = Element::new("domain")
            .with_child(group())
            .with_child(group().with_child(Element::new("devices")));
        let live = Element::new("domain");
        let once = overlay(Kind::Domain, Side::NextBoot, &live, &want, None, &[]);
        let twice = overlay(Kind::Domain, Side::NextBoot, &once.merged, &want, None, &[]);
        assert_eq!(paths(&twice), Vec::<String>::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn laid_twice_changes_nothing_more(kind in kind(), want in definition(), live in definition()) {
            let once = overlay(kind, Side::NextBoot, &live, &want, None, &[]);
            let twice = overlay(kind, Side::NextBoot, &once.merged, &want, None, &[]);
            prop_assert_eq!(paths(&twice), Vec::<String>::new());
        }

        #[test]
        fn anything_is_laid_over_anything(
            kind in kind(), want in definition(), live in definition(), last in definition()
        ) {
            for side in [Side::NextBoot, Side::Running] {
                overlay(kind, side, &live, &want, Some(&last), &[]);
            }
        }

        #[test]
        fn what_only_a_host_has_stays(kind in kind(), live in definition()) {
            let laid = overlay(kind, Side::NextBoot, &live, &Element::new("domain"), None, &[]);
            prop_assert_eq!(paths(&laid), Vec::<String>::new());
        }
    }
}
