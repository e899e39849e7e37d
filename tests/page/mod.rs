//! The status page: its server by raw bytes, its documents, and both in a real browser.

mod boards;
mod browser;
mod connections;
mod documents;
mod looks;
mod metrics;

use libtest_mimic::Trial;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use virt::daemon::{Server, serve};
use virt::drivers::Stop;
use virt::reconcile::watch::Board;

pub(crate) fn trials() -> Vec<Trial> {
    let groups = [connections::trials(), documents::trials(), metrics::trials(), looks::trials()];
    groups.into_iter().flatten().collect()
}

/// A server of one board; stopped in the end.
struct Served {
    server: Option<Server>,
    stop: Stop,
}

impl Served {
    fn new(board: Board) -> Self {
        let stop = Stop::default();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = serve(any, Arc::new(move || board.clone()), &stop).unwrap();
        Self { server: Some(server), stop }
    }

    fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.stop();
        self.server.take().unwrap().join();
    }
}
