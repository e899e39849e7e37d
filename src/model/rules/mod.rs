//! The rules that manifests are held to, by name. A test holds the tables to the
//! checks: each code has a row, and each row a use.

mod domain;
mod grammar;
mod manifest;
mod network;
mod rule;

pub use rule::Rule;

/// All rules, by name.
pub fn rules() -> Vec<Rule> {
    let mut all = [grammar::RULES, domain::RULES, network::RULES, manifest::RULES].concat();
    all.sort_by_key(|r| r.name);
    all
}
