//! The rules that manifests are held to, by name. A test holds the table to the checks.

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
    /// Where it comes from.
    pub source: &'static str,
}

pub const RULES: &[Rule] = &[];
