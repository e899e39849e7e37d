//! The domain document: a typed view over its tree, and the check of its values.
//!
//! A view borrows from the tree and holds nothing of its own, so what it has no method for is not
//! lost. It covers what libvirt's documents have had since 0.3.1; unknown types pass as strings.
//!
//! - `check.rs`: checks of a domain's values
//! - `check_devices.rs`: checks of disks and interfaces
//! - `devices.rs`: the devices that libvirt's documents have had from the start, read from the tree
//! - `firmware_state.rs`: state that a host keeps beside disks: firmware variables, TPM
//! - `storage.rs`: location of a disk's bytes, by which two disks are compared
//! - `view.rs`: a domain and its operating system block, read from the tree

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
