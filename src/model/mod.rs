//! The words everything else speaks: ids, states, desired and observed resources, operations, events.
//!
//! Floor 1: imports `diag` and `xml`. Values and pure functions only; nothing here talks to a
//! host, reads a file or knows a wire format.

mod capabilities;
mod desired;
pub mod domain;
mod effect;
mod event;
mod hosts;
mod ids;
mod kind;
mod lifecycle;
mod lint;
mod memory;
mod metadata;
pub mod network;
mod number_set;
mod observed;
mod op;
mod outage;
mod record;
pub mod rules;
mod snapshot;
mod subnet;
mod tuning;
mod values;

pub use capabilities::{Capabilities, Hypervisor, Version};
pub use desired::{Desired, DesiredResource, Power, Refused, Settings, ShutdownPolicy};
pub use effect::Effect;
pub use event::{DriverEvent, EventKind};
pub use hosts::{BitSet, HostPattern, Roster, check_host_name};
pub use ids::{Mac, ResourceId, Uuid, check_name, check_set_name, shown_name};
pub use kind::Kind;
pub use lifecycle::{LifecycleAction, LifecycleEvent, State};
pub use lint::check_order;
pub(crate) use memory::memory_bytes;
pub use memory::{MemoryError, memory_kib};
pub use metadata::{NAMESPACE, PREFIX};
pub(crate) use number_set::{number_set, written_set};
pub use observed::{Detail, Observed, ObservedPools, ObservedResource, Scope, Unknown};
pub use op::{
    Affect, Call, MetadataKind, NetworkCommand, NetworkSection, Op, OpKind, Outcome, Pinned,
    Target, UndefineKeep,
};
pub use outage::Outage;
pub use record::{Doubt, Record};
pub use snapshot::Snapshot;
pub use subnet::Subnet;
pub(crate) use subnet::netmask_prefix;
pub(crate) use tuning::{BLKIO_DEVICE, Form, TunedField};
pub use tuning::{Tuning, TuningParameter, TuningValue};
pub(crate) use values::address_number;
pub use values::parse_uuid;
