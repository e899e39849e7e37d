//! The words everything else speaks: ids, states, desired and observed resources, operations, events.
//!
//! Floor 1: imports `error` and the crates `diagnostics` and `xmltree`. Values and pure functions only; nothing here talks to a
//! host, reads a file or knows a wire format.
//!
//! - `capabilities.rs`: abilities of a driver and its host: data for the planner
//! - `check.rs`: the check of a definition's values, by its kind
//! - `desired.rs`: the desired state: resources that the manifests ask for
//! - `effect.rs`: `Effect`: how disruptive a step is
//! - `event.rs`: `DriverEvent`: a change that a host reports
//! - `hosts.rs`: the hosts of a fleet: their names, patterns that choose among them, and sets of them
//! - `ids.rs`: `ResourceId`, UUID, MAC address
//! - `kind.rs`: `Kind`, and facts of each
//! - `lifecycle.rs`: states of a resource, and actions when a guest ends by itself
//! - `memo.rs`: values that follow from others, worked out once
//! - `memory.rs`: amounts of memory with units, as libvirt reads them
//! - `metadata.rs`: names of our elements in an object's metadata
//! - `number_set.rs`: sets of small numbers as libvirt writes them: `0-2,5,^1`, for processors and nodes
//! - `observed.rs`: the observed state of a host
//! - `op/`: operations as data, held by a plan and carried out by a driver
//! - `outage.rs`: guests that are up for their host and down for their users
//! - `owner_record.rs`: the ownership record on an object, as a value
//! - `query.rs`: questions about a host that no plan depends on: what runs now, and how
//! - `record.rs`: the verdict on an ownership record
//! - `snapshot.rs`: snapshots of a domain, as far as a plan has to know them
//! - `subnet.rs`: IP subnets, made of an address and its netmask or prefix
//! - `tuning.rs`: limits and weights of a running domain: which field of its definition is which parameter of which
//!   call
//! - `values.rs`: checks that domains and networks share: names, UUIDs

mod capabilities;
mod check;
mod desired;
pub mod domain;
mod effect;
mod event;
mod hosts;
mod ids;
mod kind;
mod lifecycle;
mod lint;
mod memo;
mod memory;
mod metadata;
pub mod network;
mod number_set;
mod observed;
mod op;
mod outage;
mod owner_record;
pub mod pool;
mod query;
mod record;
pub mod rules;
mod snapshot;
mod subnet;
mod tuning;
pub mod uri;
mod values;
pub mod volume;

pub use capabilities::{
    Capabilities, Defaults, DomainCapabilities, LiveDevices, NetworkCapabilities,
    StorageCapabilities, Version,
};
pub use check::check_definition;
pub use desired::{Desired, DesiredResource, Power, Refused, Settings, ShutdownPolicy};
pub use effect::Effect;
pub use event::{DriverEvent, EventKind};
pub use hosts::{BitSet, HostPattern, Roster, check_host_name};
pub use ids::{Mac, ResourceId, Uuid, check_name, check_set_name, shown_name};
pub use kind::Kind;
pub use lifecycle::{LifecycleAction, LifecycleEvent, State};
pub use lint::check_order;
pub(crate) use memo::Memo;
pub(crate) use memory::memory_bytes;
pub use memory::{MemoryError, memory_kib};
pub use metadata::{NAMESPACE, PREFIX};
pub(crate) use number_set::{number_set, written_set};
pub use observed::{Detail, Observed, ObservedPools, ObservedResource, Scope, Unknown};
pub use op::{
    Affect, Call, DomainOp, MetadataKind, NetworkCommand, NetworkOp, NetworkSection, Op, OpKind,
    Outcome, Pinned, PoolOp, Target, UndefineKeep, VolumeOp,
};
pub use outage::Outage;
pub(crate) use owner_record::{Moving, OwnerRecord};
pub use query::{
    AddressSource, Answer, DomainInfo, GuestInterface, InterfaceAddress, NodeInfo, Query,
};
pub use record::{Doubt, Record};
pub use snapshot::Snapshot;
pub use subnet::Subnet;
pub(crate) use subnet::netmask_prefix;
pub(crate) use tuning::{BLKIO_DEVICE, Form, TunedField};
pub use tuning::{Tuning, TuningParameter, TuningValue};
pub use uri::{Transport, Uri};
pub(crate) use values::address_number;
pub use values::parse_uuid;
