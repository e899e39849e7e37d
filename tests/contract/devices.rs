//! Devices that come and go, where the driver has that at all.

use super::Rule;
use super::subject::{Deviation, Host, Need, Subjected};
use virt::error::ErrorCode;
use virt::model::{Affect, DomainOp};
use xmltree::{Element, Path};

pub(super) const RULES: &[Rule] = &[
    ("a_device_comes_and_goes_in_the_next_boot", Some(Need::Devices), in_the_next_boot),
    ("a_device_comes_and_goes_live", Some(Need::Devices), live),
    ("a_device_is_changed", Some(Need::Devices), is_changed),
    ("one_call_gives_both_definitions_one_mac", Some(Need::Devices), one_mac),
    ("bad_devices_are_refused", Some(Need::Devices), bad_devices),
];

/// Interface on the USB: guests without firmware and operating system let it come and go as well, while on
/// PCI it waits for them.
const NIC: &str = "<interface type='user'><mac address='52:54:00:AA:bb:01'/><model type='usb-net'/>\
    </interface>";
const MAC: &str = "<mac address='52:54:00:AA:bb:01'/>";
const DISK: &str = "<disk type='file' device='cdrom'><target dev='sdb' bus='scsi'/></disk>";

fn attach(xml: &str, affect: Affect) -> DomainOp {
    DomainOp::Attach { xml: xml.to_owned(), affect }
}

fn detach(xml: &str, affect: Affect) -> DomainOp {
    DomainOp::Detach { xml: xml.to_owned(), affect }
}

fn count(definition: &Element, name: &str) -> usize {
    definition.child("devices").unwrap().children_named(name).count()
}

fn in_the_next_boot(host: &Host) {
    let web = host.domain("drawers", "");
    web.define();
    for (name, xml) in [("interface", NIC), ("disk", DISK)] {
        web.done(attach(xml, Affect::Config));
        assert_eq!(count(&web.config(), name), 1);
        let twice = [
            ErrorCode::XML_ERROR,
            ErrorCode::OPERATION_INVALID,
            ErrorCode::OPERATION_FAILED,
            ErrorCode::INVALID_ARG,
        ];
        if name == "interface" && host.deviates(Deviation::MacsMayRepeat) {
            web.done(attach(xml, Affect::Config));
            assert_eq!(count(&web.config(), name), 2);
            web.define().done(attach(xml, Affect::Config));
        } else {
            web.refused(attach(xml, Affect::Config), &twice);
        }
        for affect in [Affect::Live, Affect::Both] {
            web.refused(attach(xml, affect), &[ErrorCode::OPERATION_INVALID]);
            web.refused(detach(xml, affect), &[ErrorCode::OPERATION_INVALID]);
        }
        web.done(detach(xml, Affect::Config));
        assert_eq!(count(&web.config(), name), 0);
        gone(&web, detach(xml, Affect::Config));
    }
}

fn gone(domain: &Subjected<'_>, op: DomainOp) {
    let codes = [ErrorCode::DEVICE_MISSING, ErrorCode::INVALID_ARG, ErrorCode::OPERATION_FAILED];
    domain.refused(op, &codes);
}

fn live(host: &Host) {
    let web = host.domain("hotplug", "");
    web.define().start().done(attach(NIC, Affect::Live));
    assert_eq!((count(&web.live(), "interface"), count(&web.config(), "interface")), (1, 0));
    // both or none: the next boot has no such device
    gone(&web, detach(NIC, Affect::Both));
    web.done(detach(NIC, Affect::Live)).done(attach(NIC, Affect::Both));
    assert_eq!((count(&web.live(), "interface"), count(&web.config(), "interface")), (1, 1));
    web.done(detach(NIC, Affect::Both));
    assert_eq!((count(&web.live(), "interface"), count(&web.config(), "interface")), (0, 0));
    web.done(DomainOp::Destroy);
}

fn is_changed(host: &Host) {
    let web = host.domain("swaps", &format!("<devices>{NIC}</devices>"));
    web.define();
    let link = Path::parse("devices/interface/link/@state").unwrap();
    let changed = NIC.replace("</i", "<link state='down'/></i");
    web.done(DomainOp::Update { xml: changed, affect: Affect::Config });
    assert_eq!(link.value(&web.config()).as_deref(), Some("down"));
    assert_eq!(count(&web.config(), "interface"), 1);
    let other = NIC.replace("01'", "02'");
    gone(&web, DomainOp::Update { xml: other, affect: Affect::Config });
}

fn one_mac(host: &Host) {
    let web = host.domain("twins", "");
    web.define().start().done(attach(&NIC.replace(MAC, ""), Affect::Both));
    let mac = Path::parse("devices/interface/mac/@address").unwrap();
    let found = mac.value(&web.config());
    assert!(found.is_some());
    assert_eq!(found, mac.value(&web.live()));
    web.done(DomainOp::Destroy);
}

fn bad_devices(host: &Host) {
    let web = host.domain("picky", "");
    web.define();
    let codes = [
        ErrorCode::XML_ERROR,
        ErrorCode::XML_DETAIL,
        ErrorCode::CONFIG_UNSUPPORTED,
        ErrorCode::OPERATION_UNSUPPORTED,
        ErrorCode::NO_TARGET,
    ];
    for xml in ["", "<disk", "<junk/>", "<disk/>", "<disk><target dev='nope'/></disk>"] {
        web.refused(attach(xml, Affect::Config), &codes);
    }
    for mac in ["", "zz", "01:00:00:00:00:00", "52:54:00:aa:bb"] {
        let xml = format!("<interface type='user'><mac address='{mac}'/></interface>");
        web.refused(attach(&xml, Affect::Config), &codes);
    }
}
