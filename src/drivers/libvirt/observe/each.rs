//! Asking something of many objects, each of which stands for itself.

use super::{Entry, timeouts};
use crate::drivers::libvirt::connection::{Answer, Request};
use crate::drivers::libvirt::connections::ConnectionPair;
use crate::error::Result;
use libvirt_rpc::Class;

/// Most rounds of questions to objects that the daemon had not reached, since all that it works on at once
/// for one client waited for guests. Each round takes that many of its threads, of which it has 20.
const ROUNDS: usize = 4;

/// Asks a question about entries, and keeps each answer. One that cannot be read is noted as unknown, and
/// delays the others once, for as long as it may be silent.
///
/// # Errors
/// The connection failed.
pub(super) fn ask<T: Clone>(
    connections: &mut ConnectionPair,
    entries: &mut [Entry],
    mut wanted: Vec<(usize, T)>,
    request: impl Fn(&Entry, T) -> Result<Request>,
    mut keep: impl FnMut(&mut Entry, T, Result<Vec<u8>>) -> Result<()>,
) -> Result<()> {
    for _ in 0..ROUNDS {
        wanted.retain(|(index, _)| entries.get(*index).is_some_and(Entry::is_open));
        if wanted.is_empty() {
            return Ok(());
        }
        let requests: Result<Vec<Request>> = wanted
            .iter()
            .filter_map(|(index, of)| Some(request(entries.get(*index)?, of.clone())))
            .collect();
        let connection = connections.connection(Class::Quick)?;
        let answers = connection.call_each(requests?, timeouts::SILENCE)?;
        let mut left = Vec::new();
        for ((index, of), answer) in wanted.into_iter().zip(answers) {
            let Some(entry) = entries.get_mut(index) else { continue };
            match answer {
                Answer::Said(reply) => {
                    if let Err(error) = keep(entry, of, reply) {
                        entry.unknown = Some(error.message.clone());
                    }
                }
                Answer::Late(error) => entry.is_silent(error.message.clone()),
                Answer::NotReached => left.push((index, of)),
            }
        }
        wanted = left;
    }
    for (index, _) in wanted {
        if let Some(entry) = entries.get_mut(index).filter(|entry| entry.is_open()) {
            entry.unknown = Some("the host works on others that do not answer".to_owned());
        }
    }
    Ok(())
}
