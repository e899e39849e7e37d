//! Documents written from TOML, and the JSON Schema of it, against other programs.

use crate::real::corpus::{documents, unpacked};
use crate::support::{Needs, is_taken, run, testdata, tool, trial_if, virt};
use diagnostics::{Diagnostics, SourceId, Sources};
use libtest_mimic::Trial;
use relaxng::Automaton;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use virt::grammars::embedded;
use virt::manifest::{Format, read_document, to_toml};
use xmltree::{Element, Limits, parse, write};

pub(crate) fn trials() -> Vec<Trial> {
    let corpus = || testdata("libvirt-11.3.0-tests.tar.xz").and_then(|a| Ok((a, tool("tar")?)));
    let json = corpus().and_then(|c| Ok((c, python()?)));
    let order = corpus().and_then(|c| Ok((c, tool("xmllint")?, libvirts_grammars()?)));
    let tools = tool("jing").and_then(|jing| Ok((jing, tool("xmllint")?)));
    vec![
        trial_if(tools, "schema/one_file/jing_and_xmllint_take_it", |(jing, xmllint)| {
            one_file(&jing, &xmllint);
        }),
        trial_if(python(), "schema/json/refuses_slips", |python| slips(&python)),
        trial_if(json, "schema/json/takes_libvirts_documents", |((archive, tar), python)| {
            takes_the_corpus(unpacked(&archive, &tar).path(), &python);
        }),
        trial_if(
            order,
            "schema/toml/is_written_in_libvirts_order",
            |(corpus, xmllint, schemas)| {
                order_is_libvirts(unpacked(&corpus.0, &corpus.1).path(), &xmllint, &schemas);
            },
        ),
    ]
}

fn libvirts_grammars() -> Needs<PathBuf> {
    let directory = Path::new("/usr/share/libvirt/schemas");
    match directory.join("domain.rng").exists() {
        true => Ok(directory.to_owned()),
        false => Err("needs libvirt's grammars (libvirt-common)".to_owned()),
    }
}

/// A Python that has a validator of JSON Schema.
fn python() -> Needs<PathBuf> {
    let python = tool("python3")?;
    let asked = Command::new(&python).args(["-c", "import jsonschema, tomllib"]).output();
    match asked.is_ok_and(|ran| ran.status.success()) {
        true => Ok(python),
        false => Err("needs Python's jsonschema".to_owned()),
    }
}

/// Divisor of the default share of documents.
const ONE_IN: u64 = 3;

/// The resources of the corpus, by the names of their files; a share of them, unless all is asked
/// for.
fn resources(directory: &Path) -> Vec<(String, Element)> {
    let mut paths = documents(directory);
    paths.sort();
    let mut found = Vec::new();
    for path in &paths {
        let Ok(text) = fs::read_to_string(path) else { continue };
        let Ok(root) = parse(SourceId::NONE, &text, &Limits::default()) else { continue };
        if root.is("domain") || root.is("network") {
            let name = path.strip_prefix(directory).unwrap().to_string_lossy().replace('/', "_");
            if is_taken(&name, ONE_IN) {
                found.push((name.trim_end_matches(".xml").to_owned(), root));
            }
        }
    }
    found
}

/// The grammar as one file is one to other programs, too, and gives their verdicts.
fn one_file(jing: &Path, xmllint: &Path) {
    let directory = tempfile::tempdir().unwrap();
    for (kind, good, bad) in [
        (
            "domain",
            "<domain type='kvm'><os><type>hvm</type></os><name>a</name></domain>",
            "<domain type='kvm'><os><type>hvm</type></os><nmae>a</nmae></domain>",
        ),
        ("network", "<network><name>a</name></network>", "<network><name>a/b</name></network>"),
    ] {
        let text = run(&mut virt(&["schema", kind])).expect(0).stdout();
        let path = |name: &str| directory.path().join(name);
        for (name, text) in [("one.rng", text.as_str()), ("good.xml", good), ("bad.xml", bad)] {
            fs::write(path(name), text).unwrap();
        }
        for (name, valid) in [("good.xml", true), ("bad.xml", false)] {
            let ran = run(Command::new(jing).args([path("one.rng"), path(name)]));
            assert_eq!(ran.code() == 0, valid, "{ran}");
            let lint = ["--noout", "--relaxng"];
            let ran = run(Command::new(xmllint).args(lint).args([path("one.rng"), path(name)]));
            assert_eq!(ran.code(), if valid { 0 } else { 3 }, "{ran}");
        }
    }
}

