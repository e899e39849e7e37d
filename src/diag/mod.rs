//! Source positions, diagnostics of the input, operation errors, and their rendering.
//!
//! Floor 0: imports nothing of this crate. Nothing here reads a file or prints; a caller hands in
//! texts and gets strings back.

mod diagnostic;
mod error;
mod escape;
mod hazard;
mod render;
mod secret;
pub(crate) mod shorten;
mod source;
mod suggest;

pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use error::{
    Error, ErrorCode, ErrorDomain, ErrorFields, ErrorKind, ErrorLevel, Result, VirError,
};
pub use escape::{
    escape, escape_json, escape_lines, excerpt, excerpt_at, printable, printable_line, shown_path,
};
pub use hazard::is_hazard;
pub use render::render;
pub use secret::{REDACTED, SecretPlace, conceal, conceal_name, is_secret_name, secret_place};
pub use source::{Position, Source, SourceId, Sources, Span};
pub use suggest::{closest, nearest};
