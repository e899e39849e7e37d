//! Compilation of our grammars to tables for `grammars::embedded`: they are checked here, and neither checked
//! nor parsed again whenever the program starts.

use diagnostics::{Sources, render};
use relaxng::{Files, load, serialized};
use std::error::Error;
use std::path::{Path, PathBuf};

/// The grammars; the file of each has the same name.
const GRAMMARS: [&str; 5] = ["domain", "network", "storagepool", "storagevol", "capabilities"];

struct Directory(PathBuf);

impl Files for Directory {
    fn read(&self, uri: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(uri)).map_err(|e| e.to_string())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=schemas/relaxng");
    let files = Directory(Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("schemas/relaxng"));
    let out = std::env::var("OUT_DIR")?;
    for name in GRAMMARS {
        let mut sources = Sources::default();
        let grammar = load(&format!("{name}.rng"), &files, &mut sources).map_err(|problems| {
            let all: Vec<String> = problems.iter().map(|p| render(p, &sources)).collect();
            format!("schemas/relaxng/{}", all.join("\n"))
        })?;
        let bytes = serialized::write(&grammar).ok_or("a value depends on a prefix")?;
        std::fs::write(Path::new(&out).join(format!("{name}.tables")), bytes)?;
    }
    Ok(())
}
