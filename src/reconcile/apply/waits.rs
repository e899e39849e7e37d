//! Waits of steps: their conditions, their messages on timeout, and devices that a guest refuses to release.

use crate::drivers::{CancelToken, Driver, EventSink};
use crate::error::{Error, ErrorKind};
use crate::model::{Detail, DriverEvent, EventKind, ObservedResource, ResourceId, memory_kib};
use crate::reconcile::plan::step::{Milestone, NOT_MOVED, Step, StepAction, Until};
use crate::reconcile::plan::types::Plan;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use xmltree::{Element, NodeRef};

/// Time in which the host has to subscribe us to its events about removals.
const LISTEN: Duration = Duration::from_secs(3);

/// Which host a wait is for and how far that has to come, if it is for another one.
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
            Some(alias) => !has_alias(live.as_element(), alias),
            None => device.find(live.as_element()).is_none(),
        }),
        Until::Memory { kib } => live.is_none_or(|live| {
            let current =
                live.root().child("currentMemory").or_else(|| live.root().child("memory"));
            current.and_then(|e| memory_kib(&e.text(), e.attr("unit")).ok()) == Some(*kib)
        }),
        Until::Vcpus { count } => live.is_none_or(|live| {
            let vcpu = live.root().child("vcpu");
            let current = vcpu.and_then(|v| v.attr("current").map(str::to_owned));
            current.or_else(|| vcpu.map(NodeRef::text)) == Some(count.to_string())
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
        Until::Detached { .. } => "the guest has not released the device yet",
        Until::Memory { .. } => NOT_MOVED,
        Until::Vcpus { .. } => "the guest has not released its processors yet",
        Until::Elsewhere { .. } => "the other host has not reached this step yet",
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
            "look at its console; stop = { timeout = \"…\", force = true } destroys it in the \
             end, and so does virt delete --force",
        ),
        _ => e.hint("look at its console"),
    }
}

/// Devices that guests refused to release, by events of the host; all clones are one. Only those
/// that a step waits for are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Removals(Arc<Mutex<BTreeSet<(ResourceId, String)>>>);

impl Removals {
    /// Whether the guest of `step` has refused what it waits for.
    pub(super) fn failed(&self, step: &Step, until: &Until) -> bool {
        match until {
            Until::Detached { alias: Some(alias), .. } => {
                self.lock().contains(&(step.target.id.clone(), alias.clone()))
            }
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(ResourceId, String)>> {
        // each change is one insertion
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `walk` while listening for device-removal failures, if a step of the plan waits for a device to be
/// released. A host without events is only polled.
pub(super) fn with_removals<T>(
    plan: &Plan,
    driver: &dyn Driver,
    walk: impl FnOnce(Removals) -> T,
) -> T {
    let removals = Removals::default();
    let waits =
        |step: &Step| matches!(step.action, StepAction::Wait { until: Until::Detached { .. }, .. });
    if !plan.steps.iter().any(waits) {
        return walk(removals);
    }
    let awaited: BTreeSet<(ResourceId, String)> = plan.steps.iter().filter_map(awaited).collect();
    let stop = CancelToken::default();
    let (listening, heard) = sync_channel(1);
    let into = removals.clone();
    let sink = EventSink::new(move |event| {
        // there is room for the first, which is the one that is waited for
        let _ = listening.try_send(());
        if let DriverEvent::Changed { id, what: EventKind::DeviceRemovalFailed(alias) } = event {
            let device = (id, alias);
            if awaited.contains(&device) {
                into.lock().insert(device);
            }
        }
        ControlFlow::Continue(())
    });
    std::thread::scope(|scope| {
        let of_thread = stop.clone();
        scope.spawn(move || {
            let _ = driver.watch(&sink, &of_thread);
        });
        // the listener ends with the walk, however that ends
        let _ending = Ending(stop);
        // what is asked for before the host listens could be refused unheard
        let _ = heard.recv_timeout(LISTEN);
        walk(removals)
    })
}

/// The device that a step waits for, if it is known by its alias.
fn awaited(step: &Step) -> Option<(ResourceId, String)> {
    match &step.action {
        StepAction::Wait { until: Until::Detached { alias: Some(alias), .. }, .. } => {
            Some((step.target.id.clone(), alias.clone()))
        }
        StepAction::Wait { .. } | StepAction::Call(_) => None,
    }
}

/// Stops a listener when it is dropped.
struct Ending(CancelToken);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.stop();
    }
}
