//! The fields of a certificate that the checks ask for.

use super::problem::Fault;
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// A type of attribute, by its short name or its OID, and the value if it is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) kind: String,
    pub(super) value: Option<String>,
}

/// An extension of keyUsage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) critical: bool,
    pub(super) signature: bool,
    pub(super) encipherment: bool,
    pub(super) sign_certificates: bool,
}

/// An extension of extendedKeyUsage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purposes {
    pub(super) server: bool,
    pub(super) client: bool,
}

/// A moment: seconds since 1970, and as people read it.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) seconds: i64,
    pub(super) text: String,
}

/// Fields of a certificate.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The subject as bytes, to be compared with an issuer.
    pub(super) subject: Vec<u8>,
    /// The issuer as bytes.
    pub(super) issuer: Vec<u8>,
    /// The serial number as bytes, by which an issuer revokes it.
    pub(super) serial: Vec<u8>,
    /// Most CAs allowed between this one and a leaf, if it has a limit.
    pub(super) path_length: Option<u32>,
    /// Whether the certificate limits the names of those below it.
    pub(super) limits_names: bool,
    /// The subject's relative names, each mostly of one attribute.
    pub(super) name: Vec<Vec<Attribute>>,
    /// Whether the certificate has a subjectAltName at all.
    pub(super) has_alternatives: bool,
    pub(super) dns: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    /// A NUL in one of the names.
    pub(super) nul: bool,
    /// Field basicConstraints, if present.
    pub(super) authority: Option<bool>,
    pub(super) usage: Option<Usage>,
    pub(super) purposes: Option<Purposes>,
    pub(super) not_before: Moment,
    pub(super) not_after: Moment,
    /// An RSA key's bits.
    pub(super) rsa: Option<usize>,
    /// The digest of its signature, if it is a broken one.
    pub(super) broken_digest: Option<&'static str>,
    /// The public key with its algorithm, as bytes.
    pub(super) public_key: Vec<u8>,
}

/// Short names of attributes as GnuTLS and libvirt's documentation write them.
const KINDS: [(&str, &str); 12] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "surName"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAIL"),
];

/// Signatures over digests for which collisions have been made (RFC 3279, 3370; OIW for the last).
const BROKEN: [(&str, &str); 7] = [
    ("1.2.840.113549.1.1.2", "MD2"),
    ("1.2.840.113549.1.1.3", "MD4"),
    ("1.2.840.113549.1.1.4", "MD5"),
    ("1.2.840.113549.1.1.5", "SHA-1"),
    ("1.2.840.10045.4.1", "SHA-1"),
    ("1.2.840.10040.4.3", "SHA-1"),
    ("1.3.14.3.2.29", "SHA-1"),
];

/// Tags of BMPString and UniversalString, whose characters have zero bytes.
const WIDE: [u32; 2] = [30, 28];

