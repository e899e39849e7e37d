//! Table of the procedures in use: their numbers, and facts for clients and proxies.

use super::Malformed;
use super::xdr::{Decode, Encode, Reader};
use std::fmt;

/// A procedure of the remote program, by libvirt's number; open, as a peer may send any.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Procedure(pub i32);

/// Keepalive's question, a procedure of that program.
pub const PING: Procedure = Procedure(1);
/// Keepalive's answer, a procedure of that program.
pub const PONG: Procedure = Procedure(2);

/// Class of a call by the time that a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Reads or writes of definitions: milliseconds, never waiting for a guest.
    Quick,
    /// Calls that may wait for a guest, a hypervisor or the network: seconds, or forever. Five of them
    /// unanswered block a connection, keepalive included.
    Long,
}

/// Facts about a procedure.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Number of the procedure.
    pub procedure: Procedure,
    /// Name in libvirt's protocol, without the program's prefix.
    pub name: &'static str,
    /// Class by the time that it takes.
    pub class: Class,
    /// Whether the procedure changes the host.
    pub changes: bool,
}

macro_rules! procedures {
    ($($name:ident = $number:literal, $class:ident, $changes:literal;)*) => {
        impl Procedure {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub const $name: Self = Self($number);
            )*

            /// The table of all of them.
            pub const TABLE: &'static [Row] = &[$(Row {
                procedure: Self::$name,
                name: stringify!($name),
                class: Class::$class,
                changes: $changes,
            },)*];
        }
    };
}

procedures! {
    CONNECT_OPEN = 1, Quick, false;
    CONNECT_GET_TYPE = 3, Quick, false;
    NODE_GET_INFO = 6, Quick, false;
    DOMAIN_GET_XML_DESC = 14, Quick, false;
    DOMAIN_GET_INFO = 16, Quick, false;
    DOMAIN_RESUME = 28, Long, true;
    DOMAIN_SET_AUTOSTART = 29, Quick, true;
    DOMAIN_SUSPEND = 34, Long, true;
    NETWORK_CREATE = 39, Long, true;
    NETWORK_DEFINE_XML = 41, Quick, true;
    NETWORK_DESTROY = 42, Long, true;
    NETWORK_GET_XML_DESC = 43, Quick, false;
    NETWORK_SET_AUTOSTART = 48, Quick, true;
    NETWORK_UNDEFINE = 49, Quick, true;
    CONNECT_SUPPORTS_FEATURE = 60, Quick, false;
    AUTH_LIST = 66, Quick, false;
    AUTH_SASL_INIT = 67, Quick, false;
    AUTH_SASL_START = 68, Quick, false;
    AUTH_SASL_STEP = 69, Quick, false;
    AUTH_POLKIT = 70, Quick, false;
    STORAGE_POOL_LOOKUP_BY_NAME = 84, Quick, false;
    STORAGE_POOL_GET_XML_DESC = 88, Quick, false;
    STORAGE_VOL_GET_XML_DESC = 99, Quick, false;
    CONNECT_GET_URI = 110, Quick, false;
    DOMAIN_IS_PERSISTENT = 151, Quick, false;
    NETWORK_IS_PERSISTENT = 153, Quick, false;
    STORAGE_POOL_IS_PERSISTENT = 155, Quick, false;
    CONNECT_GET_LIB_VERSION = 157, Quick, false;
    DOMAIN_ATTACH_DEVICE_FLAGS = 160, Long, true;
    DOMAIN_DETACH_DEVICE_FLAGS = 161, Long, true;
    DOMAIN_UPDATE_DEVICE_FLAGS = 174, Long, true;
    DOMAIN_MANAGED_SAVE_REMOVE = 184, Long, true;
    DOMAIN_SNAPSHOT_GET_XML_DESC = 186, Quick, false;
    DOMAIN_CREATE_WITH_FLAGS = 196, Long, true;
    DOMAIN_SET_MEMORY_PARAMETERS = 197, Long, true;
    DOMAIN_SET_VCPUS_FLAGS = 199, Long, true;
    DOMAIN_SET_MEMORY_FLAGS = 204, Long, true;
    DOMAIN_SET_BLKIO_PARAMETERS = 205, Long, true;
    DOMAIN_GET_STATE = 212, Quick, false;
    DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS = 219, Long, true;
    DOMAIN_PIN_VCPU_FLAGS = 225, Long, true;
    DOMAIN_UNDEFINE_FLAGS = 231, Quick, true;
    DOMAIN_DESTROY_FLAGS = 234, Long, true;
    DOMAIN_SET_BLOCK_IO_TUNE = 252, Long, true;
    DOMAIN_SET_NUMA_PARAMETERS = 254, Long, true;
    DOMAIN_SHUTDOWN_FLAGS = 258, Long, true;
    DOMAIN_SET_METADATA = 264, Long, true;
    CONNECT_LIST_ALL_DOMAINS = 273, Quick, false;
    DOMAIN_LIST_ALL_SNAPSHOTS = 274, Quick, false;
    DOMAIN_PIN_EMULATOR = 279, Long, true;
    CONNECT_LIST_ALL_NETWORKS = 283, Quick, false;
    NETWORK_UPDATE = 291, Quick, true;
    DOMAIN_SET_MEMORY_STATS_PERIOD = 308, Long, true;
    CONNECT_NETWORK_EVENT_REGISTER_ANY = 313, Quick, false;
    CONNECT_NETWORK_EVENT_DEREGISTER_ANY = 314, Quick, false;
    CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY = 316, Quick, false;
    CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY = 317, Quick, false;
    CONNECT_GET_ALL_DOMAIN_STATS = 344, Quick, false;
    DOMAIN_DEFINE_XML_FLAGS = 350, Quick, true;
    DOMAIN_GET_IOTHREAD_INFO = 351, Long, false;
    DOMAIN_PIN_IOTHREAD = 352, Long, true;
    DOMAIN_INTERFACE_ADDRESSES = 353, Long, false;
    DOMAIN_ADD_IOTHREAD = 355, Long, true;
    DOMAIN_DEL_IOTHREAD = 356, Long, true;
    DOMAIN_RENAME = 358, Quick, true;
    CONNECT_REGISTER_CLOSE_CALLBACK = 360, Quick, false;
    DOMAIN_SET_LIFECYCLE_ACTION = 390, Long, true;
    DOMAIN_SET_IOTHREAD_PARAMS = 402, Long, true;
    DOMAIN_LIST_ALL_CHECKPOINTS = 413, Quick, false;
    NETWORK_SET_METADATA = 444, Quick, true;
}

