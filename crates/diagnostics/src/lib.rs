//! Source positions, problems of an input, and their rendering.
//!
//! Nothing here reads a file or prints; a caller hands in texts and gets strings back.
//!
//! - `diagnostic.rs`: problems of the input: many at once, sorted by position, the first never hiding the rest
//! - `escape.rs`: foreign strings made safe to show
//! - `hazard.rs`: characters that do something to a terminal or an editor
//! - `redact.rs`: redaction of secrets within values and lines
//! - `render.rs`: a diagnostic as text for people: the place, the line with a caret, the reason and the way out
//! - `shorten.rs`: limits on the problems reported of a file
//! - `source.rs`: source texts and byte spans in them; lines and columns are computed only when rendered
//! - `suggest.rs`: "Did you mean": the closest of a set of known words

mod diagnostic;
mod escape;
mod hazard;
mod redact;
mod render;
pub mod shorten;
mod source;
mod suggest;

pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use escape::{
    escape, escape_json, escape_lines, excerpt, excerpt_at, printable, printable_line, shown_path,
};
pub use hazard::is_hazard;
pub use redact::{REDACTED, conceal, conceal_name};
pub use render::render;
pub use source::{Position, Source, SourceId, Sources, Span};
pub use suggest::{closest, nearest};
