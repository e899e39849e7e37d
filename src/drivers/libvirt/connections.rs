//! The two connections of a driver, opened when they are first needed and again when they are lost.

use super::connection::{Connection, WINDOW};
use crate::error::Result;
use libvirt_rpc::Class;
use std::fmt;
use std::sync::Arc;

/// Long calls outstanding at once. A daemon works on five calls of a client; with four in the hands
/// of hung guests the fifth still answers.
const LONG_WINDOW: usize = 4;

/// Function that opens a connection.
pub(super) type Dial = Arc<dyn Fn() -> Result<Connection> + Send + Sync>;

/// Quick calls go one way and long ones another, so that a hung guest never holds up a read.
pub(super) struct ConnectionPair {
    dial: Dial,
    /// Whether all calls go over one connection, as another would see another host.
    single: bool,
    quick: Option<Connection>,
    long: Option<Connection>,
    /// Limit on the bytes of results for each connection, if any.
    results: Option<usize>,
}

impl fmt::Debug for ConnectionPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dial: _, single, quick, long, results: _ } = self;
        f.debug_struct("ConnectionPair")
            .field("single", single)
            .field("quick", quick)
            .field("long", long)
            .finish_non_exhaustive()
    }
}

impl ConnectionPair {
    pub(super) fn new(dial: Dial) -> Self {
        Self { dial, single: false, quick: None, long: None, results: None }
    }

    /// One connection for all calls.
    pub(super) fn single(dial: Dial) -> Self {
        Self { single: true, ..Self::new(dial) }
    }

    /// Adds an open connection for quick calls.
    pub(super) fn with(self, quick: Connection) -> Self {
        Self { quick: Some(quick), ..self }
    }

    /// Returns the most outstanding calls of a class.
    pub(super) fn window(class: Class) -> usize {
        match class {
            Class::Quick => WINDOW,
            Class::Long => LONG_WINDOW,
        }
    }

    /// Returns the connection for calls of a class, opened if none can be used.
    ///
    /// # Errors
    /// It could not be opened.
    pub(super) fn connection(&mut self, class: Class) -> Result<&mut Connection> {
        let lane = match class {
            Class::Long if !self.single => &mut self.long,
            Class::Long | Class::Quick => &mut self.quick,
        };
        let usable = lane.take().and_then(|mut c| (c.is_busy() || c.is_usable()).then_some(c));
        Ok(lane.insert(match usable {
            Some(connection) => connection,
            None => {
                let mut connection = (self.dial)()?;
                connection.limit_results(self.results);
                connection
            }
        }))
    }

    /// Limits the results to this number of bytes from now on, or lifts the limit.
    pub(super) fn limit_results(&mut self, bytes: Option<usize>) {
        self.results = bytes;
        for connection in [&mut self.quick, &mut self.long].into_iter().flatten() {
            connection.limit_results(bytes);
        }
    }

    /// Drops the connections that have nothing outstanding; they are opened again when needed.
    pub(super) fn disconnect_idle(&mut self) {
        for lane in [&mut self.quick, &mut self.long] {
            *lane = lane.take().filter(Connection::is_busy);
        }
    }

    /// The connections that have something outstanding or to be taken.
    pub(super) fn busy(&mut self) -> Vec<&mut Connection> {
        [&mut self.quick, &mut self.long]
            .into_iter()
            .filter_map(|lane| lane.as_mut().filter(|c| c.is_busy()))
            .collect()
    }
}
