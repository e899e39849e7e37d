//! Error of an operation: its kind, which is ours, and libvirt's answer, with every field of its virError.

use diagnostics::{Span, escape};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! open_number {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i32);

        impl $name {
            $($(#[$vdoc])* pub const $variant: Self = Self($value);)*

            /// The constant's name, or `None` for a number this build does not know.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some(stringify!($variant)),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }
    };
}

open_number! {
    /// Error codes of libvirt's virErrorNumber; open, so that a number of a newer libvirt survives.
    ErrorCode {
        /// No error.
        OK = 0,
        /// Internal error.
        INTERNAL_ERROR = 1,
        /// Memory is exhausted.
        NO_MEMORY = 2,
        /// The driver does not have this call.
        NO_SUPPORT = 3,
        /// An invalid connection, or a URI that cannot be used.
        INVALID_CONN = 6,
        /// An invalid domain object.
        INVALID_DOMAIN = 7,
        /// An invalid argument; unsupported flags among them.
        INVALID_ARG = 8,
        /// The operation failed; a name that exists with another UUID among the causes.
        OPERATION_FAILED = 9,
        /// A GET operation failed.
        GET_FAILED = 10,
        /// A POST operation failed.
        POST_FAILED = 11,
        /// The definition has no `<os>`.
        NO_OS = 17,
        /// A disk has no `<target>`.
        NO_TARGET = 20,
        /// The definition has no `<name>`.
        NO_NAME = 21,
        /// A definition's XML has the wrong content.
        XML_ERROR = 27,
        /// The object exists already.
        DOM_EXIST = 28,
        /// The connection is read-only, or access control refuses.
        OPERATION_DENIED = 29,
        /// The XML is not well-formed.
        XML_DETAIL = 35,
        /// An invalid network object.
        INVALID_NETWORK = 36,
        /// The network exists already.
        NETWORK_EXIST = 37,
        /// A system call failed; int1 is errno.
        SYSTEM_ERROR = 38,
        /// The RPC failed.
        RPC = 39,
        /// No such domain.
        NO_DOMAIN = 42,
        /// No such network.
        NO_NETWORK = 43,
        /// A MAC address cannot be read.
        INVALID_MAC = 44,
        /// Authentication failed.
        AUTH_FAILED = 45,
        /// No such storage pool.
        NO_STORAGE_POOL = 49,
        /// No such storage volume.
        NO_STORAGE_VOL = 50,
        /// The object's state does not allow the operation.
        OPERATION_INVALID = 55,
        /// The configuration is not supported.
        CONFIG_UNSUPPORTED = 67,
        /// The operation timed out.
        OPERATION_TIMEOUT = 68,
        /// No such snapshot of a domain.
        NO_DOMAIN_SNAPSHOT = 72,
        /// An argument is not supported.
        ARGUMENT_UNSUPPORTED = 74,
        /// The operation was stopped before it was done.
        OPERATION_ABORTED = 78,
        /// The domain has no metadata of that kind.
        NO_DOMAIN_METADATA = 80,
        /// A number is too large.
        OVERFLOW = 82,
        /// The operation is not supported for this object.
        OPERATION_UNSUPPORTED = 84,
        /// The guest agent does not answer.
        AGENT_UNRESPONSIVE = 86,
        /// The resource is held by somebody else.
        RESOURCE_BUSY = 87,
        /// The host's rules for its users do not allow it.
        ACCESS_DENIED = 88,
        /// The device is not there.
        DEVICE_MISSING = 99,
    }
}

open_number! {
    /// Error domains of libvirt's virErrorDomain: the part of the system that raised the error.
    ErrorDomain {
        /// No domain.
        NONE = 0,
        /// XML utilities.
        XML = 5,
        /// The RPC layer.
        RPC = 7,
        /// The QEMU driver.
        QEMU = 10,
        /// The test driver.
        TEST = 12,
        /// The remote driver, ours included.
        REMOTE = 13,
        /// Storage.
        STORAGE = 18,
        /// The network configuration.
        NETWORK = 19,
        /// The domain configuration.
        DOMAIN = 20,
        /// Network filters.
        NWFILTER = 33,
    }
}

/// Severity of an error: libvirt's virErrorLevel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorLevel {
    /// No error.
    None,
    /// A warning.
    Warning,
    /// An error.
    Error,
}

