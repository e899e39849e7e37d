//! Description of a rule, and its source.

use diagnostics::Severity;

/// A rule: its name is the code of the diagnostics that it makes.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Name, such as `duplicate-target`.
    pub name: &'static str,
    /// Highest severity of its findings.
    pub severity: Severity,
    /// Summary of its findings.
    pub summary: &'static str,
    /// Remedy for its findings.
    pub remedy: &'static str,
    /// Source: the software that refuses its findings.
    pub source: &'static str,
}

impl Rule {
    pub(super) const fn new(
        name: &'static str,
        severity: Severity,
        summary: &'static str,
        remedy: &'static str,
        source: &'static str,
    ) -> Self {
        Self { name, severity, summary, remedy, source }
    }
}

// Where rules come from. What libvirt does was tried with version 11.3 and QEMU 10.0.

pub(super) const OURS: &str = "virt itself requires it";
pub(super) const FORMAT: &str = "the format";
pub(super) const GRAMMAR: &str = "the grammar";
pub(super) const DEFINE: &str = "libvirt refuses the definition";
pub(super) const QEMU: &str = "libvirt's QEMU driver refuses the definition";
pub(super) const START: &str =
    "libvirt accepts the definition, but it does not start, or not beside the other";
pub(super) const SILENT: &str = "libvirt accepts the definition and does something else";
pub(super) const LIBXML2: &str = "libvirtd's schema check refuses it, by a mistake of libxml2";
