//! The check of a definition's values, by its kind.

use super::{Kind, domain, network, pool, volume};
use diagnostics::Diagnostics;
use xmltree::NodeRef;

/// Adds what is wrong with the values of the definition `root` and what no grammar can say.
pub fn check_definition(kind: Kind, root: NodeRef<'_>, out: &mut Diagnostics) {
    match kind {
        Kind::Domain => domain::check(root, out),
        Kind::Network => network::check(root, out),
        Kind::Pool => pool::check(root, out),
        Kind::Volume => volume::check(root, out),
    }
}