/// Kind of a failure: ours, and closed, so that no number of a host is ever taken for one of them. Exit codes
/// and retries depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The host has answered, and said no: its numbers are in [`ErrorFields::vir`].
    Host,
    /// Never sent, since a call before it was not done; it may be sent again.
    NotSent,
    /// Locked: another run holds the lock, or no lock can be had.
    Locked,
    /// The answer did not come in time.
    Timeout,
    /// The peer does not keep to the protocol, or left in the middle of it.
    Protocol,
    /// The operating system failed us: a file, a socket, a program.
    Io,
    /// Invalid input: a manifest, a file, a name, a URI.
    Invalid,
    /// Known, but impossible there.
    Unsupported,
    /// A rule forbids it, or credentials are missing or not good: read-only, a gate, a password.
    Denied,
    /// The plan is of a host that is another by now.
    Stale,
    /// Cancelled by the caller.
    Cancelled,
}

impl ErrorKind {
    /// The word for it in JSON, in logs and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::NotSent => "not-sent",
            Self::Locked => "locked",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Io => "io",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Denied => "denied",
            Self::Stale => "stale",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Fields of libvirt's virError without its message, which is the [`Error`]'s own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirError {
    /// Code: virErrorNumber.
    pub code: ErrorCode,
    /// Part of the system that raised it.
    pub domain: ErrorDomain,
    /// Severity.
    pub level: ErrorLevel,
    /// Extra string; usually the message's format.
    pub str1: Option<String>,
    /// Extra string.
    pub str2: Option<String>,
    /// Extra string.
    pub str3: Option<String>,
    /// Extra number; errno with [`ErrorCode::SYSTEM_ERROR`].
    pub int1: i32,
    /// Extra number.
    pub int2: i32,
}

/// Error of an operation. It reads as its [`ErrorFields`]; they are boxed so that a result stays as small as
/// its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<ErrorFields>);

/// Fields of an error: the operation, its object, and the host's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFields {
    /// Kind of the failure.
    pub kind: ErrorKind,
    /// Answer of the host; present if, and only if, the kind is [`ErrorKind::Host`].
    pub vir: Option<VirError>,
    /// The message; a host's, as the hypervisor gave it.
    pub message: String,
    /// The object it concerns, such as `domain/web`.
    pub address: Option<String>,
    /// Place of the object in the manifests.
    pub span: Option<Span>,
    /// Hint for a remedy.
    pub hint: Option<String>,
    /// Cause of the error.
    pub source: Option<Error>,
}

impl Error {
    /// Creates an error of our own. Those of a host are made by [`Error::host`].
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        debug_assert!(kind != ErrorKind::Host, "what a host says has its numbers");
        Self::with(kind, None, message.into())
    }

    /// Creates an error from a host's answer.
    pub fn host(code: ErrorCode, domain: ErrorDomain, message: impl Into<String>) -> Self {
        let (level, int1, int2) = (ErrorLevel::Error, -1, -1);
        let (str1, str2, str3) = (None, None, None);
        Self::answer(VirError { code, domain, level, str1, str2, str3, int1, int2 }, message)
    }

    /// Creates an error from a host's answer with all its fields.
    pub fn answer(vir: VirError, message: impl Into<String>) -> Self {
        Self::with(ErrorKind::Host, Some(vir), message.into())
    }

    fn with(kind: ErrorKind, vir: Option<VirError>, message: String) -> Self {
        let (address, span, hint, source) = (None, None, None, None);
        Self(Box::new(ErrorFields { kind, vir, message, address, span, hint, source }))
    }

    /// The number of a host's answer; `None` for an error of our own.
    pub fn code(&self) -> Option<ErrorCode> {
        self.vir.as_ref().map(|vir| vir.code)
    }

    /// Whether a host has answered with this number.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == Some(code)
    }

    /// Whether a host has answered with one of these numbers.
    pub fn is_any(&self, codes: &[ErrorCode]) -> bool {
        self.code().is_some_and(|code| codes.contains(&code))
    }

    /// Sets the object it concerns, unless it already names one.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address.get_or_insert_with(|| address.into());
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn caused_by(mut self, source: Self) -> Self {
        self.source = Some(source);
        self
    }

    /// Creates an error from a failed system call on `what`, such as a path.
    pub fn system(what: &str, error: &std::io::Error) -> Self {
        // mostly a path, which may have breaks in it
        Self::new(ErrorKind::Io, format!("{}: {error}", escape(what)))
    }
}

impl std::ops::Deref for Error {
    type Target = ErrorFields;

    fn deref(&self) -> &ErrorFields {
        &self.0
    }
}

impl std::ops::DerefMut for Error {
    fn deref_mut(&mut self) -> &mut ErrorFields {
        &mut self.0
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&escape(self.message.trim_end()))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}
