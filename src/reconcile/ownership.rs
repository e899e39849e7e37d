//! Who owns an object, written on the object itself, with the manifest it was last made from.
//!
//! `<metadata><virt:owned xmlns:virt="urn:virt:reconcile:1" set="demo" digest="…">…</virt:owned></metadata>`
//! holds the set and the last applied manifest: compressed (zlib), in base64, secrets blotted out.
//! There is no state file: two operators with the same manifests need nothing else.

use super::secret::redacted;
use crate::diag::SourceId;
use crate::model::{DesiredResource, NAMESPACE, PREFIX, Power, ResourceId, Stop};
use crate::xml::{Element, Limits, Name, Path, parse, write_compact};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::bufread::{ZlibDecoder, ZlibEncoder};
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::time::Duration;

/// Largest last-applied manifest that is read back, in bytes; the mark is foreign input.
const APPLIED_MAX: u64 = 4 << 20;

/// The mark on an object.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// The set that owns it.
    pub set: String,
    /// A digest of the last applied manifest and of the settings beside it.
    pub digest: String,
    /// The last applied manifest, packed.
    packed: String,
    /// Whether it was to run, when it was applied last.
    pub power: Option<Power>,
    /// Whether it was to start with the host, when it was applied last.
    pub autostart: Option<bool>,
    /// Paths that it left to others.
    pub ignore: Vec<Path>,
    /// What had to be in place before it.
    pub depends_on: Vec<ResourceId>,
    /// Whether removing the object is refused.
    pub prevent_destroy: bool,
    /// How it is to be stopped when its manifest is gone.
    pub stop: Stop,
}

impl Mark {
    /// The last applied manifest; `None` if it cannot be read.
    pub(crate) fn applied(&self) -> Option<Element> {
        let packed = BASE64.decode(self.packed.trim()).ok()?;
        let mut applied = String::new();
        let unpacked = ZlibDecoder::new(packed.as_slice()).take(APPLIED_MAX);
        { unpacked }.read_to_string(&mut applied).ok()?;
        parse(SourceId::NONE, &applied, &Limits::default()).ok()
    }
}

/// The mark that a resource should carry, before it is packed: packing is only worth its time if
/// the object does not carry this very mark already.
#[derive(Debug)]
pub(crate) struct WantedMark {
    applied: String,
    /// The mark's element, still without the manifest.
    element: Element,
    /// What [`Mark::digest`] will be.
    pub(crate) digest: String,
}

impl WantedMark {
    /// The mark for a resource of `set`.
    pub(crate) fn of(set: &str, resource: &DesiredResource) -> Self {
        let applied = write_compact(&redacted(&resource.definition));
        let settings = &resource.settings;
        let mut element = Element::named(Name::qualified(PREFIX, NAMESPACE, "owned"));
        element.set_attr("set", set);
        element.set_attr("power", settings.power.word());
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
        Self { applied, element, digest }
    }

    /// Whether `mark` is this one.
    pub(crate) fn is(&self, mark: &Mark) -> bool {
        mark.digest == self.digest
    }

    /// Puts the mark on a definition in the place of any other.
    pub(crate) fn put(self, definition: &mut Element) {
        let mut packed = Vec::new();
        let mut encoder = ZlibEncoder::new(self.applied.as_bytes(), Compression::default());
        // reading from a slice into a vector cannot fail
        let _ = encoder.read_to_end(&mut packed);
        let metadata = definition.child_or_new("metadata");
        metadata.remove_elements(|e| e.name.namespace.as_deref() == Some(NAMESPACE));
        metadata.push(self.element.with_text(BASE64.encode(packed)));
    }
}

/// The mark on a definition, if it carries one.
pub(crate) fn read_mark(definition: &Element) -> Option<Mark> {
    let mark = definition.child("metadata")?.elements().find(|e| is_mark(e))?;
    let millis = mark.attr("stop_timeout_ms").and_then(|s| s.parse().ok());
    let list = |name: &str| mark.attr(name).unwrap_or_default().lines();
    Some(Mark {
        set: mark.attr("set")?.to_owned(),
        digest: mark.attr("digest").unwrap_or_default().to_owned(),
        packed: mark.text(),
        power: mark.attr("power").and_then(Power::parse),
        autostart: mark.attr("autostart").map(|on| on == "yes"),
        ignore: list("ignore").filter_map(Path::parse).collect(),
        depends_on: list("depends_on").filter_map(ResourceId::parse).collect(),
        prevent_destroy: mark.attr("prevent_destroy") == Some("yes"),
        stop: Stop {
            timeout: millis.map_or(Stop::default().timeout, Duration::from_millis).min(Stop::MAX),
            force: mark.attr("stop_force") == Some("yes"),
        },
    })
}

/// The definition without anything of ours in its metadata: what is shown and exported.
pub(crate) fn without_mark(definition: &Element) -> Element {
    let mut copy = definition.clone();
    if let Some(metadata) = copy.child_mut("metadata") {
        metadata.remove_elements(|e| e.name.namespace.as_deref() == Some(NAMESPACE));
        if metadata.elements().next().is_none() {
            copy.remove_elements(|e| e.is("metadata"));
        }
    }
    copy
}

/// The first 128 bits of SHA-256 in hexadecimal: enough to tell versions of one object apart.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn is_mark(e: &Element) -> bool {
    e.name.local == "owned" && e.name.namespace.as_deref() == Some(NAMESPACE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::model::{Kind, ResourceId, Settings};

    fn resource(xml: &str) -> DesiredResource {
        DesiredResource {
            id: ResourceId::new(Kind::Domain, "web"),
            definition: parse(SourceId::NONE, xml, &Limits::default()).expect("well-formed"),
            settings: Settings { prevent_destroy: true, ..Settings::default() },
            depends_on: Vec::new(),
            span: Span::NONE,
        }
    }

    #[test]
    fn a_mark_is_read_back_without_secrets() {
        let resource = resource(
            "<domain><name>web</name><devices><graphics type='vnc' passwd='hush'/></devices></domain>",
        );
        let mut definition = resource.definition.clone();
        WantedMark::of("demo", &resource).put(&mut definition);
        let text = crate::xml::write(&definition);
        let again = parse(SourceId::NONE, &text, &Limits::default()).expect("well-formed");
        let mark = read_mark(&again).expect("marked");
        assert_eq!((mark.set.as_str(), mark.prevent_destroy), ("demo", true));
        let applied = mark.applied().expect("readable");
        assert_eq!(applied, redacted(&resource.definition));
        assert!(!write_compact(&applied).contains("hush"));
        assert_eq!(without_mark(&again), resource.definition);
    }

    #[test]
    fn a_damaged_mark_still_owns() {
        let mut definition = resource("<domain><name>web</name></domain>").definition;
        let mark =
            Element::named(Name::qualified("v", NAMESPACE, "owned")).with_attr("set", "demo");
        definition.child_or_new("metadata").push(mark.with_text("%%%"));
        let mark = read_mark(&definition).expect("marked");
        assert!(mark.set == "demo" && mark.applied().is_none());
    }
}
