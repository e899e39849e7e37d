//! Rules that differ from kind to kind in planning: a row for each kind.
//!
//! A new kind has a row here; what no row can say is a `match` without `_` in its own subject, which the
//! compiler then asks for. `docs/internals/kinds.md` lists them.
//!
//! - `domain.rs`: domains: guests that are asked to shut down
//! - `network.rs`: networks: the guests on one are cut off while it is down
//! - `row.rs`: `KindRules`: the columns of that table

mod domain;
mod network;
mod row;

use crate::model::Kind;
use row::KindRules;

/// The row of a kind.
pub(crate) fn rules(kind: Kind) -> &'static KindRules {
    match kind {
        Kind::Domain => &domain::RULES,
        Kind::Network => &network::RULES,
    }
}
