//! Published definitions: those that libvirt accepts are in sync after one apply, export to a manifest that
//! plans to nothing, and a dump of the running guest is a manifest too.

use super::oracle::{Applied, Bench, alive, compare, with_identity, with_settings};
use crate::support::ops;
use crate::support::{Libvirtd, run, testdata, tool, trial_if, virt};
use diagnostics::SourceId;
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use virt::model::{Kind, Outcome, ResourceId, Uuid};
use virt::reconcile::Options;
use xmltree::{Element, Limits, parse, write};

/// Parts that libvirt accepts and `virt` does not apply, by file, each with the reason for which that is
/// right.
const LEFT: &[(&str, &str)] = &[];

/// Warning about the dump of a running object.
const DUMP: &str = "running-dump";

/// The networks that guests are on where theirs is not here.
const NETWORK: &str = "lan";

pub(crate) fn trials() -> Vec<Trial> {
    let needs = || {
        Libvirtd::available()?;
        tool("virsh")?;
        testdata("wild")
    };
    let runs = || needs().and_then(|wild| tool("qemu-system-x86_64").map(|_| wild));
    vec![
        trial_if(needs(), "real/wild/converges_and_exports", |wild| all(&wild, 80, converges)),
        trial_if(runs(), "real/wild/dumps_of_what_runs", |wild| all(&wild, 50, dumps)),
    ]
}

/// Faults of a definition, or the reason for which it does not count.
type Checked = Result<Vec<String>, String>;

#[expect(clippy::print_stdout, reason = "what does not count is named with libvirt's message")]
fn all(folder: &Path, least: usize, check: fn(&Bench, &ResourceId, &Element) -> Checked) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "xml"));
    paths.sort();
    let (mut bench, mut counted) = (Bench::start(), 0);
    let mut wrong = BTreeMap::<String, Vec<String>>::new();
    for path in paths {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let checked = subject(&path).and_then(|(id, document)| {
            let checked = alive(&mut bench, |bench| {
                bench.clear();
                let document = definable(bench, &id, document)?;
                check(bench, &id, &document)
            });
            checked.unwrap_or_else(|| Err("it ends libvirtd".to_owned()))
        });
        match checked {
            Err(why) => println!("{file} does not count: {why}"),
            Ok(faults) => {
                counted += 1;
                if !faults.is_empty() {
                    wrong.insert(file, faults);
                }
            }
        }
    }
    println!("{counted} count, {} of them are as they should be", counted - wrong.len());
    let mut text = String::new();
    for (file, faults) in wrong.iter().filter(|(file, _)| !LEFT.iter().any(|(l, _)| l == file)) {
        for fault in faults {
            let _ = writeln!(text, "{file}: {fault}");
        }
    }
    let known: BTreeSet<&str> = wrong.keys().map(String::as_str).collect();
    for (file, _) in LEFT.iter().filter(|(file, _)| !known.contains(file)) {
        let _ = writeln!(text, "{file} is as it should be: take it out of the list");
    }
    assert!(text.is_empty() && counted >= least, "{counted} count; these are wrong:\n{text}");
}

fn subject(path: &Path) -> Result<(ResourceId, Element), String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let document = parse(SourceId::NONE, &text, &Limits::default())
        .map_err(|d| format!("no XML: {}", d.summary))?;
    let kind = if document.is("network") { Kind::Network } else { Kind::Domain };
    let name = document.child_text("name").unwrap_or_default();
    Ok((ResourceId::new(kind, name.trim()), document))
}

