//! RELAX NG: grammars loaded into patterns, and documents matched against them.
//!
//! Floor 1: imports `diag` and `xml`. Reads no file: whoever loads a grammar brings its texts.
//!
//! - `automaton.rs`: a grammar as an automaton that is made while documents are read
//! - `derivative.rs`: derivatives of patterns by elements, attributes and texts
//! - `embedded.rs`: our own grammars, embedded in the program
//! - `flat.rs`: an embedded grammar as one file, for tools that want it so
//! - `json_schema.rs`: JSON Schema for TOML manifests, made from the grammars: for the completion of editors
//! - `matcher.rs`: one document on its way through an automaton, event by event; the answer is yes or no
//! - `names.rs`: names as a grammar sees them: a finite alphabet of symbols, and classes of names over it
//! - `pattern.rs`: patterns in simple form (section 4), each kept once
//! - `prefixes.rs`: the prefixes that people write for the namespaces of our grammars
//! - `restrict.rs`: restrictions of section 7
//! - `serialized.rs`: a loaded grammar as bytes and back, for `build.rs`
//! - `shape.rs`: the shape of elements, for TOML and JSON Schema
//! - `stream.rs`: a text through an automaton, event by event, without a tree
//! - `summary.rs`: facts about a pattern that section 7 asks for
//! - `tree.rs`: a tree through an automaton
//! - `value.rs`: tests of texts: the value of an attribute, or the text of an element

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
