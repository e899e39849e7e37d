//! Deletion of a guest with real firmware by `virt delete`: remaining files are reported and remain, and
//! unrecoverable ones go only when that is allowed twice.

use super::host::{Host, Pool};
use crate::support::{Needs, tool};
use libtest_mimic::Trial;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial_if(firmware(), "real/deletion/disks_and_nvram_stay", disks_and_nvram_stay),
        pool.trial_if(firmware(), "real/deletion/nvram_goes_when_allowed", nvram_goes_when_allowed),
        pool.trial_if(tpm(), "real/deletion/tpm_state_stays_or_goes_with_nvram", tpm_state),
        pool.trial("real/deletion/a_guest_that_does_not_listen", a_guest_that_does_not_listen),
    ]
}

/// Firmware and the variables that it begins with, as distributions install OVMF.
const FIRMWARE: [(&str, &str); 2] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
];

type Pair = (&'static str, &'static str);

fn firmware() -> Needs<Pair> {
    let is_there = |(code, vars): &Pair| Path::new(code).is_file() && Path::new(vars).is_file();
    FIRMWARE.into_iter().find(is_there).ok_or_else(|| "needs OVMF".to_owned())
}

fn tpm() -> Needs<Pair> {
    for program in ["swtpm", "swtpm_setup"] {
        tool(program)?;
    }
    firmware()
}

/// A guest with two disks, one of them its host's CD, and firmware. Its NVRAM is where the host puts it.
fn write(host: &Host, (code, vars): &Pair, power: &str, devices: &str) {
    let disk = host.path("g.qcow2");
    let mut make = Command::new("qemu-img");
    make.args(["create", "-q", "-f", "qcow2"]).arg(&disk).arg("1M");
    assert!(make.status().unwrap().success());
    let text = format!(
        "<domain type='qemu'><name>g</name><metadata><virt:reconcile \
         xmlns:virt='urn:virt:reconcile:1' power='{power}'/></metadata>\
         <memory unit='MiB'>128</memory><os><type arch='x86_64' machine='q35'>hvm</type>\
         <loader readonly='yes' type='pflash'>{code}</loader><nvram template='{vars}'/></os>\
         <features><acpi/></features><devices><disk type='file'><driver name='qemu' type='qcow2'/>\
         <source file='{}'/><target dev='vda' bus='virtio'/></disk>\
         <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>\
         {devices}</devices></domain>",
        disk.display()
    );
    host.write("g.xml", &text);
}

/// Returns the guest's NVRAM as the host names it, and its place.
fn nvram(host: &Host) -> (String, PathBuf) {
    let definition = host.inactive("g");
    let (_, rest) = definition.split_once("<nvram").unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    let (name, _) = rest.split_once('<').unwrap();
    (name.to_owned(), host.kept(name))
}

fn is_defined(host: &Host) -> bool {
    host.names(&["list", "--all", "--name"]).contains(&"g".to_owned())
}

/// Checks the output and the effect on a running guest, when nothing more is allowed.
fn disks_and_nvram_stay(host: &Host, pair: &Pair) {
    write(host, pair, "running", "");
    host.apply(&[], 0);
    let (name, nvram) = nvram(host);
    let length = fs::metadata(pair.1).unwrap().len();
    assert_eq!(fs::metadata(&nvram).unwrap().len(), length, "made of the template");
    let told = format!("stays on the host: {}, NVRAM {name}", host.path("g.qcow2").display());
    let guests = host.guests();
    let plan = host.run(&["delete", "domain/g", "--dry-run"], 0).stdout();
    assert!(plan.contains(&told), "{told}\n{plan}");
    assert_eq!((host.proxy.take_changes(), host.guests()), (vec![], guests), "it is a dry run");
    // the firmware asks nobody to shut down, so that the plug is pulled
    let ran = host.run(&["delete", "domain/g", "--timeout", "1s", "--force"], 0);
    assert!(ran.stdout().contains(&told), "{ran}");
    assert!(!is_defined(host) && host.guests().is_empty());
    assert!(nvram.is_file() && host.path("g.qcow2").is_file(), "{ran}");
    // and the same guest made again has the variables that it had
    let variables = vec![7; length as usize];
    fs::write(&nvram, &variables).unwrap();
    write(host, pair, "paused", "");
    host.apply(&[], 0);
    assert!(fs::read(&nvram).unwrap() == variables, "others than it had");
}

