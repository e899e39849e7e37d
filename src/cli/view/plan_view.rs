//! A plan with its sources, for display.

use crate::reconcile::Plan;
use diagnostics::{Diagnostic, Sources};

/// A plan with its sources, connection and problems.
pub(crate) struct PlanView<'a> {
    pub(crate) plan: &'a Plan,
    /// The manifests, for the places of fields and problems.
    pub(crate) sources: &'a Sources,
    /// URI of the host, as given.
    pub(crate) connection: &'a str,
    /// Problems of the manifests that are reported with this plan.
    pub(crate) problems: Vec<&'a Diagnostic>,
}
