//! Parsing of an HTTP request's head, and checks whether it is answered at all.

use super::response::Status;
use std::net::IpAddr;

/// Limit on the bytes of a request's head: browsers send less than 2 KiB where there are no
/// cookies.
const HEAD_MAX: usize = 8 * 1024;

/// Limit on header fields.
const FIELDS_MAX: usize = 64;

/// A valid request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Whether the body of the answer is wanted: GET, not HEAD.
    pub(super) with_body: bool,
    /// The path, as sent.
    pub(super) path: String,
    /// Text after the question mark.
    pub(super) query: String,
}

impl Request {
    /// Reads a head; `None` as long as its end has not come. Refusals are statuses.
    ///
    /// `ours` is the address that is listened on. On a loopback address, only requests for a
    /// loopback name are answered: a page elsewhere whose name was rebound to this machine is told
    /// by the name that the browser sends.
    pub(super) fn parse(head: &[u8], ours: IpAddr) -> Result<Option<Self>, Status> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(head) {
            Ok(httparse::Status::Complete(size)) if size <= HEAD_MAX => {}
            Ok(httparse::Status::Partial) if head.len() < HEAD_MAX => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Status::TooLarge),
            Err(httparse::Error::Version) => return Err(Status::Version),
            Err(_) => return Err(Status::BadRequest),
        }
        check_host(&request, ours)?;
        let with_body = match request.method {
            Some("GET") => true,
            Some("HEAD") => false,
            _ => return Err(Status::Method),
        };
        let target = request.path.filter(|t| t.starts_with('/')).ok_or(Status::BadRequest)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Some(Self { with_body, path: path.to_owned(), query: query.to_owned() }))
    }

    /// Whether the query has this word.
    pub(super) fn asks(&self, word: &str) -> bool {
        self.query.split('&').any(|asked| asked == word)
    }
}

fn check_host(request: &httparse::Request<'_, '_>, ours: IpAddr) -> Result<(), Status> {
    let mut hosts = request.headers.iter().filter(|f| f.name.eq_ignore_ascii_case("host"));
    match (hosts.next(), hosts.next()) {
        // HTTP/1.0 need not name the host; no browser leaves it out
        (None, _) if request.version == Some(0) => Ok(()),
        (Some(field), None) => {
            let host = std::str::from_utf8(field.value).map_err(|_| Status::BadRequest)?;
            let answered = !ours.is_loopback() || is_loopback(host);
            answered.then_some(()).ok_or(Status::Misdirected)
        }
        _ => Err(Status::BadRequest),
    }
}

/// Whether `HOST[:PORT]` names this machine for itself. Any port: one may be forwarded by ssh.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let inner = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || inner.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn parse(head: &str) -> Result<Option<Request>, Status> {
        Request::parse(head.as_bytes(), LOOPBACK)
    }

    #[test]
    fn heads_are_read_and_refused() {
        let page = parse("GET /?all&paused HTTP/1.1\r\nHost: localhost:9177\r\n\r\n");
        let page = page.ok().flatten();
        assert!(page.as_ref().is_some_and(|r| r.with_body && r.path == "/" && r.asks("all")));
        assert!(page.is_some_and(|r| r.asks("paused") && !r.asks("al")));
        let head = parse("HEAD /metrics HTTP/1.0\r\n\r\n").ok().flatten();
        assert!(head.is_some_and(|r| !r.with_body && r.path == "/metrics"));
        for (head, refusal) in [
            ("nonsense\r\n\r\n", Status::BadRequest),
            ("GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", Status::BadRequest),
            ("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", Status::Version),
            ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", Status::Method),
            ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", Status::Misdirected),
        ] {
            assert_eq!(parse(head), Err(refusal), "{head:?}");
        }
    }

    #[test]
    fn no_piece_of_a_head_is_taken_for_one() {
        let head = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(parse(head.get(..end).unwrap_or("")), Ok(None), "{end}");
        }
        assert!(parse(head).is_ok_and(|r| r.is_some()));
    }

    #[test]
    fn sizes_are_limited() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: localhost", "a".repeat(HEAD_MAX));
        assert_eq!(parse(&long), Err(Status::TooLarge));
        let fields = "a: b\r\n".repeat(FIELDS_MAX + 1);
        assert_eq!(parse(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), Err(Status::TooLarge));
    }

    #[test]
    fn only_names_of_this_machine_are_answered_on_loopback() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:9177", "127.8.0.1", "[::1]:1", "[::1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", ":80", "evil.example", "localhost.evil.example", "10.0.0.1", "[::1].evil"]
        {
            assert!(!is_loopback(host), "{host}");
        }
        let head = b"GET / HTTP/1.1\r\nHost: kvm01.example\r\n\r\n";
        let outside = Request::parse(head, Ipv4Addr::new(10, 0, 0, 1).into());
        assert!(outside.is_ok_and(|r| r.is_some()));
    }
}
