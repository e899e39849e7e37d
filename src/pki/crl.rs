//! Lists of revoked certificates, when they are loaded.

use super::facts::{Facts, broken};
use super::load::Loaded;
use super::problem::refusal;
use crate::error::Error;
use diagnostics::shown_path;
use rustls::pki_types::UnixTime;
use std::collections::HashSet;
use std::path::Path;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Certificates that all lists together revoke: each by the CA's name and its serial number.
///
/// webpki asks one list of an issuer, passes over a list that says it covers only a part, and never
/// asks about a CA that is trusted by itself. Being on any list is enough here.
#[derive(Clone, Debug, Default)]
pub(super) struct Revoked(HashSet<(Vec<u8>, Vec<u8>)>);

impl Revoked {
    /// Collects the certificates that the loaded lists revoke.
    pub(super) fn of(loaded: &Loaded) -> Self {
        let mut all = HashSet::new();
        for bytes in &loaded.crls {
            // an unreadable list is refused where the lists are checked
            let Ok((_, crl)) = CertificateRevocationList::from_der(bytes) else { continue };
            let issuer = crl.issuer().as_raw();
            let serials = crl.iter_revoked_certificates().map(|r| r.raw_serial().to_vec());
            all.extend(serials.map(|serial| (issuer.to_vec(), serial)));
        }
        Self(all)
    }

    /// Whether this certificate is on a list.
    pub(super) fn has(&self, facts: &Facts) -> bool {
        !self.0.is_empty() && self.0.contains(&(facts.issuer.clone(), facts.serial.clone()))
    }
}

/// Hint for a faulty list.
const RENEW: &str = "have the CA write a new list, and put that there";

/// Checks the lists: one that cannot be relied on is refused, since going on without it would trust revoked
/// certificates.
pub(super) fn check(path: &Path, loaded: &Loaded, now: UnixTime) -> Vec<Error> {
    let shown = shown_path(path);
    let one = |bytes: &[u8]| fault(bytes, loaded, now);
    let faults = loaded.crls.iter().filter_map(|crl| one(crl));
    faults
        .map(|why| refusal(format!("{shown}: the certificate revocation list {why}")).hint(RENEW))
        .collect()
}

fn fault(bytes: &[u8], loaded: &Loaded, now: UnixTime) -> Option<String> {
    let Ok((_, crl)) = CertificateRevocationList::from_der(bytes) else {
        return Some("cannot be read".to_owned());
    };
    if let Some(digest) = broken(&crl.signature_algorithm.algorithm.to_id_string()) {
        return Some(format!("is signed over {digest}, which is broken"));
    }
    let issuers = loaded.authorities.iter().filter(|ca| ca.facts.subject == crl.issuer().as_raw());
    let mut keys = issuers
        .filter_map(|ca| SubjectPublicKeyInfo::from_der(&ca.facts.public_key).ok())
        .map(|(_, key)| key)
        .peekable();
    // without a CA to compare with, that is what is wrong
    if keys.peek().is_none() && !loaded.authorities.is_empty() {
        return Some(format!("is of another CA: {}", crl.issuer()));
    }
    if !loaded.authorities.is_empty() && !keys.any(|key| crl.verify_signature(&key).is_ok()) {
        return Some("is not signed by the CA that it names".to_owned());
    }
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    match crl.next_update() {
        None => Some("does not say when the next one is due".to_owned()),
        Some(next) if next.timestamp() < now => {
            Some(format!("has expired: the next one was due on {next}"))
        }
        Some(_) if crl.last_update().timestamp() > now => {
            Some(format!("is not valid before {}", crl.last_update()))
        }
        Some(_) => None,
    }
}
