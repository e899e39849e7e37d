//! Dependencies of the program: licences under which it may be given away, and packages that come from the
//! registry and nowhere else.

use crate::support::trial;
use libtest_mimic::Trial;
use serde_json::Value;
use spdx::{Expression, LicenseId, ParseMode, license_id};
use std::process::Command;

/// Licences that ask for no more than their text beside the program.
const LICENCES: [&str; 9] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Source of packages.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("dependencies/licences_and_sources", licences_and_sources)]
}

fn licences_and_sources() {
    let allowed: Vec<LicenseId> =
        LICENCES.iter().map(|name| license_id(name).expect("SPDX has it")).collect();
    let packages = packages();
    assert!(packages.len() > 50, "{} packages: all but a few are missing", packages.len());
    let mut wrong = Vec::new();
    for package in &packages {
        let name = format!("{} {}", text(package, "name"), text(package, "version"));
        let licence = text(package, "license");
        match Expression::parse_mode(licence, ParseMode::LAX) {
            Ok(licence)
                if licence.evaluate(|l| l.license.id().is_some_and(|id| allowed.contains(&id))) => {
            }
            Ok(_) => wrong.push(format!("{name}: {licence} is none of {}", LICENCES.join(", "))),
            Err(e) => wrong.push(format!("{name}: no licence that SPDX knows: {licence:?}: {e}")),
        }
        match package["source"].as_str() {
            // a package of this repository
            None => assert!(text(package, "manifest_path").starts_with(env!("CARGO_MANIFEST_DIR"))),
            Some(REGISTRY) => {}
            Some(other) => wrong.push(format!("{name}: comes from {other}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns all packages that the lock file has for this machine, by cargo's metadata.
fn packages() -> Vec<Value> {
    let version = output(Command::new("rustc").arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc says it");
    // packages for other systems are not available without the network
    let arguments =
        ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let told =
        output(Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")));
    let told: Value = serde_json::from_str(&told).expect("cargo prints JSON");
    told["packages"].as_array().expect("packages are a list").clone()
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

fn output(command: &mut Command) -> String {
    let ran = command.output().expect("it can be run");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("it prints text")
}