impl Facts {
    /// Reads a certificate.
    pub(super) fn read(der: &CertificateDer<'_>) -> Result<Self, Fault> {
        let bad = |why: &str| Fault::Malformed(why.to_owned());
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|e| Fault::Malformed(e.to_string()))?;
        if !rest.is_empty() {
            return Err(bad("bytes behind its end"));
        }
        // a certificate that has an extension twice could say one thing to us and another to others
        certificate.extensions_map().map_err(|_| bad("an extension stands in it twice"))?;
        let key = certificate.public_key();
        let validity = certificate.validity();
        let moment =
            |t: x509_parser::time::ASN1Time| Moment { seconds: t.timestamp(), text: t.to_string() };
        let mut facts = Self {
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            serial: certificate.raw_serial().to_vec(),
            path_length: None,
            limits_names: false,
            name: attributes(certificate.subject()),
            has_alternatives: false,
            dns: Vec::new(),
            addresses: Vec::new(),
            nul: certificate.subject().iter_attributes().any(has_nul),
            authority: None,
            usage: None,
            purposes: None,
            not_before: moment(validity.not_before),
            not_after: moment(validity.not_after),
            rsa: match key.parsed() {
                Ok(x509_parser::public_key::PublicKey::RSA(rsa)) => Some(rsa.key_size()),
                _ => None,
            },
            broken_digest: broken(&certificate.signature_algorithm.algorithm.to_id_string()),
            public_key: key.raw.to_vec(),
        };
        for extension in certificate.extensions() {
            if let ParsedExtension::ParseError { .. } = extension.parsed_extension() {
                return Err(Fault::Malformed(format!("its extension {}", extension.oid)));
            }
            facts.take(extension.parsed_extension(), extension.critical)?;
        }
        Ok(facts)
    }

    fn take(&mut self, extension: &ParsedExtension<'_>, critical: bool) -> Result<(), Fault> {
        match extension {
            ParsedExtension::BasicConstraints(basic) => {
                self.authority = Some(basic.ca);
                self.path_length = basic.path_len_constraint;
            }
            ParsedExtension::NameConstraints(_) => self.limits_names = true,
            ParsedExtension::KeyUsage(usage) => {
                self.usage = Some(Usage {
                    critical,
                    signature: usage.digital_signature(),
                    encipherment: usage.key_encipherment(),
                    sign_certificates: usage.key_cert_sign(),
                });
            }
            // anyExtendedKeyUsage counts for nothing: libvirt does not take it either
            ParsedExtension::ExtendedKeyUsage(purposes) => {
                self.purposes =
                    Some(Purposes { server: purposes.server_auth, client: purposes.client_auth });
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                self.has_alternatives = true;
                for name in &names.general_names {
                    self.alternative(name)?;
                }
            }
            // other extensions are webpki's affair, which refuses critical ones that it does not know
            _ => {}
        }
        Ok(())
    }

    fn alternative(&mut self, name: &GeneralName<'_>) -> Result<(), Fault> {
        match name {
            GeneralName::DNSName(name) => {
                self.nul |= name.contains('\0');
                self.dns.push((*name).to_owned());
            }
            GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
                self.nul |= text.contains('\0');
            }
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
                let address = v4.or(v6);
                self.addresses.push(address.map_err(|_| {
                    Fault::Malformed(format!("an IP address of {} bytes", bytes.len()))
                })?);
            }
            GeneralName::Invalid(..) => {
                return Err(Fault::Malformed("a name of its subjectAltName".to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    /// The common names; `None` for one that is no text.
    pub(super) fn common_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.name.iter().flatten().filter(|a| a.kind == "CN").map(|a| a.value.as_deref())
    }

    /// The subject in one line, as libvirt's lists of names have it.
    pub(super) fn distinguished_name(&self) -> String {
        let one = |a: &Attribute| format!("{}={}", a.kind, a.value.as_deref().unwrap_or("?"));
        let relative = |r: &Vec<Attribute>| r.iter().map(one).collect::<Vec<_>>().join("+");
        self.name.iter().map(relative).collect::<Vec<_>>().join(",")
    }
}

fn attributes(name: &X509Name<'_>) -> Vec<Vec<Attribute>> {
    let one = |a: &AttributeTypeAndValue<'_>| {
        let oid = a.attr_type().to_id_string();
        let known = KINDS.iter().find(|(id, _)| *id == oid);
        Attribute {
            kind: known.map_or_else(|| oid.clone(), |(_, name)| (*name).to_owned()),
            value: a.as_str().ok().map(str::to_owned),
        }
    };
    name.iter().map(|relative| relative.iter().map(one).collect()).collect()
}

fn has_nul(attribute: &AttributeTypeAndValue<'_>) -> bool {
    !WIDE.contains(&attribute.attr_value().header.tag().0) && attribute.as_slice().contains(&0)
}

/// The digest of a signature's algorithm, if it is a broken one.
pub(super) fn broken(oid: &str) -> Option<&'static str> {
    BROKEN.iter().find(|(id, _)| *id == oid).map(|(_, digest)| *digest)
}
