//! Cases of the rules for pools and volumes: documents that `virsh` is refused, and similar ones that it
//! is not, since no driver of ours has them yet.

use super::super::host::Host;
use crate::support::run;
use std::collections::BTreeSet;
use std::process::Command;

/// Rule, refused and accepted document; `DIR` is a directory of the test. Pools are defined beside the pool
/// `images`, and volumes are created in it.
struct Case {
    rule: &'static str,
    refused: &'static str,
    taken: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        rule: "bad-size",
        refused: "<volume><name>case</name><capacity unit='EiB'>9999</capacity></volume>",
        taken: "<volume><name>case</name><capacity unit='KiB'>9999</capacity></volume>",
    },
    Case {
        rule: "duplicate-pool",
        refused: "<pool type='dir'><name>case</name><target><path>DIR/</path></target></pool>",
        taken: "<pool type='dir'><name>case</name><target><path>DIR/more</path></target></pool>",
    },
    Case {
        rule: "missing-capacity",
        refused: "<volume><name>case</name></volume>",
        taken: "<volume><name>case</name><capacity>1</capacity></volume>",
    },
    Case {
        rule: "pool-feature",
        refused: "<pool type='logical'><name>case</name><features><cow state='no'/></features>\
                  <source><name>vg</name></source><target><path>/dev/vg</path></target></pool>",
        taken: "<pool type='dir'><name>case</name><features><cow state='no'/></features>\
                <target><path>DIR/more</path></target></pool>",
    },
];

/// Pool of all cases.
const POOL: &str = "<pool type='dir'><name>images</name><target><path>DIR</path></target></pool>";

/// Settings of a volume, which stand in its root.
const IN_POOL: &str = "<virt:reconcile xmlns:virt='urn:virt:reconcile:1' pool='images'/></volume>";

/// Returns the rules that have a case.
pub(super) fn rules() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.rule)
}

/// Checks each case against our rules and against the host.
pub(super) fn hold(host: &Host) {
    let directory = host.path("pool");
    std::fs::create_dir_all(directory.join("more")).unwrap();
    let here = |text: &str| text.replace("DIR", directory.to_str().unwrap());
    let beside = host.path("beside");
    std::fs::create_dir_all(&beside).unwrap();
    std::fs::write(beside.join("virt.toml"), "set = \"here\"\n").unwrap();
    std::fs::write(beside.join("images.xml"), here(POOL)).unwrap();
    host.write("defined.xml", &here(POOL));
    host.virsh(&["pool-define", host.path("defined.xml").to_str().unwrap()]);
    host.virsh(&["pool-start", "images"]);
    for case in CASES {
        for (document, is_taken) in [(case.refused, false), (case.taken, true)] {
            let document = here(document);
            std::fs::write(beside.join("case.xml"), document.replace("</volume>", IN_POOL))
                .unwrap();
            let loaded = virt::manifest::load(std::slice::from_ref(&beside));
            let errors: BTreeSet<&str> =
                loaded.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code).collect();
            let expected = BTreeSet::from_iter((!is_taken).then_some(case.rule));
            assert_eq!(errors, expected, "{document}");
            assert_eq!(takes(host, &document), is_taken, "{document}");
        }
    }
    host.virsh(&["pool-destroy", "images"]);
    host.virsh(&["pool-undefine", "images"]);
}

/// Whether the host accepts the document, which is then removed from it.
fn takes(host: &Host, document: &str) -> bool {
    host.write("case.xml", document);
    let file = host.path("case.xml").to_str().unwrap().to_owned();
    let (define, remove) = match document.starts_with("<pool") {
        true => (vec!["pool-define", &file], vec!["pool-undefine", "case"]),
        false => {
            (vec!["vol-create", "images", &file], vec!["vol-delete", "case", "--pool", "images"])
        }
    };
    let mut virsh = Command::new("virsh");
    let ran = run(virsh.args(["--quiet", "--connect", &host.qemu()]).args(define));
    let is_taken = ran.code() == 0;
    if is_taken {
        host.virsh(&remove);
    }
    is_taken
}