/// The document, with the emulator and machine of this host if libvirt refuses it with its own, or why it
/// refuses it.
fn definable(bench: &Bench, id: &ResourceId, document: Element) -> Result<Element, String> {
    let Err(why) = bench.plain(id, &write(&document)) else { return Ok(document) };
    let mut fitted = document;
    if let Some(devices) = fitted.child_mut("devices") {
        devices.remove_elements(|e| e.is("emulator"));
    }
    if let Some(machine) = fitted.child_mut("os").and_then(|os| os.child_mut("type")) {
        let name = machine.attr("machine").unwrap_or_default().to_owned();
        if name.contains("q35") {
            machine.set_attr("machine", "q35");
        } else if name.starts_with("pc") || name.starts_with("rhel") {
            machine.set_attr("machine", "pc");
        }
    }
    // libvirt's words for the document as it was published
    bench.plain(id, &write(&fitted)).map_err(|_| why)?;
    Ok(fitted)
}

/// Checks that it is in sync after it was applied to an empty host and equals plain define's version, and
/// that its export plans to nothing.
fn converges(bench: &Bench, id: &ResourceId, document: &Element) -> Checked {
    let wanted = match bench.read(&write(&with_settings(document.clone()))) {
        Ok(wanted) => wanted,
        Err(why) => {
            bench.validates(id, &write(document))?;
            return Ok(vec![format!("no manifest: {why}")]);
        }
    };
    bench.provide(&wanted);
    match bench.apply(&bench.plan(&wanted, &Options::default())) {
        Applied::Done => {}
        other => return Ok(vec![format!("{other:?}")]),
    }
    let Some(mine) = bench.definition(id) else { return Ok(vec!["it is not there".to_owned()]) };
    let left = bench.left(&wanted, &Options::default());
    let mut faults: Vec<String> = left.iter().map(|left| format!("unsettled: {left}")).collect();
    faults.extend(exports(bench, id).map(|fault| format!("export: {fault}")));
    let said = with_identity(&wanted.definition, &mine);
    let plain = bench.plain(id, &write(&said))?;
    let difference = compare(id.kind, &mine, &plain, &wanted.definition, &wanted.definition);
    faults.extend(difference.map(|difference| difference.to_string()));
    Ok(faults)
}

/// Returns the fault of its export.
fn exports(bench: &Bench, id: &ResourceId) -> Option<String> {
    let ran = run(&mut virt(&["export", "-c", &bench.libvirtd().qemu_uri(), &id.to_string()]));
    if ran.code() != 0 {
        return Some(format!("exits {}: {}", ran.code(), ran.stderr().trim()));
    }
    let wanted = match bench.read(&ran.stdout()) {
        Ok(wanted) => wanted,
        Err(why) => return Some(format!("no manifest: {why}")),
    };
    // the manifest is another one than was applied, which is written down
    let plan = bench.plan(&wanted, &Options::default());
    let fields = plan.changes.iter().flat_map(|c| &c.fields);
    let mut others = fields.filter(|field| field.path.to_string() != "owner");
    let refusals = plan.refusals.iter().map(|r| r.reason.clone());
    let field = others.next().map(|f| format!("{} {:?} -> {:?}", f.path, f.before, f.after));
    field.or_else(|| refusals.chain(plan.blocked.values().cloned()).next())
}

