//! Whether one element is what another asks for.

use super::Walk;
use crate::reconcile::overlay::Side;
use crate::xml::{Element, Path};

/// Whether `want` fits `live` as it is: what pairing asks of entries that no key tells apart.
pub(crate) fn fits(side: Side, path: &Path, live: &Element, want: &Element) -> bool {
    stays(side, path, live, want, None)
}

/// The same where `last` was applied: what that had and `want` has not is not there either.
pub(super) fn stays(
    side: Side,
    path: &Path,
    live: &Element,
    want: &Element,
    last: Option<&Element>,
) -> bool {
    // nothing governs where nothing differs
    let mut walk = Walk::new(None, side, &[], path.clone());
    walk.element(live, want, last);
    walk.changes.is_empty()
}
