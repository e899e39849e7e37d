//! Grammars of libvirt's formats, embedded, with facts about their names beyond a grammar: prefixes, secrets,
//! words of messages.
//!
//! Floor 1: imports the crates of formats alone.
//!
//! - `embedded.rs`: our own grammars, embedded in the program
//! - `flatten.rs`: an embedded grammar as one file, for tools that want it so
//! - `json_schema.rs`: JSON Schema for TOML manifests, made from the grammars: for the completion of editors
//! - `prefixes.rs`: prefixes that people write for the namespaces of our grammars
//! - `secrets.rs`: the table of places that hold a secret
//! - `vocabulary.rs`: the words of messages about manifests, in XML and in TOML

mod embedded;
mod flatten;
mod json_schema;
mod prefixes;
mod secrets;
mod vocabulary;

pub use embedded::{Embedded, embedded, embedded_names, shape};
pub use flatten::flat;
pub use json_schema::json_schema;
pub use prefixes::{namespace_of, prefix_of};
pub use secrets::{SecretPlace, is_secret_name, secret_place};
pub use vocabulary::{Toml, Xml};
