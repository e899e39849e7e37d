//! Carrying out a batch of calls: objects overlap, the calls of one object follow each other.

use super::connection::{Completion, Connection, Reply, Request, wait};
use super::connections::ConnectionPair;
use crate::drivers::ExecContext;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Call, Outcome, ResourceId, Target};
use libvirt_rpc::Class;
use std::collections::{HashMap, HashSet, VecDeque};

/// Builder of requests for calls.
pub(super) trait Requests {
    /// The request that carries out a call.
    ///
    /// # Errors
    /// There is none.
    fn request(&self, call: &Call) -> Result<Request>;

    /// Returns a question that the call's object has to answer first, with any answer; `None` if the call
    /// does not depend on that.
    fn question(&self, call: &Call) -> Option<Request>;
}

/// Progress of a batch.
#[derive(Debug)]
pub(super) struct Executed<'a> {
    /// Outcome of each call.
    pub(super) outcomes: Vec<Outcome>,
    /// The objects that did not answer a question.
    pub(super) silent: Vec<&'a Target>,
}

/// Carries out `batch`.
///
/// A call of an object is sent when the one before it was answered: a server works on several calls
/// of a connection at once and keeps no order among them. One that asks something of a running guest
/// is sent once that has shown that it answers: the call itself would wait for it without end, all
/// others with it, and nobody could tell whether it is still carried out one day.
pub(super) fn execute<'a>(
    connections: &mut ConnectionPair,
    batch: &'a [Call],
    requests: &impl Requests,
    context: &ExecContext<'_>,
) -> Executed<'a> {
    let mut run = Run::new(batch, requests, context);
    loop {
        if context.is_cancelled() {
            run.cancel();
        }
        run.submit(connections, Class::Quick);
        run.submit(connections, Class::Long);
        let mut busy = connections.busy();
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
    let unreached = || Outcome::NotSent(not_sent("the call was not reached"));
    let outcomes = run.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unreached));
    Executed { outcomes: outcomes.collect(), silent: run.silent }
}

struct Run<'a, 'r, R> {
    batch: &'a [Call],
    requests: &'r R,
    context: &'r ExecContext<'r>,
    outcomes: Vec<Option<Outcome>>,
    /// Calls left for each object, by index into the batch, in order.
    chains: HashMap<&'a ResourceId, VecDeque<usize>>,
    /// Calls that may be sent, by class.
    quick: VecDeque<(usize, Request)>,
    long: VecDeque<(usize, Request)>,
    /// The calls whose objects are asked whether they answer, by ticket: the calls' own come first.
    questions: HashMap<usize, usize>,
    /// The objects that have answered, and those that did not.
    answers: HashSet<&'a ResourceId>,
    silent: Vec<&'a Target>,
    /// Reason for which a connection cannot be opened: that is tried once per batch.
    unreachable: Option<Error>,
}

impl<'a, 'r, R: Requests> Run<'a, 'r, R> {
    fn new(batch: &'a [Call], requests: &'r R, context: &'r ExecContext<'r>) -> Self {
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
        let mut run = Self {
            batch,
            requests,
            context,
            outcomes,
            chains,
            quick: VecDeque::new(),
            long: VecDeque::new(),
            questions: HashMap::new(),
            answers: HashSet::new(),
            silent: Vec::new(),
            unreachable: None,
        };
        for id in objects {
            run.advance(id);
        }
        run
    }

    /// Makes the next call of an object ready, or refuses it with all that follow.
    fn advance(&mut self, id: &'a ResourceId) {
        let Some(index) = self.chains.get_mut(id).and_then(VecDeque::pop_front) else { return };
        let Some(call) = self.batch.get(index) else { return };
        let question = || self.requests.question(call);
        if let Some(question) = (!self.answers.contains(id)).then(question).flatten() {
            let ticket = self.batch.len() + index;
            self.questions.insert(ticket, index);
            self.ready(question.procedure.class()).push_back((ticket, question));
            return;
        }
        self.send(index, call);
    }

    fn send(&mut self, index: usize, call: &Call) {
        match self.requests.request(call) {
            Ok(request) => self.ready(request.procedure.class()).push_back((index, request)),
            Err(error) => self.finish(index, Outcome::Refused(error)),
        }
    }

