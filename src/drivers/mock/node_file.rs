//! Store files: libvirt's `<node>` format, which `test:///PATH` names.
//!
//! Domains and networks are read; what this driver has no objects for (pools, devices, the host's
//! CPUs) is passed over, as is anything of libvirt's test namespace other than `runstate`,
//! `transient` and `hasmanagedsave`.

use crate::drivers::objects::errors::{fault, read};
use crate::drivers::objects::store::{Object, Store};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::file;
use crate::model::{Kind, State};
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use xmltree::Element;

/// The namespace of the test driver's own elements in a domain.
const NAMESPACE: &str = "http://libvirt.org/schemas/domain/test/1.0";

/// Most bytes of a host file.
const MAX_BYTES: usize = 10 << 20;

/// Reads the host that a file describes, with the definitions that it names in files beside it or
/// further down: what is elsewhere is nothing that an error may show.
pub(super) fn load(path: &Path) -> Result<Store> {
    let beside = path.parent().unwrap_or(Path::new(""));
    of(path, beside, || file::open(path))
}

/// The same of a file beneath a real directory, whatever links are put there meanwhile; `path` is for
/// messages.
pub(super) fn load_beneath(root: &Path, below: &Path, path: &Path) -> Result<Store> {
    let held = file::Held::of_file(root, below);
    let (held, name) = held.map_err(|e| Error::system(&shown(path), &e))?;
    of(path, &held.path(OsStr::new("")), || file::open_itself(&held.path(name)))
}

fn of(path: &Path, beside: &Path, open: impl FnOnce() -> std::io::Result<File>) -> Result<Store> {
    let node = document(path, Kind::Domain, || file::bytes(open()?, MAX_BYTES))?;
    if !node.is("node") {
        let found = node.name.written();
        let message = format!("expecting root element of 'node', not '{found}'");
        return Err(fault(ErrorCode::XML_ERROR, ErrorDomain::XML, message).address(shown(path)));
    }
    let mut host = Store::default();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.on_hosts()) {
        for element in node.children_named(kind.as_str()) {
            let definition = match element.attr("file") {
                Some(name) => document(&path.with_file_name(name), kind, || {
                    file::read_beneath(beside, Path::new(name), MAX_BYTES)
                })?,
                None => element.clone(),
            };
            let object = object(kind, definition, &host).map_err(|e| e.address(shown(path)))?;
            host.add(kind, object)?;
        }
    }
    Ok(host)
}

fn object(kind: Kind, definition: Element, host: &Store) -> Result<Object> {
    let error = |message: &str| Err(fault(ErrorCode::XML_ERROR, ErrorDomain::TEST, message));
    let note = |name: &str| {
        let ours =
            |e: &&Element| e.name.local == name && e.name.namespace.as_deref() == Some(NAMESPACE);
        definition.elements().find(ours).map(Element::text)
    };
    let state = match note("runstate").filter(|_| kind.is_guest()) {
        None => State::Running,
        Some(text) => match text.parse::<i32>() {
            Err(_) => return error("invalid runstate"),
            Ok(number) => match State::from_number(number) {
                State::NoState => return error(&format!("runstate '{number}' out of range")),
                state => state,
            },
        },
    };
    let (transient, saved) = (note("transient").is_some(), note("hasmanagedsave").is_some());
    if transient && !state.is_active() {
        return error("transient domain cannot have runstate 'shutoff'");
    }
    if saved && state.is_active() {
        return error("domain with managedsave data can only have runstate 'shutoff'");
    }
    let mut object = Object::defined(kind, definition, host)?;
    if state.is_active() {
        object.start(host, state, 0);
    }
    object.state = state;
    object.managed_save = saved;
    if transient {
        object.persistent = None;
    }
    Ok(object)
}

fn document(
    path: &Path,
    kind: Kind,
    bytes: impl FnOnce() -> std::io::Result<Vec<u8>>,
) -> Result<Element> {
    let name = shown(path);
    let failed = |e| Error::system(&format!("Failed to open file '{name}'"), &e);
    let bytes = bytes().map_err(failed)?;
    // the parser has its own limit of the same size and says so
    let text = String::from_utf8(bytes).map_err(|_| {
        fault(ErrorCode::XML_DETAIL, ErrorDomain::XML, "the file is not UTF-8").address(&name)
    })?;
    read(kind, &text).map_err(|e| e.address(&name))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
