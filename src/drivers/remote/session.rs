//! From a connected socket to an open connection to a hypervisor, and what is learnt of it.

use super::auth::{self, Who};
use super::connection::{Connection, Request};
use super::socket::Endpoint;
use super::times;
use crate::diag::Result;
use crate::drivers::uri::Transport;
use crate::drivers::{Environment, Uri};
use crate::model::{Hypervisor, Version};
use crate::wire::{Procedure, from_bytes, to_bytes};

/// The driver feature that NETWORK_UPDATE takes its command before its section, as documented.
/// Servers without it take them the other way round.
const NETWORK_UPDATE_HAS_CORRECT_ORDER: i32 = 16;

/// What is learnt of a server once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// Which hypervisor it drives.
    pub(super) hypervisor: Hypervisor,
    /// The version of libvirt that answers.
    pub(super) version: Version,
    /// The server's own name for the connection.
    pub(super) uri: String,
    /// Whether NETWORK_UPDATE takes its command before its section.
    pub(super) network_update_in_order: bool,
}

/// Connects, authenticates and opens the hypervisor.
///
/// # Errors
/// No daemon is there, it wants to know more than we can tell, or it does not have the hypervisor.
pub(super) fn open(endpoint: &Endpoint, uri: &Uri, env: &Environment) -> Result<Connection> {
    let mut connection = Connection::new(endpoint.connect()?);
    let host = uri.host().unwrap_or("localhost");
    let is_plain_tcp = uri.transport() == Some(Transport::Tcp);
    auth::authenticate(&mut connection, &Who { uri, is_plain_tcp, host, env })?;
    let args = to_bytes(&(Some(endpoint.name.as_str()), 0u32))?;
    connection.call::<()>(Request {
        procedure: Procedure::CONNECT_OPEN,
        args,
        time: times::OPEN,
    })?;
    Ok(connection)
}

/// Asks what there is to know of the server.
///
/// # Errors
/// The connection failed, or the server has no answer.
pub(super) fn probe(connection: &mut Connection) -> Result<Host> {
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
    let in_order: i32 = from_bytes(&next()?)?;
    let hypervisor = match name.to_ascii_lowercase().as_str() {
        "qemu" => Hypervisor::Qemu,
        "xen" => Hypervisor::Xen,
        "test" => Hypervisor::Test,
        _ => Hypervisor::Other,
    };
    let network_update_in_order = in_order == 1;
    Ok(Host { hypervisor, version: Version(version), uri, network_update_in_order })
}

/// A quick call without arguments.
fn quick(procedure: Procedure) -> Request {
    Request { procedure, args: Vec::new(), time: times::QUICK }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::fake;
    use super::*;

    #[test]
    fn a_host_is_what_it_says_it_is() {
        let mut connection = fake::connection(|server| {
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
        assert_eq!(probe(&mut connection).unwrap(), host);
    }
}
