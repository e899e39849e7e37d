//! The domain document: a typed view over its tree, and the check of its values.
//!
//! A view borrows from the tree and holds nothing of its own, so what it has no method for is not
//! lost. It covers what libvirt's documents have had since 0.3.1; unknown types pass as strings.

mod check;
mod check_devices;
mod devices;
mod firmware_state;
mod lint;
mod storage;
mod view;

pub use check::check;
pub use devices::{Console, Disk, DiskDevice, DiskSource, Graphics, Interface, InterfaceSource};
pub use firmware_state::{Nvram, has_tpm_state, nvram};
pub(crate) use lint::{host_device, listeners};
pub use storage::Storage;
pub use view::{Domain, Os};
