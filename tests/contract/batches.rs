//! Batches, scopes, capabilities, and documents that are no definitions.

use super::Rule;
use super::subject::{Host, uuid_of};
use crate::support::ops;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use virt::drivers::{CancelToken, ExecContext};
use virt::error::{ErrorCode, ErrorKind};
use virt::model::{
    Affect, Call, Detail, DomainOp, Kind, OpKind, Outcome, ResourceId, Scope, State, UndefineKeep,
};

pub(super) const RULES: &[Rule] = &[
    ("outcomes_stand_in_the_order_of_the_calls", None, outcomes_stand_in_order),
    ("an_object_stops_at_its_first_failure", None, an_object_stops_at_its_first_failure),
    ("an_empty_batch_does_nothing", None, |host| {
        assert!(host.driver.execute(&[], &ExecContext::default()).is_empty());
    }),
    ("a_cancelled_batch_is_not_sent", None, a_cancelled_batch_is_not_sent),
    ("outcomes_are_reported_as_they_are_returned", None, outcomes_are_reported),
    ("what_is_not_there_is_not_found", None, what_is_not_there_is_not_found),
    ("a_scope_limits_what_is_read", None, a_scope_limits_what_is_read),
    ("a_host_that_was_hung_up_on_answers_again", None, a_host_that_was_hung_up_on_answers_again),
    ("bad_documents_are_refused", None, bad_documents_are_refused),
    ("unsupported_operations_are_refused", None, unsupported_operations_are_refused),
];

fn outcomes_stand_in_order(host: &Host) {
    let domains: Vec<_> = (0..20).map(|n| host.domain(&format!("order{n}"), "")).collect();
    let mut batch: Vec<Call> = Vec::new();
    for domain in &domains {
        batch.push(domain.call(DomainOp::Define { xml: domain.xml.clone() }));
    }
    for (n, domain) in domains.iter().enumerate() {
        // every third one is refused: it does not run
        let op = if n % 3 == 0 { DomainOp::Resume } else { DomainOp::SetAutostart { on: true } };
        batch.push(domain.call(op));
    }
    let outcomes = host.driver.execute(&batch, &ExecContext::default());
    assert_eq!(outcomes.len(), batch.len());
    for (n, domain) in domains.iter().enumerate() {
        assert_eq!(outcomes[n], Outcome::Done);
        assert_eq!(outcomes[domains.len() + n] == Outcome::Done, n % 3 != 0);
        assert_eq!(domain.seen().autostart, n % 3 != 0);
    }
}

fn an_object_stops_at_its_first_failure(host: &Host) {
    let (broken, other) = (host.domain("broken", ""), host.domain("other", ""));
    let outcomes = host.driver.execute(
        &[
            broken.call(DomainOp::Define { xml: broken.xml.clone() }),
            broken.call(DomainOp::Destroy),
            other.call(DomainOp::Define { xml: other.xml.clone() }),
            broken.call(DomainOp::SetAutostart { on: true }),
            broken.call(DomainOp::Create { paused: false }),
            other.call(DomainOp::SetAutostart { on: true }),
        ],
        &ExecContext::default(),
    );
    let word = |outcome: &Outcome| match outcome {
        Outcome::Done => "done",
        Outcome::Refused(e) if e.is(ErrorCode::OPERATION_INVALID) => "refused",
        Outcome::NotSent(e) if e.kind == ErrorKind::NotSent => "not sent",
        other => panic!("{other:?}"),
    };
    let words: Vec<_> = outcomes.iter().map(word).collect();
    assert_eq!(words, ["done", "refused", "done", "not sent", "not sent", "done"]);
    broken.is(State::Shutoff);
    assert!(!broken.seen().autostart && other.seen().autostart);
}

fn a_cancelled_batch_is_not_sent(host: &Host) {
    let (one, two) = (host.domain("one", ""), host.domain("two", ""));
    one.define();
    let cancel = CancelToken::default();
    cancel.stop();
    let batch = [
        one.call(DomainOp::Create { paused: false }),
        one.call(DomainOp::Destroy),
        two.call(DomainOp::Define { xml: two.xml.clone() }),
    ];
    let outcomes = host.driver.execute(&batch, &ExecContext::new(cancel, &|_, _| {}));
    assert_eq!(outcomes.len(), batch.len());
    for outcome in outcomes {
        let is_cancelled =
            matches!(&outcome, Outcome::NotSent(e) if e.kind == ErrorKind::Cancelled);
        assert!(is_cancelled, "{outcome:?}");
    }
    one.is(State::Shutoff);
    assert!(two.look().is_none());
    // the connection is as good as before
    one.start().done(DomainOp::Destroy);
}

