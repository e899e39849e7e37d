//! Ownership record, written on the object itself, with the manifest that it was last made from.
//!
//! `<metadata><virt:owned xmlns:virt="urn:virt:reconcile:1" set="demo" digest="…">…</virt:owned></metadata>`
//! holds the set and the last applied manifest: compressed (zlib), in base64, secrets blotted out.
//! A `<virt:previous>` of the same form in it is the version before. There is no state file: two
//! operators with the same manifests need nothing else.

use super::redact::redacted;
use crate::model::{
    DesiredResource, Effect, Moving, NAMESPACE, ObservedResource, OwnerRecord, PREFIX, Power,
    ResourceId, ShutdownPolicy,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use diagnostics::SourceId;
use flate2::Compression;
use flate2::bufread::{ZlibDecoder, ZlibEncoder};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;
use xmltree::{Document, Element, Limits, Name, Node, Path, parse, write_compact};

/// Largest last-applied manifest that is read back, in bytes; the record is foreign input.
pub(crate) const APPLIED_MAX: usize = 4 << 20;

/// Largest mark that carries the version before, in bytes: definitions are read whole on each run,
/// and libvirt takes no text of more than 4 MiB.
const OWNER_RECORD_MAX: usize = 256 << 10;

/// Most versions that a record lists as those from which a guest boots as from its own; for older ones this
/// is unknown.
const BOOTS_MAX: usize = 8;

/// Name of a record's element.
pub(crate) const OWNED: &str = "owned";

/// The element in it that holds the version before.
pub(crate) const PREVIOUS: &str = "previous";

/// The attribute of a record that holds its signature, where there is a key.
pub(crate) const SIGNATURE: &str = "signature";

/// The attribute of a record that holds the sum of all that it says; records of old have none.
pub(crate) const SUM: &str = "sum";

/// Attributes of a record that its digest covers, beside the manifest.
const DIGESTED: [&str; 8] = [
    "set",
    "power",
    "autostart",
    "stop_timeout_ms",
    "ignore",
    "depends_on",
    "stop_force",
    "prevent_destroy",
];

/// Attribute of a record whose manifest was put back in part: the digest that it had before, which old
/// records lack.
const PUT_BACK: &str = "put_back";

/// The attributes of a mark that say so.
const FROM: &str = "moving_from";
const FROM_AUTOSTART: &str = "moving_autostart";
const FROM_ACTIVE: &str = "moving_active";

impl OwnerRecord {
    /// The last applied manifest; `None` if it cannot be read.
    pub(crate) fn applied(&self) -> Option<Element> {
        let Unpacked::Text(applied) = unpack(&self.packed, APPLIED_MAX) else { return None };
        parse(SourceId::NONE, &applied, &Limits::default()).ok()
    }
}

/// Record that a resource should carry, before it is packed: packing is only worth its time if the object
/// does not carry this very record already.
#[derive(Debug)]
pub(crate) struct WantedRecord {
    applied: String,
    /// Element of the record, still without the manifest.
    element: Element,
    /// Computes the value of [`OwnerRecord::digest`].
    pub(crate) digest: String,
    allow: Vec<Effect>,
    apply_on_reboot: bool,
    others: Vec<String>,
}

impl WantedRecord {
    /// Creates the record for a resource of `set`.
    pub(crate) fn of(set: &str, resource: &DesiredResource) -> Self {
        let applied = write_compact(&redacted(resource.definition.as_element()));
        let settings = &resource.settings;
        let mut element = Element::named(Name::qualified(PREFIX, NAMESPACE, OWNED));
        element.set_attr("set", set);
        element.set_attr("power", settings.power.as_str());
        if let Some(on) = settings.autostart {
            element.set_attr("autostart", if on { "yes" } else { "no" });
        }
        element.set_attr("stop_timeout_ms", settings.stop.timeout.as_millis().to_string());
        let ignore: Vec<String> = settings.ignore.iter().map(ToString::to_string).collect();
        let needs: Vec<String> =
            resource.depends_on.iter().map(|id| format!("{}/{}", id.kind, id.name)).collect();
        for (name, list) in [("ignore", ignore), ("depends_on", needs)] {
            if !list.is_empty() {
                element.set_attr(name, list.join("\n"));
            }
        }
        for (name, on) in
            [("stop_force", settings.stop.force), ("prevent_destroy", settings.prevent_destroy)]
        {
            if on {
                element.set_attr(name, "yes");
            }
        }
        let digest = digest(format!("{}{applied}", write_compact(&element)).as_bytes());
        element.set_attr("digest", digest.as_str());
        // beside the digest: what is allowed makes no other version of an object
        let allow: Vec<&str> = settings.allow.iter().map(|effect| effect.as_str()).collect();
        if !allow.is_empty() {
            element.set_attr("allow", allow.join("\n"));
        }
        if settings.apply_on_reboot {
            element.set_attr("apply_on_reboot", "yes");
        }
        let (allow, apply_on_reboot) = (settings.allow.clone(), settings.apply_on_reboot);
        Self { applied, element, digest, allow, apply_on_reboot, others: Vec::new() }
    }

    /// Takes note of entries that are others' and stay.
    pub(crate) fn leave(&mut self, others: Vec<String>) {
        self.element.put_attr("others", (!others.is_empty()).then(|| others.join("\n")).as_deref());
        self.others = others;
    }

    /// Takes note of the versions from which a guest starts as it does from this one.
    pub(crate) fn boots_as(&mut self, digests: &[String]) {
        let lately = digests.get(digests.len().saturating_sub(BOOTS_MAX)..).unwrap_or(&[]);
        let list = (!lately.is_empty()).then(|| lately.join("\n"));
        self.element.put_attr("boots_as", list.as_deref());
    }

    /// Whether `owner_record` is of this version.
    pub(crate) fn is(&self, owner_record: &OwnerRecord) -> bool {
        owner_record.digest == self.digest
    }

    /// Returns the record of a guest that has still to leave another host. The digest does not cover this.
    pub(crate) fn moving(mut self, moving: &Moving) -> Self {
        let word = |on: bool| if on { "yes" } else { "no" };
        self.element.set_attr(FROM, moving.from.as_str());
        self.element.set_attr(FROM_AUTOSTART, word(moving.autostart));
        self.element.set_attr(FROM_ACTIVE, word(moving.active));
        self
    }

    /// Whether `owner_record` is of this version and knows all that this one does. Others' entries that were
    /// removed since are forgotten at the next occasion, and are no reason for one.
    pub(crate) fn is_whole(&self, owner_record: &OwnerRecord) -> bool {
        self.is(owner_record)
            && self.allow == owner_record.allow
            && self.apply_on_reboot == owner_record.apply_on_reboot
            && self.others.iter().all(|other| owner_record.others.contains(other))
    }

    /// Puts the record on a definition in the place of any other. A different one becomes the version before;
    /// an equal one only stays as it was, time and history included.
    pub(crate) fn put(mut self, definition: &mut Element, now: Option<Timestamp>) {
        let packed = pack(&self.applied);
        let metadata = definition.child_or_new("metadata");
        let before = metadata.elements().find(|e| is_ours(e, OWNED));
        let stays = before.is_some_and(|e| e.attr("digest") == Some(self.digest.as_str()));
        let at = match before.filter(|_| stays) {
            Some(before) => before.attr("at").map(str::to_owned),
            None => now.map(in_seconds),
        };
        self.element.put_attr("at", at.as_deref());
        let previous = version_before(before, &self.digest, packed.len());
        metadata.remove_elements(|e| e.name.namespace.as_deref() == Some(NAMESPACE));
        let owner_record = self.element.with_text(packed);
        metadata.push(previous.into_iter().fold(owner_record, Element::with_child));
    }
}

/// Returns the earlier version that a record of this digest keeps; `packed` is the size of its manifest in
/// bytes.
fn version_before(before: Option<&Element>, digest: &str, packed: usize) -> Option<Element> {
    let before = before?;
    let stays = before.attr("digest") == Some(digest);
    let previous = match stays || before.attr(PUT_BACK).is_some() {
        // a manifest that was put back in part is no version that anybody asked for
        true => before.elements().find(|e| is_ours(e, PREVIOUS)).cloned(),
        false => Some(as_previous(before)),
    };
    previous.filter(|p| p.text().len() + packed <= OWNER_RECORD_MAX)
}

/// Sets the earlier version in the record of a definition that comes from a file to the one on the host,
/// whatever the file has; `None` if it has no record.
pub(crate) fn remember_host(definition: &mut Element, host: Option<&Element>) -> Option<()> {
    let before = host.and_then(owner_record_in);
    let metadata = definition.child_mut("metadata")?;
    let mut record = metadata.elements().find(|e| is_owned(e))?.clone();
    let digest = record.attr("digest").unwrap_or_default().to_owned();
    let packed = record.text();
    let previous = version_before(before, &digest, packed.len());
    record.children.retain(|n| matches!(n, Node::Text(_)));
    metadata.remove_elements(is_owned);
    metadata.push(previous.into_iter().fold(record, Element::with_child));
    Some(())
}

/// The element of the record on a definition.
pub(crate) fn owner_record_in(definition: &Element) -> Option<&Element> {
    definition.child("metadata")?.elements().find(|e| is_owned(e))
}

/// Reduces a record to the form in which the next one keeps it.
fn as_previous(owner_record: &Element) -> Element {
    let mut previous = owner_record.clone();
    previous.name = Name::qualified(PREFIX, NAMESPACE, PREVIOUS);
    previous.remove_attr("boots_as");
    // they are of the record that it was
    previous.remove_attr(SIGNATURE);
    previous.remove_attr(SUM);
    previous.children.retain(|n| matches!(n, Node::Text(_)));
    for name in [FROM, FROM_AUTOSTART, FROM_ACTIVE] {
        previous.remove_attr(name);
    }
    previous
}

/// RFC 3339 in UTC; nobody needs it to the nanosecond.
fn in_seconds(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// The record on an object, wherever it is. It is read once for each time that the object is observed.
pub(crate) fn owner_record_of(host: &ObservedResource) -> Option<&OwnerRecord> {
    shared_record(host).as_deref()
}

fn shared_record(host: &ObservedResource) -> &Option<Arc<OwnerRecord>> {
    host.record.owner.get(|| {
        let definition = host.persistent.as_ref().or(host.live.as_ref());
        definition.map(Document::as_element).and_then(read_owner_record).map(Arc::new)
    })
}

/// The record that an instance was started with. Where it says what the object's does, it is the same value.
pub(crate) fn running_record_of(host: &ObservedResource) -> Option<&OwnerRecord> {
    let record = host.record.running.get(|| {
        let live = host.live.as_ref()?;
        let of_live = owner_record_in(live.as_element());
        let is_same = |defined: &Document| owner_record_in(defined.as_element()) == of_live;
        match host.persistent.as_ref().is_none_or(is_same) {
            true => shared_record(host).clone(),
            false => read_owner_record(live.as_element()).map(Arc::new),
        }
    });
    record.as_deref()
}

/// The record on a definition, if it carries one.
pub(crate) fn read_owner_record(definition: &Element) -> Option<OwnerRecord> {
    let element = owner_record_in(definition)?;
    let mut owner_record = read_version(element)?;
    let previous = element.elements().find(|e| is_ours(e, PREVIOUS));
    owner_record.previous = previous.and_then(read_version).map(Box::new);
    Some(owner_record)
}

fn read_version(owner_record: &Element) -> Option<OwnerRecord> {
    let millis = owner_record.attr("stop_timeout_ms").and_then(|s| s.parse().ok());
    let list = |name: &str| owner_record.attr(name).unwrap_or_default().lines();
    Some(OwnerRecord {
        set: owner_record.attr("set")?.to_owned(),
        digest: owner_record.attr("digest").unwrap_or_default().to_owned(),
        at: owner_record.attr("at").and_then(|at| at.parse().ok()),
        packed: owner_record.text(),
        power: owner_record.attr("power").and_then(Power::parse),
        autostart: owner_record.attr("autostart").map(|on| on == "yes"),
        ignore: list("ignore").filter_map(Path::parse).collect(),
        depends_on: list("depends_on").filter_map(ResourceId::parse).collect(),
        prevent_destroy: owner_record.attr("prevent_destroy") == Some("yes"),
        allow: list("allow").filter_map(Effect::parse).collect(),
        apply_on_reboot: owner_record.attr("apply_on_reboot") == Some("yes"),
        others: list("others").map(str::to_owned).collect(),
        put_back: owner_record.attr(PUT_BACK).is_some(),
        boots_as: list("boots_as").map(str::to_owned).collect(),
        stop: ShutdownPolicy {
            timeout: millis
                .map_or(ShutdownPolicy::default().timeout, Duration::from_millis)
                .min(ShutdownPolicy::MAX),
            force: owner_record.attr("stop_force") == Some("yes"),
        },
        moving: owner_record.attr(FROM).map(|from| Moving {
            from: from.to_owned(),
            autostart: owner_record.attr(FROM_AUTOSTART) == Some("yes"),
            active: owner_record.attr(FROM_ACTIVE) == Some("yes"),
        }),
        previous: None,
    })
}

/// Returns the definition without our metadata, for display and export.
pub fn without_owner_record(definition: &Element) -> Element {
    let mut copy = definition.clone();
    if let Some(metadata) = copy.child_mut("metadata") {
        metadata.remove_elements(|e| e.name.namespace.as_deref() == Some(NAMESPACE));
        if metadata.elements().next().is_none() {
            copy.remove_elements(|e| e.is("metadata"));
        }
    }
    copy
}

/// Returns the first 128 bits of SHA-256 in hexadecimal: enough to tell versions of one object apart.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// Whether the element is an ownership record.
pub(crate) fn is_owned(e: &Element) -> bool {
    is_ours(e, OWNED)
}

/// Edits the manifest that a definition's mark remembers; `None` if it has none that can be read.
pub(crate) fn with_applied(
    definition: &mut Element,
    edit: impl FnOnce(&mut Element),
) -> Option<()> {
    let owner_record = definition.child_mut("metadata")?.elements_mut().find(|e| is_owned(e))?;
    let known = read_version(owner_record)?;
    let mut applied = known.applied()?;
    edit(&mut applied);
    let applied = write_compact(&applied);
    owner_record.remove_attr(SIGNATURE);
    owner_record.remove_attr(SUM);
    owner_record.set_attr(PUT_BACK, known.digest.as_str());
    owner_record.set_attr("digest", digest(format!("{}{applied}", known.digest).as_bytes()));
    owner_record.set_text(pack(&applied));
    Some(())
}

/// Result of unpacking a manifest.
pub(crate) enum Unpacked {
    /// Text of the manifest.
    Text(String),
    /// Damaged data.
    Damaged,
    /// Data above the size limit.
    Large,
}

/// Unpacks the manifest in a record, if it has no more bytes than `limit`.
pub(crate) fn unpack(packed: &str, limit: usize) -> Unpacked {
    let Ok(packed) = BASE64.decode(packed.trim()) else { return Unpacked::Damaged };
    let mut applied = Vec::new();
    let mut unpacked = ZlibDecoder::new(packed.as_slice()).take(limit as u64 + 1);
    match unpacked.read_to_end(&mut applied) {
        Ok(_) if applied.len() > limit => Unpacked::Large,
        Ok(_) => String::from_utf8(applied).map_or(Unpacked::Damaged, Unpacked::Text),
        Err(_) => Unpacked::Damaged,
    }
}

/// Whether the digest in a record is that of its content.
pub(crate) fn is_intact(owner_record: &Element, applied: &str) -> bool {
    let expected = match owner_record.attr(PUT_BACK) {
        // it is never the version before
        Some(_) if is_ours(owner_record, PREVIOUS) => return false,
        Some("yes") => return true,
        Some(before) => digest(format!("{before}{applied}").as_bytes()),
        None => {
            let mut settings = Element::named(Name::qualified(PREFIX, NAMESPACE, OWNED));
            for (name, value) in DIGESTED.iter().filter_map(|n| Some((*n, owner_record.attr(n)?))) {
                settings.set_attr(name, value);
            }
            digest(format!("{}{applied}", write_compact(&settings)).as_bytes())
        }
    };
    owner_record.attr("digest") == Some(expected.as_str())
}

/// Packs a manifest for a record.
fn pack(applied: &str) -> String {
    let mut packed = Vec::new();
    let mut encoder = ZlibEncoder::new(applied.as_bytes(), Compression::default());
    // reading from a slice into a vector cannot fail
    let _ = encoder.read_to_end(&mut packed);
    BASE64.encode(packed)
}

fn is_ours(e: &Element, local: &str) -> bool {
    e.name.local == local && e.name.namespace.as_deref() == Some(NAMESPACE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, ResourceId, Settings};
    use diagnostics::Span;
    use proptest::prelude::*;

    fn resource(xml: &str) -> DesiredResource {
        DesiredResource {
            id: ResourceId::new(Kind::Domain, "web"),
            definition: parse(SourceId::NONE, xml, &Limits::default()).expect("well-formed").into(),
            settings: Settings { prevent_destroy: true, ..Settings::default() },
            depends_on: Vec::new(),
            span: Span::NONE,
            refused: Vec::new(),
        }
    }

    #[test]
    fn a_mark_is_read_back_without_secrets() {
        let resource = resource(
            "<domain><name>web</name><devices><graphics type='vnc' passwd='hush'/></devices></domain>",
        );
        let mut definition = resource.definition.to_element();
        WantedRecord::of("demo", &resource).put(&mut definition, None);
        let text = xmltree::write(&definition);
        let again = parse(SourceId::NONE, &text, &Limits::default()).expect("well-formed");
        let owner_record = read_owner_record(&again).expect("marked");
        assert_eq!((owner_record.set.as_str(), owner_record.prevent_destroy), ("demo", true));
        let applied = owner_record.applied().expect("readable");
        assert_eq!(applied, redacted(resource.definition.as_element()));
        assert!(!write_compact(&applied).contains("hush"));
        assert_eq!(without_owner_record(&again), resource.definition.into_element());
    }

    fn version(n: u32) -> DesiredResource {
        let mut made = resource(&format!("<domain><name>web</name><vcpu>{n}</vcpu></domain>"));
        made.settings.autostart = Some(n == 2);
        made.settings.ignore = vec![Path::parse("devices/video").expect("a path")];
        made.depends_on = vec![ResourceId::new(Kind::Network, "lan")];
        made
    }

    fn put(resource: &DesiredResource, definition: &mut Element, second: i64) -> OwnerRecord {
        let now = Timestamp::from_second(second).ok();
        WantedRecord::of("demo", resource).put(definition, now);
        // as a host gives it back
        let text = xmltree::write(definition);
        *definition = parse(SourceId::NONE, &text, &Limits::default()).expect("well-formed");
        read_owner_record(definition).expect("marked")
    }

    #[test]
    fn the_mark_remembers_one_version_before() {
        let mut definition = version(1).definition.into_element();
        let first = put(&version(1), &mut definition, 10);
        assert!(first.previous.is_none());
        assert_eq!(first.at.map(|at| at.to_string()).as_deref(), Some("1970-01-01T00:00:10Z"));
        let second = put(&version(2), &mut definition, 20);
        let before = second.previous.as_deref().expect("the one before");
        assert_eq!(format!("{before:?}"), format!("{first:?}"));
        assert_eq!(before.applied(), Some(Document::into_element(version(1).definition)));
        assert_eq!(second.applied(), Some(Document::into_element(version(2).definition)));
        // the same again is no version of its own
        let again = put(&version(2), &mut definition, 30);
        assert_eq!(format!("{again:?}"), format!("{second:?}"));
        let third = put(&version(3), &mut definition, 40);
        let before = third.previous.expect("the one before");
        assert_eq!((before.digest, before.previous.is_none()), (second.digest, true));
    }

    #[test]
    fn the_record_of_an_observed_object_is_read_once() {
        let mut first = version(1).definition.into_element();
        let mut second = version(2).definition.into_element();
        put(&version(1), &mut first, 10);
        put(&version(2), &mut second, 20);
        let unread = ObservedResource::unread(version(1).id, crate::model::Uuid::default());
        let host = ObservedResource {
            persistent: Some(first.clone().into()),
            live: Some(first.into()),
            ..unread
        };
        let own = owner_record_of(&host).expect("marked");
        assert!(std::ptr::eq(own, owner_record_of(&host).expect("marked")));
        assert!(std::ptr::eq(own, running_record_of(&host).expect("marked")));
        // what is made of it is read by itself
        let mut later = host.clone();
        later.persistent = Some(second.into());
        let own = owner_record_of(&later).map(|m| m.digest.as_str());
        let begun = running_record_of(&later).map(|m| m.digest.as_str());
        assert_ne!(own, begun);
        assert_eq!(begun, running_record_of(&host).map(|m| m.digest.as_str()));
        later.persistent = None;
        let transient = later.clone();
        let own = owner_record_of(&transient).expect("marked");
        assert!(std::ptr::eq(own, running_record_of(&transient).expect("marked")));
        later.live = None;
        let bare = later.clone();
        assert!(owner_record_of(&bare).is_none() && running_record_of(&bare).is_none());
    }

    #[test]
    fn a_mark_that_would_be_too_large_forgets_the_version_before() {
        // data that do not compress
        let noise: String = (0..6_000).map(|n| digest(format!("{n}").as_bytes())).collect();
        let large = resource(&format!("<domain><description>{noise}</description></domain>"));
        let mut definition = large.definition.to_element();
        put(&version(1), &mut definition, 10);
        assert!(put(&large, &mut definition, 20).previous.is_some());
        let mut other = large.clone();
        other.settings.prevent_destroy = false;
        let owner_record = put(&other, &mut definition, 30);
        assert!(owner_record.previous.is_none() && owner_record.applied().is_some());
    }

    #[test]
    fn a_mark_of_before_there_was_history_is_read_and_remembered() {
        let mut definition = version(1).definition.into_element();
        put(&version(1), &mut definition, 10);
        for owner_record in definition.child_mut("metadata").expect("metadata").elements_mut() {
            owner_record.remove_attr("at");
        }
        assert!(
            read_owner_record(&definition).is_some_and(|m| m.at.is_none() && m.previous.is_none())
        );
        let owner_record = put(&version(2), &mut definition, 20);
        assert!(owner_record.at.is_some() && owner_record.previous.is_some_and(|p| p.at.is_none()));
    }

    #[test]
    fn a_mark_is_intact_until_somebody_edits_it() {
        fn intact(owner_record: &Element) -> bool {
            matches!(unpack(&owner_record.text(), APPLIED_MAX), Unpacked::Text(t) if is_intact(owner_record, &t))
        }
        fn owner_record(definition: &Element) -> Element {
            let metadata = definition.child("metadata").expect("metadata");
            metadata.elements().find(|e| is_owned(e)).cloned().expect("marked")
        }
        let mut definition = version(1).definition.into_element();
        put(&version(1), &mut definition, 10);
        put(&version(2), &mut definition, 20);
        let whole = owner_record(&definition);
        let previous = whole.elements().next().expect("the one before");
        assert!(intact(&whole) && intact(previous));
        let edits: [fn(&mut Element); 4] = [
            |e| e.set_attr("prevent_destroy", "no"),
            |e| e.set_attr("set", "other"),
            |e| e.set_text(pack("<domain/>")),
            |e| e.put_attr("digest", None),
        ];
        for edit in edits {
            let (mut edited, mut before) = (whole.clone(), previous.clone());
            edit(&mut edited);
            edit(&mut before);
            assert!(!intact(&edited) && !intact(&before));
        }
        // a version whose manifest was put back in part says so, and no rollback leads to it
        with_applied(&mut definition, |applied| applied.set_text("x")).expect("readable");
        let put_back = owner_record(&definition);
        assert!(intact(&put_back));
        let mut edited = put_back.clone();
        edited.set_text(pack("<domain/>"));
        assert!(!intact(&edited));
        let mut before = previous.clone();
        before.set_attr(PUT_BACK, "yes");
        assert!(!intact(&before));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_written_is_read(
            texts in proptest::collection::vec("[ -~äß€]{0,40}", 2),
            stop in (0..90_000_u64, any::<bool>(), any::<bool>()),
            power in proptest::sample::select(&Power::ALL[..]),
            autostart in proptest::option::of(any::<bool>()),
        ) {
            let mut wanted = Vec::new();
            for text in &texts {
                let description = Element::new("description").with_text(text.as_str());
                let mut made = resource("<domain><name>web</name></domain>");
                made.definition.to_mut().push(description.with_attr("note", text.as_str()));
                made.settings.stop = ShutdownPolicy { timeout: Duration::from_millis(stop.0), force: stop.1 };
                made.settings.prevent_destroy = stop.2;
                made.settings.power = power;
                made.settings.autostart = autostart;
                wanted.push(made);
            }
            let mut definition = Element::new("domain");
            let owner_records: Vec<OwnerRecord> = (1..).zip(&wanted).map(|(n, r)| put(r, &mut definition, n)).collect();
            for (owner_record, wanted) in owner_records.iter().zip(&wanted) {
                prop_assert_eq!(owner_record.applied(), Some(redacted(wanted.definition.as_element())));
                prop_assert_eq!(owner_record.stop, wanted.settings.stop);
                prop_assert_eq!(owner_record.power, Some(power));
                prop_assert_eq!(owner_record.autostart, autostart);
                prop_assert_eq!(owner_record.prevent_destroy, stop.2);
                // and what is read makes the same mark again
                let mut again = wanted.clone();
                again.definition = owner_record.applied().expect("readable").into();
                prop_assert!(WantedRecord::of("demo", &again).is(owner_record));
            }
            let last = owner_records.last().expect("two of them");
            if texts.first() != texts.last() {
                let first = owner_records.first().map(|m| format!("{m:?}"));
                prop_assert_eq!(last.previous.as_deref().map(|m| format!("{m:?}")), first);
            }
        }
    }

    #[test]
    fn a_damaged_mark_still_owns() {
        let mut definition = resource("<domain><name>web</name></domain>").definition;
        let owner_record =
            Element::named(Name::qualified("v", NAMESPACE, "owned")).with_attr("set", "demo");
        definition.to_mut().child_or_new("metadata").push(owner_record.with_text("%%%"));
        let owner_record = read_owner_record(definition.as_element()).expect("marked");
        assert!(owner_record.set == "demo" && owner_record.applied().is_none());
    }
}
