//! Any bytes as a manifest, TOML mostly: read, judged, loaded, written and read again.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the other targets' part of what is shared")]

#[path = "../../tests/fuzzing/mod.rs"]
mod fuzzing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::manifest::toml(data);
});
