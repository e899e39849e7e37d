//! A positioned, namespace-aware XML tree: reading with limits, stable writing, paths.
//!
//! Floor 0: imports `diag` only. The tree keeps every element, attribute and text that a document
//! has, so that what no typed view knows still reaches the hypervisor. Comments and processing
//! instructions are not kept; DTDs are refused.

mod limits;
mod path;
mod read;
mod tree;
mod write;

pub use limits::Limits;
pub use path::{Path, Step, value_at};
pub use read::parse;
pub use tree::{Attribute, Element, Name, NamespaceDecl, Node, Text};
pub use write::{write, write_compact};
