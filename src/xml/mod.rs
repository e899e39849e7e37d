//! A positioned, namespace-aware XML tree: checked events, reading with limits, stable writing,
//! paths.
//!
//! Floor 0: imports `diag` only. The tree keeps every element, attribute and text that a document
//! has, so that what no typed view knows still reaches the hypervisor. Comments and processing
//! instructions are not kept; DTDs are refused.

mod events;
mod limits;
mod path;
mod problem;
mod read;
mod tag;
mod tree;
mod wellformed;
mod write;

pub use events::{Event, Events};
pub use limits::Limits;
pub use path::{Path, Step, value_at};
pub use read::parse;
pub use tag::{AttributeEvent, NamespaceEvent, QName, Tag};
pub use tree::{Attribute, Element, Name, NamespaceDecl, Node, Text};
pub use wellformed::{XML_NAMESPACE, check_binding, is_ncname, is_whitespace};
pub use write::{write, write_compact, write_folded};
