//! Documents of libvirt, read as manifests.

use crate::real::corpus::{documents, unpacked};
use crate::support::{testdata, tool, trial_if};
use diagnostics::{Diagnostics, SourceId, Sources, render};
use libtest_mimic::Trial;
use std::fs;
use std::path::{Path, PathBuf};
use virt::manifest::{Format, load, read_document, to_toml};
use xmltree::{Element, Limits, Node, parse, write};

pub(crate) fn trials() -> Vec<Trial> {
    let needs = || testdata("libvirt-11.3.0-tests.tar.xz").and_then(|a| Ok((a, tool("tar")?)));
    vec![
        trial_if(needs(), "schema/documents/come_back_from_toml", |(archive, tar)| {
            come_back(unpacked(&archive, &tar).path());
        }),
        trial_if(needs(), "schema/documents/sound_ones_have_no_error", |(archive, tar)| {
            sound_ones(unpacked(&archive, &tar).path());
        }),
    ]
}

/// The folders of the archive whose documents could be manifests.
const FOLDERS: [&str; 3] = ["qemuxmlconfdata", "networkxml2xmlin", "genericxml2xmlindata"];

fn in_folders(directory: &Path) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let of = move |folder: &'static str| {
        let mut found = documents(&directory.join("tests").join(folder));
        found.sort();
        found.into_iter().map(move |path| (folder, path))
    };
    FOLDERS.into_iter().flat_map(of).collect::<Vec<_>>().into_iter()
}

fn come_back(directory: &Path) {
    let (mut read, mut failed) = (0, Vec::new());
    for (_, path) in in_folders(directory) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let Ok(root) = parse(SourceId::NONE, &text, &Limits::default()) else { continue };
        if root.is("domain") || root.is("network") {
            read += 1;
            failed.extend(round_trips(&root).err().map(|e| format!("{}: {e}", path.display())));
        }
    }
    assert!(read > 2_000, "only {read} documents");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Whether the document is the same after a way through TOML.
fn round_trips(before: &Element) -> Result<(), String> {
    let toml = to_toml(std::slice::from_ref(before));
    let (mut sources, mut out) = (Sources::default(), Diagnostics::default());
    let read = read_document("x.toml", &toml, Format::Toml, &mut sources, &mut out);
    if let Some(problem) = out.iter().next() {
        return Err(format!("{}\n{toml}", render(problem, &sources)));
    }
    let [after] = read.as_slice() else { return Err(format!("not one\n{toml}")) };
    match grouped(before) == grouped(after) {
        true => Ok(()),
        false => Err(format!("{toml}\n{}\n{}", write(before), write(after))),
    }
}

/// The tree with its children grouped by name, which is all the order that TOML keeps.
fn grouped(e: &Element) -> Element {
    let mut e = e.clone();
    for child in e.elements_mut() {
        *child = grouped(child);
    }
    let is_mixed = e.has_text() && e.elements().next().is_some();
    if !is_mixed {
        e.children.sort_by_key(|node| match node {
            Node::Element(child) => Some(child.name.local.clone()),
            Node::Text(_) => None,
        });
    }
    e
}

/// Documents that libvirt's parser accepts and no host does, or that its own grammar refuses, too.
const UNSOUND: &[&str] = &[
    "8021Qbh-net.xml:11:3 forward-mode",
    "disk-cdrom-empty-network-invalid.xml:17:5 missing-element",
    "graphics-listen-network-invalid.xml:22:7 missing-attribute",
    "name-slash-fail.xml:2:9 bad-name",
    "net-mcast.xml:25:24 not-multicast",
    "numatune-auto-nodeset-invalid.xml:8:47 unexpected-attribute",
    "open-network-with-forward-dev.xml:6:29 forward-mode",
    "passthrough-pf.xml:7:3 forward-mode",
];

/// Documents that libvirt's tests hold to be sound have no error here.
fn sound_ones(directory: &Path) {
    let (mut read, mut found) = (0, Vec::new());
    for (folder, path) in in_folders(directory) {
        let arguments = path.with_extension("x86_64-latest.args");
        if folder == "qemuxmlconfdata" && !arguments.exists() {
            continue;
        }
        read += 1;
        let loaded = load(std::slice::from_ref(&path));
        for problem in loaded.diagnostics.iter().filter(|d| d.is_error()) {
            let place = problem.span.and_then(|span| loaded.sources.place(span));
            let place = place.unwrap_or_default();
            let place = place.rsplit('/').next().unwrap_or_default();
            found.push(format!("{place} {}", problem.code));
        }
    }
    assert!(read > 500, "only {read} documents");
    found.retain(|problem| !problem.ends_with("unknown-kind"));
    found.sort();
    assert_eq!(found, UNSOUND);
}
