//! History of a manifest on its object: the differences between its two stored versions, and the way back
//! from the last one to the one before.

use super::record::owner_record_of;
use super::redact::{has_secret, is_secret, presented, with_secrets};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Capabilities, Desired, DesiredResource, Kind, ObservedResource, OwnerRecord, Power, Settings,
};
use crate::reconcile::diff::difference::{Change, Edit, Side};
use crate::reconcile::diff::normalize;
use crate::reconcile::diff::overlay::overlay;
use diagnostics::Span;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use xmltree::{Element, Path};

/// Length of a shortened digest, in characters.
const SHORT: usize = 12;

/// A version of an object's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Time at which it was planned to be applied; unknown for objects that an older virt applied.
    pub at: Option<Timestamp>,
    /// The set that applied it.
    pub set: String,
    /// Digest that identifies the version.
    pub digest: String,
}

impl Version {
    /// Returns the shortened digest.
    pub fn short(&self) -> &str {
        self.digest.get(..SHORT).unwrap_or(&self.digest)
    }
}

/// A field that is not the same in two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionChange {
    /// Field of the definition, or setting.
    pub path: String,
    /// Value in the version before; `None` if it had nothing there.
    pub before: Option<String>,
    /// Value in the last version; `None` if it leaves it out.
    pub after: Option<String>,
}

/// Stored versions of an object's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Version that was applied last.
    pub last: Version,
    /// Version that was applied before it.
    pub previous: Option<Version>,
    /// Reason for which the version before is not believed, if so.
    pub doubted: Option<String>,
    /// Changes from the version before to the last one; `None` if either cannot be read.
    pub changes: Option<Vec<VersionChange>>,
}

/// Returns the stored versions of an object's manifest; `None` if nobody owns it.
pub fn history(host: &ObservedResource) -> Option<History> {
    let owner_record = owner_record_of(host)?;
    let changes = match &owner_record.previous {
        Some(previous) => differences(host.id.kind, previous, owner_record),
        None => Some(Vec::new()),
    };
    let previous = owner_record.previous.as_deref().map(version);
    let doubted = host.record.previous.clone();
    Some(History { last: version(owner_record), previous, doubted, changes })
}

/// Returns the reason for which an object has no history: it has no record that is believed.
pub fn unowned(host: &ObservedResource) -> String {
    match &host.record.doubt {
        Some(doubt) => doubt.describe(),
        None => "nobody owns it, so nothing is known of its manifests".to_owned(),
    }
}

/// Returns the manifest before the last one as the desired state: planned and applied, it rolls back. The set
/// stays the one that owns the object.
///
/// # Errors
/// The object has no version before, it cannot be read, or it needs a secret that nobody has kept.
pub fn rollback(host: &ObservedResource, capabilities: &Capabilities) -> Result<Desired> {
    let refused = |text: &str, hint: &str| {
        let error = Error::new(ErrorKind::Invalid, text);
        Err(error.address(host.id.to_string()).hint(hint))
    };
    let Some(owner_record) = owner_record_of(host) else {
        return refused(&unowned(host), "virt apply --adopt adopts it");
    };
    if let Some(why) = &host.record.previous {
        let text = format!("the version before is not believed: {why}");
        return refused(&text, "take the manifest from where you keep it, and apply that");
    }
    let Some(previous) = &owner_record.previous else {
        let text = "only one version of its manifest was applied: there is none to go back to";
        return refused(text, "virt history shows what an object remembers");
    };
    let Some(definition) = previous.applied() else {
        let text = "the version before cannot be read: its ownership record is damaged";
        return refused(text, "take the manifest from where you keep it, and apply that");
    };
    // a read-only connection shows no secrets, and so cannot miss any
    let missing = (!capabilities.read_only).then(|| {
        missing_secret(host, &definition, owner_record.applied().as_ref(), &previous.ignore)
    });
    if let Some(path) = missing.flatten() {
        let text = format!(
            "the version before has a secret at {path}, which is not kept, and the host has none there"
        );
        return refused(&text, "apply the manifest with the secret in it");
    }
    let resource = DesiredResource {
        id: host.id.clone(),
        definition: definition.into(),
        settings: settings(previous),
        depends_on: previous.depends_on.clone(),
        span: Span::NONE,
        refused: Vec::new(),
    };
    Ok(Desired {
        set: owner_record.set.clone(),
        resources: BTreeMap::from([(host.id.clone(), Arc::new(resource))]),
        blocked: BTreeMap::new(),
        complete: true,
    })
}