impl Procedure {
    /// Returns the row of the procedure; `None` for one that is not in use.
    pub fn row(self) -> Option<&'static Row> {
        Self::TABLE.iter().find(|row| row.procedure == self)
    }

    /// Returns the class of the procedure; one that is not in use counts as long.
    pub fn class(self) -> Class {
        self.row().map_or(Class::Long, |row| row.class)
    }
}

impl fmt::Debug for Procedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some(row) => f.write_str(row.name),
            None => write!(f, "procedure {}", self.0),
        }
    }
}

impl Encode for Procedure {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.0.encode(out)
    }
}

impl Decode for Procedure {
    const LEAST: usize = 4;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        i32::decode(from).map(Self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn each_row_has_its_own_number_and_name_and_says_what_its_name_says() {
        for (i, row) in Procedure::TABLE.iter().enumerate() {
            let later = &Procedure::TABLE[i + 1..];
            assert!(later.iter().all(|o| o.procedure.0 > row.procedure.0), "{row:?} out of order");
            assert!(later.iter().all(|o| o.name != row.name), "{row:?} twice");
            // a registration is the connection's own, and ends with it
            let reads = [
                "_GET_",
                "_LIST",
                "_LOOKUP_",
                "_SUPPORTS_",
                "_IS_",
                "AUTH_",
                "_OPEN",
                "REGISTER_",
                "_ADDRESSES",
            ];
            assert_eq!(row.changes, !reads.iter().any(|r| row.name.contains(r)), "{row:?}");
            // these wait for a guest: for its QEMU, and for its agent
            let asks = [Procedure::DOMAIN_GET_IOTHREAD_INFO, Procedure::DOMAIN_INTERFACE_ADDRESSES];
            let asks = asks.contains(&row.procedure);
            assert!(row.changes || asks || row.class == Class::Quick, "{row:?}");
        }
    }
}
