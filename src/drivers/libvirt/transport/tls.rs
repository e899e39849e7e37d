//! TLS over a TCP stream.

use super::stream::Stream;
use super::tcp::Server;
use crate::error::{Error, ErrorKind, Result};
use crate::pki;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;

/// Time limit of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 10 });

/// Byte that libvirt's server sends once it has accepted our certificate.
const WELCOME: u8 = 1;

/// A stream whose bytes are encrypted.
#[derive(Debug)]
pub(super) struct TlsStream {
    tcp: TcpStream,
    tls: ClientConnection,
    /// Whether the last read left decrypted bytes behind.
    more: bool,
    /// Error in the bytes behind those that were decrypted.
    failed: Option<io::Error>,
}

/// Makes a TLS stream of `tcp`: both sides are authenticated when it returns. The agreed parameters are left
/// in `said`.
///
/// # Errors
/// The server's certificate is not to be trusted, ours is not to it, or it does not speak TLS.
pub(super) fn open(
    tcp: TcpStream,
    server: &Server,
    credentials: &pki::ClientTls,
    said: &mut String,
) -> Result<TlsStream> {
    // a zone says by which interface an address is reached, which no certificate knows
    let host = server.host.split('%').next().unwrap_or_default();
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let text = format!("'{host}' is not a name that a certificate could have");
        Error::new(ErrorKind::Invalid, text)
    })?;
    let tls = ClientConnection::new(Arc::clone(&credentials.config), name)
        .map_err(|e| refused(&server.host, &e))?;
    let mut stream = TlsStream { tcp, tls, more: false, failed: None };
    stream.shake_hands(&server.host)?;
    let version = stream.tls.protocol_version().and_then(|v| v.as_str()).unwrap_or("TLS");
    let suite = stream.tls.negotiated_cipher_suite().map(|s| s.suite());
    *said = format!("{version} {}", suite.and_then(|s| s.as_str()).unwrap_or_default());
    let mut warnings =
        credentials.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for warning in warnings.drain(..) {
        warn!("{}: {warning}", server.host);
        said.push_str("; ");
        said.push_str(&warning);
    }
    Ok(stream)
}

impl TlsStream {
    /// Bytes that have been decrypted, or the end of them; nothing if more has to come first.
    fn decrypted(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        self.more = false;
        match self.tls.reader().read(buffer) {
            Ok(n) => {
                self.more = n == buffer.len();
                Some(Ok(n))
            }
            // libvirtd ends without a word; packets have lengths, so nothing can be cut unseen
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Some(Ok(0)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            Err(e) => Some(Err(e)),
        }
    }

    fn shake_hands(&mut self, host: &str) -> Result<()> {
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        while self.tls.is_handshaking() {
            self.flush().map_err(|e| broken(host, &e))?;
            if !self.tls.is_handshaking() {
                break;
            }
            self.wait(host, deadline)?;
            match self.tls.read_tls(&mut self.tcp) {
                Ok(0) => return Err(hung_up(host)),
                Ok(_) => {}
                Err(e) if is_passing(&e) => continue,
                Err(e) => return Err(broken(host, &e)),
            }
            if let Err(error) = self.tls.process_new_packets() {
                // the alert tells the other side why
                let _ = self.flush();
                return Err(refused(host, &error));
            }
        }
        let mut byte = [0];
        let gone = |e: &io::Error| turned_away(host).caused_by(Error::system("socket", e));
        loop {
            // it may have hung up while our certificate was on its way to it
            self.flush().map_err(|e| gone(&e))?;
            match self.read(&mut byte) {
                Ok(1) if byte == [WELCOME] => return Ok(()),
                Ok(1..) => return Err(not_libvirt(host)),
                Ok(0) => return Err(turned_away(host)),
                Err(e) if is_passing(&e) => self.wait(host, deadline)?,
                Err(e) => return Err(gone(&e)),
            }
        }
    }

    /// Waits until the socket can be used.
    fn wait(&self, host: &str, deadline: Instant) -> Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text =
                    format!("{host} did not finish the TLS handshake within {HANDSHAKE_TIMEOUT:?}");
                return Err(Error::new(ErrorKind::Timeout, text)
                    .hint("see whether libvirt's TLS port (16514) is meant"));
            }
            let mut flags = PollFlags::POLLIN;
            flags.set(PollFlags::POLLOUT, self.tls.wants_write());
            let mut fds = [PollFd::new(self.tcp.as_fd(), flags)];
            match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(errno) => return Err(broken(host, &errno.into())),
            }
        }
    }
}

