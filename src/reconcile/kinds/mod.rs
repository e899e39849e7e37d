//! Rules that differ from kind to kind in planning: a row for each kind.
//!
//! A new kind has a row here; what no row can say is a `match` without `_` in its own subject, which the
//! compiler then asks for. `docs/internals/kinds.md` lists them.
//!
//! - `domain.rs`: domains: guests that are asked to shut down
//! - `network.rs`: networks: the guests on one are cut off while it is down
//! - `pool.rs`: storage pools: guests keep the files that they have open while a pool is down
//! - `row.rs`: `KindRules`: the columns of that table
//! - `volume.rs`: storage volumes: there or not, and nothing of them runs

mod domain;
mod network;
mod pool;
mod row;
mod volume;

use crate::model::Kind;
pub(crate) use row::KindRules;
pub(crate) use row::NOT_STARTED;

/// The row of a kind.
pub(crate) fn rules(kind: Kind) -> &'static KindRules {
    match kind {
        Kind::Domain => &domain::RULES,
        Kind::Network => &network::RULES,
        Kind::Pool => &pool::RULES,
        Kind::Volume => &volume::RULES,
    }
}
