//! Faults of a certificate, in words, with remedies.

use crate::error::{Error, ErrorKind};
use std::fmt;

/// Fault of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Fault.
    pub fault: Fault,
    /// Certificate: its file, or its owner.
    pub whose: String,
}

/// Sort of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The certificate cannot be decoded.
    Malformed(String),
    /// The CA's certificate lacks basicConstraints, or they deny that it is a CA.
    NotAuthority,
    /// A CA's keyUsage lacks keyCertSign.
    MayNotSign,
    /// A server's or client's certificate is a CA's.
    IsAuthority,
    /// A critical keyUsage lacks this one.
    Usage(&'static str),
    /// The extendedKeyUsage lacks this one.
    Purpose(&'static str),
    /// The certificate expired at this time.
    Expired(String),
    /// The certificate is not valid before this time.
    NotYetValid(String),
    /// The RSA key has this number of bits.
    WeakKey(usize),
    /// Signed over a broken digest.
    WeakSignature(&'static str),
    /// A name has a NUL byte, which hides the rest from some readers.
    NulInName,
    /// The chain has this number of certificates, which are too many.
    ChainTooLong(usize),
    /// The subject is on no line of the list of names.
    NotOnList(String),
}

impl Fault {
    /// Returns the remedy.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "make it again, as X.509 version 3 in PEM",
            Self::NotAuthority => {
                "make the CA again with basicConstraints CA:true (`virt pki init`)"
            }
            Self::MayNotSign => "make the CA again with keyUsage certSign (`virt pki init`)",
            Self::IsAuthority => {
                "make a certificate of its own for it (`virt pki server`, `virt pki client`)"
            }
            Self::Usage(_) => "make it again with keyUsage digitalSignature and keyEncipherment",
            Self::Purpose(_) => {
                "make it again with extendedKeyUsage serverAuth for a server, clientAuth for a client"
            }
            Self::Expired(_) => "renew it, or set the clock if that is wrong",
            Self::NotYetValid(_) => "set the clock if that is wrong, or make it again",
            Self::WeakKey(_) => {
                "make it again with an RSA key of 2048 bits or more, or an elliptic curve"
            }
            Self::WeakSignature(_) => "have it signed again, over SHA-256 or better",
            Self::NulInName => "do not trust whoever made it; make it again",
            Self::ChainTooLong(_) => "sign it with fewer intermediate CAs",
            Self::NotOnList(_) => {
                "add its name to the list of allowed names, attribute by attribute"
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "cannot be read: {why}"),
            Self::NotAuthority => {
                f.write_str("is not a CA's: its basicConstraints do not say CA:true")
            }
            Self::MayNotSign => {
                f.write_str("may not sign certificates: its keyUsage lacks keyCertSign")
            }
            Self::IsAuthority => f.write_str("is a CA's, by its basicConstraints"),
            Self::Usage(usage) => write!(f, "has a critical keyUsage without {usage}"),
            Self::Purpose(purpose) => write!(f, "has an extendedKeyUsage without {purpose}"),
            Self::Expired(when) => write!(f, "has expired on {when}"),
            Self::NotYetValid(when) => write!(f, "is not valid before {when}"),
            Self::WeakKey(bits) => write!(f, "has an RSA key of only {bits} bits"),
            Self::WeakSignature(digest) => write!(f, "is signed over {digest}, which is broken"),
            Self::NulInName => f.write_str("has a NUL byte in a name"),
            Self::ChainTooLong(n) => write!(f, "comes with {n} others, more than a chain may have"),
            Self::NotOnList(name) => write!(f, "is not on the list of allowed names: {name}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.whose, self.fault)
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        refusal(problem.to_string()).hint(problem.fault.remedy())
    }
}

impl From<Problem> for rustls::Error {
    fn from(problem: Problem) -> Self {
        let other = rustls::OtherError(std::sync::Arc::new(problem));
        Self::InvalidCertificate(rustls::CertificateError::Other(other))
    }
}

/// Remedy for a key that cannot be used. GnuTLS writes the numbers of elliptic curves with a
/// leading zero at times, which `ring` refuses and OpenSSL leaves out.
pub(super) const KEYS: &str = "RSA of 2048 to 8192 bits, ECDSA P-256 or P-384, and Ed25519 can be \
                               used; `openssl pkey -in OLD -out NEW` fixes how certtool writes \
                               some of ECDSA";

/// An error about the files of a PKI.
pub(super) fn refusal(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Denied, message)
}
