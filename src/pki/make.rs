//! Creation of certificates: a CA, and those that it signs. libvirt 11.3's sanity checks accept them, and so
//! do ours.

use super::facts::Facts;
use super::files::End;
use super::problem::{KEYS, refusal};
use super::sanity::{Role, sanity};
use crate::error::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
    SigningKey,
};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, DnsName, PrivateKeyDer, UnixTime};
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key, as PKCS#8.
    pub key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // a key is in no log
        f.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Longest common name (RFC 5280, appendix A.1, ub-common-name).
const NAME_MAX: usize = 64;

/// Longest life of a certificate, in days: a hundred years.
const DAYS_MAX: u32 = 36_525;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Largest lag of the other end's clock.
const SKEW: Duration = Duration::from_secs(3600);

/// A CA.
pub fn authority(name: &str, days: u32) -> Result<Pair> {
    let now = UnixTime::now();
    let key = new_key()?;
    let mut params = params(name, now, days, u64::MAX)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(|e| failed(&e))?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A server's certificate for these names (DNS names and addresses), or a client's, signed by the CA
/// whose certificate and key are given as PEM. The first name is the common name.
pub fn issue(end: End, names: &[String], ca: &Pair, days: u32) -> Result<Pair> {
    let now = UnixTime::now();
    let (ca_der, ca_facts) = sound_ca(ca, now)?;
    let ca_key = AuthorityKey::read(&ca.key, &ca_facts)?;
    let Some(first) = names.first() else {
        return Err(refusal("a certificate needs a name").hint("name the server or client"));
    };
    // a certificate that outlives its CA is of no use, and would only hide when that ends
    let ca_end = u64::try_from(ca_facts.not_after.seconds).unwrap_or(0);
    let mut params = params(first, now, days, ca_end)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    // libvirt before 11.6 wants keyEncipherment of elliptic curves as well
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = match end {
        End::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        End::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    if end == End::Server {
        params.subject_alt_names = names.iter().map(|n| alternative(n)).collect::<Result<_>>()?;
    }
    let key = new_key()?;
    let issuer = Issuer::from_ca_cert_der(&ca_der, &ca_key).map_err(|e| failed(&e))?;
    let certificate = params.signed_by(&key, &issuer).map_err(|e| failed(&e))?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A CA's key in any form that `rustls` reads; `rcgen` reads PKCS#8 only, and certtool writes PKCS#1.
struct AuthorityKey {
    key: Arc<dyn rustls::sign::SigningKey>,
    /// The public key without its algorithm.
    public: Vec<u8>,
    scheme: SignatureScheme,
    algorithm: &'static SignatureAlgorithm,
}

/// Signature schemes of a CA, in order of preference: the first that its key can use.
static SCHEMES: [(SignatureScheme, &SignatureAlgorithm); 4] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, &rcgen::PKCS_ECDSA_P256_SHA256),
    (SignatureScheme::ECDSA_NISTP384_SHA384, &rcgen::PKCS_ECDSA_P384_SHA384),
    (SignatureScheme::ED25519, &rcgen::PKCS_ED25519),
    (SignatureScheme::RSA_PKCS1_SHA256, &rcgen::PKCS_RSA_SHA256),
];

impl AuthorityKey {
    fn read(pem: &str, ca: &Facts) -> Result<Self> {
        let unusable = || refusal("the CA's key cannot be used").hint(KEYS);
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unusable())?;
        let key = any_supported_type(&der).map_err(|_| unusable())?;
        if key.public_key().is_some_and(|public| public.as_ref() != ca.public_key) {
            return Err(refusal("the CA's key is not of the CA's certificate")
                .hint("use the two that belong together"));
        }
        let can = |scheme| key.choose_scheme(&[scheme]).is_some();
        let (scheme, algorithm) =
            SCHEMES.iter().find(|(scheme, _)| can(*scheme)).ok_or_else(unusable)?;
        let (_, public) = SubjectPublicKeyInfo::from_der(&ca.public_key).map_err(|_| unusable())?;
        let public = public.subject_public_key.data.to_vec();
        Ok(Self { key, public, scheme: *scheme, algorithm })
    }
}

impl PublicKeyData for AuthorityKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for AuthorityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = self.key.choose_scheme(&[self.scheme]);
        let signed = signer.and_then(|signer| signer.sign(message).ok());
        signed.ok_or(rcgen::Error::RingUnspecified)
    }
}

fn sound_ca(ca: &Pair, now: UnixTime) -> Result<(CertificateDer<'static>, Facts)> {
    let unread =
        || refusal("the CA's certificate cannot be read").hint("make a CA with `virt pki init`");
    let der = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).map_err(|_| unread())?;
    let facts = Facts::read(&der).map_err(|_| unread())?;
    match sanity(&facts, Role::Authority, now).into_iter().next() {
        Some(fault) => Err(refusal(format!("the CA's certificate {fault}")).hint(fault.remedy())),
        None => Ok((der, facts)),
    }
}

/// Parameters of a certificate that ends after `days`, or with `limit` in seconds since 1970.
fn params(name: &str, now: UnixTime, days: u32, limit: u64) -> Result<CertificateParams> {
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        let message = format!("{name:?} cannot be a common name");
        return Err(
            refusal(message).hint(format!("1 to {NAME_MAX} characters; the first name is it"))
        );
    }
    if days == 0 || days > DAYS_MAX {
        return Err(refusal(format!("a certificate cannot be valid for {days} days"))
            .hint(format!("1 to {DAYS_MAX} days")));
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(now.as_secs());
    params.not_before = epoch + now.saturating_sub(SKEW);
    params.not_after = epoch + (now + DAY * days).min(Duration::from_secs(limit));
    // random, so that a CA that is made again never gives a number out twice
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    Ok(params)
}

/// 127 random bits: at most 20 bytes, positive and not 0 (RFC 5280, 4.1.2.2).
fn serial() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| refusal("the system has no random numbers"))?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(bytes)
}

fn alternative(name: &str) -> Result<SanType> {
    if let Ok(address) = name.parse() {
        return Ok(SanType::IpAddress(address));
    }
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let bad = || {
        refusal(format!("{name:?} is neither a DNS name nor an address"))
            .hint("names are as in host1.example.com, addresses as in 192.0.2.1 or 2001:db8::1")
    };
    DnsName::try_from(labels).map_err(|_| bad())?;
    Ok(SanType::DnsName(name.try_into().map_err(|_| bad())?))
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|e| failed(&e))
}

fn failed(error: &rcgen::Error) -> Error {
    refusal(format!("cannot make the certificate: {error}"))
}
