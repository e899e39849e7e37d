//! Session: from a stream to an open connection to a hypervisor, with the facts about its server.

use super::auth::{self, Who};
use super::connection::{Connection, Request};
use super::endpoint::Endpoint;
use super::timeouts;
use super::trace::{Stage, Trace};
use super::transport::fault;
use crate::drivers::{Environment, Hypervisor};
use crate::error::{Error, ErrorCode, ErrorKind, Result};
use crate::model::{Uri, Uuid, Version};
use libvirt_rpc::{AuthType, DomainHandle, Procedure, from_bytes, to_bytes};
use std::time::Duration;

/// The driver feature that NETWORK_UPDATE takes its command before its section, as documented.
/// Servers without it take them the other way round.
const NETWORK_UPDATE_HAS_CORRECT_ORDER: i32 = 16;

/// Facts about a server, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// Hypervisor that it drives.
    pub(super) hypervisor: Hypervisor,
    /// The version of libvirt that answers.
    pub(super) version: Version,
    /// The server's own name for the connection.
    pub(super) uri: String,
    /// Whether NETWORK_UPDATE takes its command before its section.
    pub(super) network_update_in_order: bool,
}

/// VIR_CONNECT_RO.
const OPEN_READ_ONLY: u32 = 1;

/// Connects, authenticates and opens the hypervisor.
///
/// # Errors
/// No daemon is there, it wants to know more than we can tell, or it does not have the hypervisor.
pub(super) fn open(
    endpoint: &Endpoint,
    uri: &Uri,
    env: &Environment,
    trace: &mut Trace,
) -> Result<Connection> {
    let mut connection = Connection::new(endpoint.address.open(trace)?);
    let time = time_of_first(endpoint.address.may_ask(), has_terminal());
    let first = Request { time, ..quick(Procedure::AUTH_LIST) };
    let types = trace.stage(Stage::Answer, |said| {
        let types: Vec<AuthType> = connection.call(first)?;
        *said = "a libvirt daemon".to_owned();
        Ok(types)
    });
    if let Some(host) = endpoint.address.ssh_host() {
        tell_apart(trace, host, types.as_ref().err());
    }
    let types = types.map_err(|error| match (error.kind, &error.hint) {
        (ErrorKind::Timeout, None) if endpoint.address.may_ask() => error.hint(
            "see whether the program gets there by itself; where it asks for a password, have it use a \
             key, since without a terminal there is nobody to ask",
        ),
        _ => error,
    })?;
    let who = Who {
        uri,
        is_plain_tcp: endpoint.address.is_in_the_clear(),
        host: endpoint.address.host(),
        env,
    };
    trace.stage(Stage::Authenticate, |said| {
        *said = auth::authenticate(&mut connection, &who, types)?;
        Ok(())
    })?;
    trace.stage(Stage::Open, |said| {
        *said = endpoint.name.clone();
        let flags = if endpoint.read_only { OPEN_READ_ONLY } else { 0 };
        let args = to_bytes(&(Some(endpoint.name.as_str()), flags))?;
        let time = timeouts::OPEN;
        connection.call::<()>(Request { procedure: Procedure::CONNECT_OPEN, args, time })
    })?;
    connection.notice_silence();
    Ok(connection)
}

/// Returns the time limit of the first answer, by whether a person may be asked for a password on the way.
fn time_of_first(may_ask: bool, has_terminal: bool) -> Duration {
    match (may_ask, has_terminal) {
        (true, true) => timeouts::AUTHENTICATE,
        (true, false) => timeouts::PROGRAM,
        (false, _) => timeouts::ANSWER,
    }
}

/// Whether ssh would find somebody to ask for a password: it does so at the terminal of its session,
/// wherever its standard input comes from.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// The first answer through ssh proves, or its lack refutes, three things at once.
fn tell_apart(trace: &mut Trace, host: &str, error: Option<&Error>) {
    const STAGES: [Stage; 4] = [Stage::Ssh, Stage::Helper, Stage::Socket, Stage::Answer];
    let said = |e: &Error| {
        let words = e.source.as_ref().filter(|words| words.kind == ErrorKind::Io);
        words.map(|words| words.message.clone())
    };
    let last = match error.map(said) {
        None => Stage::Answer,
        Some(Some(words)) => fault(host, &words).0,
        // nobody has said where it ended
        Some(None) => return,
    };
    let passed: Vec<Stage> = STAGES.into_iter().take_while(|s| *s != last).collect();
    trace.split_last(&passed, last);
}

