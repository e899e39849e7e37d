//! Hostile text in all that a host and manifests say: nothing hazardous is printed of it.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the other targets' part of what is shared")]

#[path = "../../tests/fuzzing/mod.rs"]
mod fuzzing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = fuzzing::outputs::outputs(data);
});
