//! RPC of libvirt as bytes: XDR, packets, the procedures in use, objects, events, remote errors.
//!
//! No sockets and no clocks: bytes go in and values come out, and the
//! other way round, so that a client, a daemon and a test proxy can share it. Procedure numbers and
//! layouts are interface facts of libvirt 9.0 to 11.3, where they are byte-identical.
//!
//! - `event.rs`: events: messages that a server sends unasked to a client that has registered for them
//! - `info.rs`: answers about a running domain and its host: sizes, processor time, addresses of interfaces
//! - `objects.rs`: the objects that travel in calls and replies: handles, statistics, typed parameters
//! - `packet.rs`: packets: the header, and finding whole packets in a stream of bytes
//! - `procedure.rs`: the procedures in use: numbers and properties
//! - `remote_error.rs`: libvirt's remote error: the payload of a reply that refuses
//! - `xdr.rs`: XDR: writing, and bounds-checked reading, of the types that libvirt's protocol is made of

mod event;
mod info;
mod objects;
mod packet;
mod procedure;
mod remote_error;
mod xdr;

pub use event::{Event, domain_event, network_event};
pub use info::{CpuModel, DomainInfo, DomainInterface, IpAddress, NodeInfo};
pub use objects::{
    AuthType, Chars, CpuMap, DomainHandle, DomainStats, NetworkHandle, SnapshotHandle, TypedParam,
    TypedValue,
};
pub use packet::{FrameReader, Header, MESSAGE_MAX, Packet, PacketKind, Program, Status};
pub use procedure::{Class, PING, PONG, Procedure, Row};
pub use remote_error::RemoteError;
pub use xdr::{Decode, Encode, Listed, Malformed, Reader, STRING_MAX, from_bytes, to_bytes};
