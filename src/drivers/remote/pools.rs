//! The definitions of storage pools, by their names: what disks that are volumes are on.

use super::connection::{Connection, Request};
use super::times;
use crate::diag::{Error, ErrorCode, ErrorKind, Result, SourceId};
use crate::wire::{Encode, Procedure, from_bytes, to_bytes};
use crate::xml::{self, Element, Limits};
use std::collections::{BTreeMap, BTreeSet};

/// Reads the pools of these names, as far as the host has them: in two round trips.
pub(super) fn pools(
    connection: &mut Connection,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Element>> {
    let procedure = Procedure::STORAGE_POOL_LOOKUP_BY_NAME;
    let mut requests = Vec::new();
    for name in names {
        requests.push(Request { procedure, args: to_bytes(name)?, time: times::of(procedure) });
    }
    let procedure = Procedure::STORAGE_POOL_GET_XML_DESC;
    let (mut found, mut asked) = (Vec::new(), Vec::new());
    for (name, reply) in names.iter().zip(connection.call_all(requests)?) {
        let Some(mut args) = unless_absent(reply)? else { continue };
        // the pool as the host calls it, and no flags
        0u32.encode(&mut args)?;
        asked.push(Request { procedure, args, time: times::of(procedure) });
        found.push(name);
    }
    let mut pools = BTreeMap::new();
    for (name, reply) in found.into_iter().zip(connection.call_all(asked)?) {
        let Some(result) = unless_absent(reply)? else { continue };
        let text: String = from_bytes(&result)?;
        let pool = xml::parse(SourceId::NONE, &text, &Limits::default()).map_err(|diagnostic| {
            let text = format!("its definition cannot be read: {}", diagnostic.summary);
            Error::new(ErrorKind::Protocol, text).address(format!("pool/{name}"))
        })?;
        pools.insert(name.clone(), pool);
    }
    Ok(pools)
}

/// The result, or `None` if there is no such pool, or the host has none at all.
fn unless_absent(reply: Result<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    match reply {
        Err(e) if e.is_any(&[ErrorCode::NO_STORAGE_POOL, ErrorCode::NO_SUPPORT]) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::super::fake;
    use super::*;
    use crate::model::Uuid;

    #[test]
    fn pools_that_are_there_are_read() {
        let names: BTreeSet<String> = ["nfs", "none"].map(str::to_owned).into();
        let mut connection = fake::connection(|server| {
            server.serve(|procedure, args| match procedure {
                Procedure::STORAGE_POOL_LOOKUP_BY_NAME => {
                    match from_bytes::<String>(args)?.as_str() {
                        "nfs" => Ok(to_bytes(&("nfs".to_owned(), Uuid::from_bytes([7; 16])))?),
                        _ => Err(fake::refusal(ErrorCode::NO_STORAGE_POOL)),
                    }
                }
                Procedure::STORAGE_POOL_GET_XML_DESC => {
                    let (name, uuid, flags): (String, Uuid, u32) = from_bytes(args)?;
                    assert_eq!((name.as_str(), uuid, flags), ("nfs", Uuid::from_bytes([7; 16]), 0));
                    Ok(to_bytes("<pool type='netfs'/>")?)
                }
                other => panic!("{other:?}"),
            });
        });
        let pools = pools(&mut connection, &names).unwrap();
        let types: Vec<_> = pools.iter().map(|(name, p)| (&**name, p.attr("type"))).collect();
        assert_eq!(types, [("nfs", Some("netfs"))]);
    }

    #[test]
    fn a_pool_that_cannot_be_read_is_not_taken_for_absent() {
        let mut connection = fake::connection(|server| {
            server.serve(|_, _| Err(fake::refusal(ErrorCode::SYSTEM_ERROR)));
        });
        assert!(pools(&mut connection, &["nfs".to_owned()].into()).is_err());
    }
}
