//! Certificates of any kind, sound or not: extensions are written byte by byte.

use rcgen::{
    CertificateParams, CertificateRevocationListParams, CustomExtension, DistinguishedName, DnType,
    Issuer, KeyIdMethod, KeyPair, PublicKeyData, RevokedCertParams, SanType, SerialNumber,
    SignatureAlgorithm, SigningKey,
};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The key of all certificates, as in libvirt's own tests: making keys would take most of the time.
pub(crate) static KEY: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap());

/// Key of impostors.
pub(crate) static OTHER_KEY: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap());

pub(crate) const SIGNATURE: u8 = 0x80;
pub(crate) const ENCIPHERMENT: u8 = 0x20;
pub(crate) const CERT_SIGN: u8 = 0x04;

pub(crate) const SERVER: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
pub(crate) const CLIENT: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02";
pub(crate) const CODE: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03";
pub(crate) const ANY: &[u8] = b"\x06\x04\x55\x1d\x25\x00";

const HOUR: i64 = 3600;

/// Returns the time in this number of hours; a macro, since its type is of a crate that is not ours to name.
macro_rules! moment {
    ($hours:expr) => {{
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let seconds = now.checked_add_signed($hours * HOUR).unwrap();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    }};
}

/// Fields of a certificate. `true` is critical.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) subject: Vec<(DnType, String)>,
    pub(crate) basic: Option<(bool, bool)>,
    /// Most CAs that may stand below, if this is a CA.
    pub(crate) path_length: Option<u8>,
    /// Whether the certificate restricts the names of those below it to `.lab`.
    pub(crate) lab_only: bool,
    pub(crate) usage: Option<(bool, u8)>,
    pub(crate) purposes: Option<(bool, Vec<&'static [u8]>)>,
    pub(crate) names: Vec<SanType>,
    /// Hours from now.
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) serial: u64,
}

impl Spec {
    fn new(name: &str) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1000);
        Self {
            subject: vec![(DnType::CountryName, "UK".into()), (DnType::CommonName, name.into())],
            basic: None,
            path_length: None,
            lab_only: false,
            usage: None,
            purposes: None,
            names: Vec::new(),
            from: -1,
            until: 24,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// A sound CA.
    pub(crate) fn ca(name: &str) -> Self {
        Self { basic: Some((true, true)), usage: Some((true, CERT_SIGN)), ..Self::new(name) }
    }

    /// A sound server, known by its common name only.
    pub(crate) fn server(name: &str) -> Self {
        let usage = Some((true, SIGNATURE | ENCIPHERMENT));
        let basic = Some((true, false));
        Self { basic, usage, purposes: Some((true, vec![SERVER])), ..Self::new(name) }
    }

    /// A sound client.
    pub(crate) fn client(name: &str) -> Self {
        Self { purposes: Some((true, vec![CLIENT])), ..Self::server(name) }
    }

    pub(crate) fn dns(mut self, names: &[&str]) -> Self {
        let name = |n: &&str| SanType::DnsName((*n).try_into().unwrap());
        self.names.extend(names.iter().map(name));
        self
    }

    pub(crate) fn ip(mut self, addresses: &[&str]) -> Self {
        self.names.extend(addresses.iter().map(|a| SanType::IpAddress(a.parse().unwrap())));
        self
    }

    pub(crate) fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.not_before = moment!(self.from);
        params.not_after = moment!(self.until);
        params.serial_number = Some(self.serial.into());
        params.key_identifier_method = KeyIdMethod::PreSpecified(vec![1; 20]);
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in &self.subject {
            params.distinguished_name.push(kind.clone(), value.as_str());
        }
        params.subject_alt_names.clone_from(&self.names);
        let mut extend = |oid: &[u64], critical: bool, content: Vec<u8>| {
            let mut extension = CustomExtension::from_oid_content(oid, content);
            extension.set_criticality(critical);
            params.custom_extensions.push(extension);
        };
        if let Some((critical, ca)) = self.basic {
            let content = match (ca, self.path_length) {
                (true, None) => b"\x30\x03\x01\x01\xff".to_vec(),
                (true, Some(n)) => vec![0x30, 6, 1, 1, 0xff, 2, 1, n],
                (false, _) => b"\x30\x00".to_vec(),
            };
            extend(&[2, 5, 29, 19], critical, content);
        }
        if self.lab_only {
            // NameConstraints { permittedSubtrees [0] { { dNSName [2] "lab" } } }
            let content = b"\x30\x09\xa0\x07\x30\x05\x82\x03lab".to_vec();
            extend(&[2, 5, 29, 30], true, content);
        }
        if let Some((critical, bits)) = self.usage {
            let content = if bits == 0 {
                vec![3, 1, 0]
            } else {
                vec![3, 2, u8::try_from(bits.trailing_zeros()).unwrap(), bits]
            };
            extend(&[2, 5, 29, 15], critical, content);
        }
        if let Some((critical, purposes)) = &self.purposes {
            let inner = purposes.concat();
            let mut content = vec![0x30, u8::try_from(inner.len()).unwrap()];
            content.extend(inner);
            extend(&[2, 5, 29, 37], *critical, content);
        }
        params
    }

    /// Signed by itself.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.params().self_signed(&*KEY).unwrap().der().clone()
    }

    /// Signed by another.
    pub(crate) fn signed_by(&self, ca: &Self) -> CertificateDer<'static> {
        self.signed_with(&*KEY, ca, &*KEY)
    }

    pub(crate) fn signed_with(
        &self,
        key: &impl PublicKeyData,
        ca: &Self,
        ca_key: &impl SigningKey,
    ) -> CertificateDer<'static> {
        let issuer = ca.params();
        let issuer = Issuer::from_params(&issuer, ca_key);
        self.params().signed_by(key, &issuer).unwrap().der().clone()
    }
}

