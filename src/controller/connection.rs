//! Connection of a loop to its host, with the host's description of itself when it was made.

use super::events::Environment;
use super::mailbox::Mailbox;
use crate::drivers::{CancelToken, Driver, EventSink};
use crate::error::Result;
use crate::model::Capabilities;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A host that is connected.
pub(super) struct Connection {
    driver: Arc<dyn Driver>,
    capabilities: Capabilities,
    listening: CancelToken,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.listening.stop();
    }
}

impl Connection {
    /// Connects, reads the host's capabilities, and has its events put into a mailbox.
    pub(super) fn open(
        environment: &dyn Environment,
        name: &str,
        mailbox: Option<&Mailbox>,
    ) -> Result<Self> {
        let driver = environment.open(name)?;
        let capabilities = driver.capabilities()?;
        let connection = Self { driver, capabilities, listening: CancelToken::default() };
        if let Some(mailbox) = mailbox {
            connection.listen(mailbox);
        }
        Ok(connection)
    }

    pub(super) fn driver(&self) -> &dyn Driver {
        self.driver.as_ref()
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The thread ends with the connection; nobody waits for that, since a host that hangs may hold
    /// it up.
    fn listen(&self, mailbox: &Mailbox) {
        let (driver, stop) = (Arc::clone(&self.driver), self.listening.clone());
        let (into, mailbox) = (mailbox.clone(), mailbox.clone());
        let heard = stop.clone();
        let sink = EventSink::new(move |event| {
            // what an old connection has to say of its end is of no interest
            if heard.is_stopped() {
                return ControlFlow::Break(());
            }
            into.event(event);
            ControlFlow::Continue(())
        });
        std::thread::spawn(move || {
            if let Err(error) = driver.watch(&sink, &stop)
                && !stop.is_stopped()
            {
                mailbox.deaf(error);
            }
        });
    }
}
