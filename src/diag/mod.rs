//! Source positions, diagnostics of the input, operation errors, and their rendering.
//!
//! Floor 0: imports nothing of this crate. Nothing here reads a file or prints; a caller hands in
//! texts and gets strings back.
//!
//! - `diagnostic.rs`: problems of the input: many at once, sorted by position, the first never hiding the rest
//! - `error.rs`: `Error`, its kind, and libvirt's own error beside it
//! - `escape.rs`: foreign strings made safe to show
//! - `hazard.rs`: characters that do something to a terminal or an editor
//! - `render.rs`: a diagnostic as text for people: the place, the line with a caret, the reason and the way out
//! - `secret.rs`: the table of secrets, and secrets within values
//! - `shorten.rs`: limits on how many problems are told
//! - `source.rs`: source texts and byte spans in them; lines and columns are computed only when rendered
//! - `suggest.rs`: "Did you mean": the closest of a set of known words

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