/// A list by which a CA revokes these serial numbers.
pub(crate) fn crl(
    ca: &Spec,
    key: &KeyPair,
    revoked: &[u64],
    until: i64,
) -> CertificateRevocationListDer<'static> {
    let params = CertificateRevocationListParams {
        this_update: moment!(-48),
        next_update: moment!(until),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from(*serial),
                revocation_time: moment!(-47),
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::PreSpecified(vec![1; 20]),
    };
    let issuer = ca.params();
    params.signed_by(&Issuer::from_params(&issuer, key)).unwrap().der().clone()
}

/// RSA key of a size, with an invalid signature: for certificates that are refused before anybody checks it.
pub(crate) struct FakeRsa(Vec<u8>);

impl FakeRsa {
    pub(crate) fn new(bits: u16) -> Self {
        let modulus = [&[0_u8][..], &vec![0xc5; usize::from(bits) / 8]].concat();
        let inner = [&der(2, &modulus)[..], &der(2, &[1, 0, 1])].concat();
        Self(der(0x30, &inner))
    }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match u16::try_from(content.len()).unwrap().to_be_bytes() {
        [0, low] if low < 0x80 => vec![low],
        [0, low] => vec![0x81, low],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag][..], &length, content].concat()
}

impl PublicKeyData for FakeRsa {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl SigningKey for FakeRsa {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(vec![1; 256])
    }
}

/// Returns the certificate as if it were signed over another digest: 5 is SHA-1, 4 is MD5.
pub(crate) fn with_digest(der: &CertificateDer<'_>, digest: u8) -> CertificateDer<'static> {
    const SHA256_WITH_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
    let mut bytes = der.to_vec();
    let found: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes.get(*at..at + 9) == Some(SHA256_WITH_RSA)).collect();
    assert_eq!(found.len(), 2, "the algorithm stands in a certificate twice");
    for at in found {
        bytes[at + 8] = digest;
    }
    bytes.into()
}
