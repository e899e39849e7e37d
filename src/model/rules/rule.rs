//! What a rule is, and where rules come from.

use diagnostics::Severity;

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

pub(super) const OURS: &str = "virt cannot do without it";
pub(super) const FORMAT: &str = "the format";
pub(super) const GRAMMAR: &str = "the grammar";
pub(super) const DEFINE: &str = "libvirt refuses the definition";
pub(super) const QEMU: &str = "libvirt's QEMU driver refuses the definition";
pub(super) const START: &str =
    "libvirt takes the definition, but it does not start, or not beside the other";
pub(super) const SILENT: &str = "libvirt takes the definition and does something else";
pub(super) const LIBXML2: &str = "libvirtd's schema check refuses it, by a mistake of libxml2";
