//! Functions of the fuzz targets, driven by bytes, and plain, so that the tests run them too. Each panics
//! where a property does not hold.

mod choices;
pub(crate) mod daemon;
pub(crate) mod document;
pub(crate) mod grammar;
mod hostile;
pub(crate) mod manifest;
pub(crate) mod outputs;
mod reference;
mod schema;
mod validator;
pub(crate) mod wire;
pub(crate) mod xml;

pub(crate) use self::validator::{Seen, load, validator};
pub(crate) use choices::Choices;
