//! Hostile text in all that a host, its guests and manifests can say, and what every command prints of it.

use super::Choices;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use virt::diag::{SourceId, is_hazard};
use virt::xml::{Element, Limits, parse, write};

/// What is put into fields: control characters that XML lets pass, whatever turns, hides or breaks text,
/// and what means something to a shell, to HTML, to JSON and to TOML.
const HOSTILE: &[&str] = &[
    "\u{9b}2J",
    "\u{85}",
    "\u{7f}",
    "\u{feff}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{61c}",
    "\u{200b}",
    "\u{200f}",
    "\u{e0041}",
    "\u{fff9}",
    "\n",
    "\t",
    "\r",
    "<b>",
    "&amp;",
    "\"",
    "'",
    "\\",
    "\"\"\"",
    "'''",
    "$(x)",
    "](",
    "\u{fffd}",
    "é",
    "{}",
    "%s",
    "/../",
    "x",
];

/// A host with an object of each kind, as the mock keeps it.
const HOST: &str = "<virt-test-host version='1'>\
    <object kind='network' state='1' reason='0' autostart='yes' managedsave='no'><persistent>NETWORK</persistent>\
    <live>NETWORK</live></object>\
    <object kind='domain' state='1' reason='1' autostart='no' managedsave='no'><persistent>DOMAIN</persistent>\
    <live>DOMAIN</live></object></virt-test-host>";

const NETWORK: &str = "<network><name>lan</name><uuid>a860e574-79d4-507e-9e73-365918896e3e</uuid>\
    <metadata><o:x xmlns:o='urn:other' y='text'>text</o:x></metadata><bridge name='virbr9'/>\
    <dns><txt name='text' value='text'/></dns>\
    <ip address='10.9.0.1' prefix='24'><dhcp><host mac='52:54:00:15:00:10' name='text' ip='10.9.0.9'/></dhcp></ip>\
    <portgroup name='text'/></network>";

const DOMAIN: &str = "<domain type='test'><name>web</name><uuid>93d5a42f-aac5-4bd1-9c4e-1c6b6e6a3e11</uuid>\
    <title>text</title><description>text</description>\
    <metadata><virt:owned xmlns:virt='urn:virt:reconcile:1' set='text' power='running' autostart='no' \
    stop_timeout_ms='60000' digest='text' at='text'>text</virt:owned></metadata>\
    <memory>65536</memory><os><type>hvm</type><kernel>/text</kernel><cmdline>text</cmdline></os>\
    <devices><emulator>/text</emulator><disk type='file' device='disk'><source file='/text'/>\
    <target dev='vda' bus='virtio'/><serial>text</serial></disk>\
    <interface type='network'><mac address='52:54:00:15:00:10'/><source network='lan'/></interface></devices></domain>";

/// Puts hostile text into fields as `data` chooses, and runs every command; says whether one of them went
/// well. `$VIRT_PROGRAM` names the program where it is not the one that is tested.
///
/// # Panics
/// Something hazardous was printed.
pub(crate) fn outputs(data: &[u8]) -> bool {
    let mut choices = Choices::new(data);
    let place = tempfile::tempdir().unwrap();
    let mut element = |text: &str| {
        let mut root = parse(SourceId::NONE, text, &Limits::default()).unwrap();
        spoil(&mut root, &mut choices);
        write(&root)
    };
    let host = HOST.replace("NETWORK", &element(NETWORK)).replace("DOMAIN", &element(DOMAIN));
    let manifests = place.path().join("m");
    fs::create_dir(&manifests).unwrap();
    fs::write(manifests.join("virt.toml"), "set = \"demo\"\n").unwrap();
    fs::write(manifests.join("web.xml"), element(DOMAIN)).unwrap();
    fs::write(manifests.join("lan.xml"), element(NETWORK)).unwrap();
    let mut any = false;
    for args in COMMANDS {
        let state = place.path().join("host");
        fs::write(&state, &host).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).unwrap();
        any |= run(place.path(), args);
    }
    any
}

const COMMANDS: &[&str] = &[
    "validate m",
    "validate m --format sarif",
    "validate m -o json",
    "plan m --explain",
    "plan m -o json",
    "plan m --adopt --allow data-loss --allow stops --out saved",
    "plan --show saved",
    "plan --show saved -o json",
    "apply saved",
    "diff m --adopt",
    "apply m --adopt --color always",
    "apply m --adopt -o json",
    "watch m --once --adopt",
    "watch m --once --adopt -o json",
    "get",
    "get -o json",
    "get --color always",
    "get domain/web",
    "get network/lan -o json",
    "history",
    "history -o json",
    "rollback domain/web --dry-run",
    "export",
    "export --sparse",
    "export --format toml",
    "delete domain/web network/lan --adopt",
    "delete domain/nobody -o json",
    "release domain/web",
    "convert m/web.xml",
    "doctor",
    "doctor -o json",
    "-vvv plan m",
];

fn spoil(element: &mut Element, choices: &mut Choices<'_>) {
    let name = element.name.local.clone();
    for attribute in &mut element.attributes {
        // without these the mock has no such object
        let is_needed =
            ["type", "kind", "dev", "bus", "device"].contains(&attribute.name.local.as_str());
        if !is_needed && choices.below(3) == 0 {
            attribute.value = hostile(&attribute.value, choices);
        }
    }
    let is_leaf = element.elements().next().is_none() && !element.text().is_empty();
    if is_leaf && !["uuid", "type", "memory"].contains(&name.as_str()) && choices.below(3) == 0 {
        element.set_text(hostile(&element.text(), choices));
    }
    element.elements_mut().for_each(|child| spoil(child, choices));
}

fn hostile(text: &str, choices: &mut Choices<'_>) -> String {
    let mut out = text.to_owned();
    for _ in 0..=choices.below(4) {
        let piece = HOSTILE[choices.below(HOSTILE.len())];
        if choices.below(2) == 0 { out.push_str(piece) } else { out.insert_str(0, piece) }
    }
    out
}

fn run(place: &Path, args: &str) -> bool {
    let named = std::env::var_os("VIRT_PROGRAM").map(PathBuf::from);
    let built = option_env!("CARGO_BIN_EXE_virt").map(PathBuf::from);
    let program = named.or(built).expect("VIRT_PROGRAM names the program");
    let mut command = Command::new(program);
    command.args(args.split(' ')).args(["-c", "test:///default?state=host"]).current_dir(place);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    let ran = command.output().unwrap();
    assert!(ran.status.code().is_some_and(|code| code != 101), "{args}: {ran:?}");
    for bytes in [&ran.stdout, &ran.stderr] {
        let text = std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{args}: {e}: {bytes:?}"));
        let bare = match args.contains("always") {
            true => PAINTS.iter().fold(text.to_owned(), |text, code| text.replace(code, "")),
            false => text.to_owned(),
        };
        let bad = bare.chars().find(|c| is_hazard(*c) && !['\n', '\t'].contains(c));
        assert!(bad.is_none(), "{args} printed {bad:?} in:\n{}", bare.escape_debug());
    }
    if args.ends_with("-o json") || args.contains("sarif") {
        for line in String::from_utf8_lossy(&ran.stdout).lines() {
            let read: Result<serde_json::Value, _> = serde_json::from_str(line);
            assert!(read.is_ok(), "{args} printed no JSON: {line}");
        }
    }
    ran.status.success()
}

/// What the program itself paints with.
const PAINTS: &[&str] = &[
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[36m",
];
