//! Objects that did not answer in time. They are not waited for again, but asked beside everything
//! else, over a connection of their own: one question each, as each takes a thread of the daemon.

use super::connection::{Connection, Reply, Request, wait_until};
use super::connections::Dial;
use super::execute::UNANSWERED;
use super::reading::reading;
use super::timeouts;
use crate::error::ErrorCode;
use crate::model::{ResourceId, Target};
use libvirt_rpc::{DomainHandle, Procedure, to_bytes};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Questions that are open at once. A daemon works on five calls of a client; one is left for its
/// sign of life.
const OPEN_MAX: usize = 4;

/// Time to wait for an answer that may be on its way: an event that a guest goes on comes at the same time.
const JUST_COMING: Duration = Duration::from_millis(100);

/// Object that may be silent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A domain or a network.
    Object(ResourceId),
    /// A storage pool, by its name.
    Pool(String),
}

/// An object that does not answer.
#[derive(Debug)]
struct Object {
    /// Procedure of the question about it.
    procedure: Procedure,
    args: Vec<u8>,
    why: String,
    /// The number of the question that is open.
    asked: Option<usize>,
}

/// Objects that do not answer.
#[derive(Debug, Default)]
pub(super) struct Silent {
    objects: BTreeMap<Subject, Object>,
    connection: Option<Connection>,
    questions: usize,
}

impl Silent {
    /// Returns the reason for which an object is not waited for; `None` if it may be asked.
    pub(super) fn why(&self, subject: &Subject) -> Option<&str> {
        self.objects.get(subject).map(|object| object.why.as_str())
    }

    /// A domain or a network did not answer; it is asked by its handle, in XDR.
    pub(super) fn note(&mut self, id: ResourceId, handle: Vec<u8>, why: &str) {
        let procedure = reading(id.kind).procedure;
        let mut args = handle;
        // without flags: neither definition is given before the guest has answered
        args.extend(0u32.to_be_bytes());
        self.note_call(Subject::Object(id), procedure, args, why);
    }

    /// A running domain's QEMU did not answer.
    pub(super) fn note_domain(&mut self, target: &Target) {
        let domain = DomainHandle { name: target.id.name.clone(), uuid: target.uuid, id: -1 };
        if let Ok(handle) = to_bytes(&domain) {
            self.note(target.id.clone(), handle, UNANSWERED);
        }
    }

    /// A call about something was not answered; it is made again.
    pub(super) fn note_call(
        &mut self,
        subject: Subject,
        procedure: Procedure,
        args: Vec<u8>,
        why: &str,
    ) {
        let object = Object { procedure, args, why: why.to_owned(), asked: None };
        self.objects.insert(subject, object);
    }

    /// Collects the answers that have come, and asks the objects that were not asked, or gave no answer. One
    /// that answers is no longer silent.
    pub(super) fn hear(&mut self, dial: Option<&Dial>) {
        if self.objects.is_empty() {
            self.connection = None;
            return;
        }
        self.take();
        let open = self.objects.values().filter(|object| object.asked.is_some()).count();
        let room = OPEN_MAX.saturating_sub(open);
        let usable = self.connection.take().filter(|c| c.failure().is_none());
        let dialled = || dial.and_then(|dial| dial().ok());
        let Some(mut connection) = usable.or_else(dialled) else { return };
        let unasked = self.objects.values_mut().filter(|object| object.asked.is_none());
        for object in unasked.take(room) {
            let (procedure, args) = (object.procedure, object.args.clone());
            self.questions += 1;
            object.asked = Some(self.questions);
            connection.submit(self.questions, Request { procedure, args, time: timeouts::PATIENT });
        }
        wait_until(&mut connection, Instant::now());
        self.connection = Some(connection);
    }

    fn take(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        wait_until(connection, Instant::now() + JUST_COMING);
        while let Some(completion) = connection.take() {
            let gone = [ErrorCode::NO_DOMAIN, ErrorCode::NO_NETWORK, ErrorCode::NO_STORAGE_POOL];
            let answers = match &completion.reply {
                Reply::Done(_) => true,
                Reply::Refused(error) => error.is_any(&gone),
                Reply::Unsent(_) | Reply::Lost(_) => false,
            };
            self.objects.retain(|_, object| {
                let is_this = object.asked == Some(completion.ticket);
                if is_this {
                    object.asked = None;
                }
                !(is_this && answers)
            });
        }
    }
}
