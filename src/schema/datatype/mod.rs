//! Datatypes (place holder until the real ones are merged).

use crate::diag::Span;
use std::borrow::Cow;

/// A param.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    /// n
    pub name: String,
    /// v
    pub value: String,
    /// s
    pub span: Span,
}

/// Context.
pub trait Context {
    /// ns
    fn namespace(&self, prefix: Option<&str>) -> Option<&str>;
}
impl Context for () {
    fn namespace(&self, _: Option<&str>) -> Option<&str> {
        None
    }
}

/// Data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Datatype {
    name: String,
    params: Vec<Param>,
}
/// Value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Constant {
    text: String,
}
/// Error.
#[derive(Clone, Debug)]
pub struct TypeError {
    /// s
    pub summary: String,
    /// h
    pub hint: Option<String>,
    /// sp
    pub span: Option<Span>,
}
/// Words.
#[derive(Clone, Debug)]
pub struct Description {
    /// w
    pub words: String,
    /// p
    pub pattern: Option<String>,
    /// k
    pub kind: Kind,
    /// m
    pub min: Option<String>,
    /// m
    pub max: Option<String>,
}

/// Kind
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// i
    Integer,
    /// n
    Number,
    /// b
    Boolean,
    /// s
    String,
}

impl Datatype {
    /// n
    pub fn new(_library: &str, name: &str, params: &[Param]) -> Result<Self, TypeError> {
        Ok(Self { name: name.to_owned(), params: params.to_vec() })
    }
    /// a
    pub fn allows(&self, _text: &str, _cx: &dyn Context) -> bool {
        true
    }
    /// c
    pub fn is_context_dependent(&self) -> bool {
        false
    }
    /// d
    pub fn describe(&self) -> Description {
        let kind = match self.name.as_str() {
            "string" | "NCName" | "dateTime" | "anyURI" | "token" => Kind::String,
            "double" => Kind::Number,
            "boolean" => Kind::Boolean,
            _ => Kind::Integer,
        };
        let get = |n: &str| self.params.iter().find(|p| p.name == n).map(|p| p.value.clone());
        Description {
            words: self.name.clone(),
            pattern: get("pattern"),
            kind,
            min: get("minInclusive"),
            max: get("maxInclusive"),
        }
    }
    /// why
    pub fn why_not(&self, _text: &str) -> Option<String> {
        None
    }
}
impl Constant {
    /// n
    pub fn new(
        _library: &str,
        _name: &str,
        text: &str,
        _cx: &dyn Context,
    ) -> Result<Self, TypeError> {
        Ok(Self { text: collapse(text).into_owned() })
    }
    /// m
    pub fn matches(&self, text: &str, _cx: &dyn Context) -> bool {
        collapse(text) == self.text
    }
    /// t
    pub fn is_context_dependent(&self) -> bool {
        false
    }
    /// t
    pub fn as_token(&self) -> Option<&str> {
        Some(&self.text)
    }
    /// x
    pub fn text(&self) -> &str {
        &self.text
    }
}
/// Collapses white space.
pub fn collapse(text: &str) -> Cow<'_, str> {
    Cow::Owned(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}
