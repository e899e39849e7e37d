//! Fuzz target: any bytes as XML, whose events, tree and written form have to agree.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the other targets' part of what is shared")]

#[path = "../../tests/fuzzing/mod.rs"]
mod fuzzing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = fuzzing::xml::document(data);
});
