//! The answer to a request, as bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use diagnostics::{escape_json, is_hazard, printable};
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
    fn describe(self) -> (u16, &'static str, &'static str) {
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

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Html,
    Svg,
    Json,
    /// Prometheus's text.
    Metrics,
    Text,
}

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Svg => "image/svg+xml",
            Self::Json => "application/json",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// A body with each hazard that is left in it in an escape of this form. Whatever comes before has
    /// escaped its own, so that there is none.
    fn filtered(self, body: String) -> String {
        if !body.contains(|c| is_hazard(c) && c != '\n' && c != '\t') {
            return body;
        }
        match self {
            // a reference would be the character again
            Self::Html | Self::Svg | Self::Text => printable(&body, &[]).into_owned(),
            Self::Json => escape_json(&body),
            // it has no such escape: the value says it, with its backslash escaped
            Self::Metrics => body.split('\n').map(in_label).collect::<Vec<_>>().join("\n"),
        }
    }
}

fn in_label(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    for c in line.chars() {
        if is_hazard(c) {
            out.push('\\');
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Response {
    status: Status,
    form: Form,
    /// The one style sheet that its document has.
    style: Option<&'static str>,
    body: String,
}

impl Response {
    /// A document with the one style sheet that stands in it.
    pub(super) fn document(form: Form, style: Option<&'static str>, body: String) -> Self {
        Self { status: Status::Ok, form, style, body: form.filtered(body) }
    }

    /// Plain text.
    pub(super) fn text(status: Status, body: impl Into<String>) -> Self {
        Self { status, ..Self::document(Form::Text, None, body.into()) }
    }

    /// A refusal in its own words.
    pub(super) fn refusal(status: Status) -> Self {
        let (number, phrase, advice) = status.describe();
        Self::text(status, format!("{number} {phrase}: {advice}\n"))
    }

    /// The same with another status.
    pub(super) fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// The bytes of it. Without its body it still says how long that is.
    pub(super) fn bytes(&self, with_body: bool) -> Vec<u8> {
        let (number, phrase, _) = self.status.describe();
        let mut out = format!("HTTP/1.1 {number} {phrase}\r\n");
        let length = self.body.len().to_string();
        let policy = policy(self.style);
        let mut field = |name: &str, value: &str| {
            // writing to a string does not fail
            let _ = write!(out, "{name}: {value}\r\n");
        };
        field("Content-Type", self.form.content_type());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_forgotten_is_escaped_as_the_form_has_it() {
        let body = "a\u{9b}2J\n\u{feff}\\u{7f}é";
        for (form, shown) in [
            (Form::Html, "a\\u{9b}2J\n\\u{feff}\\u{7f}é"),
            (Form::Svg, "a\\u{9b}2J\n\\u{feff}\\u{7f}é"),
            (Form::Text, "a\\u{9b}2J\n\\u{feff}\\u{7f}é"),
            (Form::Json, "a\\u009b2J\n\\ufeff\\u{7f}é"),
            (Form::Metrics, "a\\\\u{9b}2J\n\\\\u{feff}\\u{7f}é"),
        ] {
            let response = Response::document(form, None, body.to_owned());
            let bytes = String::from_utf8(response.bytes(true)).unwrap_or_default();
            let (head, sent) = bytes.split_once("\r\n\r\n").unwrap_or_default();
            assert_eq!(sent, shown, "{form:?}");
            assert!(head.contains(&format!("Content-Length: {}\r\n", shown.len())), "{head}");
            // a second time there is nothing left to do
            assert_eq!(form.filtered(shown.to_owned()), shown);
        }
    }
}