/// Reads the facts about the server.
///
/// # Errors
/// The connection failed, or the server has no answer.
pub(super) fn probe(connection: &mut Connection, trace: &mut Trace) -> Result<Host> {
    let answers = trace.stage(Stage::Version, |said| {
        let answers = ask(connection)?;
        *said = format!("libvirt {}, {}, {}", answers.version, answers.name, answers.uri);
        Ok(answers)
    })?;
    let network_update_in_order = trace.stage(Stage::Features, |said| {
        let in_order = from_bytes::<i32>(&answers.in_order.clone()?)? == 1;
        *said = format!("network updates {}", if in_order { "as documented" } else { "swapped" });
        Ok(in_order)
    })?;
    let Answers { name, version, uri, .. } = answers;
    let hypervisor = match name.to_ascii_lowercase().as_str() {
        "qemu" => Hypervisor::Qemu,
        "xen" => Hypervisor::Xen,
        "test" => Hypervisor::Test,
        _ => Hypervisor::Other,
    };
    Ok(Host { hypervisor, version, uri, network_update_in_order })
}

/// Answers of a server about itself.
struct Answers {
    name: String,
    version: Version,
    uri: String,
    in_order: Result<Vec<u8>>,
}

/// Asks all questions in one round trip.
fn ask(connection: &mut Connection) -> Result<Answers> {
    let feature = Request {
        args: to_bytes(&NETWORK_UPDATE_HAS_CORRECT_ORDER)?,
        ..quick(Procedure::CONNECT_SUPPORTS_FEATURE)
    };
    let mut replies = connection
        .call_all(vec![
            quick(Procedure::CONNECT_GET_TYPE),
            quick(Procedure::CONNECT_GET_LIB_VERSION),
            quick(Procedure::CONNECT_GET_URI),
            feature,
        ])?
        .into_iter();
    let mut next = || replies.next().unwrap_or_else(|| Ok(Vec::new()));
    let name: String = from_bytes(&next()?)?;
    let version: u64 = from_bytes(&next()?)?;
    let uri: String = from_bytes(&next()?)?;
    Ok(Answers { name, version: Version(version), uri, in_order: next() })
}

/// Finds our permissions by asking for a change of a domain that cannot exist: its UUID is nil.
///
/// # Errors
/// The connection failed, or not even that is answered as it should be.
pub(super) fn permissions(connection: &mut Connection) -> Result<&'static str> {
    let nobody = DomainHandle { name: "none".to_owned(), uuid: Uuid::nil(), id: -1 };
    let request =
        Request { args: to_bytes(&(nobody, 0i32))?, ..quick(Procedure::DOMAIN_SET_AUTOSTART) };
    match connection.call::<()>(request) {
        Err(e) if e.is(ErrorCode::OPERATION_DENIED) => Ok("may look, and change nothing"),
        Err(e) if e.is(ErrorCode::NO_DOMAIN) => Ok("may look and change"),
        Err(e) if e.is(ErrorCode::NO_SUPPORT) => Ok("may look; this daemon has no domains"),
        Err(e) => Err(e),
        Ok(()) => Ok("may look and change"),
    }
}

/// A quick call without arguments.
fn quick(procedure: Procedure) -> Request {
    Request { procedure, args: Vec::new(), time: timeouts::QUICK }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::fake_server;
    use super::*;

    #[test]
    fn nobody_is_waited_for_who_is_not_there() {
        let times = [(true, true), (true, false), (false, true)].map(|(a, t)| time_of_first(a, t));
        assert_eq!(times.map(|t| t.as_secs()), [120, 30, 20]);
    }

    #[test]
    fn a_host_is_what_it_says_it_is() {
        let mut connection = fake_server::connection(|server| {
            server.serve(|procedure, args| {
                Ok(match procedure {
                    Procedure::CONNECT_GET_TYPE => to_bytes("Xen")?,
                    Procedure::CONNECT_GET_LIB_VERSION => to_bytes(&9_000_000u64)?,
                    Procedure::CONNECT_GET_URI => to_bytes("xen:///system")?,
                    Procedure::CONNECT_SUPPORTS_FEATURE => {
                        assert_eq!(args, [0, 0, 0, 16]);
                        to_bytes(&0i32)?
                    }
                    other => panic!("{other:?}"),
                })
            });
        });
        let host = Host {
            hypervisor: Hypervisor::Xen,
            version: Version::new(9, 0, 0),
            uri: "xen:///system".into(),
            network_update_in_order: false,
        };
        assert_eq!(probe(&mut connection, &mut Trace::default()).unwrap(), host);
    }
}
