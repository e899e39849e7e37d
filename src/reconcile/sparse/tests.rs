//! Tests of each row of the table, and of its effect on a definition.

use super::*;
use diagnostics::SourceId;
use xmltree::{Limits, parse, write_compact};

fn tree(text: &str) -> Element {
    parse(SourceId::NONE, text, &Limits::default()).expect("well-formed")
}

fn made(how: Sparse, text: &str) -> String {
    let mut document = tree(text);
    let kind = if document.is("network") { Kind::Network } else { Kind::Domain };
    sparse(kind, Defaults::QemuMachines, &mut document, None);
    if how == Sparse::Anew {
        drop_identity(kind, &mut document);
    }
    write_compact(&document)
}

const DISK: &str = "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>\
     <source file='/a'/><target dev='vda' bus='virtio'/>ADDRESS</disk>";

fn q35(devices: &str) -> String {
    format!(
        "<domain type='kvm'><name>a</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid><os>\
         <type arch='x86_64' machine='pc-q35-10.0'>hvm</type></os><devices>{devices}</devices></domain>"
    )
}

#[test]
fn what_is_filled_in_goes_and_what_identifies_stays() {
    let devices = "<controller type='pci' index='0' model='pcie-root'/>\
         <controller type='pci' index='1' model='pcie-root-port'><model name='pcie-root-port'/>\
         <target chassis='1' port='0x10'/><address type='pci' domain='0x0000' bus='0x00' slot='0x02' \
         function='0x0' multifunction='on'/></controller>\
         <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>\
         <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></interface>\
         <input type='mouse' bus='ps2'/>";
    let same = made(Sparse::Same, &q35(devices));
    let nic = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>";
    assert_eq!(same, q35(nic));
    let anew = made(Sparse::Anew, &q35(devices));
    assert!(anew.contains("machine='q35'"), "{anew}");
    assert!(!anew.contains("uuid") && !anew.contains("52:54"), "{anew}");
}

#[test]
fn a_place_that_somebody_chose_stays_with_its_controller() {
    let address = "<address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>";
    let text = q35(&DISK.replace("ADDRESS", address));
    assert!(made(Sparse::Same, &text).contains(address));
    let ports: String = (1..5)
        .map(|n| format!("<controller type='pci' index='{n}' model='pcie-root-port'/>"))
        .collect();
    // room to plug in is no choice of the host's
    let kept = made(Sparse::Same, &q35(&(ports.clone() + &DISK.replace("ADDRESS", ""))));
    assert!(kept.contains(&ports), "{kept}");
}

#[test]
fn a_disk_is_where_its_name_says() {
    for (dev, bus, address, stays) in [
        ("sda", "sata", "controller='0' bus='0' target='0' unit='0'", false),
        ("sdc", "sata", "controller='0' bus='0' target='0' unit='2'", false),
        ("sdc", "sata", "controller='0' bus='0' target='0' unit='0'", true),
        ("hdc", "ide", "controller='0' bus='1' target='0' unit='0'", false),
        ("sdaa", "sata", "controller='4' bus='0' target='0' unit='2'", false),
        ("sda", "sata", "controller='1' bus='0' target='0' unit='0'", true),
    ] {
        let disk = format!(
            "<disk><target dev='{dev}' bus='{bus}'/><address type='drive' {address}/></disk>"
        );
        let text = made(Sparse::Same, &q35(&disk));
        assert_eq!(text.contains("address"), stays, "{dev}: {text}");
    }
}
