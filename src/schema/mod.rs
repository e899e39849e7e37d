//! RELAX NG: grammars loaded into patterns, and documents matched against them.
//!
//! Floor 1: imports `diag` and `xml`. Reads no file: whoever loads a grammar brings its texts.

pub mod datatype;
mod load;
mod names;
mod pattern;
mod restrict;
mod summary;

pub use load::{Files, load, load_trusted};
pub use pattern::Grammar;
