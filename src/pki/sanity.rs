//! Checks of a certificate by itself, before and beside any chain.
//!
//! The verdicts are those of libvirt 11.3's sanity checks, with these differences: extendedKeyUsage
//! counts whether critical or not and must name the purpose, and only an RSA key needs
//! keyEncipherment.

use super::facts::Facts;
use super::files::End;
use super::problem::Fault;
use rustls::pki_types::UnixTime;

/// Purpose of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Signing others.
    Authority,
    /// One end of a connection.
    Leaf(End),
}

/// Smallest RSA key, in bits: NIST SP 800-131A, and the least that `ring` verifies.
const RSA_MIN: usize = 2048;

/// Returns all faults of a certificate.
pub(super) fn sanity(facts: &Facts, role: Role, now: UnixTime) -> Vec<Fault> {
    let mut faults = validity(facts, now);
    if facts.nul {
        faults.push(Fault::NulInName);
    }
    if let Some(bits) = facts.rsa.filter(|bits| *bits < RSA_MIN) {
        faults.push(Fault::WeakKey(bits));
    }
    // nobody reads the signature of a CA under itself
    let digest = facts.broken_digest.filter(|_| facts.issuer != facts.subject);
    faults.extend(digest.map(Fault::WeakSignature));
    match role {
        Role::Authority => authority(facts, &mut faults),
        Role::Leaf(end) => leaf(facts, end, &mut faults),
    }
    faults
}

/// Checks the period of validity against this time.
pub(super) fn validity(facts: &Facts, now: UnixTime) -> Vec<Fault> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let mut faults = Vec::new();
    if facts.not_after.seconds < now {
        faults.push(Fault::Expired(facts.not_after.text.clone()));
    }
    if facts.not_before.seconds > now {
        faults.push(Fault::NotYetValid(facts.not_before.text.clone()));
    }
    faults
}

fn authority(facts: &Facts, faults: &mut Vec<Fault>) {
    if facts.authority != Some(true) {
        faults.push(Fault::NotAuthority);
    }
    if facts.usage.is_some_and(|usage| !usage.sign_certificates) {
        faults.push(Fault::MayNotSign);
    }
}

fn leaf(facts: &Facts, end: End, faults: &mut Vec<Fault>) {
    if facts.authority == Some(true) {
        faults.push(Fault::IsAuthority);
    }
    if let Some(usage) = facts.usage.filter(|usage| usage.critical) {
        if !usage.signature {
            faults.push(Fault::Usage("digitalSignature"));
        }
        // TLS enciphers a key with RSA only
        if facts.rsa.is_some() && !usage.encipherment {
            faults.push(Fault::Usage("keyEncipherment"));
        }
    }
    let purposes = facts.purposes;
    match end {
        End::Server if purposes.is_some_and(|p| !p.server) => {
            faults.push(Fault::Purpose("serverAuth"));
        }
        End::Client if purposes.is_some_and(|p| !p.client) => {
            faults.push(Fault::Purpose("clientAuth"));
        }
        End::Server | End::Client => {}
    }
}
