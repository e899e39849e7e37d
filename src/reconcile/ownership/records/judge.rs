//! Judgement of records: which of them are believed.

use super::canonical;
use super::signing::{Holder, Signed, Signing, is_ours, is_previous};
use crate::model::{Doubt, Observed, ObservedResource, Record};
use crate::reconcile::ownership::record::{
    APPLIED_MAX, SUM, Unpacked, is_intact, is_owned, unpack,
};
use crate::reconcile::plan::nic_migration::PARKED;
use jiff::Timestamp;
use xmltree::{Document, Element};

/// Largest unpacked manifest, in bytes, of a record that is judged first: inflated records take no room from
/// the others.
const SMALL: usize = 256 << 10;

/// Most bytes that the manifests of all small records of a host may unpack to together: the memory limit of
/// an inventory.
const SMALL_TOGETHER: usize = 256 << 20;

/// Most bytes that the manifests of all larger records may unpack to together.
const LARGE_TOGETHER: usize = 32 << 20;

/// Judges the records of all observed objects, and removes those that are not believed.
pub(super) fn judge(observed: &mut Observed, signing: Option<&Signing>, now: Timestamp) {
    let mut judge = Judge { signing, now, limit: SMALL, left: SMALL_TOGETHER };
    let mut large: Vec<&mut ObservedResource> = Vec::new();
    for host in observed.resources.values_mut() {
        if !judge.object(host) {
            large.push(host);
        }
    }
    judge = Judge { limit: APPLIED_MAX, left: LARGE_TOGETHER, ..judge };
    for host in large {
        judge.object(host);
    }
}

struct Judge<'a> {
    signing: Option<&'a Signing>,
    now: Timestamp,
    /// Bytes that one record may unpack to; `left` is the budget of all that follow together.
    limit: usize,
    left: usize,
}

/// Verdict on one record.
#[derive(Clone, Debug)]
enum Verdict {
    Sound,
    Renew(String),
    Doubtful(String),
    /// The record has to be judged with the larger ones.
    Large,
}

impl Judge<'_> {
    /// Judges the records on one object; returns whether that could be done.
    fn object(&mut self, host: &mut ObservedResource) -> bool {
        let holder = Holder { kind: host.id.kind, uuid: host.uuid };
        let owner_record = |definition: &Option<Document>| {
            let owner_record = definition
                .as_ref()?
                .as_element()
                .child("metadata")?
                .elements()
                .find(|e| is_owned(e));
            owner_record.cloned()
        };
        let (defined, runs) = (owner_record(&host.persistent), owner_record(&host.live));
        let Some(first) = self.record(holder, defined.as_ref()) else { return false };
        // the running definition mostly has the same record
        let second =
            if defined == runs { Some(first.clone()) } else { self.record(holder, runs.as_ref()) };
        let Some(second) = second else { return false };
        let notes = self.believes_notes();
        for (definition, record) in [(&mut host.persistent, &first), (&mut host.live, &second)] {
            if let Some(definition) = definition {
                // one that stays as it is goes on being shared
                if record.doubt.is_some() || record.previous.is_some() {
                    take_out(definition.to_mut(), record);
                }
                if !notes {
                    self.take_notes_out(definition.to_mut(), holder);
                }
            }
        }
        host.record = if defined.is_some() || host.persistent.is_some() { first } else { second };
        true
    }

    /// Judges a record; `None` if it belongs to the larger ones.
    fn record(&mut self, holder: Holder, owner_record: Option<&Element>) -> Option<Record> {
        let mut record = Record::default();
        let Some(owner_record) = owner_record else { return Some(record) };
        match self.version(holder, owner_record) {
            Verdict::Sound => {}
            Verdict::Renew(why) => record.renew = Some(why),
            Verdict::Doubtful(why) => {
                let set = owner_record.attr("set").unwrap_or_default().to_owned();
                record.doubt = Some(Doubt { set, why });
                return Some(record);
            }
            Verdict::Large => return None,
        }
        match owner_record.elements().find(|e| is_previous(e)).map(|e| self.version(holder, e)) {
            None | Some(Verdict::Sound | Verdict::Renew(_)) => {}
            Some(Verdict::Doubtful(why)) => record.previous = Some(why),
            Some(Verdict::Large) => return None,
        }
        Some(record)
    }

    fn version(&mut self, holder: Holder, version: &Element) -> Verdict {
        let verdict = match self.signing.map(|signing| (signing, signing.of(version, holder))) {
            None | Some((_, Signed::Now)) => Verdict::Sound,
            Some((_, Signed::Before)) => Verdict::Renew("it is signed with an old key".to_owned()),
            Some((_, Signed::Wrongly)) => {
                return doubtful("its signature is of no key that we know, or of something else");
            }
            Some((signing, Signed::Not)) if signing.accepts_unsigned(self.now) => {
                Verdict::Renew("it is not signed".to_owned())
            }
            Some((_, Signed::Not)) => return doubtful("it is not signed"),
            Some((signing, Signed::Formerly)) if signing.accepts_unsigned(self.now) => {
                Verdict::Renew("its signature is not of all that it says".to_owned())
            }
            Some((_, Signed::Formerly)) => {
                return doubtful(
                    "its signature is of an earlier virt, and not of all that it says",
                );
            }
        };
        match unpack(&version.text(), self.limit) {
            Unpacked::Large if self.limit < APPLIED_MAX => Verdict::Large,
            Unpacked::Large => doubtful("its manifest unpacks to more than 4 MiB"),
            Unpacked::Damaged => doubtful("its manifest cannot be unpacked"),
            Unpacked::Text(text) => match self.left.checked_sub(text.len()) {
                None => doubtful("the records of this host unpack to too much together"),
                Some(left) => {
                    self.left = left;
                    let sound = version.attr(SUM).is_none_or(|sum| sum == canonical::sum(version));
                    let intact = sound && is_intact(version, &text);
                    if intact {
                        verdict
                    } else {
                        doubtful("its digest is not that of its manifest")
                    }
                }
            },
        }
    }

    /// Whether notes beside records are believed without a signature.
    fn believes_notes(&self) -> bool {
        self.signing.is_none_or(|signing| signing.accepts_unsigned(self.now))
    }

    /// Removes unsigned notes: nobody's interfaces are moved because of them.
    fn take_notes_out(&self, definition: &mut Element, holder: Holder) {
        let Some(signing) = self.signing else { return };
        let Some(metadata) = definition.child_mut("metadata") else { return };
        metadata.remove_elements(|e| {
            let is_sound = || matches!(signing.of(e, holder), Signed::Now | Signed::Before);
            is_ours(e) && e.name.local == PARKED && !is_sound()
        });
    }
}

fn doubtful(why: &str) -> Verdict {
    Verdict::Doubtful(why.to_owned())
}

/// Removes from a definition the records that are not believed.
fn take_out(definition: &mut Element, record: &Record) {
    let Some(metadata) = definition.child_mut("metadata") else { return };
    if record.doubt.is_some() {
        metadata.remove_elements(is_owned);
    } else if record.previous.is_some() {
        let owner_records = metadata.elements_mut().filter(|e| is_owned(e));
        for owner_record in owner_records {
            owner_record.remove_elements(is_previous);
        }
    }
}
