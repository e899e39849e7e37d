//! A positioned, namespace-aware XML tree: checked events, reading with limits, stable writing,
//! paths.
//!
//! The tree keeps every element, attribute and text that a document
//! has, so that what no typed view knows still reaches the hypervisor. Comments and processing
//! instructions are not kept; DTDs are refused.
//!
//! - `events.rs`: stream of checked events of a document, for building the tree and for validation
//! - `limits.rs`: limits on documents
//! - `node.rs`: trees as they are handed on: to be read, whatever they are inside
//! - `path.rs`: paths into a tree, such as `devices/disk[target/@dev='vda']/driver/@cache`
//! - `problem.rs`: errors of a document, with their places
//! - `read.rs`: reading a document into a tree, within limits, with positions
//! - `tag.rs`: the inside of a start tag: attributes, namespaces
//! - `tree.rs`: the tree: elements with their names, attributes, children and positions
//! - `wellformed.rs`: rules of XML 1.0 and Namespaces: characters, names, references
//! - `write.rs`: writing a tree as a document: stable, indented by two spaces as libvirt does, or in one line

mod events;
mod limits;
mod node;
mod path;
mod problem;
mod read;
mod tag;
mod tree;
mod wellformed;
mod write;

pub use events::{Event, Events};
pub use limits::Limits;
pub use node::{ChildRef, Document, NodeRef};
pub use path::{Path, Step, value_at};
pub use read::parse;
pub use tag::{AttributeEvent, NamespaceEvent, QName, Tag};
pub use tree::{Attribute, Element, Name, NamespaceDecl, Node, Text};
pub use wellformed::{XML_NAMESPACE, check_binding, is_ncname, is_whitespace};
pub use write::{write, write_compact, write_folded};
