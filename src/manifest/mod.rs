//! From paths to what the manifests ask for: finding, reading, settings, checks across files.
//!
//! Floor 2: imports `diag`, `file`, `xml`, `model` and `schema`. Only `files` and `grammars` touch the file
//! system; nothing here prints or reads the environment, and a relative path in `virt.toml` stays
//! as it is.

mod arrange;
mod changes;
mod check;
mod document;
mod files;
mod fleet;
mod given;
mod grammars;
mod kept;
mod keys;
mod load;
mod loader;
mod notation;
mod object;
mod part;
mod settings;
mod shorten;
mod text;
mod to_toml;
mod toml;
mod virt_toml;

pub use changes::{Changes, Reading};
pub use document::{Format, read_document, read_file};
pub use fleet::HostDesired;
pub use given::may_say_something;
pub use grammars::Grammars;
pub use load::{
    Connect, Loaded, load, load_as, load_for_good, load_for_hosts, load_virt_toml, load_with,
};
pub use part::read_text;
pub use settings::{duration as parse_duration, settings_element};
pub use to_toml::to_toml;
