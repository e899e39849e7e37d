//! `virt get --wide`: asks how domains run, and what they run on.

use super::context::Context;
use super::options::Format;
use super::output::Paint;
use super::session::Host;
use super::view::wide::{self, Running, Wide};
use crate::error::{Error, Result};
use crate::model::{AddressSource, Answer, ObservedResource, Query, Target};
use std::collections::BTreeMap;
use tracing::info;

/// Subject of the answers that failed, by the order in which they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Node,
    Sizes,
    Addresses,
}

/// Failed answers: their number, and the first error.
type Failures = BTreeMap<Subject, (usize, Error)>;

/// Asks about these objects. An answer that fails is unknown, and is reported once for all of its sort.
pub(super) fn ask<'a>(
    context: &Context,
    host: &Host,
    objects: impl Iterator<Item = &'a ObservedResource>,
    source: AddressSource,
) -> Wide {
    let mut wide = Wide::default();
    let mut queries = vec![Query::Node];
    for object in objects.filter(|object| object.id.kind.is_guest()) {
        let target = Target { id: object.id.clone(), uuid: object.uuid };
        // one that is off has no address
        let addresses = (!object.state.is_active()).then(Vec::new);
        if addresses.is_none() {
            queries.push(Query::Addresses(target.clone(), source));
        }
        queries.push(Query::DomainInfo(target));
        wide.domains.insert(object.id.clone(), Running { info: None, addresses });
    }
    let answers = host.driver.query_all(&queries);
    info!(queries = queries.len(), "asked");
    let mut failures = Failures::new();
    for (query, answer) in queries.iter().zip(answers) {
        keep(&mut wide, query, answer, &mut failures);
    }
    for (subject, (count, error)) in failures {
        report(context, subject, count, &error);
    }
    // programs have it in the result
    let shows_node = context.output.format == Format::Human && !context.output.quiet;
    if let Some(node) = wide.node.as_ref().filter(|_| shows_node) {
        context.output.say(&format!("{}: {}\n", diagnostics::escape(&host.uri), wide::node(node)));
    }
    wide
}

fn keep(wide: &mut Wide, query: &Query, answer: Result<Answer>, failures: &mut Failures) {
    let subject = match query {
        Query::Node => Subject::Node,
        Query::DomainInfo(_) => Subject::Sizes,
        Query::Addresses(..) => Subject::Addresses,
    };
    let domain = query.target().and_then(|target| wide.domains.get_mut(&target.id));
    match (answer, domain) {
        (Ok(Answer::Node(node)), None) => wide.node = Some(node),
        (Ok(Answer::DomainInfo(info)), Some(domain)) => domain.info = Some(info),
        (Ok(Answer::Addresses(addresses)), Some(domain)) => domain.addresses = Some(addresses),
        // the answer to another question stays unknown
        (Ok(Answer::Node(_) | Answer::DomainInfo(_) | Answer::Addresses(_)), _) => {}
        (Err(error), _) => failures.entry(subject).or_insert((0, error)).0 += 1,
    }
}

fn report(context: &Context, subject: Subject, count: usize, error: &Error) {
    if context.output.quiet {
        return;
    }
    let of = match subject {
        Subject::Node => "the host's processors and memory",
        Subject::Sizes => "the processors and memory",
        Subject::Addresses => "the addresses",
    };
    let of = match (&error.address, count) {
        (None, _) => of.to_owned(),
        (Some(first), 1) => format!("{of} of {first}"),
        (Some(first), 2) => format!("{of} of {first} and of another domain"),
        (Some(first), _) => format!("{of} of {first} and of {} other domains", count - 1),
    };
    let head = context.output.paint_err(Paint::Yellow, "warning:");
    context.output.say(&format!("{head} {} are unknown: {error}\n", diagnostics::escape(&of)));
}
