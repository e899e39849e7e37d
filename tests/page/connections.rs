//! Server tests with raw bytes: answers, refusals, and no endless waits.

use super::{Served, statuses};
use crate::support::trial;
use libtest_mimic::Trial;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use virt::drivers::CancelToken;
use virt::status_server::serve;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("page/answers_have_their_headers", headers),
        trial("page/refusals", refusals),
        trial("page/health_is_lost_with_the_last_host", health),
        trial("page/two_hundred_clients_at_once", crowd),
        trial("page/stops_with_clients_connected", stops),
        trial("page/an_address_that_is_taken_is_said", taken),
    ]
}

/// Returns the complete answer to these bytes.
pub(super) fn send(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Head and body of a path.
pub(super) fn get(address: SocketAddr, path: &str) -> (String, String) {
    let answer =
        send(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn headers() {
    let served = Served::new(statuses::one());
    let address = served.address();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/?all&paused", "text/html; charset=utf-8"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/status.json", "application/json"),
        ("/topology.svg", "image/svg+xml"),
        ("/favicon.svg", "image/svg+xml"),
        ("/healthz", "text/plain; charset=utf-8"),
    ] {
        let (head, body) = get(address, path);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        for field in [
            &format!("Content-Type: {kind}"),
            &format!("Content-Length: {}", body.len()),
            "Connection: close",
            "Cache-Control: no-store",
            "Content-Security-Policy: default-src 'none'; ",
            "Cross-Origin-Resource-Policy: same-origin",
            "Referrer-Policy: no-referrer",
            "X-Content-Type-Options: nosniff",
            "X-Frame-Options: DENY",
        ] {
            assert!(head.contains(&format!("\r\n{field}")), "{path} has no {field}:\n{head}");
        }
        assert!(!head.contains("unsafe"), "{head}");
        let bare = send(address, format!("HEAD {path} HTTP/1.0\r\n\r\n").as_bytes());
        assert!(bare.ends_with("\r\n\r\n") && bare.contains("Content-Length: "), "{path}: {bare}");
        assert_eq!(bare.lines().next(), head.lines().next());
    }
}

fn refusals() {
    let served = Served::new(statuses::one());
    let big = format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n", "a".repeat(9000));
    let post = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n{}",
        "a".repeat(9000)
    );
    for (request, status) in [
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n", "400 Bad Request"),
        ("GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
        ("GET /metrics/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
        (&post, "405 Method Not Allowed\r\n"),
        ("DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
        ("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n", "421 Misdirected Request"),
        (&big, "431 Request Header Fields Too Large"),
        ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", "505 HTTP Version Not Supported"),
    ] {
        let answer = send(served.address(), request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:.60?}: {answer}");
        assert_eq!(answer.contains("Allow: GET, HEAD"), status.starts_with("405"));
    }
    let (_, body) = get(served.address(), "/lost");
    assert!(body.contains("<a href=\"/metrics\">"), "{body}");
}

fn health() {
    let mut status = statuses::fleet();
    assert!(get(Served::new(status.clone()).address(), "/healthz").0.contains("200 OK"));
    let mut hangs = status.clone();
    hangs.hosts.values_mut().next().unwrap().hangs = true;
    assert!(get(Served::new(hangs).address(), "/healthz").0.contains("503 Service Unavailable"));
    for host in status.hosts.values_mut() {
        host.lost = Some(("no answer".to_owned(), std::time::SystemTime::now()));
    }
    assert!(get(Served::new(status).address(), "/healthz").0.contains("503 Service Unavailable"));
}

/// Checks that more connections than are served at once all get their answer.
fn crowd() {
    let served = Served::new(statuses::one());
    let address = served.address();
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..200).map(|_| scope.spawn(move || get(address, "/metrics"))).collect();
        for client in clients {
            assert!(client.join().unwrap().0.contains("200 OK"));
        }
    });
}

fn stops() {
    let served = Served::new(statuses::one());
    let address = served.address();
    let mut silent = TcpStream::connect(address).unwrap();
    assert!(get(address, "/healthz").0.contains("200 OK"));
    let start = Instant::now();
    drop(served);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
    assert!(TcpStream::connect(address).is_err());
}

fn taken() {
    let served = Served::new(statuses::one());
    let status = || Arc::new(statuses::empty);
    let error = serve(served.address(), status(), &CancelToken::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let said = error.to_string();
    assert!(
        said.contains(&served.address().to_string()) && said.contains("another port"),
        "{said}"
    );
    // of the block that is set aside for documentation: no machine has it
    let nowhere = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9177));
    let error = serve(nowhere, status(), &CancelToken::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}