/// The manifests that the JSON Schema refuses, with the reasons.
fn refused(manifests: &[(String, String)], python: &Path) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schema.json");
    fs::write(&schema, run(&mut virt(&["schema", "--toml"])).expect(0).stdout()).unwrap();
    for (name, text) in manifests {
        fs::write(directory.path().join(format!("{name}.toml")), text).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/json_schema.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&schema).arg(directory.path());
    run(&mut command).expect(0).stdout().lines().map(str::to_owned).collect()
}

/// Manifest with most features of TOML's notation.
const SAMPLE: &str = r#"
[[domain]]
type = "kvm"
name = "web"
memory = { unit = "GiB", value = 2 }
vcpu = "2"
os.type = { arch = "x86_64", value = "hvm" }
features = { acpi = true, pmu = { state = false } }
"qemu:commandline"."qemu:arg" = [{ value = "-s" }]
[domain.devices]
controller = [{ type = "usb", model = "ehci" }, { type = "pci", model = { name = "x3130-upstream" }, "@model" = "pcie-switch-upstream-port" }]
panic = true
[[domain.devices.disk]]
type = "file"
driver = { name = "qemu", type = "qcow2" }
source.file = "/web.qcow2"
target = { dev = "vda", bus = "virtio" }
readonly = true
[domain.reconcile]
power = "running"
autostart = true
depends_on = ["network/lan", "domain/db"]
stop = { timeout = 60, force = false }
[network]
name = "lan"
bridge = { stp = false }
ip = { address = "10.0.0.1", prefix = 24 }
"#;

fn slips(python: &Path) {
    let mut manifests = vec![("sample".to_owned(), SAMPLE.to_owned())];
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    for path in documents(&repository) {
        let root = parse(SourceId::NONE, &fs::read_to_string(&path).unwrap(), &Limits::default());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        manifests.push((name, to_toml(&[root.unwrap()])));
    }
    let web = fs::read_to_string(repository.join("web.toml")).unwrap();
    manifests.push(("web".to_owned(), web));
    assert_eq!(refused(&manifests, python), Vec::<String>::new());
    let slips = [
        ("[[domain]]", "[[domian]]"),
        ("type = \"kvm\"", "typ = \"kvm\""),
        ("type = \"kvm\"", "type = \"kwm\""),
        ("name = \"web\"\n", ""),
        ("name = \"lan\"\n", ""),
        ("vcpu = \"2\"", "vcpu = \"two\""),
        ("vcpu = \"2\"", "vcpu = true"),
        ("vcpu = \"2\"", "vcpu = { value = 2, value2 = 3 }"),
        ("memory = {", "memmory = {"),
        (", value = \"hvm\"", ""),
        ("os.type = { arch = \"x86_64\", value = \"hvm\" }", "os = \"hvm\""),
        ("state = false", "state = 0"),
        ("type = \"file\"", "type = 7"),
        ("[[domain.devices.disk]]", "[[domain.devices.dsik]]"),
        ("dev = \"vda\", ", ""),
        ("bus = \"virtio\"", "bus = [\"virtio\"]"),
        ("readonly = true", "readonly = \"yes\""),
        ("power = \"running\"", "power = \"run\""),
        ("\"domain/db\"", "\"db\""),
        ("autostart = true", "autostrat = true"),
        ("prefix = 24", "prefix = -1"),
    ];
    let slipped = |(at, (from, to)): (usize, &(&str, &str))| {
        assert!(SAMPLE.contains(from), "{from}");
        (format!("{at:02}"), SAMPLE.replacen(from, to, 1))
    };
    let mutants: Vec<(String, String)> = slips.iter().enumerate().map(slipped).collect();
    let refused = refused(&mutants, python);
    let known: BTreeSet<&str> = refused.iter().filter_map(|l| l.split('\t').next()).collect();
    for (name, text) in &mutants {
        assert!(known.contains(name.as_str()), "taken:\n{text}");
    }
}

