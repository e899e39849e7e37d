//! Exports: the manifest of an object plans to nothing, and a sparse one says as much as the whole:
//! defined on a host without the object it gives the definition that it was made from.

use super::convergence::inputs;
use super::corpus::unpacked;
use super::oracle::{Bench, alive, compare};
use crate::support::{Libvirtd, is_taken, run, testdata, tool, trial_if, virt};
use diagnostics::SourceId;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use virt::model::{Kind, ResourceId};
use virt::reconcile::Options;
use xmltree::{Element, Limits, parse, write};

/// Differences that a sparse export leaves, by document, each with the reason.
const LEFT: &[(&str, &str)] = &[
    ("disk-network-http", "its cookies are secrets, and left out"),
    ("disk-network-source-curl", "its cookies are secrets, and left out"),
    ("disk-network-source-curl-nbdkit-backing", "its cookies are secrets, and left out"),
    ("graphics-spice-timeout", "a password is left out, and libvirt drops its time with it"),
];

/// Divisor of the default share of documents.
const ONE_IN: u64 = 6;

/// The share of the lines that a sparse export has, in the middle.
const SHARE: f64 = 0.334;

pub(crate) fn trials() -> Vec<Trial> {
    let needs = || {
        Libvirtd::available()?;
        Ok((testdata("libvirt-11.3.0-tests.tar.xz")?, tool("tar")?))
    };
    vec![
        trial_if(needs(), "real/export/sparse_domains", |(archive, tar)| {
            let corpus = unpacked(&archive, &tar);
            let share = all(Kind::Domain, &corpus.path().join("tests/qemuxmlconfdata"), ONE_IN);
            assert!(share <= SHARE, "{share}");
        }),
        trial_if(needs(), "real/export/sparse_networks", |(archive, tar)| {
            let corpus = unpacked(&archive, &tar);
            all(Kind::Network, &corpus.path().join("tests/networkxml2xmlin"), 1);
        }),
    ]
}

/// Exports each document of a folder, and gives the median share of lines.
#[expect(clippy::print_stdout, reason = "the share is worth seeing when all is well, too")]
fn all(kind: Kind, folder: &Path, one_in: u64) -> f64 {
    let mut bench = Bench::start();
    let (mut shares, mut wrong) = (Vec::new(), BTreeMap::new());
    for path in inputs(folder) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some((id, text)) = subject(kind, &path).filter(|_| is_taken(&name, one_in)) else {
            continue;
        };
        let ran = alive(&mut bench, |bench| {
            bench.clear();
            export(bench, &id, &text)
        });
        match ran {
            Some(Ok(Some(share))) => shares.push(share),
            Some(Err(fault)) => drop(wrong.insert(name, fault)),
            // libvirtd does not take it, or ends
            Some(Ok(None)) | None => {}
        }
    }
    shares.sort_by(f64::total_cmp);
    let median = shares.get(shares.len() / 2).copied().unwrap_or(1.0);
    println!(
        "{kind}: {} of {} are as they were; the median of the shares of lines is {median:.3}",
        shares.len(),
        shares.len() + wrong.len(),
    );
    wrong.retain(|name, _| !LEFT.iter().any(|(left, _)| left == name));
    let text = wrong.iter().fold(String::new(), |mut text, (name, fault)| {
        let _ = writeln!(text, "{name}: {fault}");
        text
    });
    assert!(
        text.is_empty() && shares.len() > 10,
        "{} are well; these are not:\n{text}",
        shares.len()
    );
    median
}

fn subject(kind: Kind, path: &Path) -> Option<(ResourceId, String)> {
    let text = fs::read_to_string(path).ok()?;
    let document = parse(SourceId::NONE, &text, &Limits::default()).ok()?;
    let name = document.child_text("name")?;
    document.is(kind.as_str()).then(|| (ResourceId::new(kind, name.trim()), text))
}

/// Returns the share of lines that is left of an object, `None` if libvirtd refuses it; or the failure.
fn export(bench: &Bench, id: &ResourceId, text: &str) -> Result<Option<f64>, String> {
    if bench.define(id, text.to_owned()).is_err() {
        return Ok(None);
    }
    let Some(before) = bench.definition(id) else { return Ok(None) };
    let uri = bench.libvirtd().qemu_uri();
    let printed = |more: &[&str]| {
        let name = format!("{}/{}", id.kind, id.name);
        let ran = run(&mut virt(&[&["-c", &uri, "export"], more, &[&name]].concat()));
        match ran.code() {
            0 => Ok(ran.stdout()),
            code => Err(format!("export {more:?} exits {code}: {}", ran.stderr().trim())),
        }
    };
    let (whole, sparse) = (printed(&[])?, printed(&["--sparse"])?);
    if let Ok(wanted) = bench.read(&sparse) {
        let adopt = Options { adopt: true, ..Options::default() };
        let plan = bench.plan(&wanted, &adopt);
        let fields = plan.changes.iter().flat_map(|c| &c.fields);
        if let Some(field) = { fields }.find(|f| f.path.to_string() != "owner") {
            return Err(format!(
                "on the same host: {} {:?} -> {:?}",
                field.path, field.before, field.after
            ));
        }
    }
    bench.remove(id);
    let manifest = parse(SourceId::NONE, &sparse, &Limits::default()).unwrap();
    let after = bench.plain(id, &write(&without_settings(&manifest)))?;
    let difference = compare(id.kind, &after, &before, &manifest, &manifest);
    match difference {
        Some(difference) => Err(format!("on an empty host: {difference}")),
        None => Ok(Some(sparse.lines().count() as f64 / whole.lines().count() as f64)),
    }
}

fn without_settings(manifest: &Element) -> Element {
    let mut plain = manifest.clone();
    if let Some(metadata) = plain.child_mut("metadata") {
        metadata.remove_elements(|e| e.is("reconcile"));
    }
    plain
}
