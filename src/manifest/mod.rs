//! From paths to what the manifests ask for: finding, reading, settings, checks across files.
//!
//! Floor 2: imports `diag`, `file`, `xml`, `model` and `schema`. Only `files` and `grammars` touch the file
//! system; nothing here prints or reads the environment, and a relative path in `virt.toml` stays
//! as it is.

mod arrange;
mod assemble;
mod check;
mod document;
mod files;
mod fleet;
mod format;
mod given;
mod grammars;
mod kept;
mod keys;
mod load;
mod loader;
mod notation;
mod object;
mod part;
mod project;
mod settings;
mod text;
mod to_toml;
mod toml;
mod watch;

pub use assemble::Loaded;
pub use document::{read_document, read_file};
pub use fleet::HostDesired;
pub use format::Format;
pub use given::may_say_something;
pub use grammars::Grammars;
pub use load::{load, load_as, load_for_good, load_for_hosts, load_virt_toml, load_with};
pub(crate) use notation::{parse_table, unknown_key};
pub use part::read_text;
pub use project::Connect;
pub use settings::{duration as parse_duration, settings_element};
pub use to_toml::{quoted, to_toml};
pub use watch::{Changes, Reading};