/// Every document that the grammar takes is taken as TOML, too.
fn takes_the_corpus(directory: &Path, python: &Path) {
    let mut automata = ["domain", "network"].map(|k| (k, Automaton::new(embedded(k).unwrap())));
    let mut manifests = Vec::new();
    // one gives libvirt's elements a prefix and QEMU's none, which only a declaration tells
    let told_apart = |name: &str| !name.ends_with("qemu-ns-alt");
    for (name, root) in resources(directory).into_iter().filter(|(name, _)| told_apart(name)) {
        let automaton = automata.iter_mut().find(|(kind, _)| root.is(kind));
        if automaton.is_some_and(|(_, automaton)| automaton.accepts_tree(&root)) {
            manifests.push((name, to_toml(&[root])));
        }
    }
    assert!(manifests.len() > 700, "{}", manifests.len());
    let refused = refused(&manifests, python);
    assert!(
        refused.is_empty(),
        "{} of {}:\n{}",
        refused.len(),
        manifests.len(),
        refused.join("\n")
    );
}

/// Checks the order of siblings in documents written from TOML, whatever the order of the keys: libxml2
/// refuses some orders that libvirt's grammar allows.
fn order_is_libvirts(directory: &Path, xmllint: &Path, schemas: &Path) {
    let before = resources(directory);
    let backwards = |e: &Element| {
        let mut e = e.clone();
        reverse(&mut e);
        e
    };
    let after: Vec<(String, Element)> = before
        .iter()
        .filter_map(|(name, root)| {
            let text = to_toml(&[backwards(root)]);
            let (mut sources, mut out) = (Sources::default(), Diagnostics::default());
            let mut read = read_document("x.toml", &text, Format::Toml, &mut sources, &mut out);
            assert!(out.is_empty(), "{name}");
            Some((name.clone(), read.pop()?))
        })
        .collect();
    let good = valid(&before, xmllint, schemas);
    let still = valid(&after, xmllint, schemas);
    assert!(good.len() > 300, "{}", good.len());
    // <mirror> shows a copy that is running: no manifest has it
    let lost = good.difference(&still).filter(|name| !name.contains("disk-mirror"));
    let lost: Vec<&String> = lost.collect();
    assert!(lost.is_empty(), "{} of {}: {lost:#?}", lost.len(), good.len());
}

/// Puts all children into the opposite order, but keeps equally named ones in theirs.
fn reverse(e: &mut Element) {
    if e.has_text() {
        return;
    }
    let mut names: Vec<String> = Vec::new();
    for child in e.elements_mut() {
        reverse(child);
        if !names.contains(&child.name.local) {
            names.push(child.name.local.clone());
        }
    }
    let mut children: Vec<Element> = e.elements().cloned().collect();
    let place = |c: &Element| names.iter().position(|n| *n == c.name.local);
    children.sort_by_key(|c| std::cmp::Reverse(place(c)));
    e.children.clear();
    children.into_iter().for_each(|child| e.push(child));
}

/// Returns the documents that libvirt's own grammar accepts, as libvirtd asks it.
fn valid(documents: &[(String, Element)], xmllint: &Path, schemas: &Path) -> BTreeSet<String> {
    let directory: TempDir = tempfile::tempdir().unwrap();
    let mut valid = BTreeSet::new();
    for kind in ["domain", "network"] {
        let names = documents.iter().filter(|(_, root)| root.is(kind));
        for (name, root) in names.clone() {
            fs::write(directory.path().join(name), write(root)).unwrap();
        }
        let names: Vec<&String> = names.map(|(name, _)| name).collect();
        for some in names.chunks(500) {
            let mut command = Command::new(xmllint);
            command.args(["--noout", "--relaxng"]).arg(schemas.join(format!("{kind}.rng")));
            let ran = run(command.args(some).current_dir(directory.path()));
            let lines = ran.stderr();
            valid.extend(
                lines.lines().filter_map(|l| l.strip_suffix(" validates")).map(str::to_owned),
            );
        }
    }
    valid
}
