//! JSON Schema for documents that are written as tables of TOML, made from their grammars: for the completion
//! of editors.
//!
//! It is of draft 7, which Taplo and Even Better TOML read. Each place of a document has a
//! definition with a property for each key. A place stands for all forms that an element may have
//! there, so what goes together with what (a file with `type = "file"`) is left to a validator;
//! required is what all forms require. Otherwise it follows the reader of TOML: numbers may be
//! strings, truth values stand for `yes` and `no` or `on` and `off`, an element of text is a single
//! value or a table with `value`, and what may repeat is one or an array.

use super::datatype::{Limit, Sort};
use super::explain::Expected;
use super::names::Symbol;
use super::pattern::{DataDecl, Grammar, Pattern, PatternId};
use super::shape::{Place, Shape, Values};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Layout of documents as tables, as far as their grammars do not define it.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// The title of the schema.
    pub title: &'static str,
    /// The prefix that keys have for a namespace; those of one without are left out.
    pub prefix_of: fn(&str) -> Option<&'static str>,
    /// Element whose keys are also allowed in the root's table by their bare names: the child of the root
    /// around it, its namespace and its name. Keys of that namespace are left out elsewhere.
    pub lifted: (&'static str, &'static str, &'static str),
}

/// The JSON Schema of a file that holds documents with these root elements.
pub fn json_schema(tables: &Tables, kinds: &[(&str, &Shape)]) -> Value {
    let mut generator = Generator {
        tables: *tables,
        definitions: BTreeMap::new(),
        names: HashMap::new(),
        open: VecDeque::new(),
    };
    let mut properties = Map::new();
    for (kind, shape) in kinds {
        let Some(root) = shape.start().child("", kind) else { continue };
        let one = generator.reference(&root, kind);
        let description = first_documentation(&shape.start(), kind);
        properties.insert((*kind).to_owned(), described(one_or_array(one), description));
        generator.finish(kind, &root);
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": tables.title,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "definitions": generator.definitions,
    })
}

/// Returns the documentation of the root at the start of a grammar.
fn first_documentation(start: &Place<'_>, root: &str) -> Option<String> {
    let grammar = start.grammar()?;
    let decls = start.child_decls(grammar.names.symbol("", root));
    decls.iter().find_map(|d| d.documentation.as_deref()).map(str::to_owned)
}

struct Generator<'s> {
    tables: Tables,
    definitions: BTreeMap<String, Value>,
    /// The names of the places that have one.
    names: HashMap<usize, String>,
    /// Places that are named and not yet defined.
    open: VecDeque<(String, Place<'s>)>,
}

/// Possible key of a table.
#[derive(Default)]
struct Key {
    attribute: Option<Symbol>,
    child: Option<Symbol>,
}

impl<'s> Generator<'s> {
    /// A reference to the definition of a place; it gets `name` if it has none yet.
    fn reference(&mut self, place: &Place<'s>, name: &str) -> Value {
        let names = &mut self.names;
        let name = names.entry(place.identity()).or_insert_with(|| {
            self.open.push_back((name.to_owned(), place.clone()));
            name.to_owned()
        });
        json!({ "$ref": format!("#/definitions/{name}") })
    }

    /// Defines the named schemas; the nearest to the root come first and get the shortest names.
    fn finish(&mut self, kind: &str, root: &Place<'s>) {
        while let Some((name, place)) = self.open.pop_front() {
            let mut table = self.table(&name, &place);
            if name == kind
                && let Some((key, lifted)) = self.lifted(kind, root)
                && let Some(Value::Object(properties)) = table.get_mut("properties")
            {
                properties.insert(key, lifted);
            }
            self.definitions.insert(name, table);
        }
    }

    /// The key of the element that stands further down in a document.
    fn lifted(&mut self, kind: &str, root: &Place<'s>) -> Option<(String, Value)> {
        let (around, namespace, name) = self.tables.lifted;
        let around = root.child("", around).unwrap_or_else(|| root.clone());
        let place = around.child(namespace, name)?;
        let symbol = around.grammar()?.names.symbol(namespace, name);
        let decls = around.child_decls(symbol);
        let documentation = decls.iter().find_map(|d| d.documentation.as_deref());
        let table = self.reference(&place, &format!("{kind}.{name}"));
        Some((name.to_owned(), described(table, documentation.map(str::to_owned))))
    }

