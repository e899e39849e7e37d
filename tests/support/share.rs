//! Share of a big set that runs: by default one that a fixed seed chooses, so that each run takes the same;
//! with `VIRT_TRIALS=all` the whole set. The older variables of single sets still choose their share, and
//! take precedence.

/// Seed of the share.
const SEED: u64 = 0x7669_7274;

/// Whether whole sets are asked for.
pub(crate) fn whole() -> bool {
    is_all("VIRT_TRIALS")
}

/// Whether all of a set is asked for, by its own variable or by the one for all sets.
pub(crate) fn whole_of(variable: &str) -> bool {
    is_all(variable) || whole()
}

fn is_all(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "all")
}

/// Whether an item belongs to the share of one in `one_in`, by its name: items added to a set or removed from
/// it do not change the choice of others.
pub(crate) fn is_taken(name: &str, one_in: u64) -> bool {
    whole() || hash(name).is_multiple_of(one_in)
}

/// Returns the number of cases to generate: the set's own variable, else the usual number, or the large one
/// in a full run.
pub(crate) fn count(variable: &str, usual: usize, large: usize) -> usize {
    match std::env::var(variable) {
        Ok(number) => number.parse().unwrap_or_else(|_| panic!("{variable} is no number")),
        Err(_) => {
            if whole() {
                large
            } else {
                usual
            }
        }
    }
}

/// FNV-1a, which stays the same in each version of Rust.
fn hash(name: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ SEED;
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    // its low bits alone are poor
    let sum = name.bytes().fold(start, step);
    sum ^ (sum >> 32)
}
