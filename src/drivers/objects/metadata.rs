//! Title, description and metadata elements of a definition.

use super::errors::{fault, parser_of, read};
use super::post_parse;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Kind, MetadataKind};
use xmltree::{Element, Name, write_compact};

/// Sets or removes one; removing what is not there is fine.
pub(crate) fn set(
    kind: Kind,
    definition: &mut Element,
    what: &MetadataKind,
    value: Option<&str>,
) -> Result<()> {
    match what {
        MetadataKind::Title if value.is_some_and(|v| v.contains('\n')) => {
            let message = "metadata title can't contain newlines";
            return Err(Error::host(ErrorCode::INVALID_ARG, parser_of(kind), message));
        }
        MetadataKind::Title => set_text(kind, definition, "title", value)?,
        MetadataKind::Description => set_text(kind, definition, "description", value)?,
        MetadataKind::Element { key, uri } => {
            let element =
                value.map(|xml| qualified(kind, read(kind, xml)?, key, uri)).transpose()?;
            let metadata = definition.child_or_new("metadata");
            metadata.remove_elements(|e| e.name.namespace.as_deref() == Some(uri));
            metadata.children.extend(element.map(xmltree::Node::Element));
            if metadata.elements().next().is_none() {
                definition.remove_elements(|e| e.is("metadata"));
            }
        }
    }
    post_parse::sort(kind, definition);
    Ok(())
}

fn set_text(kind: Kind, definition: &mut Element, name: &str, value: Option<&str>) -> Result<()> {
    match value.filter(|v| !v.is_empty()) {
        Some(text) => {
            readable(kind, &Element::new(name).with_text(text))?;
            definition.child_or_new(name).set_text(text);
        }
        None => {
            definition.remove_elements(|e| e.is(name));
        }
    }
    Ok(())
}

/// The element with the namespace on it and on all in it that has none, as libvirt puts it there.
fn qualified(kind: Kind, mut element: Element, key: &str, uri: &str) -> Result<Element> {
    fn qualify(element: &mut Element, key: &str, uri: &str) {
        if element.name.namespace.is_none() {
            element.name = Name::qualified(key, uri, std::mem::take(&mut element.name.local));
        }
        element.elements_mut().for_each(|e| qualify(e, key, uri));
    }
    qualify(&mut element, key, uri);
    readable(kind, &element)?;
    Ok(element)
}

/// Refuses what could be written and not read again: control characters, a key that is no prefix.
fn readable(kind: Kind, element: &Element) -> Result<()> {
    read(kind, &write_compact(element)).map(drop).map_err(|e| {
        fault(ErrorCode::XML_ERROR, parser_of(kind), "the metadata cannot be written as XML")
            .caused_by(e)
    })
}
