//! Lists that are compared and replaced as a whole, since their order is their content.

use super::{Walk, stays};
use crate::reconcile::diff::difference::Edit;
use crate::reconcile::diff::merge::Edits;
use crate::reconcile::diff::pairing::List;
use crate::reconcile::summary::summary;
use diagnostics::Span;
use xmltree::Element;

impl Walk<'_> {
    /// A list whose order matters: compared and replaced as a whole.
    pub(super) fn whole_list(
        &mut self,
        edits: &mut Edits,
        live: &Element,
        list: &List<'_>,
        want: &[&Element],
        last: &[&Element],
    ) {
        let path = self.path.join(list.step());
        let numbered = list.numbered(live);
        let have: Vec<&Element> = numbered.iter().map(|(_, e)| *e).collect();
        let was = |n: usize| last.get(n).copied().filter(|_| last.len() == want.len());
        let fit = want.len() == have.len()
            && want
                .iter()
                .zip(&have)
                .enumerate()
                .all(|(n, (w, l))| stays(self.side, &path, l, w, was(n)));
        let gone = want.is_empty() && (have.is_empty() || last.len() != have.len());
        if fit || gone {
            return;
        }
        let show = |list: &[&Element]| {
            let words: Vec<String> = list.iter().map(|e| summary(e)).collect();
            (!list.is_empty()).then(|| words.join(" "))
        };
        let span = want.first().map_or(Span::NONE, |e| e.span);
        let applied = !want.is_empty() && want == last;
        let edit = if want.is_empty() { Edit::Remove } else { Edit::Set };
        let (before, after) = (show(&have), show(want));
        if let Some(rule) = self.skips(&path, "") {
            return self.pass_over(|_| path, || after, || before, rule);
        }
        for (n, _) in numbered {
            edits.remove(n);
        }
        for element in want {
            edits.add((*element).clone());
        }
        self.push(path, before, after, span, self.origin(applied), edit);
    }
}
