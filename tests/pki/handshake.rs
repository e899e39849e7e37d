//! Two ends in memory, with the directories of their files.

use super::maker::KEY;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use virt::pki::{End, Files, explain};

/// A directory of PEM files.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// Creates an end's files with these CAs.
    pub(crate) fn new(cas: &[CertificateDer<'_>]) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        let blocks: Vec<(&str, &[u8])> = cas.iter().map(|c| ("CERTIFICATE", c.as_ref())).collect();
        place.write("cacert.pem", &pem(&blocks));
        place
    }

    /// Adds a chain, leaf first, and the key of all certificates.
    pub(crate) fn with(self, end: End, chain: &[CertificateDer<'_>]) -> Self {
        let blocks: Vec<(&str, &[u8])> =
            chain.iter().map(|c| ("CERTIFICATE", c.as_ref())).collect();
        self.write(&format!("{}cert.pem", end.as_str()), &pem(&blocks));
        self.write(&format!("{}key.pem", end.as_str()), &KEY.serialize_pem());
        self
    }

    pub(crate) fn with_crl(self, crl: &CertificateRevocationListDer<'_>) -> Self {
        self.write("cacrl.pem", &pem(&[("X509 CRL", crl.as_ref())]));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file that others cannot read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
        self.set_mode(name, 0o600);
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path().join(name), mode).unwrap();
    }

    pub(crate) fn files(&self, end: End) -> Files {
        match end {
            End::Server => Files::of_server(Some(self.path())),
            End::Client => Files::of_client(Some(self.path()), 0, None),
        }
    }

    /// Returns the configuration that a client makes of its files.
    pub(crate) fn client(&self) -> Result<virt::pki::ClientTls, String> {
        virt::pki::client(&self.files(End::Client), true).map_err(|e| said(&e))
    }

    /// Returns the configuration that a server makes of its files.
    pub(crate) fn server(&self, allowed: Option<&[&str]>) -> Result<Arc<ServerConfig>, String> {
        let list: Option<Vec<String>> =
            allowed.map(|list| list.iter().map(|line| (*line).to_owned()).collect());
        virt::pki::server(&self.files(End::Server), list.as_deref()).map_err(|e| said(&e))
    }
}

/// An error with its hint; each has one.
pub(crate) fn said(error: &virt::error::Error) -> String {
    format!("{error} (hint: {})", error.hint.as_deref().expect("an error without a hint"))
}

/// PEM of labelled blocks.
pub(crate) fn pem(blocks: &[(&str, &[u8])]) -> String {
    use base64::Engine as _;
    let mut text = String::new();
    for (label, bytes) in blocks {
        let body = base64::engine::general_purpose::STANDARD.encode(bytes);
        text += &format!("-----BEGIN {label}-----\n");
        for line in body.as_bytes().chunks(64) {
            text += &format!("{}\n", std::str::from_utf8(line).unwrap());
        }
        text += &format!("-----END {label}-----\n");
    }
    text
}

/// A client that shows a chain which its own checks would not let it show.
pub(crate) fn wild_client(chain: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let place = Place::new(&[]);
    let tls = virt::pki::client(&place.files(End::Client), false).unwrap();
    let mut config = (*tls.config).clone();
    config.client_auth_cert_resolver = Arc::new(certified(chain));
    Arc::new(config)
}

/// `server` with a chain which its own checks would not let it show.
pub(crate) fn wild_server(
    server: &ServerConfig,
    chain: &[CertificateDer<'static>],
) -> Arc<ServerConfig> {
    let mut config = server.clone();
    config.cert_resolver = Arc::new(certified(chain));
    Arc::new(config)
}

fn certified(chain: &[CertificateDer<'static>]) -> SingleCertAndKey {
    let key = PrivateKeyDer::try_from(KEY.serialize_der()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    SingleCertAndKey::from(CertifiedKey::new(chain.to_vec(), key))
}

/// Result of a handshake at each end: in words, if it failed there.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) client: Result<(), String>,
    pub(crate) server: Result<(), String>,
}

impl Outcome {
    pub(crate) fn is_ok(&self) -> bool {
        self.client.is_ok() && self.server.is_ok()
    }
}

/// Shakes hands until neither end has anything to say.
pub(crate) fn shake(client: Arc<ClientConfig>, name: &str, server: Arc<ServerConfig>) -> Outcome {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client, name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    let mut outcome = Outcome { client: Ok(()), server: Ok(()) };
    let words = |e: rustls::Error| match explain(&e) {
        (what, Some(hint)) => format!("{what} (hint: {hint})"),
        (what, None) => what,
    };
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && outcome.server.is_ok() {
            server.read_tls(&mut rest).unwrap();
            outcome.server = server.process_new_packets().map(|_| ()).map_err(words);
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && outcome.client.is_ok() {
            client.read_tls(&mut rest).unwrap();
            outcome.client = client.process_new_packets().map(|_| ()).map_err(words);
        }
    }
    if outcome.is_ok() {
        assert!(!client.is_handshaking() && !server.is_handshaking(), "the handshake hangs");
    }
    outcome
}