/// The first place where the manifest has a secret and the host nothing that could be kept.
fn missing_secret(
    host: &ObservedResource,
    definition: &Element,
    last: Option<&Element>,
    ignore: &[Path],
) -> Option<String> {
    let there = host.persistent.as_ref().or(host.live.as_ref())?;
    // where the host has nothing, any secret is missed
    let asked = with_secrets(definition, "?");
    let laid = overlay(host.id.kind, Side::NextBoot, there.as_element(), &asked, last, ignore);
    let lacks = |c: &Change| match &c.edit {
        Edit::Add(element) => has_secret(element),
        Edit::Set => c.before.is_none() && is_secret(&c.path),
        Edit::Remove => false,
    };
    laid.changes.iter().find(|c| lacks(c)).map(|c| c.path.to_string())
}

/// Returns the settings that a record keeps, without the effects that a manifest allows: a rollback is
/// allowed by whoever runs it.
pub(crate) fn settings(owner_record: &OwnerRecord) -> Settings {
    Settings {
        power: owner_record.power.unwrap_or(Power::Manual),
        autostart: owner_record.autostart,
        stop: owner_record.stop,
        prevent_destroy: owner_record.prevent_destroy,
        ignore: owner_record.ignore.clone(),
        ..Settings::default()
    }
}

fn version(owner_record: &OwnerRecord) -> Version {
    Version {
        at: owner_record.at,
        set: owner_record.set.clone(),
        digest: owner_record.digest.clone(),
    }
}

/// Returns the differences between two versions; `None` if one cannot be read.
fn differences(
    kind: Kind,
    before: &OwnerRecord,
    after: &OwnerRecord,
) -> Option<Vec<VersionChange>> {
    let (old, new) = (before.applied()?, after.applied()?);
    // both say all they mean: what is left out twice is no difference
    let old = normalize::prepare(kind, &old, &old);
    let changes = overlay(kind, Side::NextBoot, &old, &new, Some(&old), &[]).changes;
    let fields = changes.into_iter().map(|c| VersionChange {
        path: c.path.to_string(),
        before: c.before.map(|value| presented(&c.path, &value)),
        after: c.after.map(|value| presented(&c.path, &value)),
    });
    let settings = settings_in_words(before).into_iter().zip(settings_in_words(after));
    let settings = settings.filter(|(before, after)| before != after);
    let settings = settings.map(|((path, before), (_, after))| VersionChange {
        path: path.to_owned(),
        before,
        after,
    });
    Some(settings.chain(fields).collect())
}

/// Returns a record's values beside the definition, each by its name in manifests.
fn settings_in_words(owner_record: &OwnerRecord) -> [(&'static str, Option<String>); 8] {
    let yes = |on: bool| on.then(|| "yes".to_owned());
    let list = |words: Vec<String>| (!words.is_empty()).then(|| words.join(" "));
    [
        ("set", Some(owner_record.set.clone())),
        ("power", owner_record.power.map(|p| p.as_str().to_owned())),
        ("autostart", owner_record.autostart.map(|on| if on { "yes" } else { "no" }.to_owned())),
        ("stop/@timeout", Some(format!("{:?}", owner_record.stop.timeout))),
        ("stop/@force", yes(owner_record.stop.force)),
        ("prevent_destroy", yes(owner_record.prevent_destroy)),
        ("ignore", list(owner_record.ignore.iter().map(ToString::to_string).collect())),
        ("depends_on", list(owner_record.depends_on.iter().map(ToString::to_string).collect())),
    ]
}
