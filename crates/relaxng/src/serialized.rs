//! A loaded grammar as bytes and back: our own grammars are loaded when the program is built, since
//! reading 300 KB of XML at every start would take longer than all the rest.

use super::datatype::{Constant, Datatype, Param};
use super::names::Names;
use super::pattern::{
    AttributeDecl, DataDecl, ElementDecl, Grammar, Pattern, PatternId, Patterns, Table,
};
use diagnostics::Span;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Grammar without the parts that can be computed from the rest.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    names: Names,
    patterns: Vec<Pattern>,
    elements: Vec<ElementDecl>,
    attributes: Vec<AttributeDecl>,
    data: Vec<WrittenData>,
    /// Library, type and text of each value.
    values: Vec<(String, String, String)>,
    start: PatternId,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenData {
    library: String,
    name: String,
    params: Vec<(String, String)>,
    except: Option<PatternId>,
    documentation: Option<Arc<str>>,
    define: Option<Arc<str>>,
}

/// Serializes the grammar. `None` if a value in it depends on the namespace of a prefix in the schema, which
/// is lost.
pub fn write(grammar: &Grammar) -> Option<Vec<u8>> {
    let values = grammar.values.iter().map(|(_, v)| {
        let (library, name, text) = v.written();
        let owned = (library.to_owned(), name.to_owned(), text.to_owned());
        (!v.is_context_dependent()).then_some(owned)
    });
    let written = Written {
        names: grammar.names.clone(),
        patterns: grammar.patterns.iter().cloned().collect(),
        elements: grammar.elements.clone(),
        attributes: grammar.attributes.iter().map(|(_, a)| a.clone()).collect(),
        data: grammar.data.iter().map(|(_, d)| write_data(d)).collect(),
        values: values.collect::<Option<_>>()?,
        start: grammar.start,
    };
    postcard::to_allocvec(&written).ok()
}

fn write_data(d: &DataDecl) -> WrittenData {
    let (library, name, params) = d.datatype.written();
    WrittenData {
        library: library.to_owned(),
        name: name.to_owned(),
        params: params.to_vec(),
        except: d.except,
        documentation: d.documentation.clone(),
        define: d.define.clone(),
    }
}

/// The grammar that [`write()`] made the bytes of; `None` for other bytes.
pub fn read(bytes: &[u8]) -> Option<Grammar> {
    let mut written: Written = postcard::from_bytes(bytes).ok()?;
    written.names.index();
    let mut patterns = Patterns::default();
    for (i, pattern) in written.patterns.into_iter().enumerate() {
        // the first few are there from the start
        if i >= patterns.len() {
            patterns.intern(pattern);
        }
    }
    let mut data = Table::default();
    for d in written.data {
        data.intern(read_data(d)?);
    }
    let mut values = Table::default();
    for (library, name, text) in written.values {
        values.intern(Constant::new(&library, &name, &text, &()).ok()?);
    }
    let mut attributes = Table::default();
    for attribute in written.attributes {
        attributes.intern(attribute);
    }
    Some(Grammar {
        names: written.names,
        patterns,
        elements: written.elements,
        attributes,
        data,
        values,
        start: written.start,
    })
}

fn read_data(d: WrittenData) -> Option<DataDecl> {
    let param = |(name, value)| Param { name, value, span: Span::NONE };
    let params: Vec<Param> = d.params.into_iter().map(param).collect();
    Some(DataDecl {
        datatype: Datatype::new(&d.library, &d.name, &params).ok()?,
        except: d.except,
        documentation: d.documentation,
        define: d.define,
    })
}
