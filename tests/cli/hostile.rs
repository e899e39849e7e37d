//! Hostile text in every field that a host, a guest, a manifest, a file's name or an argument can set: no
//! command prints what moves, hides or turns what a reader sees, nor a line that is not ours.

use crate::fuzzing::outputs::outputs;
use crate::support::site::Site;
use crate::support::{count, run, trial, virt};
use diagnostics::is_hazard;
use libtest_mimic::Trial;
use std::fs;

/// Sources of hostile text, each with the number of cases that run by default, and of all.
const SOURCES: [(&str, usize, usize); 4] = [
    ("no_field_of_a_test_host_or_a_manifest_gets_out", 12, 400),
    ("no_object_or_error_of_a_libvirtd_gets_out", 12, 400),
    ("no_name_of_a_file_or_argument_gets_out", 10, 400),
    ("nothing_gets_onto_the_page_of_a_watch", 4, 100),
];

pub(crate) fn trials() -> Vec<Trial> {
    let sources = SOURCES.into_iter().enumerate().map(|(source, (name, some, all))| {
        trial(format!("cli/hostile/{name}"), move || {
            cases(source, count("VIRT_FUZZ_CASES", some, all));
        })
    });
    let refused = trial("cli/hostile/a_refused_argument_is_quoted_escaped", refused);
    let saved = trial("cli/hostile/a_saved_plan_says_hazards_in_escapes_of_json", saved);
    sources.chain([refused, saved]).collect()
}

fn cases(source: usize, cases: usize) {
    let mut through = 0;
    for case in 0..cases {
        // xorshift: any bytes do, and the same ones each time
        let seed = u64::try_from(case * 4 + source).unwrap();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (seed << 20 | 1);
        let mut byte = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32).to_le_bytes()[0]
        };
        let mut data: Vec<u8> = (0..600).map(|_| byte()).collect();
        data[0] = u8::try_from(source).unwrap();
        through += usize::from(outputs(&data));
    }
    // a host that lies about what it is, or fails a call that each command makes, lets nothing through
    assert!(through > cases / 4, "{through} of {cases} came through");
}

fn refused() {
    for (args, shown) in [
        (&["plan", "--x\u{9b}2J\nFORGED"][..], "'--x\\u{9b}2J\\nFORGED'"),
        (&["pl\u{202e}an"], "'pl\\u{202e}an'"),
        (&["plan", "m", "-o", "a\rb"], "'a\\rb'"),
        // refused for that very character
        (&["plan", "m", "--set", "a\nFORGED"], "'a\\nFORGED'"),
    ] {
        let said = run(&mut virt(args)).expect(64).stderr();
        assert!(said.contains(shown), "{said}");
        assert!(!said.contains("\nFORGED"), "{said}");
    }
}

fn saved() {
    let domain = "<domain type='test'><name>web</name><title>a\u{9b}2J\u{202e}\u{fe0f}\u{e0041}</title>\
                  <memory>65536</memory><os><type>hvm</type></os></domain>";
    let site = Site::new(&[("web.xml", domain)]);
    let virt = |args: &[&str]| {
        let host = ["-c", "test:///default?state=host"];
        run(virt(&[&host, args].concat()).current_dir(site.path()))
    };
    let told = virt(&["plan", "web.xml", "--set", "site", "--out", "saved"]).expect(0);
    let text = fs::read_to_string(site.path().join("saved")).unwrap();
    assert_eq!(text.find(|c| is_hazard(c) && c != '\n'), None, "{text}");
    let said = told.stdout() + &told.stderr();
    let digest = said.split_once("sha256:").unwrap().1.split(|c: char| !c.is_ascii_hexdigit());
    let digest = format!("sha256:{}", digest.into_iter().next().unwrap());
    virt(&["apply", "saved", "--expect", &digest]).expect(0);
    let export = virt(&["export"]).expect(0).stdout();
    assert!(export.contains("<title>a&#x9B;2J&#x202E;&#xFE0F;&#xE0041;</title>"), "{export}");
}
