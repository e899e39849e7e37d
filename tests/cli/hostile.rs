//! Hostile text in every field that a host, a guest or a manifest can set: no command prints what moves,
//! hides or turns what a reader sees.

use crate::fuzzing::outputs::outputs;
use crate::support::{count, trial};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("cli/hostile/no_field_of_a_host_or_a_manifest_reaches_a_terminal", fields)]
}

fn fields() {
    let mut through = 0;
    let cases = count("VIRT_FUZZ_CASES", 12, 400);
    for case in 0..cases {
        // xorshift: any bytes do, and the same ones each time
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (u64::try_from(case).unwrap() << 20 | 1);
        let mut byte = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32).to_le_bytes()[0]
        };
        let data: Vec<u8> = (0..400).map(|_| byte()).collect();
        through += usize::from(outputs(&data));
    }
    assert!(through > cases / 2, "{through} of {cases} came through");
}
