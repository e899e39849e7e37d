//! RELAX NG: grammars loaded into patterns, and documents matched against them.
//!
//! Floor 1: imports `diag` and `xml`. Reads no file: whoever loads a grammar brings its texts.

mod automaton;
pub mod datatype;
mod derivative;
mod embedded;
mod explain;
mod flat;
mod json_schema;
mod load;
mod matcher;
pub mod names;
pub mod pattern;
mod prefixes;
mod restrict;
pub mod serialized;
mod shape;
mod stream;
mod summary;
mod tree;
mod value;

pub use automaton::Automaton;
pub use embedded::{Embedded, embedded, embedded_names, shape};
pub use explain::Notation;
pub use flat::flat;
pub use json_schema::json_schema;
pub use load::{Files, load};
pub use pattern::Grammar;
pub use prefixes::{namespace_of, prefix_of};
pub use shape::{Place, Shape, Values};