    /// An object was asked whether it answers: a refusal is an answer, too.
    fn asked(&mut self, index: usize, reply: Reply) {
        let Some(call) = self.batch.get(index) else { return };
        match reply {
            Reply::Done(_) | Reply::Refused(_) if self.context.is_cancelled() => {
                self.finish(index, Outcome::NotSent(ExecContext::cancelled()));
            }
            Reply::Done(_) | Reply::Refused(_) => {
                self.answers.insert(&call.target.id);
                self.send(index, call);
            }
            Reply::Lost(error) if error.kind == ErrorKind::Timeout => {
                self.silent.push(&call.target);
                self.finish(index, Outcome::NotSent(no_answer(UNANSWERED)));
            }
            Reply::Lost(error) | Reply::Unsent(error) => {
                self.finish(index, Outcome::NotSent(error));
            }
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

    /// Sends the ready calls of a class, as far as the window allows.
    fn submit(&mut self, connections: &mut ConnectionPair, class: Class) {
        while let Some((index, request)) = self.ready(class).pop_front() {
            match self.connection(connections, class) {
                Ok(connection) if connection.has_room(ConnectionPair::window(class)) => {
                    connection.submit(index, request);
                }
                Ok(_) => {
                    self.ready(class).push_front((index, request));
                    return;
                }
                Err(error) => {
                    self.settle(Completion { ticket: index, reply: Reply::Unsent(error) });
                }
            }
        }
    }

    fn connection<'l>(
        &mut self,
        connections: &'l mut ConnectionPair,
        class: Class,
    ) -> Result<&'l mut Connection> {
        if let Some(error) = &self.unreachable {
            return Err(error.clone());
        }
        connections.connection(class).inspect_err(|error| self.unreachable = Some(error.clone()))
    }

    fn settle(&mut self, completion: Completion) {
        if let Some(index) = self.questions.remove(&completion.ticket) {
            return self.asked(index, completion.reply);
        }
        let outcome = match completion.reply {
            Reply::Done(_) => Outcome::Done,
            Reply::Refused(error) => Outcome::Refused(error),
            Reply::Unsent(error) => Outcome::NotSent(error),
            Reply::Lost(error) => Outcome::Unknown(error),
        };
        self.finish(completion.ticket, outcome);
    }

    /// Records the outcome of a call, and goes on with its object or gives it up.
    fn finish(&mut self, index: usize, outcome: Outcome) {
        let Some(Call { target, .. }) = self.batch.get(index) else { return };
        let done = outcome == Outcome::Done;
        let address = target.id.to_string();
        let outcome = match outcome {
            Outcome::Done => Outcome::Done,
            Outcome::Refused(error) => Outcome::Refused(error.address(address)),
            Outcome::NotSent(error) => Outcome::NotSent(error.address(address)),
            Outcome::Unknown(error) => Outcome::Unknown(error.address(address)),
        };
        self.record(index, outcome);
        if done {
            self.advance(&target.id);
            return;
        }
        for later in self.chains.remove(&target.id).unwrap_or_default() {
            let error = not_sent("an earlier step of the same object was not done");
            self.record(later, Outcome::NotSent(error.address(target.id.to_string())));
        }
    }

    fn record(&mut self, index: usize, outcome: Outcome) {
        self.context.report(index, &outcome);
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = Some(outcome);
        }
    }

    /// Gives up all calls that were not sent. One whose object was asked whether it answers is given up, too,
    /// once it has.
    fn cancel(&mut self) {
        for (id, later) in std::mem::take(&mut self.chains) {
            for index in later {
                let error = ExecContext::cancelled().address(id.to_string());
                self.record(index, Outcome::NotSent(error));
            }
        }
        let ready: Vec<(usize, Request)> =
            self.quick.drain(..).chain(self.long.drain(..)).collect();
        for (ticket, _) in ready {
            let index = self.questions.remove(&ticket).unwrap_or(ticket);
            self.finish(index, Outcome::NotSent(ExecContext::cancelled()));
        }
    }
}

/// Reason for which an object gets no calls.
pub(super) const UNANSWERED: &str = "its QEMU has not answered for 5 s";

/// The error of a call that is not sent, since its object does not answer.
pub(super) fn no_answer(why: &str) -> Error {
    let message = format!("the guest does not answer: {why}");
    let hint = "see whether its process is stopped, or waits for storage; it was asked for nothing";
    Error::new(ErrorKind::Timeout, message).hint(hint)
}

