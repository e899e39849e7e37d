//! Conversion of libvirt's remote errors to ours, and back; and errors for malformed messages.

use crate::error::{Error, ErrorCode, ErrorDomain, ErrorKind, ErrorLevel, VirError};
use libvirt_rpc::{Malformed, RemoteError};

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(ErrorKind::Protocol, format!("malformed message: {malformed}"))
    }
}

impl From<RemoteError> for Error {
    fn from(remote: RemoteError) -> Self {
        let code = ErrorCode(remote.code);
        let message =
            remote.message.unwrap_or_else(|| format!("the server gave error {code:?} unexplained"));
        let vir = VirError {
            code,
            domain: ErrorDomain(remote.domain),
            level: match remote.level {
                0 => ErrorLevel::None,
                1 => ErrorLevel::Warning,
                _ => ErrorLevel::Error,
            },
            str1: remote.str1,
            str2: remote.str2,
            str3: remote.str3,
            int1: remote.int1,
            int2: remote.int2,
        };
        let mut error = Self::answer(vir, message);
        error.address = match (remote.dom, remote.net) {
            (Some(domain), _) => Some(format!("domain/{}", domain.name)),
            (None, Some(network)) => Some(format!("network/{}", network.name)),
            (None, None) => None,
        };
        error
    }
}

/// Returns the message of a server that answers with `vir`.
pub fn remote_error(vir: &VirError, message: &str) -> RemoteError {
    RemoteError {
        code: vir.code.0,
        domain: vir.domain.0,
        message: Some(message.to_owned()),
        level: match vir.level {
            ErrorLevel::None => 0,
            ErrorLevel::Warning => 1,
            ErrorLevel::Error => 2,
        },
        dom: None,
        str1: vir.str1.clone(),
        str2: vir.str2.clone(),
        str3: vir.str3.clone(),
        int1: vir.int1,
        int2: vir.int2,
        net: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use libvirt_rpc::{from_bytes, to_bytes};

    /// Recorded answer of libvirtd 11.3 to a lookup of a missing domain.
    const NO_DOMAIN: &[u8] = b"\0\0\0\x2a\0\0\0\x0c\0\0\0\x01\0\0\0\x10Domain not found\0\0\0\x02\
        \0\0\0\0\0\0\0\x01\0\0\0\x10Domain not found\0\0\0\0\0\0\0\0\
        \xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";

    #[test]
    fn every_field_is_kept_both_ways() {
        let remote: RemoteError = from_bytes(NO_DOMAIN).unwrap();
        let error = Error::from(remote.clone());
        let vir = error.vir.as_ref().unwrap();
        assert_eq!((vir.code, vir.domain), (ErrorCode::NO_DOMAIN, ErrorDomain::TEST));
        assert_eq!(error.message, "Domain not found");
        assert_eq!(vir.str1.as_deref(), Some("Domain not found"));
        assert_eq!((vir.level, vir.int1, vir.int2), (ErrorLevel::Error, -1, -1));
        assert_eq!(remote_error(vir, &error.message), remote);
        assert_eq!(to_bytes(&remote).unwrap(), NO_DOMAIN);
    }
}
