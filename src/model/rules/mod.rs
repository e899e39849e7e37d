//! The rules that manifests are held to, by name. A test holds the tables to the
//! checks: each code has a row, and each row a use.
//!
//! - `domain.rs`: the rules for domains
//! - `grammar.rs`: rules whose diagnostics the grammar makes: allowed places and values
//! - `manifest.rs`: the rules for manifests as files, and for resources among one another
//! - `network.rs`: the rules for networks, and for addresses wherever they stand
//! - `rule.rs`: `Rule`, a row of the tables
//! - `storage.rs`: the rules for pools and volumes

mod domain;
mod grammar;
mod manifest;
mod network;
mod rule;
mod storage;

pub use rule::Rule;

/// All rules, by name.
pub fn rules() -> Vec<Rule> {
    let mut all =
        [grammar::RULES, domain::RULES, network::RULES, storage::RULES, manifest::RULES].concat();
    all.sort_by_key(|r| r.name);
    all
}