    /// Returns the schema of a table at a place.
    fn table(&mut self, name: &str, place: &Place<'s>) -> Value {
        let Some(grammar) = place.grammar() else { return json!(true) };
        let keys = self.keys(place, grammar);
        let mut properties = Map::new();
        for (key, found) in &keys {
            let attribute = found.attribute.map(|s| attribute(place, grammar, s));
            let path = format!("{name}.{key}");
            let child = found.child.map(|s| self.child(&path, place, grammar, s));
            match (attribute, child) {
                (Some(attribute), Some(child)) => {
                    // one value is the attribute, and so is @key beside a table
                    let both = any_of(vec![attribute.clone(), child]);
                    properties.insert(key.clone(), both);
                    properties.insert(format!("@{key}"), attribute);
                }
                (Some(one), None) | (None, Some(one)) => {
                    properties.insert(key.clone(), one);
                }
                (None, None) => {}
            }
        }
        let text_key = if place.names_attribute("", "value") { "#text" } else { "value" };
        let text = place.text();
        let mut required = required(place, grammar, &keys);
        if let Some(text) = &text {
            let documentation = phrase(text);
            properties.insert(text_key.to_owned(), described(scalar(text), documentation));
            if place.contents().iter().all(|content| needs_text(grammar, *content)) {
                required.insert(text_key.to_owned());
            }
        }
        let mut patterns = Map::new();
        patterns.insert("^@".to_owned(), json!({ "type": ["string", "integer", "boolean"] }));
        patterns.insert("^xmlns(:|$)".to_owned(), json!({ "type": "string" }));
        let prefixes: BTreeSet<&str> =
            keys.keys().filter_map(|key| Some(key.split_once(':')?.0)).collect();
        if !prefixes.is_empty() {
            // another prefix may be declared for the same namespace
            let usual = Vec::from_iter(prefixes).join("|");
            patterns.insert(format!("^(?!({usual}|xmlns):)[^:@]+:"), json!(true));
        }
        let mut table = json!({
            "type": "object",
            "properties": properties,
            "patternProperties": patterns,
            "additionalProperties": place.is_open(),
        });
        if !required.is_empty()
            && let Some(table) = table.as_object_mut()
        {
            table.insert("required".to_owned(), json!(required));
        }
        table
    }

    /// Returns the schema of the child elements of a name.
    fn child(&mut self, path: &str, place: &Place<'s>, grammar: &Grammar, name: Symbol) -> Value {
        let Some((namespace, local)) = grammar.names.name(name) else { return json!(true) };
        let Some(inner) = place.child(namespace, local) else { return json!(false) };
        let mut forms = Vec::new();
        if required(&inner, grammar, &self.keys(&inner, grammar)).is_empty() {
            match inner.text() {
                Some(mut text) if !place.names_attribute(namespace, local) => {
                    text.none |= inner.may_be_empty();
                    forms.push(scalar(&text));
                }
                None if inner.may_be_empty() => forms.push(json!({ "type": "boolean" })),
                Some(_) | None => {}
            }
        }
        forms.push(self.reference(&inner, path));
        let one = any_of(forms);
        let all = if place.repeats(namespace, local) { one_or_array(one) } else { one };
        let decls = place.child_decls(name);
        let own = decls.iter().find_map(|d| d.documentation.as_deref()).map(str::to_owned);
        described(all, sentences(own, inner.text().as_ref().and_then(phrase)))
    }

    /// The keys of a table at a place. Names in a namespace without a usual prefix are left out, and so
    /// are those of the namespace that needs none.
    fn keys(&self, place: &Place<'_>, grammar: &Grammar) -> BTreeMap<String, Key> {
        let mut keys: BTreeMap<String, Key> = BTreeMap::new();
        for (namespace, local, child) in place.keys() {
            let key = match (namespace, (self.tables.prefix_of)(namespace)) {
                ("", _) => local.to_owned(),
                (_, Some(prefix)) if namespace != self.tables.lifted.1 => {
                    format!("{prefix}:{local}")
                }
                (_, Some(_) | None) => continue,
            };
            let symbol = Some(grammar.names.symbol(namespace, local));
            let found = keys.entry(key).or_default();
            if child { found.child = symbol } else { found.attribute = symbol }
        }
        keys
    }
}

/// The keys without which no form of the element is whole.
fn required(
    place: &Place<'_>,
    grammar: &Grammar,
    keys: &BTreeMap<String, Key>,
) -> BTreeSet<String> {
    let expected = Expected { grammar, patterns: &grammar.patterns };
    let attributes = expected.required(place.contents(), true);
    let children = expected.required(place.contents(), false);
    let needed = |key: &Key| match (key.attribute, key.child) {
        (Some(attribute), None) => attributes.contains(&attribute),
        (None, Some(child)) => children.contains(&child),
        // the one or the other may be meant
        (Some(_), Some(_)) | (None, None) => false,
    };
    keys.iter().filter(|(_, key)| needed(key)).map(|(name, _)| name.clone()).collect()
}

/// Whether every form of the content has a text that is not empty.
fn needs_text(grammar: &Grammar, id: PatternId) -> bool {
    match grammar.patterns.get(id) {
        Pattern::Data(data) => grammar.data.get(*data).is_some_and(|d| !d.datatype.accepts_empty()),
        Pattern::Value(value) => grammar.values.get(*value).is_some_and(|v| !v.text().is_empty()),
        Pattern::Choice(parts) => parts.iter().all(|part| needs_text(grammar, *part)),
        Pattern::Group(parts) | Pattern::Interleave(parts) => {
            parts.iter().any(|part| needs_text(grammar, *part))
        }
        Pattern::OneOrMore(part) => needs_text(grammar, *part),
        Pattern::NotAllowed => true,
        Pattern::Empty
        | Pattern::Text
        | Pattern::List(_)
        | Pattern::Attribute(_)
        | Pattern::Element(_) => false,
    }
}

