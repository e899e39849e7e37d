//! One manifest as a text: its format, and the resources in it.

use super::toml;
use crate::diag::{Diagnostic, Diagnostics, SourceId, Sources, closest, excerpt};
use crate::model::Kind;
use crate::xml::{self, Element, Limits};

/// How a manifest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// libvirt's XML, one document a file.
    Xml,
    /// TOML, any number of resources a file.
    Toml,
}

impl Format {
    /// The format that a file name's extension says.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "xml" => Some(Self::Xml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// Reads the resources of one manifest; the settings of the reconciler stay in their metadata.
/// `name` is shown in messages. If `diagnostics` has errors afterwards, only part was read.
pub fn read_document(
    name: &str,
    text: &str,
    format: Format,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Vec<Element> {
    read(sources.add(name, text), text, format, diagnostics)
}

pub(super) fn read(
    source: SourceId,
    text: &str,
    format: Format,
    diagnostics: &mut Diagnostics,
) -> Vec<Element> {
    match format {
        Format::Toml => {
            let mut roots = toml::parse(source, text, diagnostics);
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
        Format::Xml => match xml::parse(source, text, &Limits::default()) {
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

/// Which kind of resource a root element is.
pub(super) fn kind(root: &Element) -> Option<Kind> {
    Kind::ALL.into_iter().find(|k| root.is(k.word()))
}

fn not_a_resource(root: &Element) -> Diagnostic {
    let found = match &root.name.namespace {
        Some(uri) => format!("{} in the namespace {uri}", root.name.local),
        None => root.name.local.clone(),
    };
    let words = Kind::ALL.map(Kind::word);
    let local = root.name.local.as_str();
    let hint = match (&root.name.namespace, closest(local, words)) {
        (Some(_), _) if words.contains(&local) => {
            "remove xmlns: libvirt's own elements are in no namespace".to_owned()
        }
        (_, Some(word)) => format!("did you mean <{word}>?"),
        _ => "libvirt's other documents are not managed; move the file out of the directory".into(),
    };
    Diagnostic::error("unknown-kind", "the document is neither a domain nor a network")
        .at(root.span)
        .detail(format!("found <{}>", excerpt(&found)))
        .hint(hint)
}
