//! Signatures of records: HMAC-SHA256 over whose it is, and all that it says.

use crate::model::{NAMESPACE, Uuid};
use crate::reconcile::nic_migration::PARKED;
use crate::reconcile::ownership::{OWNED, PREVIOUS};
use crate::xml::Element;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use ring::hmac;
use std::fmt;

/// The attribute that holds a signature.
const SIGNATURE: &str = "signature";

/// What is signed begins with this, so that a key that is used for something else, too, signs nothing
/// of it here.
const CONTEXT: &[u8] = b"virt record 1\n";

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

/// How records are signed, and which are believed.
#[derive(Clone, Debug)]
pub struct Signing {
    /// What is signed with, and believed.
    pub key: Key,
    /// What is believed, too, and signed anew.
    pub old: Vec<Key>,
    /// Until when records without a signature are believed, and signed.
    pub accept_unsigned_until: Option<Timestamp>,
}

/// Whose signature a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    Now,
    Before,
    Not,
    Wrongly,
}

impl Signing {
    /// Whose signature an element has that stands on the object of this UUID.
    pub(super) fn of(&self, element: &Element, uuid: Uuid) -> Signed {
        let Some(signature) = element.attr(SIGNATURE) else { return Signed::Not };
        let Ok(signature) = BASE64.decode(signature.trim()) else { return Signed::Wrongly };
        let said = said(element, uuid);
        let is = |key: &Key| hmac::verify(&key.0, &said, &signature).is_ok();
        if is(&self.key) {
            Signed::Now
        } else if self.old.iter().any(is) {
            Signed::Before
        } else {
            Signed::Wrongly
        }
    }

    /// The signature of something that is no record, `context` being what it is.
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

    /// Signs what a definition has of records; says whether there was any.
    pub(super) fn sign(&self, definition: &mut Element, target: Uuid) -> bool {
        let uuid = definition.child_text("uuid");
        let uuid = uuid.and_then(|text| Uuid::parse_str(text.trim()).ok()).unwrap_or(target);
        let Some(metadata) = definition.child_mut("metadata") else { return false };
        let mut any = false;
        for element in metadata.elements_mut().filter(|e| is_signed(e)) {
            for previous in element.elements_mut().filter(|e| is_previous(e)) {
                self.sign_one(previous, uuid);
            }
            self.sign_one(element, uuid);
            any = true;
        }
        any
    }

    fn sign_one(&self, element: &mut Element, uuid: Uuid) {
        let tag = hmac::sign(&self.key.0, &said(element, uuid));
        element.set_attr(SIGNATURE, BASE64.encode(tag));
    }
}

/// What a seal is made of.
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

/// What an element says, in one way only: each part with its length before it. The version before is
/// in it by its signature, so that no older one takes its place.
fn said(element: &Element, uuid: Uuid) -> Vec<u8> {
    let mut out = CONTEXT.to_vec();
    let mut part = |bytes: &[u8]| {
        out.extend((bytes.len() as u64).to_be_bytes());
        out.extend(bytes);
    };
    part(element.name.local.as_bytes());
    part(uuid.as_bytes());
    let others = element.attributes.iter().filter(|a| a.name.local != SIGNATURE);
    let mut attributes: Vec<(&str, &str)> =
        others.map(|a| (a.name.local.as_str(), a.value.as_str())).collect();
    attributes.sort_unstable();
    for (name, value) in attributes {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    // a host may break the line
    part(element.text().split_whitespace().collect::<String>().as_bytes());
    for previous in element.elements().filter(|e| is_previous(e)) {
        part(previous.attr(SIGNATURE).unwrap_or_default().as_bytes());
    }
    out
}
