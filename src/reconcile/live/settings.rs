//! Settings beside devices: memory, processors, titles, actions after a crash.

use super::threads::io_threads;
use super::tuning::tuning;
use super::verdict::{LiveContext, Verdict};
use crate::model::{
    Affect, DomainOp, LifecycleAction, LifecycleEvent, MetadataKind, Pinned, number_set,
};
use crate::reconcile::diff::difference::{Change, Edit};
use crate::reconcile::diff::normalize::{Unit, amount};
use crate::reconcile::plan::step::{Otherwise, StepAction, Until};
use std::time::Duration;
use xmltree::{Element, Name, NodeRef, Path, write_compact};

/// Time that a balloon has to move. A guest without a driver for it never moves it.
const BALLOON: Duration = Duration::from_secs(5);

/// Time that a guest has to release processors, after the 5 s that libvirt waits.
const UNPLUG: Duration = Duration::from_secs(5);

/// Reasons for which settings wait, by the first name of their path.
const REASONS: &[(&str, &str)] = &[
    ("memory", "the most memory that it can have is fixed while it runs"),
    ("maxMemory", "the most memory that it can have is fixed while it runs"),
    ("vcpu", "the most processors that it can have are fixed while it runs"),
    ("cpu", "the guest has found its processor when it started"),
    ("os", "firmware and machine are fixed while it runs"),
    ("memoryBacking", "its memory is there since it started"),
    ("name", "a domain that runs cannot be renamed"),
];

/// Judges a change of a setting.
pub(super) fn setting(context: LiveContext<'_>, change: &Change) -> Verdict {
    let pattern = change.path.pattern();
    match (pattern.as_str(), change.path.attribute.as_deref()) {
        ("title", None) => metadata(MetadataKind::Title, change.after.clone()),
        ("description", None) => metadata(MetadataKind::Description, change.after.clone()),
        ("currentMemory", None) => balloon(context),
        ("vcpu", Some("current")) => vcpus(context),
        ("on_poweroff", None) => lifecycle(LifecycleEvent::Poweroff, change),
        ("on_reboot", None) => lifecycle(LifecycleEvent::Reboot, change),
        ("on_crash", None) => lifecycle(LifecycleEvent::Crash, change),
        ("iothreads" | "iothreadids" | "iothreadids/iothread", None) => io_threads(context),
        ("cputune/vcpupin" | "cputune/emulatorpin" | "cputune/iothreadpin", _) => {
            pin(context, change)
        }
        _ if pattern.starts_with("metadata/") => own_metadata(context, &change.path),
        _ => tuning(context, change).unwrap_or_else(|| Verdict::waits(why_at_boot(&change.path))),
    }
}

/// Returns the reason for which a setting waits.
pub(crate) fn why_at_boot(path: &Path) -> &'static str {
    let first = path.steps.first().map_or("", |step| &step.name);
    let reason = REASONS.iter().find(|(name, _)| *name == first);
    reason.map_or("it is read only when the domain starts", |(_, why)| why)
}

pub(super) fn metadata(kind: MetadataKind, value: Option<String>) -> Verdict {
    Verdict::call(DomainOp::SetMetadata { kind, value, affect: Affect::Live })
}

/// Judges a change of somebody's own element in the metadata, as a whole.
pub(super) fn own_metadata(context: LiveContext<'_>, path: &Path) -> Verdict {
    let whole = Path { steps: path.steps.iter().take(2).cloned().collect(), attribute: None };
    let merged = whole.find(&context.overlay.merged);
    let Some(element) = merged.or_else(|| whole.find(context.live.as_element())) else {
        return Verdict::waits("the metadata cannot be found");
    };
    let (Some(prefix), Some(uri)) = (&element.name.prefix, &element.name.namespace) else {
        return Verdict::waits("metadata without a prefix is set only by a definition");
    };
    let kind = MetadataKind::Element { key: prefix.to_string(), uri: uri.to_string() };
    let changes = context.overlay.changes.iter().enumerate();
    let with = changes.filter(|(_, c)| whole.covers(&c.path)).map(|(n, _)| n).collect();
    let value = merged.map(|element| write_compact(&bare(element, uri)));
    let set = DomainOp::SetMetadata { kind, value, affect: Affect::Live };
    Verdict::Live(vec![StepAction::Call(set.into())], with)
}

