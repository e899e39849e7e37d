//! The answer to a request, as bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    Method,
    Timeout,
    Misdirected,
    TooLarge,
    Unavailable,
    Version,
}

impl Status {
    /// Number, phrase, and what to do.
    fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Ok => (200, "OK", ""),
            Self::BadRequest => (400, "Bad Request", "this is not an HTTP/1.1 request for a path"),
            Self::NotFound => (404, "Not Found", "/ has links to all there is"),
            Self::Method => (405, "Method Not Allowed", "nothing can be changed here: use GET"),
            Self::Timeout => (408, "Request Timeout", "the request did not come to its end"),
            Self::Misdirected => (
                421,
                "Misdirected Request",
                "by this name the page is not served: use localhost or the address",
            ),
            Self::TooLarge => {
                (431, "Request Header Fields Too Large", "send less than 8 KiB and 64 fields")
            }
            Self::Unavailable => (503, "Service Unavailable", ""),
            Self::Version => (505, "HTTP Version Not Supported", "use HTTP/1.1"),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Response {
    status: Status,
    content_type: &'static str,
    /// The one style sheet that its document has.
    style: Option<&'static str>,
    body: String,
}

impl Response {
    /// A document with the one style sheet that stands in it.
    pub(super) fn document(
        content_type: &'static str,
        style: Option<&'static str>,
        body: String,
    ) -> Self {
        Self { status: Status::Ok, content_type, style, body }
    }

    /// Plain text.
    pub(super) fn text(status: Status, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", style: None, body: body.into() }
    }

    /// A refusal in its own words.
    pub(super) fn refusal(status: Status) -> Self {
        let (number, phrase, advice) = status.words();
        Self::text(status, format!("{number} {phrase}: {advice}\n"))
    }

    /// The same with another status.
    pub(super) fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// The bytes of it. Without its body it still says how long that is.
    pub(super) fn bytes(&self, with_body: bool) -> Vec<u8> {
        let (number, phrase, _) = self.status.words();
        let mut out = format!("HTTP/1.1 {number} {phrase}\r\n");
        let length = self.body.len().to_string();
        let policy = policy(self.style);
        let mut field = |name: &str, value: &str| {
            // writing to a string does not fail
            let _ = write!(out, "{name}: {value}\r\n");
        };
        field("Content-Type", self.content_type);
        field("Content-Length", &length);
        field("Connection", "close");
        field("Cache-Control", "no-store");
        field("Content-Security-Policy", &policy);
        field("Cross-Origin-Resource-Policy", "same-origin");
        field("Referrer-Policy", "no-referrer");
        field("X-Content-Type-Options", "nosniff");
        field("X-Frame-Options", "DENY");
        if self.status == Status::Method {
            field("Allow", "GET, HEAD");
        }
        out.push_str("\r\n");
        if with_body {
            out.push_str(&self.body);
        }
        out.into_bytes()
    }
}

/// What a browser may do with the document: show it by its own style sheet, and nothing else.
fn policy(style: Option<&str>) -> String {
    let style = style.map_or_else(
        || "'none'".to_owned(),
        |sheet| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(sheet))),
    );
    format!(
        "default-src 'none'; style-src {style}; img-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}
