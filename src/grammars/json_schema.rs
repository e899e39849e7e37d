//! JSON Schema for TOML manifests, made from the grammars: for the completion of editors.

use super::prefixes::{OURS, prefix_of};
use relaxng::{Shape, Tables};
use serde_json::Value;

/// Layout of manifests as tables: the settings of a resource stand in its own table.
const TABLES: Tables =
    Tables { title: "A manifest of virt", prefix_of, lifted: ("metadata", OURS, "reconcile") };

/// The JSON Schema of a TOML manifest that holds resources of these kinds.
pub fn json_schema(kinds: &[(&str, &Shape)]) -> Value {
    relaxng::json_schema(&TABLES, kinds)
}
