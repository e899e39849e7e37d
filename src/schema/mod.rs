//! RELAX NG: grammars loaded into patterns, and documents matched against them.

pub mod datatype;
