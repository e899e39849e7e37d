//! Export of manifests from a host: their content, the omitted values, and the proof that applying one would
//! do nothing.

use super::diff::difference::{Edit, Side};
use super::diff::normalize::{key_of, label};
use super::diff::overlay::overlay;
use super::ownership::record::{owner_record_of, running_record_of, without_owner_record};
use super::ownership::redact::{is_secret, secret_places, without_secrets};
use super::plan::planner::plan;
use super::plan::types::{Options, ResourceChange};
use super::sparse::{Sparse, drop_identity, sparse};
use super::status::runs_as_asked;
use crate::error::{Error, ErrorKind, Result};
use crate::model::domain::Domain;
use crate::model::{
    Capabilities, Desired, DesiredResource, Kind, Observed, ObservedResource, OwnerRecord, Power,
    ResourceId, Settings, State,
};
use diagnostics::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::sync::Arc;
use xmltree::{Element, Node, Path, Step};

/// A manifest of an object on the host.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The manifest, settings included.
    pub document: Element,
    /// Notes for the reader: omitted values, and fields that do not reach the next boot yet.
    pub notes: Diagnostics,
    /// Devices that only the running instance has, by their paths: applying the manifest adds them to
    /// the next boot's definition.
    plugged_in: Vec<Path>,
}

/// A manifest for an object on the host, with the settings that keep it as it is. `settings` makes
/// the settings' element; `how` says what to leave out of it that the host fills in anew.
///
/// # Errors
/// The object is transient.
pub fn export(
    host: &ObservedResource,
    capabilities: &Capabilities,
    how: Option<Sparse>,
    settings: fn(&Settings) -> Element,
) -> Result<Exported> {
    let Some(definition) = &host.persistent else {
        return Err(refused("it is transient: there is no definition to export")
            .hint("virsh dumpxml shows what is running"));
    };
    let owner_record = owner_record_of(host);
    let mut notes = Diagnostics::default();
    let mut document = without_owner_record(definition.as_element());
    let mut plugged_in = Vec::new();
    let applied = owner_record.and_then(OwnerRecord::applied);
    for (path, device) in only_running(host, &document, owner_record, applied.as_ref()) {
        notes.push(
            Diagnostic::warning("only-running", format!("{path} is in the running guest only"))
                .address(host.id.to_string())
                .detail("the manifest has it: applied, it is for the next boot, too")
                .hint("take it out of the manifest to leave it to whoever plugged it in"),
        );
        document.child_or_new("devices").push(device);
        plugged_in.push(path);
    }
    let mut kept = kept(host, owner_record);
    if let Some(how) = how {
        sparse(host.id.kind, capabilities.domain.defaults, &mut document, applied.as_ref());
        if let Some(applied) = &applied {
            document = as_written(host.id.kind, applied, &document);
        }
        if how == Sparse::Anew {
            drop_identity(host.id.kind, &mut document);
        }
        // a host starts nothing by itself without a setting
        kept.autostart = kept.autostart.filter(|on| *on || owner_record.is_some());
    }
    let secrets = secret_places(&document);
    if !secrets.is_empty() {
        document = without_secrets(&document);
        let governed = secrets_of_last(
            host,
            definition.as_element(),
            &document,
            applied.as_ref(),
            &kept.ignore,
        );
        notes.push(secret_note(&host.id, &secrets, &governed));
        kept.ignore.extend(governed);
    }
    let metadata = Element::new("metadata").with_child(settings(&kept));
    put_settings(&mut document, metadata);
    Ok(Exported { document, notes, plugged_in })
}

/// Merges the host's document into the last applied manifest: a written value is no default of the host's,
/// and a manifest without it would remove it.
fn as_written(kind: Kind, applied: &Element, document: &Element) -> Element {
    let base = without_secrets(applied);
    let writes = |name: &str| base.child(name).is_some();
    let mut laid = overlay(kind, Side::NextBoot, &base, document, None, &[]).merged;
    // elements that the comparison made explicit
    for name in ["currentMemory"] {
        if !writes(name) && document.child(name).is_none() {
            laid.remove_elements(|e| e.is(name));
        }
    }
    let current = |e: &Element| e.child("vcpu").is_some_and(|v| v.attr("current").is_some());
    if !current(&base)
        && !current(document)
        && let Some(vcpu) = laid.child_mut("vcpu")
    {
        vcpu.remove_attr("current");
    }
    laid
}

/// Secrets that the manifest that was applied last had: one without them would take them away, unless
/// it leaves them to the host.
fn secrets_of_last(
    host: &ObservedResource,
    definition: &Element,
    document: &Element,
    last: Option<&Element>,
    ignore: &[Path],
) -> Vec<Path> {
    let Some(last) = last else { return Vec::new() };
    let laid = overlay(host.id.kind, Side::NextBoot, definition, document, Some(last), ignore);
    laid.changes.into_iter().map(|c| c.path).filter(is_secret).collect()
}

