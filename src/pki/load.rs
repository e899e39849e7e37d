//! Reading the files of a PKI, within limits.

use super::facts::Facts;
use super::files::{End, Files};
use super::problem::{Problem, refusal};
use crate::error::{Error, Result};
use diagnostics::shown_path;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Longest PEM file, in bytes: 16 certificates of 2 KiB, base64, and as much again for text that
/// certtool writes around them.
const FILE_MAX: u64 = 64 * 1024;

/// Longest list of revoked certificates, in bytes: some 60,000 entries of 40 bytes, in base64.
const CRL_MAX: u64 = 4 << 20;

/// Most certificates in a file, or lists of revoked ones.
const ENTRIES_MAX: usize = 16;

/// Sort of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Authority,
    AuthorityKey,
    Crl,
    Certificate(End),
    Key(End),
}

impl Kind {
    fn as_str(self) -> String {
        match self {
            Self::Authority => "CA certificate".to_owned(),
            Self::AuthorityKey => "CA's key".to_owned(),
            Self::Crl => "certificate revocation list".to_owned(),
            Self::Certificate(end) => format!("{} certificate", end.as_str()),
            Self::Key(end) => format!("{}'s key", end.as_str()),
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Authority => {
                "copy the cacert.pem of the CA there, or make a CA with `virt pki init`"
            }
            Self::AuthorityKey => "run this where the CA's key is kept",
            Self::Crl => "put a current list there, or remove what stands in its place",
            Self::Certificate(End::Server) | Self::Key(End::Server) => {
                "make both certificate and key with `virt pki server`"
            }
            Self::Certificate(End::Client) | Self::Key(End::Client) => {
                "make both certificate and key with `virt pki client`"
            }
        }
    }
}

/// Certificate with its fields.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) facts: Facts,
}

/// Content of one end's files; each is empty if it could not be read.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) authorities: Vec<Certificate>,
    pub(super) crls: Vec<CertificateRevocationListDer<'static>>,
    /// Certificate of this end first, then intermediates.
    pub(super) chain: Vec<Certificate>,
    pub(super) key: Option<PrivateKeyDer<'static>>,
}

/// Reads the files of one end; their faults go to `problems`.
pub(super) fn load(files: &Files, end: End, trust: bool, problems: &mut Vec<Error>) -> Loaded {
    let mut loaded = Loaded::default();
    let mut take = |error: Error| problems.push(error);
    if trust {
        loaded.authorities = certificates(&files.ca, Kind::Authority, &mut take);
        if let Some(path) = &files.crl {
            loaded.crls = entries(path, Kind::Crl).unwrap_or_else(|e| {
                take(e);
                Vec::new()
            });
        }
    }
    if let Some(path) = &files.certificate {
        loaded.chain = certificates(path, Kind::Certificate(end), &mut take);
    }
    if let Some(path) = &files.key {
        match key(path, Kind::Key(end)) {
            Ok(key) => loaded.key = Some(key),
            Err(e) => take(e),
        }
    }
    loaded
}

/// Reads the certificates of a file, and its faults.
pub(super) fn certificates(
    path: &Path,
    kind: Kind,
    take: &mut impl FnMut(Error),
) -> Vec<Certificate> {
    let all: Vec<CertificateDer<'static>> = match entries(path, kind) {
        Ok(all) => all,
        Err(e) => {
            take(e);
            return Vec::new();
        }
    };
    let several = all.len() > 1;
    let mut read = Vec::new();
    for (number, der) in all.into_iter().enumerate() {
        match Facts::read(&der) {
            Ok(facts) => read.push(Certificate { der, facts }),
            Err(fault) => take(Problem { fault, whose: whose(path, number, several) }.into()),
        }
    }
    read
}

/// Returns the name of a certificate of a file for messages.
pub(super) fn whose(path: &Path, number: usize, several: bool) -> String {
    let number = if several { format!(" {}", number + 1) } else { String::new() };
    format!("{}: the certificate{number}", shown_path(path))
}

/// The key of a file that nobody else can read.
pub(super) fn key(path: &Path, kind: Kind) -> Result<PrivateKeyDer<'static>> {
    let (bytes, mode) = read(path, kind)?;
    if mode & 0o077 != 0 {
        let mode = mode & 0o777;
        let message = format!(
            "{}: others can reach the {} (mode {mode:04o})",
            shown_path(path),
            kind.as_str()
        );
        return Err(refusal(message).hint(format!("chmod 600 {}", shown_path(path))));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|e| {
        let hint = "it must be PEM without a passphrase: PKCS#8, PKCS#1 or SEC1";
        refusal(format!("{}: no {}: {}", shown_path(path), kind.as_str(), describe(&e))).hint(hint)
    })
}

fn entries<T: PemObject>(path: &Path, kind: Kind) -> Result<Vec<T>> {
    let (bytes, _) = read(path, kind)?;
    let shown = shown_path(path);
    let mut all = Vec::new();
    for entry in T::pem_slice_iter(&bytes) {
        let entry = entry.map_err(|e| {
            let message = format!("{shown}: no {}: {}", kind.as_str(), describe(&e));
            refusal(message).hint(kind.remedy())
        })?;
        if all.len() == ENTRIES_MAX {
            let message = format!("{shown}: more than {ENTRIES_MAX} entries");
            return Err(refusal(message).hint("keep those that are needed and no others"));
        }
        all.push(entry);
    }
    if all.is_empty() {
        let message = format!("{shown}: no {} in it", kind.as_str());
        return Err(refusal(message).hint(kind.remedy()));
    }
    Ok(all)
}

/// A file's bytes, within the limit, and its mode.
fn read(path: &Path, kind: Kind) -> Result<(Vec<u8>, u32)> {
    let failed = |e: &std::io::Error| {
        let why = match e.kind() {
            ErrorKind::NotFound => "no such file".to_owned(),
            ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
            _ => e.to_string(),
        };
        let hint = match e.kind() {
            ErrorKind::PermissionDenied => "run this as the user who may, or use files of your own",
            _ => kind.remedy(),
        };
        let mut error = Error::system("", e);
        error.message = format!("{}: cannot read the {}: {why}", shown_path(path), kind.as_str());
        error.hint(hint)
    };
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let message = format!("{}: the {} is no file", shown_path(path), kind.as_str());
        return Err(refusal(message).hint(kind.remedy()));
    }
    let file = crate::file::open(path).map_err(|e| failed(&e))?;
    // of what was opened, in case it was exchanged meanwhile
    let mode = file.metadata().map_err(|e| failed(&e))?.permissions().mode();
    let mut bytes = Vec::new();
    let most = if kind == Kind::Crl { CRL_MAX } else { FILE_MAX };
    file.take(most + 1).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        let message = format!("{}: longer than {} KiB", shown_path(path), most / 1024);
        return Err(refusal(message).hint("keep the PEM blocks that are needed and no others"));
    }
    Ok((bytes, mode))
}

/// A text file, within the limit.
pub(super) fn text(path: &Path, kind: Kind) -> Result<String> {
    let (bytes, _) = read(path, kind)?;
    String::from_utf8(bytes).map_err(|_| {
        refusal(format!("{}: no {}: not PEM", shown_path(path), kind.as_str())).hint(kind.remedy())
    })
}

fn describe(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "none is in it".to_owned(),
        pem::Error::MissingSectionEnd { .. } => "a PEM block has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a PEM block begins wrongly".to_owned(),
        pem::Error::Base64Decode(_) => "a PEM block is not base64".to_owned(),
        other => other.to_string(),
    }
}
