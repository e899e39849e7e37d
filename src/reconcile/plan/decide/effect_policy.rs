//! Effect policy: how disruptive a plan may be for one resource.

use crate::model::{DesiredResource, Effect, Power};
use crate::reconcile::plan::types::Options;

/// Effects that the run and a manifest allow for one resource, beyond those that are always allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct EffectPolicy<'a> {
    options: &'a Options,
    desired: &'a DesiredResource,
}

impl<'a> EffectPolicy<'a> {
    /// Returns the effect policy for a resource.
    pub(super) fn of(options: &'a Options, desired: &'a DesiredResource) -> Self {
        Self { options, desired }
    }

    /// Whether a step with this effect may be in a plan: up to the next boot by default.
    pub(super) fn allows(self, effect: Effect) -> bool {
        // a manifest with "stopped" asks explicitly for the guest to go down
        let stop = self.desired.settings.power == Power::Stopped && effect == Effect::Stops;
        effect <= Effect::NextBoot || stop || self.asked(effect)
    }

    /// Whether exactly the given effect was allowed explicitly; one allows no other.
    pub(super) fn asked(self, effect: Effect) -> bool {
        self.asked_by_run(effect) || self.desired.settings.allow.contains(&effect)
    }

    /// Whether the command line asks for this effect.
    pub(super) fn asked_by_run(self, effect: Effect) -> bool {
        self.options.allow.contains(&effect)
    }
}
