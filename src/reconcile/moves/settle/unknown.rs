//! Pools that could not be read: nobody else may write to the disks on them.

use super::{Settling, silent};
use crate::model::ResourceId;
use crate::reconcile::moves::Blocked;
use crate::reconcile::moves::storage::unknown_pool;
use diagnostics::Diagnostic;

impl Settling<'_> {
    /// Says once of each pool that it could not be read.
    pub(super) fn pools(&mut self) {
        for site in self.sites {
            for (pool, why) in site.facts.into_iter().flat_map(|facts| &facts.pools.unknown) {
                let summary = format!("pool {pool} of {} is unknown: {why}", site.name);
                let hint = "what is to be made or started on it is blocked until it answers";
                let problem = Diagnostic::warning("unknown-pool", summary).hint(hint);
                self.settled.diagnostics.push(problem);
            }
        }
    }

    /// Refuses a guest one of whose pools could not be read, so that other users of its disk are unknown, or
    /// to whose disk a running guest may write through another host's unread pool.
    pub(super) fn silent_pool(&mut self, id: &ResourceId, at: usize) -> Option<Blocked> {
        let site = self.site(at)?;
        let resource = site.desired.resources.get(id)?;
        let own = site
            .facts
            .and_then(|facts| unknown_pool(resource.definition.as_element(), &facts.pools));
        if let Some((pool, why)) = own {
            let reason = format!("its disk is in pool {pool}, which is unknown: {why}");
            return Some(silent(reason));
        }
        // a disk with a path is in no pool
        let mut words = self.writes(at, resource).into_iter();
        let word = words.find(|word| !word.starts_with("path:"))?;
        let others = self.sites.iter().enumerate().filter(|(other, _)| *other != at);
        let guests = others.flat_map(|(_, site)| {
            let guests = site.facts.into_iter().flat_map(|facts| &facts.guests);
            guests.map(|(other, guest)| (site.name, other, guest))
        });
        let mut guests = guests.filter(|(_, other, guest)| *other != id && guest.is_active);
        let (host, other, pool) = guests
            .find_map(|(host, other, guest)| Some((host, other, guest.unknown_pool.as_ref()?)))?;
        let reason = format!(
            "{other} on {host} has a disk in pool {pool}, which is unknown, and may write to its \
             disk {word}"
        );
        Some(silent(reason))
    }
}
