//! Grammars and what they are made of, against jing.

mod datatypes;
mod jing;
mod patterns;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [datatypes::trials(), patterns::trials()].into_iter().flatten().collect()
}