impl Stream for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(read) = self.decrypted(buffer) {
            return read;
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.tls.read_tls(&mut self.tcp)?;
        if let Err(error) = self.tls.process_new_packets() {
            self.failed = Some(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        // a new key may have to be acknowledged; if that fails, so will the next write
        let _ = self.flush();
        // the bytes may hold no data: the caller counts its tries
        self.decrypted(buffer).unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        match self.tls.writer().write(bytes)? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            taken => {
                match self.flush() {
                    Err(e) if !is_passing(&e) => return Err(e),
                    _ => {}
                }
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn has_output(&self) -> bool {
        self.tls.wants_write()
    }

    fn has_input(&self) -> bool {
        self.more
    }

    /// Returns that packets are sent one by one: libvirtd polls its socket between two packets, and does not
    /// see a second one in the same record, which it would answer only after the next.
    fn wants_single_packets(&self) -> bool {
        true
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn fail(text: String) -> Error {
    Error::new(ErrorKind::Protocol, text)
}

fn refused(host: &str, error: &rustls::Error) -> Error {
    let (what, hint) = pki::explain(error);
    let outer = fail(format!("no TLS connection to {host}: {what}"));
    match hint {
        Some(hint) => outer.hint(hint),
        None => outer.hint("virt pki check says what is wrong with the certificates of this host"),
    }
}

fn broken(host: &str, error: &io::Error) -> Error {
    fail(format!("the TLS handshake with {host} broke off"))
        .caused_by(Error::system("socket", error))
        .hint("see whether libvirt's TLS port (16514) is meant, and look into its log")
}

fn hung_up(host: &str) -> Error {
    fail(format!("{host} closed the connection in the TLS handshake"))
        .hint("see whether libvirt's TLS port (16514) is meant, and look into its log")
}

fn not_libvirt(host: &str) -> Error {
    fail(format!("{host} speaks TLS, but not as libvirt does"))
        .hint("see whether libvirt's TLS port (16514) is meant")
}

/// The server has finished the handshake and does not want us all the same: it says no more.
fn turned_away(host: &str) -> Error {
    fail(format!("{host} does not accept our certificate")).hint(
        "the server wants a client certificate of its own authority that is not revoked and whose \
         name is on its list (tls_allowed_dn_list), if it has one; its log says which it was",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;
    use crate::drivers::libvirt::trace::Trace;
    use crate::pki::{End, Files, Places};
    use rustls::{ServerConnection, StreamOwned};
    use std::net::TcpListener;
    use std::path::Path;

    /// A CA, a server `localhost` and a client.
    fn certificates(directory: &Path) {
        let places = |end| Places::of(end, Some(directory));
        let ca = pki::authority("test", 1).unwrap();
        pki::write_pair(&Places::of_authority(Some(directory)), &ca).unwrap();
        for (end, name) in [(End::Server, "localhost"), (End::Client, "me")] {
            let pair = pki::issue(end, &[name.to_owned()], &ca, 1).unwrap();
            pki::write_pair(&places(end), &pair).unwrap();
        }
    }

    type Serve = fn(&mut StreamOwned<ServerConnection, TcpStream>);

    /// Opens a stream to a server that behaves as `serve` says.
    fn opened(serve: Serve) -> (Result<TlsStream>, String) {
        let directory = tempfile::tempdir().unwrap();
        certificates(directory.path());
        let config = pki::server(&Files::of_server(Some(directory.path())), None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (tcp, _) = listener.accept().unwrap();
            serve(&mut StreamOwned::new(ServerConnection::new(config).unwrap(), tcp));
        });
        let server = Server { host: "localhost".into(), port };
        let credentials =
            pki::client(&Files::of_client(Some(directory.path()), 0, None), true).unwrap();
        let mut said = String::new();
        let tcp = server.connect(&mut Trace::default()).unwrap();
        let stream = open(tcp, &server, &credentials, &mut said);
        (stream, said)
    }

    fn refused_with(serve: Serve, text: &str) {
        let begun = Instant::now();
        let error = opened(serve).0.unwrap_err();
        assert!(error.message.contains(text) && error.hint.is_some(), "{text}: {error:?}");
        // a machine that is busy takes its time for the certificates
        let patience = HANDSHAKE_TIMEOUT * 3 + std::time::Duration::from_secs(20);
        assert!(begun.elapsed() < patience, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_server_is_believed_once_it_has_said_welcome() {
        refused_with(
            |server| {
                server.write_all(&[2]).unwrap();
                server.flush().unwrap();
                let _ = server.read(&mut [0; 9]);
            },
            "not as libvirt does",
        );
        // it finishes the handshake and says nothing, as libvirt's does with a stranger
        refused_with(
            |server| {
                let _ = server.conn.complete_io(&mut server.sock);
            },
            "does not accept our certificate",
        );
        refused_with(|_| {}, "localhost");
        refused_with(
            |server| {
                let _ = io::Read::read(&mut server.sock, &mut [0; 1]);
                std::thread::sleep(HANDSHAKE_TIMEOUT * 2);
            },
            "did not finish the TLS handshake within",
        );
    }

    #[test]
    fn bytes_pass_both_ways_however_many_there_are() {
        const MANY: usize = 3 << 20;
        let (stream, said) = opened(|server| {
            server.write_all(&[WELCOME]).unwrap();
            server.flush().unwrap();
            let mut bytes = vec![0; MANY];
            server.read_exact(&mut bytes).unwrap();
            server.write_all(&bytes).unwrap();
            server.flush().unwrap();
        });
        let mut stream = stream.unwrap();
        assert!(said.starts_with("TLSv1_3"), "{said}");
        let sent: Vec<u8> = (0..MANY).map(|n| n.to_le_bytes()[0]).collect();
        let (mut written, mut got) = (0, Vec::new());
        let mut buffer = vec![0; 64 << 10];
        while got.len() < MANY {
            let mut idle = true;
            if written < MANY {
                match stream.write(&sent[written..]) {
                    Ok(n) => {
                        written += n;
                        idle = n == 0;
                    }
                    Err(e) => assert!(is_passing(&e), "{e}"),
                }
            } else {
                stream.flush().unwrap();
            }
            match stream.read(&mut buffer) {
                Ok(0) => panic!("it ended after {} bytes", got.len()),
                Ok(n) => {
                    got.extend_from_slice(&buffer[..n]);
                    idle = false;
                }
                Err(e) => assert!(is_passing(&e), "{e}"),
            }
            if idle && !stream.has_input() {
                let mut flags = PollFlags::POLLIN;
                flags.set(PollFlags::POLLOUT, stream.has_output() || written < MANY);
                let mut fds = [PollFd::new(stream.fd(), flags)];
                assert!(poll(&mut fds, PollTimeout::from(10_000u16)).unwrap() > 0, "it hangs");
            }
        }
        assert!(got == sent);
    }
}
