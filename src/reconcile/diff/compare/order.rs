//! Lists of entries with keys whose order has a meaning as well.

use super::Walk;
use crate::reconcile::diff::difference::Edit;
use crate::reconcile::diff::normalize;
use crate::reconcile::diff::pairing::{List, Pairs};
use crate::reconcile::summary::summary;
use diagnostics::Span;
use xmltree::Element;

impl Walk<'_> {
    /// Entries that stand in another order, where that says something.
    pub(super) fn reordered(
        &mut self,
        list: &List<'_>,
        (want, live, last): (&[&Element], &[&Element], &[&Element]),
        pairs: &Pairs,
    ) {
        let partners: Vec<usize> = pairs.live.iter().copied().flatten().collect();
        if partners.is_sorted() || !normalize::is_ordered(list.parent, &list.label) {
            return;
        }
        let path = self.path.join(list.step());
        if self.skips(&path, "").is_some() {
            return;
        }
        let show =
            |list: &[&Element]| Some(list.iter().map(|e| summary(e)).collect::<Vec<_>>().join(" "));
        let span = want.first().map_or(Span::NONE, |e| e.span);
        let origin = self.origin(want == last);
        self.push(path, show(live), show(want), span, origin, Edit::Set);
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Kind;
    use crate::reconcile::diff::difference::Side;
    use crate::reconcile::diff::overlay::overlay;
    use diagnostics::SourceId;
    use xmltree::{Element, Limits, parse};

    #[test]
    fn another_order_is_a_difference_where_it_says_something() {
        let read =
            |text: &str| parse(SourceId::NONE, text, &Limits::default()).expect("well-formed");
        let network = |devices: &[&str]| -> Element {
            let list: String = devices.iter().map(|d| format!("<interface dev='{d}'/>")).collect();
            read(&format!("<network><forward mode='vepa' dev='a'>{list}</forward></network>"))
        };
        let paths = |live: &[&str], want: &[&str]| -> Vec<String> {
            let (live, want) = (network(live), network(want));
            let laid = overlay(Kind::Network, Side::NextBoot, &live, &want, None, &[]);
            laid.changes.iter().map(|c| c.path.to_string()).collect()
        };
        assert_eq!(paths(&["a", "b", "c"], &["a", "c", "b"]), ["forward/interface"]);
        assert_eq!(paths(&["a", "b", "c"], &["a", "b", "c"]), [""; 0]);
        assert_eq!(paths(&["a", "c"], &["a", "b", "c"]), ["forward/interface[@dev='b']"]);
        // that of routes says nothing
        let routes = |list: &[u8]| {
            let route =
                |n: &u8| format!("<route address='10.{n}.0.0' prefix='16' gateway='10.0.0.{n}'/>");
            read(&format!("<network>{}</network>", list.iter().map(route).collect::<String>()))
        };
        let laid =
            overlay(Kind::Network, Side::NextBoot, &routes(&[1, 2]), &routes(&[2, 1]), None, &[]);
        assert!(laid.changes.is_empty(), "{:?}", laid.changes);
    }
}
