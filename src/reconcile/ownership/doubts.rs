//! Records that are not believed, in words.

use crate::model::{Desired, Doubt, Observed, ObservedResource, ResourceId};
use diagnostics::Diagnostic;
use std::collections::BTreeMap;

/// Returns the reason for which an object counts as unowned.
pub(crate) fn unowned(host: &ObservedResource) -> String {
    let nobody = || "nobody owns it: it was made by hand or by another tool".to_owned();
    host.record.doubt.as_ref().map_or_else(nobody, Doubt::describe)
}

/// Whether a record that is not believed says that another set owns the object: it is not taken from
/// that unasked, either.
pub(crate) fn said_by_another(host: &ObservedResource, set: &str) -> bool {
    host.record.doubt.as_ref().is_some_and(|doubt| doubt.set != set)
}

/// Returns the objects whose records are not believed, each with the reason.
pub(crate) fn all(observed: &Observed) -> BTreeMap<ResourceId, Doubt> {
    let of = |host: &ObservedResource| Some((host.id.clone(), host.record.doubt.clone()?));
    observed.resources.values().filter_map(of).collect()
}

/// Reports once the objects that claim this set, have no manifest, and are not believed.
pub(crate) fn told(
    desired: &Desired,
    observed: &Observed,
    selected: impl Fn(&ResourceId) -> bool,
) -> Option<Diagnostic> {
    let of = |host: &ObservedResource| {
        let named = desired.resources.contains_key(&host.id);
        let doubt = host.record.doubt.as_ref().filter(|doubt| doubt.set == desired.set)?;
        (!named && selected(&host.id)).then(|| (host.id.clone(), doubt.why.clone()))
    };
    let ours: Vec<(ResourceId, String)> = observed.resources.values().filter_map(of).collect();
    let (first, why) = ours.first()?;
    let what = match ours.len() {
        1 => format!("{first} says that it is of this set, and is not believed"),
        n => format!("{n} objects say that they are of this set, and are not believed"),
    };
    Some(
        Diagnostic::warning("record-doubted", what)
            .detail(format!("{first}: {why}"))
            .hint("they are left alone, and do not count when objects are pruned"),
    )
}