fn not_sent(message: &str) -> Error {
    Error::new(ErrorKind::NotSent, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::super::fake_server::{self, Server};
    use super::super::request;
    use super::super::session::Host;
    use super::super::trace::Trace;
    use super::super::transport::HostAddress;
    use super::*;
    use crate::drivers::Hypervisor;
    use crate::error::ErrorCode;
    use crate::model::{DomainOp, Kind, Target, Uuid, Version};
    use libvirt_rpc::{Decode as _, DomainHandle, Packet, Procedure, Reader};
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex, mpsc};
    use std::time::Duration;

    fn call(name: &str, op: DomainOp) -> Call {
        let id = ResourceId::new(Kind::Domain, name);
        Call { target: Target { id, uuid: Uuid::nil() }, op: op.into() }
    }

    fn autostart(name: &str) -> Call {
        call(name, DomainOp::SetAutostart { on: true })
    }

    fn host() -> Host {
        Host {
            hypervisor: Hypervisor::Qemu,
            version: Version::new(11, 3, 0),
            uri: String::new(),
            network_update_in_order: true,
        }
    }

    /// A host's number, or the kind of an error of ours.
    fn said(error: &Error) -> String {
        error.code().map_or_else(|| error.kind.as_str().to_owned(), |code| format!("{code:?}"))
    }

    /// Requests with little time, which ask their objects first or do not.
    struct Short {
        asks: bool,
    }

    impl Short {
        fn soon(request: Request) -> Request {
            Request { time: Duration::from_millis(300), ..request }
        }
    }

    impl Requests for Short {
        fn request(&self, call: &Call) -> Result<Request> {
            request::request(&host(), call).map(Self::soon)
        }

        fn question(&self, call: &Call) -> Option<Request> {
            request::question(&host(), call).filter(|_| self.asks).map(Self::soon)
        }
    }

    type Script = Box<dyn FnOnce(&mut Server) + Send>;

    /// Carries out `batch` over connections that behave as `scripts` say, one after the other; when
    /// they are used up there is no server any more.
    fn run(scripts: Vec<Script>, batch: &[Call]) -> Vec<String> {
        let scripts = Mutex::new(VecDeque::from(scripts));
        let mut connections =
            ConnectionPair::new(Arc::new(move || match scripts.lock().unwrap().pop_front() {
                Some(script) => Ok(fake_server::connection(script)),
                None => {
                    let nowhere = HostAddress::Unix("/nonexistent".into());
                    Err(nowhere.open(&mut Trace::default()).unwrap_err())
                }
            }));
        let short = Short { asks: false };
        let outcomes = execute(&mut connections, batch, &short, &ExecContext::default()).outcomes;
        outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Done => "done".to_owned(),
                Outcome::Refused(error) => format!("refused {}", said(error)),
                Outcome::NotSent(error) => format!("not sent: {}", said(error)),
                Outcome::Unknown(error) => format!("unknown: {}", said(error)),
            })
            .collect()
    }

    /// Answers all calls but those of `failing`, and writes down which came.
    fn honest(seen: &Arc<Mutex<Vec<(String, Procedure)>>>, failing: &'static str) -> Script {
        let seen = Arc::clone(seen);
        Box::new(move |server| {
            server.serve(|procedure, args| {
                let name = if procedure == Procedure::DOMAIN_DEFINE_XML_FLAGS {
                    "defined".to_owned()
                } else {
                    DomainHandle::decode(&mut Reader::new(args)).unwrap().name
                };
                let refused = name == failing;
                seen.lock().unwrap().push((name, procedure));
                if refused {
                    Err(fake_server::refusal(ErrorCode::OPERATION_INVALID))
                } else {
                    Ok(vec![])
                }
            });
        })
    }

    #[test]
    fn calls_of_an_object_follow_each_other_over_both_connections() {
        let seen = Arc::default();
        let batch = [
            call("a", DomainOp::Define { xml: "<domain/>".into() }),
            autostart("b"),
            call("a", DomainOp::Create { paused: false }),
            autostart("a"),
            call("b", DomainOp::Destroy),
            call("b", DomainOp::Suspend),
        ];
        let outcomes = run(vec![honest(&seen, "b"), honest(&seen, "")], &batch);
        let refused = "refused OPERATION_INVALID";
        let aborted = "not sent: not-sent";
        assert_eq!(outcomes, ["done", refused, "done", "done", aborted, aborted]);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.iter().filter(|(name, _)| name == "b").count(), 1);
        let of_a: Vec<_> = seen.iter().filter(|(name, _)| name != "b").map(|(_, p)| *p).collect();
        let (define, create) =
            (Procedure::DOMAIN_DEFINE_XML_FLAGS, Procedure::DOMAIN_CREATE_WITH_FLAGS);
        assert_eq!(of_a, [define, create, Procedure::DOMAIN_SET_AUTOSTART]);
    }

    #[test]
    fn one_connection_serves_for_all_calls_where_another_would_be_another_host() {
        let seen = Arc::default();
        let script = Mutex::new(Some(honest(&seen, "")));
        let mut connections = ConnectionPair::single(Arc::new(move || {
            Ok(fake_server::connection(script.lock().unwrap().take().unwrap()))
        }));
        let batch = [autostart("a"), call("b", DomainOp::Destroy), call("a", DomainOp::Destroy)];
        let outcomes =
            execute(&mut connections, &batch, &Short { asks: false }, &ExecContext::default())
                .outcomes;
        assert_eq!(outcomes, vec![Outcome::Done; 3]);
    }

    #[test]
    fn a_host_that_says_aborted_has_refused() {
        let script: Script = Box::new(|server| {
            server.serve(|_, _| Err(fake_server::refusal(ErrorCode::OPERATION_ABORTED)));
        });
        let outcomes = run(vec![script], &[autostart("a"), autostart("a")]);
        assert_eq!(outcomes, ["refused OPERATION_ABORTED", "not sent: not-sent"]);
    }

    #[test]
    fn a_lost_connection_loses_what_was_sent_and_is_opened_again() {
        let (gone, wait_for) = mpsc::channel();
        let cut: Script = Box::new(move |server| {
            server.call();
            server.disconnect_idle();
            gone.send(()).unwrap();
        });
        let afterwards: Script = Box::new(move |server| {
            let call = server.call();
            wait_for.recv().unwrap();
            server.reply(call, &());
            server.packet();
        });
        let seen = Arc::default();
        let batch = [autostart("a"), autostart("a"), call("b", DomainOp::Suspend), autostart("b")];
        // the first connection is for quick calls, the second for long ones
        let scripts = vec![cut, afterwards, honest(&seen, "")];
        assert_eq!(
            run(scripts, &batch),
            ["unknown: protocol", "not sent: not-sent", "done", "done"]
        );
    }

    #[test]
    fn without_a_server_everything_is_refused() {
        let batch = [autostart("a"), autostart("a"), call("b", DomainOp::Destroy)];
        assert_eq!(run(vec![], &batch), ["not sent: io", "not sent: not-sent", "not sent: io"]);
    }

    #[test]
    fn four_long_calls_are_outstanding_and_a_hung_one_does_not_hold_up_quick_ones() {
        let most = Arc::new(Mutex::new(0));
        let told = Arc::clone(&most);
        let hung: Script = Box::new(move |server| {
            while let Some(Packet { .. }) = server.packet() {
                *told.lock().unwrap() += 1;
            }
        });
        let seen = Arc::default();
        let mut batch: Vec<Call> =
            (0..5).map(|i| call(&format!("hung{i}"), DomainOp::Destroy)).collect();
        batch.push(autostart("quick"));
        let outcomes = run(vec![honest(&seen, ""), hung, honest(&seen, "")], &batch);
        let late = "unknown: timeout";
        assert_eq!(outcomes, [late, late, late, late, "done", "done"]);
        assert_eq!(*most.lock().unwrap(), 4);
    }

    #[test]
    fn what_does_not_answer_is_asked_for_nothing_and_others_go_on() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let script: Script = Box::new(move |server| {
            while let Some(Packet { header, payload }) = server.packet() {
                let name = DomainHandle::decode(&mut Reader::new(&payload)).unwrap().name;
                told.lock().unwrap().push((name.clone(), header.procedure));
                if name != "hung" {
                    server.reply(header, &());
                }
            }
        });
        let quick: Script = Box::new(|server| server.serve(|_, _| Ok(vec![])));
        let scripts = Mutex::new(VecDeque::from([script, quick]));
        let mut connections = ConnectionPair::new(Arc::new(move || {
            Ok(fake_server::connection(scripts.lock().unwrap().pop_front().unwrap()))
        }));
        let batch = [
            call("hung", DomainOp::Resume),
            call("hung", DomainOp::Suspend),
            call("well", DomainOp::Resume),
            call("well", DomainOp::Suspend),
            call("down", DomainOp::Destroy),
        ];
        let executed =
            execute(&mut connections, &batch, &Short { asks: true }, &ExecContext::default());
        let said = executed.outcomes.iter().map(|outcome| match outcome {
            Outcome::NotSent(error) => error.kind.as_str(),
            outcome => {
                assert_eq!(*outcome, Outcome::Done);
                "done"
            }
        });
        assert_eq!(said.collect::<Vec<_>>(), ["timeout", "not-sent", "done", "done", "done"]);
        assert_eq!(
            executed.silent.iter().map(|t| t.id.name.as_str()).collect::<Vec<_>>(),
            ["hung"]
        );
        let seen = seen.lock().unwrap();
        let of = |name: &str| seen.iter().filter(|(n, _)| n == name).map(|(_, p)| *p).collect();
        let asked = Procedure::DOMAIN_GET_IOTHREAD_INFO;
        let of_hung: Vec<Procedure> = of("hung");
        let (of_well, of_down): (Vec<Procedure>, Vec<Procedure>) = (of("well"), of("down"));
        assert_eq!(of_hung, [asked]);
        assert_eq!(of_well, [asked, Procedure::DOMAIN_RESUME, Procedure::DOMAIN_SUSPEND]);
        assert_eq!(of_down, [Procedure::DOMAIN_DESTROY_FLAGS]);
    }

    #[test]
    fn a_call_that_no_kind_has_is_refused_unsent() {
        let batch = [Call {
            target: Target { id: ResourceId::new(Kind::Network, "n"), uuid: Uuid::nil() },
            op: DomainOp::Suspend.into(),
        }];
        assert_eq!(run(vec![], &batch), ["refused unsupported"]);
    }
}
