//! Fields that are parameters of a call: shares, quotas, limits and weights.

use super::verdict::{LiveContext, Verdict};
use crate::model::{
    BLKIO_DEVICE, Form, TunedField, Tuning, TuningParameter, TuningValue, memory_kib,
};
use crate::reconcile::diff::difference::{Change, Edit};
use xmltree::{Element, Path};

/// Function from the path of an element to the call that sets its parameters.
type Holder = fn(&Path) -> Option<Tuning>;

/// Elements that hold parameters, by the names of their path.
const HOLDERS: &[(&str, Holder)] = &[
    ("cputune", |_| Some(Tuning::Scheduler)),
    ("memtune", |_| Some(Tuning::Memory)),
    ("numatune", |_| Some(Tuning::Numa)),
    ("blkiotune", |_| Some(Tuning::Blkio)),
    ("devices/disk/iotune", |path| Some(Tuning::BlockIo { disk: key(path, 1)? })),
    ("iothreadids/iothread", |path| Some(Tuning::IoThread { id: key(path, 1)?.parse().ok()? })),
];

/// Judges a change of a tunable parameter; `None` for any other change.
pub(super) fn tuning(context: LiveContext<'_>, change: &Change) -> Option<Verdict> {
    if change.path.pattern().starts_with("blkiotune/device/") {
        return Some(device(context, change));
    }
    let pattern = change.path.pattern();
    let (holder, what) = HOLDERS.iter().find_map(|(holder, what)| {
        let inside = pattern.strip_prefix(holder).is_some_and(|rest| rest.starts_with('/'))
            || pattern == *holder && change.path.attribute.is_some();
        inside.then(|| what(&change.path)).flatten().map(|what| (*holder, what))
    })?;
    let rest = pattern.get(holder.len()..)?.trim_start_matches('/');
    let field = row(what.fields(), rest, change)?;
    if let Some(why) = fixed(&what, context.live.as_element()) {
        return Some(Verdict::waits(why));
    }
    Some(match value(field, context, change) {
        Ok(parameter) => Verdict::Tune(what, vec![parameter]),
        Err(why) => Verdict::Waits(why),
    })
}

fn row(fields: &'static [TunedField], rest: &str, change: &Change) -> Option<&'static TunedField> {
    let written = match (&change.path.attribute, rest) {
        (Some(attribute), "") => format!("@{attribute}"),
        (Some(attribute), rest) => format!("{rest}/@{attribute}"),
        (None, rest) => rest.to_owned(),
    };
    fields.iter().find(|field| field.path == written)
}

/// Returns the reason for which a parameter is fixed while the guest runs, if it is.
fn fixed(what: &Tuning, live: &Element) -> Option<&'static str> {
    let mode = live.descend(&["numatune", "memory"]).and_then(|m| m.attr("mode"));
    (*what == Tuning::Numa && mode != Some("restrictive")).then_some(
        "the nodes that memory comes from can be changed while it runs only where the mode is \
         restrictive",
    )
}

/// Returns the parameter with the manifest's value, or with the one that stands for its absence.
fn value(
    field: &TunedField,
    context: LiveContext<'_>,
    change: &Change,
) -> Result<TuningParameter, String> {
    let element = change.path.find(&context.overlay.merged);
    let wanted = match change.edit {
        Edit::Remove => None,
        Edit::Set | Edit::Add(_) => change.path.value(&context.overlay.merged),
    };
    let (value, unit) = match (&wanted, field.neutral) {
        (Some(value), _) => (value.as_str(), element.and_then(|e| e.attr("unit"))),
        (None, Some(neutral)) => (neutral, None),
        (None, None) => return Err("what was set while it runs cannot be taken back".to_owned()),
    };
    let kib = |text: &str| memory_kib(text, unit).ok();
    field.parameter(value, kib).ok_or_else(|| format!("{value} is not a value that can be set"))
}

/// A limit for one of the host's block devices: its path goes with the value.
fn device(context: LiveContext<'_>, change: &Change) -> Verdict {
    let rest = change.path.steps.get(2).map_or("", |s| s.name.as_str());
    let (Some(field), Some(path)) = (row(BLKIO_DEVICE, rest, change), key(&change.path, 1)) else {
        return Verdict::waits("it is read only when the domain starts");
    };
    match value(field, context, change) {
        Ok(parameter) => {
            let number = match (&parameter.value, field.form) {
                (TuningValue::UInt(n), Form::UInt) => u64::from(*n),
                (TuningValue::ULong(n), _) => *n,
                _ => 0,
            };
            let value = TuningValue::Text(format!("{path},{number}"));
            Verdict::Tune(Tuning::Blkio, vec![TuningParameter { value, ..parameter }])
        }
        Err(why) => Verdict::Waits(why),
    }
}

/// Returns the key of the list entry at that step of a path.
fn key(path: &Path, step: usize) -> Option<String> {
    Some(path.steps.get(step)?.key.as_ref()?.1.clone())
}
