//! Remote error of libvirt: the payload of a reply that refuses.

use super::objects::wire_struct;
use super::{DomainHandle, NetworkHandle};

wire_struct! {
    /// The payload of a reply whose status is an error.
    #[derive(Clone, Debug, PartialEq, Eq)]
    RemoteError {
        /// Code: virErrorNumber.
        code: i32,
        /// Domain: virErrorDomain.
        domain: i32,
        /// The message.
        message: Option<String>,
        /// Severity: virErrorLevel.
        level: i32,
        /// The domain it concerns; servers leave it out.
        dom: Option<DomainHandle>,
        /// Extra string; usually the message's format.
        str1: Option<String>,
        /// Extra string.
        str2: Option<String>,
        /// Extra string.
        str3: Option<String>,
        /// Extra number.
        int1: i32,
        /// Extra number.
        int2: i32,
        /// The network it concerns; servers leave it out.
        net: Option<NetworkHandle>,
    }
}