fn nvram_goes_when_allowed(host: &Host, pair: &Pair) {
    write(host, pair, "paused", "");
    host.apply(&[], 0);
    let (name, nvram) = nvram(host);
    let guests = host.guests();
    for arguments in [&["delete", "domain/g", "--nvram"][..], &["delete", ".", "--nvram"]] {
        for allow in [&[][..], &["--allow", "stops"], &["--allow", "replace"]] {
            let ran = host.run(&[arguments, allow].concat(), 5);
            let told = format!("its NVRAM {name} would be lost");
            assert!(ran.to_string().contains(&told), "{told}\n{ran}");
            assert!(ran.to_string().contains("pass --allow data-loss, or leave --nvram out"));
            assert_eq!(host.proxy.take_changes(), [], "{ran}");
        }
    }
    assert_eq!(host.guests(), guests);
    assert!(nvram.is_file());
    // without --nvram it stays, whatever is allowed: that is the asking
    let arguments = ["delete", "domain/g", "--force", "--timeout", "1s", "--allow", "data-loss"];
    let ran = host.run(&arguments, 0);
    assert!(!is_defined(host) && nvram.is_file(), "{ran}");
    host.apply(&[], 0);
    let ran = host.run(&[&arguments[..], &["--nvram"]].concat(), 0);
    let told = format!("its NVRAM {name} is removed");
    assert!(ran.stdout().contains(&told), "{told}\n{ran}");
    assert!(ran.stdout().contains("stays on the host:"), "{ran}");
    assert!(!is_defined(host) && !nvram.exists(), "{ran}");
    assert!(host.path("g.qcow2").is_file(), "disks stay in any case");
}

fn tpm_state(host: &Host, pair: &Pair) {
    let tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>";
    write(host, pair, "paused", tpm);
    host.apply(&[], 0);
    let uuid = host.virsh(&["domuuid", "g"]).trim().to_owned();
    let state = host.kept(&format!("/var/lib/libvirt/swtpm/{uuid}"));
    assert!(state.is_dir(), "{}", state.display());
    let delete = ["delete", "domain/g", "--force", "--timeout", "1s"];
    let ran = host.run(&delete, 0);
    assert!(ran.stdout().contains(", TPM state"), "{ran}");
    assert!(!is_defined(host) && state.is_dir(), "{ran}");
    host.apply(&[], 0);
    let (_, nvram) = nvram(host);
    let ran = host.run(&[&delete[..], &["--nvram"]].concat(), 5);
    assert!(ran.to_string().contains("and its TPM state would be lost"), "{ran}");
    assert!(state.is_dir() && is_defined(host));
    let ran = host.run(&[&delete[..], &["--nvram", "--allow", "data-loss"]].concat(), 0);
    assert!(ran.stdout().contains("and its TPM state is removed"), "{ran}");
    assert!(!state.exists() && !nvram.exists() && !is_defined(host), "{ran}");
}

/// A guest that never shuts down: it keeps running unless the plug may be pulled.
fn a_guest_that_does_not_listen(host: &Host) {
    const DEAF: &str = "<domain type='qemu'><name>g</name><metadata><virt:reconcile \
        xmlns:virt='urn:virt:reconcile:1' power='running'><stop timeout='1h'/></virt:reconcile></metadata>\
        <memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>";
    host.write("g.xml", DEAF);
    host.apply(&[], 0);
    let guests = host.guests();
    // its manifest gave it an hour
    let begun = Instant::now();
    let ran = host.run(&["delete", "domain/g", "--timeout", "1s"], 1);
    assert!(begun.elapsed() < Duration::from_secs(60), "{ran}");
    assert!(ran.stderr().contains("so does virt delete --force"), "{ran}");
    assert!(is_defined(host), "{ran}");
    assert_eq!(host.guests(), guests, "{ran}");
    let ran = host.run(&["delete", "domain/g", "--timeout", "1s", "--force"], 0);
    assert!(!is_defined(host) && host.guests().is_empty(), "{ran}");
}
