//! Waits of steps: their conditions, their messages on timeout, and devices that a guest refuses to release.

use crate::drivers::{CancelToken, Driver};
use crate::error::{Error, ErrorKind};
use crate::model::{Detail, DriverEvent, EventKind, ObservedResource, ResourceId, memory_kib};
use crate::reconcile::plan::types::{Milestone, NOT_MOVED, Plan, Step, StepAction, Until};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use xmltree::Element;

/// Time in which the host has to subscribe us to its events about removals.
const LISTEN: Duration = Duration::from_secs(3);

/// Most events that are queued unread.
const EVENTS: usize = 256;

/// Returns the other host and the milestone that an action waits for, if it waits for another host.
pub(super) fn elsewhere(action: &StepAction) -> Option<(&str, Milestone)> {
    match action {
        StepAction::Wait { until: Until::Elsewhere { host, milestone }, .. } => {
            Some((host, *milestone))
        }
        StepAction::Wait { .. } | StepAction::Call(_) => None,
    }
}

/// Returns the detail with which the host is read to check a wait.
pub(super) fn detail(action: &StepAction) -> Detail {
    match action {
        StepAction::Wait {
            until: Until::Inactive | Until::Active | Until::Elsewhere { .. },
            ..
        }
        | StepAction::Call(_) => Detail::State,
        StepAction::Wait {
            until: Until::Detached { .. } | Until::Memory { .. } | Until::Vcpus { .. },
            ..
        } => Detail::Full,
    }
}

/// Whether the condition of a wait holds; `None` is an object that is gone.
pub(super) fn is_over(until: &Until, resource: Option<&ObservedResource>) -> bool {
    let is_active = resource.is_some_and(|r| r.state.is_active());
    let live = resource.filter(|_| is_active).and_then(|r| r.live.as_ref());
    match until {
        Until::Inactive => !is_active,
        Until::Active => is_active,
        // an instance that has ended has no device and no memory that could be waited for
        Until::Detached { device, alias } => live.is_none_or(|live| match alias {
            Some(alias) => !has_alias(live, alias),
            None => device.find(live).is_none(),
        }),
        Until::Memory { kib } => live.is_none_or(|live| {
            let current = live.child("currentMemory").or_else(|| live.child("memory"));
            current.and_then(|e| memory_kib(&e.text(), e.attr("unit")).ok()) == Some(*kib)
        }),
        Until::Vcpus { count } => live.is_none_or(|live| {
            let vcpu = live.child("vcpu");
            let current = vcpu.and_then(|v| v.attr("current").map(str::to_owned));
            current.or_else(|| vcpu.map(Element::text)) == Some(count.to_string())
        }),
        // another host knows
        Until::Elsewhere { .. } => false,
    }
}

fn has_alias(live: &Element, alias: &str) -> bool {
    let devices = live.child("devices").into_iter().flat_map(Element::elements);
    devices.filter_map(|d| d.child("alias")).any(|a| a.attr("name") == Some(alias))
}

/// Returns the message for a step that is left to its guest.
pub(super) fn pending(until: &Until) -> &'static str {
    match until {
        Until::Inactive => "the guest has not shut down yet",
        Until::Active => "it is not active yet",
        Until::Detached { .. } => "the guest has not let the device go yet",
        Until::Memory { .. } => NOT_MOVED,
        Until::Vcpus { .. } => "the guest has not let its processors go yet",
        Until::Elsewhere { .. } => "the other host has not come so far yet",
    }
}

/// The error of a wait that is over and must not be.
pub(super) fn too_long(until: &Until, timeout: Duration) -> Error {
    let seconds = timeout.as_secs();
    let text = match until {
        Until::Inactive => format!("the guest did not shut down within {seconds} s"),
        Until::Active => format!("it did not start within {seconds} s"),
        Until::Detached { .. }
        | Until::Memory { .. }
        | Until::Vcpus { .. }
        | Until::Elsewhere { .. } => {
            format!("{}, after {seconds} s", pending(until))
        }
    };
    let e = Error::new(ErrorKind::Timeout, text);
    match until {
        Until::Inactive => e.hint(
            "look at its console; stop = { timeout = \"…\", force = true } pulls the plug in the end, and so \
             does virt delete --force",
        ),
        _ => e.hint("look at its console"),
    }
}

/// Devices that guests refused to release, as reported by the host's events.
#[derive(Debug, Default)]
pub(super) struct Removals {
    events: Option<Receiver<DriverEvent>>,
    failed: BTreeSet<(ResourceId, String)>,
}

impl Removals {
    /// Whether the guest of `step` has refused to release the device that the step waits for.
    pub(super) fn failed(&mut self, step: &Step, until: &Until) -> bool {
        for event in self.events.iter().flat_map(Receiver::try_iter) {
            if let DriverEvent::Changed { id, what: EventKind::DeviceRemovalFailed(alias) } = event
            {
                self.failed.insert((id, alias));
            }
        }
        match until {
            Until::Detached { alias: Some(alias), .. } => {
                self.failed.contains(&(step.target.id.clone(), alias.clone()))
            }
            _ => false,
        }
    }
}

/// Runs `walk` while listening for device-removal failures, if a step of the plan waits for a device to be
/// released. A host without events is only polled.
pub(super) fn with_removals<T>(
    plan: &Plan,
    driver: &dyn Driver,
    walk: impl FnOnce(Removals) -> T,
) -> T {
    let waits =
        |step: &Step| matches!(step.action, StepAction::Wait { until: Until::Detached { .. }, .. });
    if !plan.steps.iter().any(waits) {
        return walk(Removals::default());
    }
    let stop = CancelToken::default();
    let (sender, events) = sync_channel(EVENTS);
    std::thread::scope(|scope| {
        let of_thread = stop.clone();
        scope.spawn(move || {
            let _ = driver.watch(&sender, &of_thread);
        });
        // the listener ends with the walk, however that ends
        let _ending = Ending(stop);
        // a refusal before the host listens could be missed
        let _ = events.recv_timeout(LISTEN);
        walk(Removals { events: Some(events), failed: BTreeSet::new() })
    })
}

/// Stops a listener when it is dropped.
struct Ending(CancelToken);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.stop();
    }
}