fn secret_note(id: &ResourceId, secrets: &[String], governed: &[Path]) -> Diagnostic {
    let of = if secrets.len() == 1 { "a secret is" } else { "secrets are" };
    let note =
        Diagnostic::warning("secret-left-out", format!("{of} left out: {}", secrets.join(", ")))
            .address(id.to_string())
            .detail("more people read manifests than definitions; this host keeps what it has");
    if governed.is_empty() {
        note.hint("for another host, write it into the manifest")
    } else {
        note.hint("to change it, or for another host, write it in and take its ignore out")
    }
}

/// Puts the settings into the metadata, which a host writes after the elements that name an object.
fn put_settings(document: &mut Element, metadata: Element) {
    if let Some(there) = document.child_mut("metadata") {
        there.children.extend(metadata.children);
        return;
    }
    let names = ["name", "uuid", "genid", "title", "description", "hwuuid"];
    let is_name = |n: &Node| matches!(n, Node::Element(e) if names.iter().any(|name| e.is(name)));
    let at = document.children.iter().rposition(is_name).map_or(0, |at| at + 1);
    document.children.insert(at, Node::Element(metadata));
}

/// Returns the settings of the last applied manifest, as far as the host still has them; for an unowned
/// object, those that keep it as it is.
fn kept(host: &ObservedResource, owner_record: Option<&OwnerRecord>) -> Settings {
    // an object that is off today may be on tomorrow, and exporting it decides nothing about that
    let power = match host.state {
        State::Paused => Power::Paused,
        state if state.is_active() => Power::Running,
        _ => Power::Manual,
    };
    let Some(owner_record) = owner_record else {
        return Settings { power, autostart: Some(host.autostart), ..Settings::default() };
    };
    let implied: Vec<ResourceId> = match &host.persistent {
        Some(domain) if host.id.kind.is_guest() => {
            Domain::new(domain.root()).networks().map(|n| n.0).collect()
        }
        Some(_) | None => Vec::new(),
    };
    Settings {
        power: owner_record.power.filter(|power| runs_as_asked(host, *power)).unwrap_or(power),
        autostart: owner_record.autostart.map(|_| host.autostart),
        depends_on: owner_record
            .depends_on
            .iter()
            .filter(|id| !implied.contains(id))
            .cloned()
            .collect(),
        stop: owner_record.stop,
        allow: owner_record.allow.clone(),
        apply_on_reboot: owner_record.apply_on_reboot,
        prevent_destroy: owner_record.prevent_destroy,
        ignore: owner_record.ignore.clone(),
        ..Settings::default()
    }
}

/// Kinds of devices that a host plugs in by itself, for others that need them.
const COME_ALONG: [&str; 3] = ["controller", "hub", "audio"];

/// Devices that the running guest has and its definition lacks, each with its path and as a manifest
/// would have it. What a newer manifest has dropped, and the guest has still to let go, is none.
fn only_running(
    host: &ObservedResource,
    definition: &Element,
    owner_record: Option<&OwnerRecord>,
    applied: Option<&Element>,
) -> Vec<(Path, Element)> {
    let Some(live) = host.live.as_ref().filter(|_| host.state.is_active()) else {
        return Vec::new();
    };
    if !host.id.kind.is_guest() {
        return Vec::new();
    }
    let dropped = |path: &Path| {
        let before = [running_record_of(host), owner_record.and_then(|m| m.previous.as_deref())];
        let had =
            |m: &OwnerRecord| m.applied().is_some_and(|manifest| path.find(&manifest).is_some());
        applied.is_some_and(|now| path.find(now).is_none()) && before.into_iter().flatten().any(had)
    };
    let running = as_defined(&without_owner_record(live.as_element()));
    let more = overlay(Kind::Domain, Side::NextBoot, definition, &running, None, &[]).changes;
    let taken: Vec<Element> = addresses(definition);
    more.into_iter()
        .filter_map(|change| match change.edit {
            Edit::Add(device) if is_device(&change.path) => Some((change.path, device)),
            Edit::Add(_) | Edit::Set | Edit::Remove => None,
        })
        .filter(|(path, device)| !COME_ALONG.iter().any(|name| device.is(name)) && !dropped(path))
        .map(|(path, mut device)| {
            device.remove_elements(|e| e.is("address") && taken.contains(e));
            (named(path, &device), device)
        })
        .collect()
}

fn is_device(path: &Path) -> bool {
    path.steps.len() == 2 && path.steps.first().is_some_and(|step| step.name == "devices")
}

/// The path with a key in the place of a number, if the device has one.
fn named(mut path: Path, device: &Element) -> Path {
    if let Some(last) = path.steps.last_mut() {
        let key = key_of("devices", device).filter(|(path, _)| !path.contains('+'));
        let key = key.map(|(path, value)| (path.to_owned(), value));
        *last = Step { name: label(device), ordinal: last.ordinal.filter(|_| key.is_none()), key };
    }
    path
}

