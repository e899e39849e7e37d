//! Connection of a loop to its host, with the host's description of itself when it was made.

use super::events::Environment;
use super::mailbox::Mailbox;
use crate::drivers::{CancelToken, Driver};
use crate::error::Result;
use crate::model::Capabilities;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// Events that may wait between the driver and the inbox.
const QUEUE: usize = 1024;

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

    /// The threads end with the connection; nobody waits for that, since a host that hangs may hold
    /// them up.
    fn listen(&self, mailbox: &Mailbox) {
        let (driver, stop) = (Arc::clone(&self.driver), self.listening.clone());
        let (sender, events) = sync_channel(QUEUE);
        let (into, mailbox) = (mailbox.clone(), mailbox.clone());
        let heard = stop.clone();
        std::thread::spawn(move || {
            // an old connection's events about its end are of no interest
            events.into_iter().filter(|_| !heard.is_stopped()).for_each(|event| into.event(event));
        });
        std::thread::spawn(move || {
            if let Err(error) = driver.watch(&sender, &stop)
                && !stop.is_stopped()
            {
                mailbox.deaf(error);
            }
        });
    }
}
