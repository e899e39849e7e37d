//! Grammars in XML syntax, read into their simple form (section 4 of the specification).
//!
//! Three steps: `library` reads all files and checks their syntax; `scope` gathers what the grammars
//! define, includes and overrides included; `compile` makes patterns of what is reached, and
//! [`super::restrict`] checks section 7 on them.

mod classes;
mod compile;
mod context;
mod kind;
mod library;
mod names4;
mod node;
mod scope;
mod syntax;
mod uri;

use super::pattern::Grammar;
use crate::diag::{Diagnostics, Sources};

/// Where the texts of schemas come from.
pub trait Files {
    /// The text of the file `uri`: the name of the entry, or a reference resolved against the name
    /// of the file that has it.
    ///
    /// # Errors
    /// Why there is none.
    fn read(&self, uri: &str) -> Result<String, String>;
}

/// Loads the schema whose main file is `entry`. Its texts are added to `sources`.
///
/// # Errors
/// All problems that were found, with positions.
pub fn load(entry: &str, files: &dyn Files, sources: &mut Sources) -> Result<Grammar, Diagnostics> {
    let mut problems = Diagnostics::default();
    let library = library::Library::read(entry, files, sources, &mut problems);
    // what a file lacks would show as undefined names
    let grammar = match library.entry() {
        Some(root) if !problems.has_errors() => compile::compile(root, &library, &mut problems),
        _ => None,
    };
    match grammar {
        Some(grammar) if !problems.has_errors() => Ok(grammar),
        _ => {
            problems.sort();
            problems.dedup();
            Err(problems)
        }
    }
}
