//! Metadata of our own on an object: the names that manifests and ownership records use.

/// The namespace of everything that `virt` keeps in an object's metadata.
pub const NAMESPACE: &str = "urn:virt:reconcile:1";

/// The prefix it is written with.
pub const PREFIX: &str = "virt";
