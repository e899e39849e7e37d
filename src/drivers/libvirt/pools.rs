//! Definitions of storage pools, by their names: disks that are volumes are on them.

use super::connection::{Answer, Connection, Request};
use super::silent::{Silent, Subject};
use super::timeouts;
use crate::error::{Error, ErrorCode, ErrorKind, Result};
use crate::model::ObservedPools;
use diagnostics::SourceId;
use libvirt_rpc::{Encode, Procedure, from_bytes, to_bytes};
use std::collections::BTreeSet;
use xmltree::{Element, Limits};

/// A question about the pool of a name.
type Question = (String, Vec<u8>);

/// Reads the pools of these names, as far as the host has them: in two round trips. One that is
/// `silent` already is not waited for again.
///
/// # Errors
/// The connection failed.
pub(super) fn pools(
    connection: &mut Connection,
    names: &BTreeSet<String>,
    silent: &mut Silent,
) -> Result<ObservedPools> {
    let mut found = ObservedPools::default();
    let mut questions = Vec::new();
    for name in names {
        match silent.why(&Subject::Pool(name.clone())) {
            Some(why) => drop(found.unknown.insert(name.clone(), why.to_owned())),
            None => questions.push((name.clone(), to_bytes(name)?)),
        }
    }
    let procedure = Procedure::STORAGE_POOL_LOOKUP_BY_NAME;
    let mut there = Vec::new();
    ask(connection, procedure, questions, silent, &mut found, |_, name, mut handle| {
        // the pool as the host calls it, and no flags
        0u32.encode(&mut handle)?;
        there.push((name, handle));
        Ok(())
    })?;
    let procedure = Procedure::STORAGE_POOL_GET_XML_DESC;
    ask(connection, procedure, there, silent, &mut found, |found, name, result| {
        let pool = definition(&result)?;
        found.pools.insert(name, pool.into());
        Ok(())
    })?;
    Ok(found)
}

/// Asks a question about pools, each independently; `keep` takes the answer of one.
fn ask(
    connection: &mut Connection,
    procedure: Procedure,
    questions: Vec<Question>,
    silent: &mut Silent,
    found: &mut ObservedPools,
    mut keep: impl FnMut(&mut ObservedPools, String, Vec<u8>) -> Result<()>,
) -> Result<()> {
    let time = timeouts::of(procedure);
    let request = |(_, args): &Question| Request { procedure, args: args.clone(), time };
    let answers =
        connection.call_each(questions.iter().map(request).collect(), timeouts::SILENCE)?;
    for ((name, args), answer) in questions.into_iter().zip(answers) {
        let why = match answer {
            Answer::Said(Ok(result)) => match keep(found, name.clone(), result) {
                Ok(()) => continue,
                Err(error) => error.message.clone(),
            },
            // there is no such pool, or the host has none at all
            Answer::Said(Err(e))
                if e.is_any(&[ErrorCode::NO_STORAGE_POOL, ErrorCode::NO_SUPPORT]) =>
            {
                continue;
            }
            Answer::Said(Err(error)) => error.message.clone(),
            Answer::Late(error) => {
                let subject = Subject::Pool(name.clone());
                silent.note_call(subject, procedure, args, &error.message);
                error.message.clone()
            }
            Answer::NotReached => "the host works on others that do not answer".to_owned(),
        };
        found.unknown.insert(name, why);
    }
    Ok(())
}

fn definition(result: &[u8]) -> Result<Element> {
    let text: String = from_bytes(result)?;
    xmltree::parse(SourceId::NONE, &text, &Limits::default()).map_err(|diagnostic| {
        let text = format!("its definition cannot be read: {}", diagnostic.summary);
        Error::new(ErrorKind::Protocol, text)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::super::fake_server;
    use super::*;
    use crate::model::Uuid;

    #[test]
    fn pools_that_are_there_are_read() {
        let names: BTreeSet<String> = ["nfs", "none"].map(str::to_owned).into();
        let mut connection = fake_server::connection(|server| {
            server.serve(|procedure, args| match procedure {
                Procedure::STORAGE_POOL_LOOKUP_BY_NAME => {
                    match from_bytes::<String>(args)?.as_str() {
                        "nfs" => Ok(to_bytes(&("nfs".to_owned(), Uuid::from_bytes([7; 16])))?),
                        _ => Err(fake_server::refusal(ErrorCode::NO_STORAGE_POOL)),
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
        let read = pools(&mut connection, &names, &mut Silent::default()).unwrap();
        assert!(read.unknown.is_empty());
        let pools = read.pools;
        let types: Vec<_> =
            pools.iter().map(|(name, p)| (&**name, p.root().attr("type"))).collect();
        assert_eq!(types, [("nfs", Some("netfs"))]);
    }

    #[test]
    fn a_pool_that_cannot_be_read_is_neither_absent_nor_its_hosts_end() {
        let mut connection = fake_server::connection(|server| {
            server.serve(|procedure, args| match procedure {
                Procedure::STORAGE_POOL_LOOKUP_BY_NAME => {
                    let name: String = from_bytes(args)?;
                    if name == "broken" {
                        return Err(fake_server::refusal(ErrorCode::SYSTEM_ERROR));
                    }
                    Ok(to_bytes(&(name, Uuid::from_bytes([7; 16])))?)
                }
                Procedure::STORAGE_POOL_GET_XML_DESC => {
                    let (name, ..): (String, Uuid, u32) = from_bytes(args)?;
                    let is_garbage = name == "garbage";
                    Ok(to_bytes(if is_garbage { "<pool" } else { "<pool type='netfs'/>" })?)
                }
                other => panic!("{other:?}"),
            });
        });
        let names = ["broken", "garbage", "nfs"].map(str::to_owned).into();
        let read = pools(&mut connection, &names, &mut Silent::default()).unwrap();
        assert_eq!(read.pools.keys().collect::<Vec<_>>(), ["nfs"]);
        let why: Vec<_> = read.unknown.iter().map(|(n, why)| format!("{n}: {why}")).collect();
        assert_eq!(why.len(), 2);
        assert!(why.concat().starts_with("broken: SYSTEM_ERRORgarbage: its definition cannot"));
    }

    #[test]
    fn a_pool_that_is_silent_is_waited_for_once() {
        let mut connection = fake_server::connection(|server| {
            // a daemon that has taken up the call about `hung` answers the other one meanwhile
            let mut held = Vec::new();
            while let Some(packet) = server.packet() {
                let name: String = from_bytes(&packet.payload).unwrap_or_default();
                match packet.header.procedure {
                    Procedure::STORAGE_POOL_LOOKUP_BY_NAME if name == "hung" => held.push(packet),
                    Procedure::STORAGE_POOL_LOOKUP_BY_NAME => {
                        server.reply(packet.header, &(name, Uuid::from_bytes([7; 16])));
                    }
                    _ => server.reply(packet.header, &"<pool type='netfs'/>"),
                }
            }
        });
        let names: BTreeSet<String> = ["hung", "nfs"].map(str::to_owned).into();
        let mut silent = Silent::default();
        let mut read = || {
            let begun = std::time::Instant::now();
            let read = pools(&mut connection, &names, &mut silent).unwrap();
            assert_eq!(read.pools.keys().collect::<Vec<_>>(), ["nfs"]);
            assert!(read.unknown.get("hung").unwrap().contains("did not answer within"));
            begun.elapsed()
        };
        let (first, second) = (read(), read());
        assert!(first >= timeouts::SILENCE && first < timeouts::SILENCE * 2, "{first:?}");
        assert!(second < timeouts::SILENCE, "{second:?}");
    }
}
