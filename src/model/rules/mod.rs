//! The rules that manifests are held to, by name. A test holds the tables to the
//! checks: each code has a row, and each row a use.

mod domain;
mod grammar;
mod manifest;
mod network;

use crate::diag::Severity;

/// A rule: its name is the code of the diagnostics that it makes.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, such as `duplicate-target`.
    pub name: &'static str,
    /// How bad it is at worst.
    pub severity: Severity,
    /// What it finds.
    pub summary: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// Where it comes from: who refuses what it finds.
    pub source: &'static str,
}

impl Rule {
    const fn new(
        name: &'static str,
        severity: Severity,
        summary: &'static str,
        remedy: &'static str,
        source: &'static str,
    ) -> Self {
        Self { name, severity, summary, remedy, source }
    }
}

/// All rules, by name.
pub fn rules() -> Vec<Rule> {
    let mut all = [grammar::RULES, domain::RULES, network::RULES, manifest::RULES].concat();
    all.sort_by_key(|r| r.name);
    all
}

// Where rules come from. What libvirt does was tried with version 11.3 and QEMU 10.0.

const OURS: &str = "virt cannot do without it";
const FORMAT: &str = "the format";
const GRAMMAR: &str = "the grammar";
const DEFINE: &str = "libvirt refuses the definition";
const QEMU: &str = "libvirt's QEMU driver refuses the definition";
const START: &str = "libvirt takes the definition, but it does not start, or not beside the other";
const SILENT: &str = "libvirt takes the definition and does something else";
const LIBXML2: &str = "libvirtd's schema check refuses it, by a mistake of libxml2";