fn addresses(definition: &Element) -> Vec<Element> {
    let devices = definition.child("devices").into_iter().flat_map(Element::elements);
    devices.filter_map(|device| device.child("address").cloned()).collect()
}

/// Attributes that only a running guest's devices have: device and element (`*` for any, `""` for the device
/// itself), attribute, and the prefix of such a value.
const RUNTIME: [(&str, &str, &str, &str); 12] = [
    ("*", "", "tty", ""),
    ("*", "target", "state", ""),
    ("disk", "target", "tray", ""),
    ("disk", "source", "index", ""),
    ("interface", "source", "portid", ""),
    ("interface", "source", "bridge", ""),
    ("interface", "target", "dev", "vnet"),
    ("interface", "target", "dev", "macvtap"),
    ("interface", "target", "dev", "macvlan"),
    ("serial", "source", "path", "/dev/pts/"),
    ("console", "source", "path", "/dev/pts/"),
    ("channel", "source", "path", "/dev/pts/"),
];

/// Elements that only a running guest's devices have, or that it has from their files.
const RUNTIME_ELEMENTS: [&str; 3] = ["mirror", "backingStore", "privateData"];

/// Converts a running definition into the terms of a stored one.
fn as_defined(live: &Element) -> Element {
    let mut running = live.clone();
    for device in running.child_mut("devices").into_iter().flat_map(Element::elements_mut) {
        let name = device.name.local.clone();
        let on_network = device.attr("type") == Some("network");
        device.remove_elements(|e| {
            let automatic = e.is("alias") && e.attr("name").is_none_or(|n| !n.starts_with("ua-"));
            automatic || RUNTIME_ELEMENTS.iter().any(|runtime| e.is(runtime))
        });
        for (of, child, attribute, begins) in RUNTIME {
            if of != "*" && of != name || attribute == "bridge" && !on_network {
                continue;
            }
            let is_runtime = |e: &Element| e.attr(attribute).is_some_and(|v| v.starts_with(begins));
            if child.is_empty() {
                device.remove_attr(attribute);
            } else if let Some(e) = device.child_mut(child).filter(|e| is_runtime(e)) {
                e.remove_attr(attribute);
            }
        }
        device.remove_elements(|e| {
            let is_bare = e.attributes.is_empty() && e.children.is_empty();
            is_bare && (e.is("target") || e.is("source"))
        });
    }
    running
}

/// Checks that applying `manifest`, which was read from `exported`, does nothing to the object but adopt it.
/// Returns notes for the reader.
///
/// # Errors
/// The first thing that it would do.
pub fn prove(
    exported: &Exported,
    manifest: &DesiredResource,
    observed: &Observed,
    capabilities: &Capabilities,
) -> Result<Diagnostics> {
    let id = &manifest.id;
    let owner = observed
        .resources
        .get(id)
        .and_then(owner_record_of)
        .map(|owner_record| owner_record.set.clone());
    let desired = Desired {
        set: owner.unwrap_or_else(|| "exported".to_owned()),
        // the host holds the content that the grammar refuses, or the proof fails
        resources: BTreeMap::from([(
            id.clone(),
            Arc::new(DesiredResource { refused: Vec::new(), ..manifest.clone() }),
        )]),
        blocked: BTreeMap::new(),
        complete: true,
    };
    let options =
        Options { adopt: true, only: [id.clone()].into_iter().collect(), ..Options::default() };
    let made = plan(&desired, observed, capabilities, &options);
    if let Some(change) = made.changes.iter().find(|change| change.id == *id) {
        does_nothing(exported, change)?;
    }
    let mut notes = Diagnostics::default();
    // it is on the host all the same, and may be what somebody wants to mend
    notes.extend(made.diagnostics.iter().cloned().map(Diagnostic::into_warning));
    Ok(notes)
}

fn does_nothing(exported: &Exported, change: &ResourceChange) -> Result<()> {
    let is_known = |path: &Path| {
        path.to_string() == "owner" || exported.plugged_in.iter().any(|p| p.covers(path))
    };
    let Some(field) = change.fields.iter().find(|field| !is_known(&field.path)) else {
        return Ok(());
    };
    let value = |v: &Option<String>| v.clone().unwrap_or_else(|| "nothing".to_owned());
    Err(refused(&format!("its manifest would not be in sync: {} differs", field.path))
        .hint(format!(
            "the host has {}, and the manifest asks for {} ({}); virsh dumpxml --inactive shows the definition",
            value(&field.before),
            value(&field.after),
            field.effect,
        )))
}

fn refused(text: &str) -> Error {
    Error::new(ErrorKind::Unsupported, text)
}
