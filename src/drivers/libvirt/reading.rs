//! How objects of each kind are read: procedures and their flags.

use crate::model::Kind;
use libvirt_rpc::Procedure;

/// VIR_DOMAIN_XML_INACTIVE.
const DOMAIN_XML_INACTIVE: u32 = 1 << 1;

/// VIR_NETWORK_XML_INACTIVE.
const NETWORK_XML_INACTIVE: u32 = 1;

/// VIR_STORAGE_XML_INACTIVE.
const STORAGE_XML_INACTIVE: u32 = 1;

/// How definitions of a kind are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The procedure that gives one.
    pub(super) procedure: Procedure,
    /// Its flag for the persistent one.
    pub(super) inactive: u32,
    /// Whether it can give secrets, which a flag asks for.
    pub(super) has_secrets: bool,
    /// The procedure that tells whether an object is persistent; without one, each is.
    pub(super) is_persistent: Option<Procedure>,
}

/// How definitions of this kind are read.
pub(super) fn reading(kind: Kind) -> Reading {
    match kind {
        Kind::Domain => Reading {
            procedure: Procedure::DOMAIN_GET_XML_DESC,
            inactive: DOMAIN_XML_INACTIVE,
            has_secrets: true,
            is_persistent: Some(Procedure::DOMAIN_IS_PERSISTENT),
        },
        Kind::Network => Reading {
            procedure: Procedure::NETWORK_GET_XML_DESC,
            inactive: NETWORK_XML_INACTIVE,
            has_secrets: false,
            is_persistent: Some(Procedure::NETWORK_IS_PERSISTENT),
        },
        Kind::Pool => Reading {
            procedure: Procedure::STORAGE_POOL_GET_XML_DESC,
            inactive: STORAGE_XML_INACTIVE,
            has_secrets: false,
            is_persistent: Some(Procedure::STORAGE_POOL_IS_PERSISTENT),
        },
        // it has one definition
        Kind::Volume => Reading {
            procedure: Procedure::STORAGE_VOL_GET_XML_DESC,
            inactive: 0,
            has_secrets: false,
            is_persistent: None,
        },
    }
}