fn attribute(place: &Place<'_>, grammar: &Grammar, name: Symbol) -> Value {
    let mut values = Values::default();
    let mut documentation = None;
    for decl in place.attribute_decls(name) {
        values.add(grammar, decl.content);
        documentation = documentation.or(decl.documentation.as_deref());
    }
    let own = documentation.map(str::to_owned);
    described(scalar(&values), sentences(own, phrase(&values)))
}

/// A single value.
fn scalar(values: &Values<'_>) -> Value {
    if values.any {
        return json!({ "type": ["string", "integer"] });
    }
    let mut forms = Vec::new();
    let mut words: Vec<Value> = values.words.iter().map(|word| json!(word)).collect();
    let numbers = values.words.iter().filter_map(|word| word.parse::<i64>().ok());
    words.extend(numbers.map(|number| json!(number)));
    if values.truth().is_some() {
        words.extend([json!(true), json!(false)]);
    }
    if values.none {
        words.push(json!(""));
    }
    if !words.is_empty() {
        forms.push(json!({ "enum": words }));
    }
    for decl in &values.types {
        forms.extend(
            typed(decl).into_iter().filter(|form| !forms.contains(form)).collect::<Vec<_>>(),
        );
    }
    any_of(forms)
}

/// Texts whose digits a number stands for: a datatype that takes one of them takes numbers.
const NUMBERS: [&str; 4] = ["0", "7", "10", "123456789012"];

/// Returns the schemas of a datatype.
fn typed(decl: &DataDecl) -> Vec<Value> {
    let description = decl.datatype.describe();
    let mut text = json!({ "type": "string" });
    let patterns: Vec<Value> =
        description.ecma_patterns.iter().map(|p| json!({ "pattern": p })).collect();
    if let Some(text) = text.as_object_mut() {
        match patterns.as_slice() {
            [] => {}
            [Value::Object(one)] => text.extend(one.clone()),
            several => {
                text.insert("allOf".to_owned(), json!(several));
            }
        }
    }
    match description.sort {
        Sort::Boolean => vec![json!({ "enum": [true, false, "true", "false", "1", "0", 1, 0] })],
        Sort::Integer | Sort::Number => {
            if description.ecma_patterns.is_empty()
                && description.sort == Sort::Integer
                && let Some(text) = text.as_object_mut()
            {
                text.insert("pattern".to_owned(), json!("^\\s*[-+]?[0-9]+\\s*$"));
            }
            let mut number = Map::new();
            number.insert("type".to_owned(), json!("integer"));
            limit(&mut number, description.min.as_ref(), "minimum", "exclusiveMinimum");
            limit(&mut number, description.max.as_ref(), "maximum", "exclusiveMaximum");
            vec![Value::Object(number), text]
        }
        Sort::String | Sort::Encoded => {
            if description.sort == Sort::String
                && let Some(text) = text.as_object_mut()
            {
                let length = |n: Option<usize>| n.map(|n| json!(n));
                text.extend(length(description.min_length).map(|n| ("minLength".to_owned(), n)));
                text.extend(length(description.max_length).map(|n| ("maxLength".to_owned(), n)));
            }
            let digits = NUMBERS.iter().any(|n| decl.datatype.allows(n, &()));
            let numbers = digits.then(|| json!({ "type": "integer" }));
            std::iter::once(text).chain(numbers).collect()
        }
    }
}

fn limit(number: &mut Map<String, Value>, limit: Option<&Limit>, at: &str, beyond: &str) {
    let Some(limit) = limit else { return };
    let key = if limit.inclusive { at } else { beyond };
    // numbers that TOML cannot write are no limits
    if let Ok(value) = limit.value.parse::<i64>() {
        number.insert(key.to_owned(), json!(value));
    }
}

fn any_of(mut forms: Vec<Value>) -> Value {
    match forms.len() {
        0 => json!(false),
        1 => forms.remove(0),
        _ => json!({ "anyOf": forms }),
    }
}

fn one_or_array(one: Value) -> Value {
    json!({ "anyOf": [one, { "type": "array", "items": one }] })
}

/// Returns the names for people of a text's datatypes.
fn phrase(values: &Values<'_>) -> Option<String> {
    let phrases: BTreeSet<&str> =
        values.types.iter().filter_map(|d| d.documentation.as_deref()).collect();
    let phrases: Vec<&str> = phrases.into_iter().collect();
    (!phrases.is_empty()).then(|| format!("Expected: {}.", phrases.join(", or ")))
}

fn sentences(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}\n{second}")),
        (first, second) => first.or(second),
    }
}

/// The schema with a description. Beside a reference it would not be read.
fn described(schema: Value, description: Option<String>) -> Value {
    let Some(description) = description else { return schema };
    let mut schema = match schema {
        Value::Object(schema) if !schema.contains_key("$ref") => schema,
        other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
    };
    schema.insert("description".to_owned(), json!(description));
    Value::Object(schema)
}