fn outcomes_are_reported(host: &Host) {
    let (one, two) = (host.domain("one", ""), host.domain("two", ""));
    let batch = [
        one.call(DomainOp::Define { xml: one.xml.clone() }),
        two.call(DomainOp::Define { xml: two.xml.clone() }),
        one.call(DomainOp::Destroy),
        one.call(DomainOp::SetAutostart { on: true }),
        two.call(DomainOp::SetAutostart { on: true }),
    ];
    let reported = RefCell::new(BTreeMap::new());
    let progress = |index, outcome: &Outcome| {
        let before = reported.borrow_mut().insert(index, outcome.clone());
        assert!(before.is_none(), "{index} is reported twice: {before:?}, {outcome:?}");
    };
    let cancel = CancelToken::default();
    let outcomes = host.driver.execute(&batch, &ExecContext::new(cancel, &progress));
    assert_eq!(reported.into_inner().into_values().collect::<Vec<_>>(), outcomes);
}

fn what_is_not_there_is_not_found(host: &Host) {
    let ops = |kind| {
        [
            ops::undefine(kind, UndefineKeep::Nothing),
            ops::create(kind, false),
            ops::destroy(kind),
            ops::set_autostart(kind, true),
        ]
    };
    let here = host.domain("here", "");
    here.define();
    for (op, on_network) in ops(Kind::Domain).into_iter().zip(ops(Kind::Network)) {
        host.domain("nowhere", "").refused(op.clone(), &[ErrorCode::NO_DOMAIN]);
        host.network("nowhere", "").refused(on_network, &[ErrorCode::NO_NETWORK]);
        // the UUID decides, not the name
        let mut call = here.call(op);
        call.target.uuid = uuid_of("somebody else");
        let outcome = host.driver.execute(&[call], &ExecContext::default());
        assert!(
            matches!(&outcome[..], [Outcome::Refused(e)] if e.is(ErrorCode::NO_DOMAIN)),
            "{outcome:?}"
        );
    }
    here.is(State::Shutoff);
}

fn a_scope_limits_what_is_read(host: &Host) {
    let (one, two) = (host.domain("one", ""), host.network("two", ""));
    one.define().start();
    two.define();
    let only = Some(BTreeSet::from([one.id.clone(), ResourceId::new(Kind::Network, "none")]));
    let seen = host.driver.observe(&Scope { only, detail: Detail::State }).unwrap().resources;
    assert_eq!(seen.keys().collect::<Vec<_>>(), [&one.id]);
    let resource = &seen[&one.id];
    assert_eq!((resource.state, resource.uuid), (State::Running, one.uuid));
    assert!(resource.is_persistent && resource.persistent.is_none() && resource.live.is_none());
    one.done(DomainOp::Destroy);
}

fn a_host_that_was_hung_up_on_answers_again(host: &Host) {
    let one = host.domain("hung", "");
    one.define();
    host.driver.disconnect_idle();
    one.start();
    host.driver.disconnect_idle();
    host.driver.disconnect_idle();
    one.is(State::Running);
    one.done(DomainOp::Destroy);
}

fn bad_documents_are_refused(host: &Host) {
    let wrong = [ErrorCode::XML_ERROR, ErrorCode::XML_DETAIL];
    let missing = [ErrorCode::NO_NAME, ErrorCode::XML_ERROR, ErrorCode::INTERNAL_ERROR];
    let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
    for text in ["", " ", "\0", "<", "<domain", "<domain></network>", "text", "<pool/>", &deep] {
        for object in [host.domain("bad", ""), host.network("bad", "")] {
            object.refused(ops::define(object.id.kind, text), &wrong);
        }
    }
    for text in ["<domain/>", "<domain type='test'><name/></domain>"] {
        host.domain("bad", "").refused(DomainOp::Define { xml: text.to_owned() }, &missing);
    }
    let slash = host.domain("a/b", "");
    slash.refused(DomainOp::Define { xml: slash.xml.clone() }, &wrong);
    let line = host.domain("a\nb", "");
    line.refused(DomainOp::Define { xml: line.xml.clone() }, &wrong);
}

fn unsupported_operations_are_refused(host: &Host) {
    let network = host.network("plain", "");
    network.define();
    let unsupported =
        [ErrorCode::NO_SUPPORT, ErrorCode::OPERATION_UNSUPPORTED, ErrorCode::INVALID_ARG];
    for op in [DomainOp::Suspend, DomainOp::Resume, DomainOp::Shutdown] {
        assert!(!host.supports(Kind::Network, op.kind()));
        network.refused(op, &unsupported);
    }
    let domain = host.domain("bare", "");
    domain.define().start();
    let (xml, affect) = ("<input type='tablet' bus='usb'/>".to_owned(), Affect::Config);
    for op in [
        DomainOp::Attach { xml: xml.clone(), affect },
        DomainOp::Detach { xml: xml.clone(), affect },
        DomainOp::Update { xml, affect },
    ] {
        if !host.supports(Kind::Domain, op.kind()) {
            domain.refused(op, &unsupported);
        }
    }
    domain.done(DomainOp::Destroy);
    assert!(host.supports(Kind::Domain, OpKind::Define));
    assert!(host.supports(Kind::Network, OpKind::Define));
}
