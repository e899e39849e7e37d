//! RELAX NG: grammars loaded into patterns, and documents matched against them.
//!
//! Floor 1: imports `diag` and `xml`. Reads no file: whoever loads a grammar brings its texts.

pub mod datatype;
mod names;
mod pattern;
