//! Effects of a shell, a full disk and a careless reader on a run.

use crate::support::{Ran, run, trial};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("cli/edges/a_result_that_nobody_can_be_told_is_no_success", full),
        trial("cli/edges/what_a_name_has_breaks_no_line_of_an_error", breaks),
        trial("cli/edges/a_limit_of_file_sizes_is_an_error", size_limit),
        trial("cli/edges/arguments_of_qemu_and_queries_are_not_shown", private),
    ]
}

fn shell(place: &Path, script: &str) -> Ran {
    let built = Path::new(env!("CARGO_BIN_EXE_virt")).parent().unwrap();
    let mut bash = Command::new("/bin/bash");
    bash.args(["-c", script]).env_clear().current_dir(place);
    bash.env("PATH", format!("{}:/usr/bin:/bin", built.display())).env("LC_ALL", "C.UTF-8");
    run(&mut bash)
}

fn place(domain: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("m")).unwrap();
    fs::write(place.path().join("m/virt.toml"), "set = \"demo\"\n").unwrap();
    fs::write(place.path().join("m/web.xml"), domain).unwrap();
    place
}

const HOST: &str = "-c 'test:///default?state=host'";

fn plain(more: &str) -> String {
    format!(
        "<domain type='test'><name>web</name>{more}<memory>65536</memory><os><type>hvm</type></os></domain>"
    )
}

fn full() {
    let place = place(&plain(""));
    let ran = shell(place.path(), &format!("virt apply m {HOST} >/dev/full")).expect(1);
    assert!(ran.stderr().contains("No space left on device"), "{ran}");
    for help in ["--help", "--version", "apply --help"] {
        shell(place.path(), &format!("virt {help} >/dev/full")).expect(1);
        shell(place.path(), &format!("set -o pipefail; virt {help} | true")).expect(0);
    }
    // every step that was begun was completed
    shell(place.path(), &format!("virt plan m {HOST} --detailed-exitcode")).expect(0);
}

/// Checks that neither a path nor an argument begins a line that could be taken for one of ours.
fn breaks() {
    let place = place(&plain(""));
    let name = r"$'pl\nerror: x\e[2J\u202e'";
    for command in [
        "-f {} get",
        "validate {}",
        "convert {}.xml",
        "plan -c test:///default {}",
        "apply -c test:///default {}.json",
        "init -c test:///default {}/x",
        "export -c test:///default --dir /proc/{}",
        "validate --schema-dir {} m",
        "pki check --dir {}",
        "get {}",
        "history domain/{}",
        "-c {} get",
        "get --host {}",
        "--set={} plan m",
        "{}",
    ] {
        let ran = shell(place.path(), &format!("virt {}", command.replace("{}", name)));
        assert_ne!(ran.code(), 0, "{ran}");
        let said = ran.stdout() + &ran.stderr();
        assert!(!said.contains("\nerror: x") && !said.contains(['\u{1b}', '\u{202e}']), "{ran}");
    }
}

fn size_limit() {
    let place = place(&plain(&format!("<description>{}</description>", "x".repeat(20_000))));
    let script = format!("ulimit -f 4; virt plan m {HOST} --out plan");
    let ran = shell(place.path(), &script).expect(1);
    assert!(ran.stderr().contains("File too large"), "{ran}");
    // the state of the host is a file, too, and stays as it was
    let script =
        format!("virt apply m {HOST} >/dev/null; ulimit -f 4; virt delete domain/web {HOST}");
    shell(place.path(), &script);
    let ran = shell(place.path(), &format!("virt get {HOST}")).expect(0);
    assert!(ran.stdout().contains("test"), "{ran}");
}

fn private() {
    let domain = |token: &str| {
        format!(
            "<domain type='test' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>web</name>\
             <memory>65536</memory><os><type>hvm</type></os><devices><disk type='network' device='cdrom'>\
             <source protocol='https' name='image' query='token={token}-query'><host name='h' port='443'/>\
             </source><target dev='sda' bus='sata'/></disk></devices>\
             <qemu:commandline>\n<qemu:arg value='{token}-arg'/>\n\
             <qemu:env name='KEY' value='{token}-env'/></qemu:commandline></domain>"
        )
    };
    let place = place(&domain("tiger"));
    let mut all = String::new();
    let mut say = |script: &str| {
        let ran = shell(place.path(), script);
        all.push_str(&format!("{script}\n{}{}\n", ran.stdout(), ran.stderr()));
    };
    say(&format!("virt plan m {HOST} --out plan; virt plan --show plan; virt diff m {HOST}"));
    say(&format!(
        "virt apply m {HOST}; virt get domain/web {HOST}; virt history domain/web {HOST}"
    ));
    fs::write(place.path().join("m/web.xml"), domain("stripe")).unwrap();
    say(&format!("virt plan m {HOST} --explain; virt plan m {HOST} -o json; virt diff m {HOST}"));
    say(&format!("virt apply m {HOST} -o json; virt history domain/web {HOST}"));
    // an error beside it shows the line
    let wrong = domain("tiger").replace("<qemu:arg", "<qemu:arg wrong='1'");
    fs::write(place.path().join("m/web.xml"), wrong).unwrap();
    say("virt validate m; virt validate m --format sarif");
    assert!(!all.contains("tiger") && !all.contains("stripe"), "{all}");
    assert!(all.contains("(sensitive)"), "{all}");
}
