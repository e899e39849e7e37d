//! RELAX NG: grammars loaded into patterns, and documents matched against them.
//!
//! Floor 1: imports `diag` and `xml`. Reads no file: whoever loads a grammar brings its texts.

pub mod datatype;
mod embedded;
mod load;
mod names;
mod pattern;
mod prefixes;
mod shape;

pub use embedded::{EMBEDDED, Embedded, embedded, shape};
pub use load::Files;
pub use pattern::Grammar;
pub use prefixes::{namespace_of, prefix_of};
pub use shape::{Place, Shape, Values};
