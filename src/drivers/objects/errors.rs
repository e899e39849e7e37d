//! Errors as libvirt words them, and reading a document that a caller sent.

use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::Kind;
use diagnostics::{Diagnostic, SourceId, Sources};
use xmltree::{Element, Limits, parse};

/// An error with the words that libvirt puts before the message of its code.
pub(crate) fn fault(code: ErrorCode, domain: ErrorDomain, message: impl AsRef<str>) -> Error {
    let prefix = match code {
        ErrorCode::INTERNAL_ERROR => "internal error: ",
        ErrorCode::INVALID_ARG => "invalid argument: ",
        ErrorCode::OPERATION_FAILED => "operation failed: ",
        ErrorCode::XML_ERROR => "XML error: ",
        ErrorCode::NO_DOMAIN => "Domain not found: ",
        ErrorCode::NO_NETWORK => "Network not found: ",
        ErrorCode::OPERATION_INVALID => "Requested operation is not valid: ",
        ErrorCode::CONFIG_UNSUPPORTED => "unsupported configuration: ",
        ErrorCode::OVERFLOW => "numerical overflow: ",
        ErrorCode::OPERATION_UNSUPPORTED => "Operation not supported: ",
        ErrorCode::DEVICE_MISSING => "device not found: ",
        _ => "",
    };
    Error::host(code, domain, format!("{prefix}{}", message.as_ref()))
}

/// The part of libvirt that reads definitions of this kind.
pub(crate) fn parser_of(kind: Kind) -> ErrorDomain {
    errors_of(kind).0
}

/// The code for an object of this kind that is not there.
pub(crate) fn absent(kind: Kind) -> ErrorCode {
    errors_of(kind).1
}

fn errors_of(kind: Kind) -> (ErrorDomain, ErrorCode) {
    match kind {
        Kind::Domain => (ErrorDomain::DOMAIN, ErrorCode::NO_DOMAIN),
        Kind::Network => (ErrorDomain::NETWORK, ErrorCode::NO_NETWORK),
        Kind::Pool => (ErrorDomain::STORAGE, ErrorCode::NO_STORAGE_POOL),
        Kind::Volume => (ErrorDomain::STORAGE, ErrorCode::NO_STORAGE_VOL),
    }
}

/// Reads a document that belongs to a resource of this kind.
pub(crate) fn read(kind: Kind, text: &str) -> Result<Element> {
    // Positions in it mean nothing to a manifest, so the tree has none; only the error has one.
    parse(SourceId::NONE, text, &Limits::default())
        .map_err(|problem| malformed(parser_of(kind), &problem, text))
}

/// The error for a document that is not well-formed, with the line where it goes wrong.
fn malformed(domain: ErrorDomain, problem: &Diagnostic, text: &str) -> Error {
    let mut sources = Sources::default();
    let source = sources.add("<definition>", text);
    let line = match parse(source, text, &Limits::default()) {
        Err(positioned) => positioned.span.and_then(|span| sources.locate(span)),
        Ok(_) => None,
    };
    let line = line.map_or(1, |(_, at)| at.line);
    let detail = problem.detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
    let message = format!("at line {line}: {}{detail}", problem.summary);
    fault(ErrorCode::XML_DETAIL, domain, message)
}
