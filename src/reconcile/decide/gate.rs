//! How disruptive a plan may be for one resource.

use crate::model::{DesiredResource, Effect, Power};
use crate::reconcile::changes::Options;

/// How far the run and a manifest open the gate for one resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// What the command line asks for.
    run: Option<Effect>,
    /// What the manifest asks for.
    manifest: Option<Effect>,
}

impl Gate {
    /// The gate for a resource.
    pub(super) fn of(options: &Options, desired: &DesiredResource) -> Self {
        let settings = &desired.settings;
        // a manifest that says "stopped" says in so many words that the guest is to go down
        let stop = (settings.power == Power::Stopped).then_some(Effect::Restart);
        Self { run: options.allow, manifest: settings.allow.iter().copied().chain(stop).max() }
    }

    /// Whether a step with this effect may be in a plan: up to the next boot by default.
    pub(super) fn allows(self, effect: Effect) -> bool {
        effect <= Effect::NextBoot || self.asked(effect)
    }

    /// Whether this effect was asked for in so many words.
    pub(super) fn asked(self, effect: Effect) -> bool {
        self.asked_by_run(effect) || self.manifest >= Some(effect)
    }

    /// Whether the command line asks for this effect.
    pub(super) fn asked_by_run(self, effect: Effect) -> bool {
        self.run >= Some(effect)
    }
}
