//! Signatures of records: HMAC-SHA256 over whose it is, and all that it says.

use super::canonical;
use crate::model::{Kind, NAMESPACE, Target, Uuid};
use crate::reconcile::ownership::record::{OWNED, PREVIOUS, SIGNATURE, SUM};
use crate::reconcile::plan::nic_migration::PARKED;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use ring::hmac;
use std::fmt;
use xmltree::Element;

/// Prefix of a signature. Earlier ones had no prefix, and did not cover all of a record.
const VERSION: &str = "2:";

/// Prefix of the signed bytes, so that a key that is used elsewhere, too, signs nothing that is valid here.
const CONTEXT: &[u8] = b"virt record 2\n";

/// A key that records are signed with.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    /// Shortest key, in bytes: as many as the hash has (RFC 2104).
    pub const LEN_MIN: usize = 32;

    /// The key of these bytes; `None` if they are too few.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::LEN_MIN).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Keys that sign records, and those that are believed.
#[derive(Clone, Debug)]
pub struct Signing {
    /// Key that signs, and is believed.
    pub key: Key,
    /// Keys whose signatures are believed, and renewed with the first one.
    pub old: Vec<Key>,
    /// Time until which unsigned records are believed, and signed.
    pub accept_unsigned_until: Option<Timestamp>,
}

/// State of a record's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    Now,
    Before,
    /// Signature in the old form, which does not cover all that is read.
    Formerly,
    Not,
    Wrongly,
}

/// The object that a record stands on, for its signature. Its name may change, and a guest may go to
/// another host, with all that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) kind: Kind,
    pub(super) uuid: Uuid,
}

impl Signing {
    /// Returns the state of an element's signature, as it stands on this object.
    pub(super) fn of(&self, element: &Element, holder: Holder) -> Signed {
        let Some(signature) = element.attr(SIGNATURE) else { return Signed::Not };
        let Some(signature) = signature.trim().strip_prefix(VERSION) else {
            return Signed::Formerly;
        };
        let Ok(signature) = BASE64.decode(signature.trim()) else { return Signed::Wrongly };
        let said = said(element, holder);
        let is = |key: &Key| hmac::verify(&key.0, &said, &signature).is_ok();
        if is(&self.key) {
            Signed::Now
        } else if self.old.iter().any(is) {
            Signed::Before
        } else {
            Signed::Wrongly
        }
    }

    /// Signs other data than a record, `context` being its purpose.
    pub fn seal(&self, context: &str, bytes: &[u8]) -> String {
        BASE64.encode(hmac::sign(&self.key.0, &sealed(context, bytes)))
    }

    /// Whether such a signature was made with one of the keys.
    pub fn is_sealed(&self, context: &str, bytes: &[u8], seal: &str) -> bool {
        let Ok(seal) = BASE64.decode(seal.trim()) else { return false };
        let said = sealed(context, bytes);
        let is = |key: &Key| hmac::verify(&key.0, &said, &seal).is_ok();
        is(&self.key) || self.old.iter().any(is)
    }

    /// Whether those without a signature are believed for now.
    pub(super) fn accepts_unsigned(&self, now: Timestamp) -> bool {
        self.accept_unsigned_until.is_some_and(|until| now < until)
    }

    fn sign(&self, element: &mut Element, holder: Holder) {
        let tag = hmac::sign(&self.key.0, &said(element, holder));
        element.set_attr(SIGNATURE, format!("{VERSION}{}", BASE64.encode(tag)));
    }
}

/// Adds checksums to the records in a definition of `target`, and signatures where there is a key; returns
/// whether it had any records.
pub(super) fn seal(signing: Option<&Signing>, definition: &mut Element, target: &Target) -> bool {
    let uuid = definition.child_text("uuid");
    let uuid = uuid.and_then(|text| Uuid::parse_str(text.trim()).ok()).unwrap_or(target.uuid);
    let holder = Holder { kind: target.id.kind, uuid };
    let Some(metadata) = definition.child_mut("metadata") else { return false };
    let mut any = false;
    for element in metadata.elements_mut().filter(|e| is_signed(e)) {
        for previous in element.elements_mut().filter(|e| is_previous(e)) {
            seal_one(signing, previous, holder);
        }
        seal_one(signing, element, holder);
        any = true;
    }
    any
}

fn seal_one(signing: Option<&Signing>, element: &mut Element, holder: Holder) {
    let sum = canonical::sum(element);
    element.set_attr(SUM, sum);
    match signing {
        Some(signing) => signing.sign(element, holder),
        // one of somebody who has a key says nothing of what is written without it
        None => {
            element.remove_attr(SIGNATURE);
        }
    }
}

/// Returns the bytes that a seal signs.
fn sealed(context: &str, bytes: &[u8]) -> Vec<u8> {
    [context.as_bytes(), b"\n", bytes].concat()
}

/// Whether an element in metadata is one that is signed.
pub(super) fn is_signed(e: &Element) -> bool {
    is_ours(e) && [OWNED, PARKED].contains(&e.name.local.as_str())
}

pub(super) fn is_previous(e: &Element) -> bool {
    is_ours(e) && e.name.local == PREVIOUS
}

pub(super) fn is_ours(e: &Element) -> bool {
    e.name.namespace.as_deref() == Some(NAMESPACE)
}

/// Returns the signed bytes of an element: its owner's identity, and its canonical form.
fn said(element: &Element, holder: Holder) -> Vec<u8> {
    let kind = holder.kind.as_str().as_bytes();
    [CONTEXT, kind, b"\n", holder.uuid.as_bytes(), &canonical::canonical(element)].concat()
}
