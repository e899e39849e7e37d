//! A plan with what it takes to show it.

use crate::reconcile::Plan;
use diagnostics::{Diagnostic, Sources};

/// A plan, and where what it says comes from.
pub(crate) struct PlanView<'a> {
    pub(crate) plan: &'a Plan,
    /// The manifests, for the places of fields and problems.
    pub(crate) sources: &'a Sources,
    /// The URI of the host, as it was asked for.
    pub(crate) connection: &'a str,
    /// What is wrong with the manifests, as far as it is told with this plan.
    pub(crate) problems: Vec<&'a Diagnostic>,
}
