//! One manifest as a text: its format, and the resources in it.

use super::format::{Format, Lasts};
use super::text::text;
use super::{files, toml};
use crate::file;
use crate::model::Kind;
use diagnostics::{Diagnostic, Diagnostics, SourceId, Sources, closest, excerpt};
use std::path::Path;
use xmltree::{Element, Limits};

/// Reads the resources of one manifest; the settings of the reconciler stay in their metadata.
/// `name` is shown in messages. If `diagnostics` has errors afterwards, only part was read.
pub fn read_document(
    name: &str,
    text: &str,
    format: Format,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Vec<Element> {
    read(sources.add(name, text), text, format, Lasts::Longer, diagnostics)
}

/// Reads a file. A symbolic link is followed as long as it stays where the file is: mistakes in a file are
/// shown with its lines, and somebody else may have put the link there.
pub fn read_file(
    path: &Path,
    format: Format,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Vec<Element> {
    let (directory, limit) = (path.parent().unwrap_or(Path::new("")), Limits::MANIFEST.bytes);
    let name = path.file_name().map_or(path, Path::new);
    let approached = file::approach(directory);
    let source = match approached.and_then(|()| file::read_beneath(directory, name, limit)) {
        Ok(bytes) => {
            let add = |name, text| sources.add(name, text);
            text(path, bytes, limit, add, diagnostics)
        }
        Err(e) => {
            diagnostics.push(files::unreadable(path, &e));
            None
        }
    };
    let text = source.and_then(|source| sources.get(source)).map(|s| s.text.as_str());
    match (source, text) {
        (Some(source), Some(text)) => read(source, text, format, Lasts::Longer, diagnostics),
        _ => Vec::new(),
    }
}

pub(super) fn read(
    source: SourceId,
    text: &str,
    format: Format,
    lasts: Lasts,
    diagnostics: &mut Diagnostics,
) -> Vec<Element> {
    match format {
        Format::Toml => {
            let mut roots = toml::parse(source, text, lasts, diagnostics);
            // a key may declare a namespace, or hold any XML
            roots.retain(|root| {
                let sound = kind(root).is_some();
                if !sound {
                    diagnostics.push(not_a_resource(root));
                }
                sound
            });
            roots
        }
        Format::Xml => match xmltree::parse(source, text, &Limits::MANIFEST) {
            Err(problem) => {
                diagnostics.push(*problem);
                Vec::new()
            }
            Ok(root) if kind(&root).is_none() => {
                diagnostics.push(not_a_resource(&root));
                Vec::new()
            }
            Ok(root) => vec![root],
        },
    }
}

/// Returns the kind of resource of a root element.
pub(super) fn kind(root: &Element) -> Option<Kind> {
    Kind::ALL.into_iter().find(|k| root.is(k.as_str()))
}

fn not_a_resource(root: &Element) -> Diagnostic {
    let found = match &root.name.namespace {
        Some(uri) => format!("{} in the namespace {uri}", root.name.local),
        None => root.name.local.clone(),
    };
    let words = Kind::ALL.map(Kind::as_str);
    let local = root.name.local.as_str();
    let hint = match (&root.name.namespace, closest(local, words)) {
        (Some(_), _) if words.contains(&local) => {
            "remove xmlns: libvirt's own elements are in no namespace".to_owned()
        }
        (_, Some(word)) => format!("did you mean <{word}>?"),
        _ => "libvirt's other documents are not managed; move the file out of the directory".into(),
    };
    Diagnostic::error(
        "unknown-kind",
        "the document is neither a domain, a network, a pool nor a volume",
    )
    .at(root.span)
    .detail(format!("found <{}>", excerpt(&found)))
    .hint(hint)
}