/// The element without its namespace, which the host puts on it again.
fn bare(element: &Element, uri: &str) -> Element {
    let mut bare = element.clone();
    fn strip(element: &mut Element, uri: &str) {
        element.namespaces.retain(|declared| &*declared.uri != uri);
        if element.name.namespace.as_deref() == Some(uri) {
            element.name = Name::local(element.name.local.clone());
        }
        for child in element.elements_mut() {
            strip(child, uri);
        }
    }
    strip(&mut bare, uri);
    bare
}

/// Judges a change of the current memory: the balloon cannot grow past the memory that the guest was started
/// with.
fn balloon(context: LiveContext<'_>) -> Verdict {
    let kib = |domain: &Element, name: &str| {
        let e = domain.child(name)?;
        amount(&e.text(), e.attr("unit"), Unit::KiB)
    };
    let wanted = kib(&context.overlay.merged, "currentMemory");
    let (Some(wanted), Some(most)) = (wanted, kib(context.live.as_element(), "memory")) else {
        return Verdict::waits("the amount cannot be read");
    };
    let devices = context.live.child("devices");
    let model = devices.and_then(|d| d.child("memballoon")).and_then(|b| b.attr("model"));
    if model == Some("none") {
        return Verdict::waits("it has no memory balloon");
    }
    if wanted > most {
        return Verdict::waits("it is more than the domain was started with");
    }
    let until = Until::Memory { kib: wanted };
    let set = StepAction::Call(DomainOp::SetMemory { kib: wanted, affect: Affect::Live }.into());
    let wait = StepAction::Wait { until, timeout: BALLOON, otherwise: Otherwise::Leave };
    Verdict::Live(vec![set, wait], Vec::new())
}

/// Judges a change of the number of processors: they come at once; they go if they were plugged in, or could
/// have been, and if the guest releases them.
fn vcpus(context: LiveContext<'_>) -> Verdict {
    let count = |domain: &Element| -> Option<(u32, u32)> {
        let vcpu = domain.child("vcpu")?;
        let most = vcpu.text().parse().ok()?;
        let current = vcpu.attr("current").map_or(Some(most), |current| current.parse().ok())?;
        Some((current, most))
    };
    let (Some((have, most)), Some((want, _))) =
        (count(context.live.as_element()), count(&context.overlay.merged))
    else {
        return Verdict::waits("the number of processors cannot be read");
    };
    if want > most {
        return Verdict::waits("it is more than the most processors that it was started with");
    }
    let set = StepAction::Call(DomainOp::SetVcpus { count: want, affect: Affect::Live }.into());
    if want >= have {
        return Verdict::Live(vec![set], Vec::new());
    }
    let list = context.live.child("vcpus").into_iter().flat_map(NodeRef::elements);
    let stay = list.filter(|v| v.attr("hotpluggable") == Some("no")).count();
    if context.capabilities.domain.live.fixed_vcpus
        && usize::try_from(want).is_ok_and(|want| want < stay)
    {
        return Verdict::waits(format!("{stay} of its processors cannot be unplugged"));
    }
    let until = Until::Vcpus { count: want };
    let wait = StepAction::Wait { until, timeout: UNPLUG, otherwise: Otherwise::Leave };
    Verdict::Live(vec![set, wait], Vec::new())
}

fn lifecycle(event: LifecycleEvent, change: &Change) -> Verdict {
    match change.after.as_deref().and_then(LifecycleAction::parse) {
        Some(action) => Verdict::call(DomainOp::SetLifecycle { event, action }),
        None => Verdict::waits("a default is taken only when the domain starts"),
    }
}

/// Judges a change of a pin. A thread that was once pinned cannot be unpinned while the domain runs.
fn pin(context: LiveContext<'_>, change: &Change) -> Verdict {
    if change.edit == Edit::Remove {
        return Verdict::waits("a pin can be moved while it runs, and not taken away");
    }
    let element = change.path.find(&context.overlay.merged);
    let cpus = element.and_then(|e| number_set(e.attr("cpuset")?)).filter(|cpus| !cpus.is_empty());
    let number = |attribute: &str| element.and_then(|e| e.attr(attribute)?.parse().ok());
    let what = match element.map(|e| e.name.local.as_str()) {
        Some("emulatorpin") => Some(Pinned::Emulator),
        Some("vcpupin") => number("vcpu").map(Pinned::Vcpu),
        Some("iothreadpin") => number("iothread").map(Pinned::IoThread),
        _ => None,
    };
    match (what, cpus) {
        (Some(what), Some(cpus)) => Verdict::call(DomainOp::Pin { what, cpus }),
        _ => Verdict::waits("the set of processors cannot be read"),
    }
}