/// Checks that its dump while it runs, applied over it and to an empty host, is in sync.
fn dumps(bench: &Bench, id: &ResourceId, document: &Element) -> Checked {
    let runnable = write(&runnable(document));
    bench.define(id, runnable.clone())?;
    let uuid = bench.observe(id).map_or(Uuid::nil(), |found| found.uuid);
    let start =
        |id: &ResourceId, uuid, paused| match bench.call(id, uuid, ops::create(id.kind, paused)) {
            Outcome::Done => Ok(()),
            Outcome::Refused(e) | Outcome::NotSent(e) | Outcome::Unknown(e) => {
                Err(format!("it does not start: {e}"))
            }
        };
    let network = ResourceId::new(Kind::Network, NETWORK);
    match bench.observe(&network) {
        Some(lan) if id.kind == Kind::Domain && !lan.state.is_active() => {
            start(&network, lan.uuid, false)?;
        }
        _ => {}
    }
    start(id, uuid, id.kind == Kind::Domain)?;
    let running = bench.observe(id).and_then(|found| found.live).unwrap();
    let wanted = match bench.read(&write(&with_settings(running.to_element()))) {
        Ok(wanted) => wanted,
        Err(why) => {
            bench.call(id, uuid, ops::destroy(id.kind));
            bench.validates(id, &runnable)?;
            return Ok(vec![format!("its dump is no manifest: {why}")]);
        }
    };
    let mut faults = Vec::new();
    let told = wanted.warnings.iter().filter(|code| **code == DUMP).count();
    // nothing in a network's dump may be of what runs
    if told > 1 || (told == 0 && id.kind == Kind::Domain) {
        faults.push(format!("{told} warnings of its dump"));
    }
    let adopt = Options { adopt: true, ..Options::default() };
    match bench.apply(&bench.plan(&wanted, &adopt)) {
        Applied::Done => {
            let left = bench.left(&wanted, &Options::default());
            faults.extend(left.map(|left| format!("over what runs: unsettled: {left}")));
            let now = bench.observe(id).and_then(|found| found.live);
            if now.as_ref().map(xmltree::Document::as_element).map(without_metadata)
                != Some(without_metadata(running.as_element()))
            {
                faults.push("over what runs: it runs in another way".to_owned());
            }
        }
        other => faults.push(format!("over what runs: {other:?}")),
    }
    bench.call(id, uuid, ops::destroy(id.kind));
    bench.remove(id);
    match bench.apply(&bench.plan(&wanted, &Options::default())) {
        Applied::Done => {
            let left = bench.left(&wanted, &Options::default());
            faults.extend(left.map(|left| format!("on an empty host: unsettled: {left}")));
        }
        other => faults.push(format!("on an empty host: {other:?}")),
    }
    Ok(faults)
}

fn without_metadata(definition: &Element) -> Element {
    let mut definition = definition.clone();
    definition.remove_elements(|e| e.is("metadata"));
    definition
}

/// Returns the domain with little memory, without parts that this machine lacks: its files, devices and
/// bridges.
fn runnable(document: &Element) -> Element {
    let mut domain = document.clone();
    if !domain.is("domain") {
        return domain;
    }
    domain.set_attr("type", "qemu");
    let hosts = |e: &Element| e.attr("mode").is_some_and(|mode| mode.starts_with("host"));
    let memory = ["memory", "currentMemory", "maxMemory", "memoryBacking", "memtune", "numatune"];
    domain.remove_elements(|e| {
        memory.iter().any(|name| e.is(name))
            || (e.is("cpu") && (hosts(e) || e.child("numa").is_some()))
            || ["cputune", "resource", "launchSecurity", "keywrap", "seclabel", "iothreads"]
                .iter()
                .any(|name| e.is(name))
    });
    domain.push(Element::new("memory").with_attr("unit", "MiB").with_text("64"));
    if let Some(os) = domain.child_mut("os") {
        os.remove_attr("firmware");
        os.remove_elements(|e| {
            ["loader", "nvram", "kernel", "initrd", "cmdline", "dtb", "firmware"]
                .iter()
                .any(|name| e.is(name))
        });
    }
    let Some(devices) = domain.child_mut("devices") else { return domain };
    devices.remove_elements(|device| {
        let has_source = device.child("source").is_some();
        match device.name.local.as_str() {
            "hostdev" | "filesystem" | "memory" | "shmem" | "emulator" | "tpm" => true,
            "disk" => has_source,
            "input" => {
                device.attr("type") == Some("passthrough") || device.attr("type") == Some("evdev")
            }
            "lease" | "rng" | "vsock" | "smartcard" | "redirdev" => true,
            "serial" | "parallel" | "console" | "channel" => device.attr("type") != Some("pty"),
            _ => false,
        }
    });
    for nic in devices.elements_mut().filter(|device| device.is("interface")) {
        nic.set_attr("type", "network");
        nic.remove_elements(|e| {
            ["source", "target", "virtualport", "vlan", "filterref"].iter().any(|name| e.is(name))
        });
        nic.push(Element::new("source").with_attr("network", NETWORK));
    }
    domain
}
