//! The status page: its server by raw bytes, its documents, and both in a real browser.

mod browser;
mod connections;
mod documents;
mod looks;
mod metrics;
mod statuses;

use libtest_mimic::Trial;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use virt::controller::ControllerStatus;
use virt::drivers::CancelToken;
use virt::status_server::{Server, serve};

pub(crate) fn trials() -> Vec<Trial> {
    let groups = [connections::trials(), documents::trials(), metrics::trials(), looks::trials()];
    groups.into_iter().flatten().collect()
}

/// A server of one board; stopped in the end.
struct Served {
    server: Option<Server>,
    stop: CancelToken,
}

impl Served {
    fn new(status: ControllerStatus) -> Self {
        let stop = CancelToken::default();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = serve(any, Arc::new(move || status.clone()), &stop).unwrap();
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
