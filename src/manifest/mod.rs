//! Manifests, from paths to the desired state: finding, reading, settings, checks across files.
//!
//! Floor 2: imports `file`, `grammars`, `model` and the crates of formats. Only `files` and `grammars` touch the file
//! system; nothing here prints or reads the environment, and a relative path in `virt.toml` stays
//! as it is.
//!
//! - `arrange.rs`: entries of a TOML table in the order that XML has
//! - `assemble.rs`: the desired state of all manifests together
//! - `check.rs`: checks across manifests: clashing claims, cycles of dependencies
//! - `document.rs`: one manifest as a text: its format, and the resources in it
//! - `files.rs`: finding manifests and reading their texts
//! - `fleet.rs`: the hosts that each manifest is for
//! - `format.rs`: formats of manifests, and their file names
//! - `given.rs`: paths that are given to be read, and where they may lead
//! - `grammars.rs`: the grammars that manifests are held to: the embedded ones, or those of a directory
//! - `kept.rs`: state files of mock hosts among manifests
//! - `keys.rs`: meaning of a TOML key where it stands, for reading and writing
//! - `load.rs`: one load, from paths to the desired state
//! - `loader.rs`: repeated reading, with a cache of unchanged manifests
//! - `notation.rs`: TOML as a notation: its tables with their places, and its syntax errors
//! - `object.rs`: one resource on its way from a document into the desired state
//! - `part.rs`: single manifests, read on several threads
//! - `project.rs`: `virt.toml`: settings for a whole directory of manifests
//! - `settings.rs`: the settings of the reconciler, taken out of a resource's metadata
//! - `text.rs`: decoding of a file's bytes as text, with hints for those that are not UTF-8
//! - `to_toml.rs`: writer of trees as TOML text that `super::toml` reads back into the same tree
//! - `toml.rs`: TOML manifests as the same positioned tree that XML gives
//! - `uris.rs`: checks of the connection URIs of a fleet's hosts

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
mod uris;
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
