//! Loads our grammars and leaves them as tables for `schema::embedded`: what is checked here need
//! not be checked, nor even parsed, whenever the program starts.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub, reason = "parts of the crate")]

use std::path::Path;

#[path = "src/diag/mod.rs"]
mod diag;
#[path = "src/xml/mod.rs"]
mod xml;

/// What of `schema` loads grammars.
#[path = "src/schema"]
mod schema {
    pub(crate) mod datatype;
    pub(crate) mod load;
    mod names;
    mod pattern;
    mod restrict;
    pub(crate) mod serialized;
    mod summary;
}

/// What there is a grammar of.
const GRAMMARS: [&str; 5] = ["domain", "network", "storagepool", "storagevol", "capabilities"];

struct Directory(std::path::PathBuf);

impl schema::load::Files for Directory {
    fn read(&self, uri: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(uri)).map_err(|e| e.to_string())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for input in ["schemas/relaxng", "src/diag", "src/xml", "src/schema"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let root = std::env::var("CARGO_MANIFEST_DIR")?;
    let files = Directory(Path::new(&root).join("schemas/relaxng"));
    let out = std::env::var("OUT_DIR")?;
    for name in GRAMMARS {
        let mut sources = diag::Sources::default();
        let grammar = schema::load::load(&format!("{name}.rng"), &files, &mut sources);
        let grammar = grammar.map_err(|problems| {
            let all: Vec<String> = problems.iter().map(|p| diag::render(p, &sources)).collect();
            format!("schemas/relaxng/{}", all.join("\n"))
        })?;
        let bytes = schema::serialized::write(&grammar).ok_or("a value depends on a prefix")?;
        std::fs::write(Path::new(&out).join(format!("{name}.tables")), bytes)?;
    }
    Ok(())
}
