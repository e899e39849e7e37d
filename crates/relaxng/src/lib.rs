//! RELAX NG: grammars loaded into patterns, and documents matched against them.
//!
//! Reads no file: whoever loads a grammar brings its texts. Knows no grammar's names: whoever has a document
//! validated brings a [`Vocabulary`] for the messages.
//!
//! - `automaton.rs`: a grammar as an automaton that is made while documents are read
//! - `derivative.rs`: derivatives of patterns by elements, attributes and texts
//! - `json_schema.rs`: JSON Schema for documents that are written as tables, for the completion of editors
//! - `matcher.rs`: one document on its way through an automaton, event by event; the answer is yes or no
//! - `names.rs`: names as a grammar sees them: a finite alphabet of symbols, and classes of names over it
//! - `pattern.rs`: patterns in simple form (section 4), each kept once
//! - `restrict.rs`: restrictions of section 7
//! - `serialized.rs`: a loaded grammar as bytes and back, for `build.rs`
//! - `shape.rs`: the shape of elements, for TOML and JSON Schema
//! - `stream.rs`: a text through an automaton, event by event, without a tree
//! - `summary.rs`: facts about a pattern that section 7 asks for
//! - `tree.rs`: a tree through an automaton
//! - `value.rs`: tests of texts: the value of an attribute, or the text of an element
//! - `vocabulary.rs`: the words of messages: how a notation writes the parts of a document

mod automaton;
pub mod datatype;
mod derivative;
mod explain;
mod json_schema;
mod load;
mod matcher;
pub mod names;
pub mod pattern;
mod restrict;
pub mod serialized;
mod shape;
mod stream;
mod summary;
mod tree;
mod value;
mod vocabulary;

pub use automaton::Automaton;
pub use json_schema::{Tables, json_schema};
pub use load::{Files, load};
pub use pattern::Grammar;
pub use shape::{Place, Shape, Values};
pub use vocabulary::{Vocabulary, Xml};
