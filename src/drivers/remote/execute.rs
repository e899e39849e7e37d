//! Carrying out a batch of calls: objects overlap, the calls of one object follow each other.

use super::connection::{Completion, Connection, Reply, Request, wait};
use super::lanes::Lanes;
use crate::diag::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Call, Outcome, ResourceId};
use crate::wire::Class;
use std::collections::{HashMap, VecDeque};

/// Carries out `batch`; `request` says how a call is sent.
///
/// A call of an object is sent when the one before it was answered: a server works on several calls
/// of a connection at once and keeps no order among them.
pub(super) fn execute(
    lanes: &mut Lanes,
    batch: &[Call],
    request: impl Fn(&Call) -> Result<Request>,
) -> Vec<Outcome> {
    let mut run = Run::new(batch, request);
    loop {
        run.submit(lanes, Class::Quick);
        run.submit(lanes, Class::Long);
        let mut busy = lanes.busy();
        if busy.is_empty() && run.is_drained() {
            break;
        }
        wait(&mut busy);
        for connection in busy {
            while let Some(completion) = connection.take() {
                run.settle(completion);
            }
        }
    }
    let unreached = || Outcome::Refused(aborted("the call was not reached"));
    run.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unreached)).collect()
}

struct Run<'a, F> {
    batch: &'a [Call],
    request: F,
    outcomes: Vec<Option<Outcome>>,
    /// What is left of each object, by index into the batch, in order.
    chains: HashMap<&'a ResourceId, VecDeque<usize>>,
    /// Calls that may be sent, by class.
    quick: VecDeque<(usize, Request)>,
    long: VecDeque<(usize, Request)>,
    /// Why a connection cannot be opened: it is tried once a batch.
    unreachable: Option<Error>,
}

impl<'a, F: Fn(&Call) -> Result<Request>> Run<'a, F> {
    fn new(batch: &'a [Call], request: F) -> Self {
        let mut chains: HashMap<&ResourceId, VecDeque<usize>> = HashMap::new();
        let mut objects = Vec::new();
        for (index, call) in batch.iter().enumerate() {
            let chain = chains.entry(&call.target.id).or_default();
            if chain.is_empty() {
                objects.push(&call.target.id);
            }
            chain.push_back(index);
        }
        let outcomes = batch.iter().map(|_| None).collect();
        let (quick, long) = (VecDeque::new(), VecDeque::new());
        let mut run = Self { batch, request, outcomes, chains, quick, long, unreachable: None };
        for id in objects {
            run.advance(id);
        }
        run
    }

    /// Makes the next call of an object ready, or refuses it with all that follow.
    fn advance(&mut self, id: &'a ResourceId) {
        let Some(index) = self.chains.get_mut(id).and_then(VecDeque::pop_front) else { return };
        let Some(call) = self.batch.get(index) else { return };
        match (self.request)(call) {
            Ok(request) => self.ready(request.procedure.class()).push_back((index, request)),
            Err(error) => self.finish(index, Outcome::Refused(error)),
        }
    }

    fn ready(&mut self, class: Class) -> &mut VecDeque<(usize, Request)> {
        match class {
            Class::Quick => &mut self.quick,
            Class::Long => &mut self.long,
        }
    }

    fn is_drained(&self) -> bool {
        self.quick.is_empty() && self.long.is_empty()
    }

    /// Sends what is ready of a class, as far as the window goes.
    fn submit(&mut self, lanes: &mut Lanes, class: Class) {
        while let Some((index, request)) = self.ready(class).pop_front() {
            match self.connection(lanes, class) {
                Ok(connection) if connection.has_room(Lanes::window(class)) => {
                    connection.submit(index, request);
                }
                Ok(_) => {
                    self.ready(class).push_front((index, request));
                    return;
                }
                Err(error) => self.finish(index, Outcome::Refused(error)),
            }
        }
    }

    fn connection<'l>(&mut self, lanes: &'l mut Lanes, class: Class) -> Result<&'l mut Connection> {
        if let Some(error) = &self.unreachable {
            return Err(error.clone());
        }
        lanes.connection(class).inspect_err(|error| self.unreachable = Some(error.clone()))
    }

    fn settle(&mut self, completion: Completion) {
        let outcome = match completion.reply {
            Reply::Done(_) => Outcome::Done,
            Reply::Refused(error) | Reply::Unsent(error) => Outcome::Refused(error),
            Reply::Lost(error) => Outcome::Unknown(error),
        };
        self.finish(completion.ticket, outcome);
    }

    /// Writes down what became of a call, and goes on with its object or gives it up.
    fn finish(&mut self, index: usize, outcome: Outcome) {
        let Some(Call { target, .. }) = self.batch.get(index) else { return };
        let done = outcome == Outcome::Done;
        let address = target.id.to_string();
        let outcome = match outcome {
            Outcome::Done => Outcome::Done,
            Outcome::Refused(error) => Outcome::Refused(error.address(address)),
            Outcome::Unknown(error) => Outcome::Unknown(error.address(address)),
        };
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = Some(outcome);
        }
        if done {
            self.advance(&target.id);
            return;
        }
        for later in self.chains.remove(&target.id).unwrap_or_default() {
            let error = aborted("an earlier step of the same object was not done");
            if let Some(slot) = self.outcomes.get_mut(later) {
                *slot = Some(Outcome::Refused(error.address(target.id.to_string())));
            }
        }
    }
}

fn aborted(message: &str) -> Error {
    Error::new(ErrorCode::OPERATION_ABORTED, ErrorDomain::REMOTE, message)
}
