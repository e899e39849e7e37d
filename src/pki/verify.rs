//! Verification of the other end's certificate: webpki's verdict, with stricter checks.

use super::allow::Pattern;
use super::crl::Revoked;
use super::facts::Facts;
use super::files::End;
use super::load::Certificate;
use super::problem::{Fault, Problem};
use super::sanity::{Role, sanity, validity};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::{Arc, Mutex};

/// Most certificates beside the leaf: webpki's six intermediates, and a root that need not be there.
/// More are refused before any signature is looked at.
const OTHERS_MAX: usize = 7;

/// A client's view of a server.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) webpki: Arc<WebPkiServerVerifier>,
    pub(super) authorities: Vec<Certificate>,
    /// Certificates that they, and CAs below them, have revoked.
    pub(super) revoked: Revoked,
    pub(super) warnings: Arc<Mutex<Vec<String>>>,
}

impl Servers {
    /// Whether the common name will do. Limits on names would not be held to it, so where there are
    /// any it does not count.
    fn by_common_name(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> bool {
        let limits = |der: &CertificateDer<'_>| Facts::read(der).is_ok_and(|f| f.limits_names);
        let limited =
            others.iter().any(limits) || self.authorities.iter().any(|ca| ca.facts.limits_names);
        !limited && by_common_name(leaf, name)
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        short(others, End::Server)?;
        let verdict = self.webpki.verify_server_cert(leaf, others, name, ocsp, now).map(|_| ());
        // webpki looks at the name last: all else has passed by then
        let verdict = match verdict {
            Err(e) if is_name(&e) && self.by_common_name(leaf, others, name) => {
                let warning = format!(
                    "the server's certificate names {} only in its common name; \
                     make it again with a subjectAltName",
                    name.to_str()
                );
                let mut warnings = self.warnings.lock().unwrap_or_else(|e| e.into_inner());
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
                Ok(())
            }
            other => other,
        };
        let trust = (self.authorities.as_slice(), &self.revoked);
        judge(leaf, others, trust, End::Server, now, verdict)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// A server's view of its clients.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) webpki: Arc<dyn ClientCertVerifier>,
    pub(super) authorities: Vec<Certificate>,
    /// Certificates that they, and CAs below them, have revoked.
    pub(super) revoked: Revoked,
    /// Patterns of the accepted clients; with a list, nobody else is admitted.
    pub(super) allowed: Option<Vec<Pattern>>,
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        short(others, End::Client)?;
        let verdict = self.webpki.verify_client_cert(leaf, others, now).map(|_| ());
        let trust = (self.authorities.as_slice(), &self.revoked);
        judge(leaf, others, trust, End::Client, now, verdict)?;
        if let Some(allowed) = &self.allowed {
            let facts = read(leaf, || whose(End::Client))?;
            if !allowed.iter().any(|pattern| pattern.matches(&facts.name)) {
                let fault = Fault::NotOnList(facts.distinguished_name());
                return Err(Problem { fault, whose: whose(End::Client) }.into());
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Takes every server certificate, for `no_verify=1`; that the server has its key is still checked.
#[derive(Debug)]
pub(super) struct Anybody(pub(super) WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Whether the error is about the other end's name.
pub(super) fn is_name(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

/// Compares the name with the common name: libvirt's documentation once made certificates without any other,
/// and they are in use; GnuTLS accepts them if there is no subjectAltName. An address is no common name.
fn by_common_name(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let (ServerName::DnsName(name), Ok(facts)) = (name, Facts::read(leaf)) else {
        return false;
    };
    let mut names = facts.common_names();
    let only = (names.next(), names.next());
    let same = |cn: &str| cn.eq_ignore_ascii_case(name.as_ref());
    !facts.has_alternatives && matches!(only, (Some(Some(cn)), None) if same(cn))
}

fn short(others: &[CertificateDer<'_>], end: End) -> Result<(), Error> {
    if others.len() > OTHERS_MAX {
        let fault = Fault::ChainTooLong(others.len());
        return Err(Problem { fault, whose: whose(end) }.into());
    }
    Ok(())
}

/// Returns webpki's verdict, or ours where that is stricter or clearer.
fn judge(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    (authorities, revoked): (&[Certificate], &Revoked),
    end: End,
    now: UnixTime,
    verdict: Result<(), Error>,
) -> Result<(), Error> {
    use CertificateError::{Revoked as OnList, UnknownIssuer};
    // of a stranger's certificate nothing else is worth saying
    if let Err(Error::InvalidCertificate(UnknownIssuer | OnList)) = verdict {
        return verdict;
    }
    let facts = read(leaf, || whose(end))?;
    if let Some(fault) = sanity(&facts, Role::Leaf(end), now).into_iter().next() {
        return Err(Problem { fault, whose: whose(end) }.into());
    }
    let on_a_list = || Err(Error::InvalidCertificate(OnList));
    if revoked.has(&facts) {
        return on_a_list();
    }
    let mut chain = vec![facts];
    for other in others {
        let whose = || format!("an intermediate certificate of the {}", end.as_str());
        let facts = read(other, whose)?;
        if let Some(fault) = sanity(&facts, Role::Authority, now).into_iter().next() {
            return Err(Problem { fault, whose: whose() }.into());
        }
        if revoked.has(&facts) {
            return on_a_list();
        }
        chain.push(facts);
    }
    verdict?;
    // to webpki a trusted CA is a name and a key; it may have expired since the file was read
    let used = |ca: &&Certificate| chain.iter().any(|c| c.issuer == ca.facts.subject);
    for ca in authorities.iter().filter(used) {
        if revoked.has(&ca.facts) {
            return on_a_list();
        }
        if let Some(fault) = validity(&ca.facts, now).into_iter().next() {
            let whose = format!("the certificate of the CA {}", ca.facts.distinguished_name());
            return Err(Problem { fault, whose }.into());
        }
    }
    match below(&chain, authorities) {
        Some(fault) => Err(Problem { fault, whose: whose(end) }.into()),
        None => Ok(()),
    }
}

/// Whether more CAs stand between a trusted one and the leaf than that allows: to webpki its limit
/// does not count. The chain begins with the leaf.
fn below(chain: &[Facts], authorities: &[Certificate]) -> Option<Fault> {
    let mut at = chain.first()?;
    for between in 0..chain.len() {
        let mut trusted = authorities.iter().filter(|ca| ca.facts.subject == at.issuer).peekable();
        if trusted.peek().is_some() {
            let allows = |ca: &Certificate| {
                let most = ca
                    .facts
                    .path_length
                    .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
                between <= most
            };
            return (!trusted.any(allows)).then_some(Fault::ChainTooLong(between));
        }
        at = chain.iter().skip(1).find(|c| c.subject == at.issuer)?;
    }
    None
}

fn read(der: &CertificateDer<'_>, whose: impl Fn() -> String) -> Result<Facts, Error> {
    Facts::read(der).map_err(|fault| Problem { fault, whose: whose() }.into())
}

fn whose(end: End) -> String {
    format!("the {}'s certificate", end.as_str())
}
