//! The grammar engine and our grammars against what others say: libvirt's verdicts on its own test
//! files, jing, xmllint.

mod corpus;
mod datatypes;
mod jing;
mod judges;
mod material;
mod mutants;
mod mutate;
mod oracles;
mod order;
mod our_grammars;
mod patterns;
mod programs;
mod random;
mod scale;
mod serialize;
mod shuffles;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let corpus = material::Corpus::default();
    let groups = [
        datatypes::trials(),
        patterns::trials(),
        corpus::trials(&corpus),
        our_grammars::trials(&corpus),
        oracles::trials(&corpus),
        mutants::trials(&corpus),
        shuffles::trials(&corpus),
        scale::trials(),
    ];
    groups.into_iter().flatten().collect()
}
