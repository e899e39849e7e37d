//! Arguments that operations of several kinds have: which definition they change, and which metadata.

use serde::{Deserialize, Serialize};

/// Which of an object's definitions an operation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Affect {
    /// The running instance.
    Live,
    /// The next boot.
    Config,
    /// Both in one call.
    Both,
}

impl Affect {
    /// libvirt's flags: LIVE is 1, CONFIG is 2.
    pub fn flags(self) -> u32 {
        match self {
            Self::Live => 1,
            Self::Config => 2,
            Self::Both => 3,
        }
    }
}

/// Part of the metadata that `SetMetadata` sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MetadataKind {
    /// The description.
    Description,
    /// The title.
    Title,
    /// The element of a namespace, written with the prefix `key`.
    Element {
        /// The prefix.
        key: String,
        /// The namespace.
        uri: String,
    },
}

impl MetadataKind {
    /// Returns the value as a document, if it is one: title and description are texts.
    pub(super) fn document<'a>(&self, value: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::Element { .. } => value,
            Self::Title | Self::Description => None,
        }
    }
}
