//! Configuration of `rustls` from the files of one end; faulty files are refused.

use super::allow::Pattern;
use super::crl::{self, Revoked};
use super::explain::explain;
use super::files::{End, Files};
use super::load::{Certificate, Loaded, load, whose};
use super::problem::{KEYS, Problem, refusal};
use super::sanity::{Role, sanity};
use super::verify::{Anybody, Clients, Servers, is_name};
use crate::error::{Error, Result};
use diagnostics::shown_path;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A client's TLS.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// Configuration of the connection.
    pub config: Arc<ClientConfig>,
    /// Warnings from handshakes: faults that were accepted and should be fixed.
    pub warnings: Arc<Mutex<Vec<String>>>,
}

/// A client's configuration; without `verify` it takes every server certificate and needs no CA.
pub fn client(files: &Files, verify: bool) -> Result<ClientTls> {
    let own = Own::read(files, End::Client, verify, UnixTime::now());
    let (verifiers, certified, authorities, provider) = own.sound()?;
    let warnings = Arc::default();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| from_rustls(&e))?
        .dangerous();
    let builder = match verifiers {
        Some(verifiers) => builder.with_custom_certificate_verifier(Arc::new(Servers {
            webpki: verifiers.servers,
            authorities,
            revoked: verifiers.revoked,
            warnings: Arc::clone(&warnings),
        })),
        None => {
            let algorithms = provider.signature_verification_algorithms;
            builder.with_custom_certificate_verifier(Arc::new(Anybody(algorithms)))
        }
    };
    let mut config = match certified {
        Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
        None => builder.with_no_client_auth(),
    };
    // a session that goes on would show no certificate, and one that has expired would go unseen
    config.resumption = Resumption::disabled();
    Ok(ClientTls { config: Arc::new(config), warnings })
}

/// A server's configuration: clients need a certificate of the CA, and with a list a name on it.
pub fn server(files: &Files, allowed_dns: Option<&[String]>) -> Result<Arc<ServerConfig>> {
    let own = Own::read(files, End::Server, true, UnixTime::now());
    let (verifiers, certified, authorities, provider) = own.sound()?;
    let (Some(verifiers), Some(certified)) = (verifiers, certified) else {
        return Err(refusal("a server needs a certificate and its key")
            .hint("make both with `virt pki server`"));
    };
    let allowed = allowed_dns.map(|list| list.iter().map(|line| Pattern::read(line)).collect());
    let Verifiers { clients: webpki, revoked, .. } = verifiers;
    let clients = Clients { webpki, authorities, revoked, allowed };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| from_rustls(&e))?
        .with_client_cert_verifier(Arc::new(clients))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // as for clients: each connection is checked anew
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Content of one end's files, and all its faults.
pub(super) struct Own {
    pub(super) loaded: Loaded,
    pub(super) problems: Vec<Error>,
    verifiers: Option<Verifiers>,
    certified: Option<CertifiedKey>,
    provider: Arc<CryptoProvider>,
}

/// Verifiers of webpki.
struct Verifiers {
    servers: Arc<WebPkiServerVerifier>,
    clients: Arc<dyn ClientCertVerifier>,
    revoked: Revoked,
}

type Sound = (Option<Verifiers>, Option<CertifiedKey>, Vec<Certificate>, Arc<CryptoProvider>);

impl Own {
    /// Reads and checks the files of one end; `trust` is whether it needs the CA's.
    pub(super) fn read(files: &Files, end: End, trust: bool, now: UnixTime) -> Self {
        let mut problems = Vec::new();
        let loaded = load(files, end, trust, &mut problems);
        problems.extend(insane(&files.ca, &loaded.authorities, |_| Role::Authority, now));
        if let Some(path) = &files.crl {
            problems.extend(crl::check(path, &loaded, now));
        }
        if let Some(path) = &files.certificate {
            let role = |number| if number == 0 { Role::Leaf(end) } else { Role::Authority };
            problems.extend(insane(path, &loaded.chain, role, now));
        }
        let provider = Arc::new(ring::default_provider());
        let mut own = Self { loaded, problems, verifiers: None, certified: None, provider };
        own.certify(files);
        // webpki's errors about files with known faults add nothing
        if trust && own.problems.is_empty() {
            match own.verifiers(files) {
                Ok(verifiers) => {
                    own.problems.extend(own.chain(files, end, &verifiers, now));
                    own.verifiers = Some(verifiers);
                }
                Err(e) => own.problems.push(e),
            }
        }
        own
    }

    /// The parts, if nothing is wrong; else the first problem, and how many there are.
    fn sound(self) -> Result<Sound> {
        let more = self.problems.len().saturating_sub(1);
        match self.problems.into_iter().next() {
            None => Ok((self.verifiers, self.certified, self.loaded.authorities, self.provider)),
            Some(mut first) if more > 0 => {
                let more = format!("`virt pki check` shows {more} more");
                let hint = first.hint.take().map_or(more.clone(), |hint| format!("{hint}; {more}"));
                Err(first.hint(hint))
            }
            Some(only) => Err(only),
        }
    }

    /// Puts certificate and key together.
    fn certify(&mut self, files: &Files) {
        if files.certificate.is_some() != files.key.is_some() {
            let error =
                refusal("a certificate and its key go together, and one of them is not named");
            self.problems.push(error.hint("name both or neither"));
        }
        let (Some(certificate), Some(key)) = (&files.certificate, self.loaded.key.take()) else {
            return;
        };
        if self.loaded.chain.is_empty() {
            return;
        }
        let chain = self.loaded.chain.iter().map(|c| c.der.clone()).collect();
        let shown = shown_path(files.key.as_ref().unwrap_or(certificate));
        match CertifiedKey::from_der(chain, key, &self.provider) {
            Ok(certified) => self.certified = Some(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                let message = format!(
                    "{shown}: this key is not of the certificate {}",
                    shown_path(certificate)
                );
                self.problems.push(refusal(message).hint("use the two that belong together"));
            }
            // the certificate's fault already explains a weak key
            Err(_) if !self.problems.is_empty() => {}
            Err(e) => {
                let message = format!("{shown}: this key cannot be used: {e}");
                self.problems.push(refusal(message).hint(KEYS));
            }
        }
    }

    fn verifiers(&self, files: &Files) -> Result<Verifiers> {
        let mut roots = RootCertStore::empty();
        for ca in &self.loaded.authorities {
            roots.add(ca.der.clone()).map_err(|e| {
                let (what, hint) = explain(&e);
                let error = refusal(format!("{}: {what}", shown_path(&files.ca)));
                error.hint(
                    hint.unwrap_or_else(|| "make the CA again with `virt pki init`".to_owned()),
                )
            })?;
        }
        let (roots, crls) = (Arc::new(roots), &self.loaded.crls);
        let failed = |e: rustls::client::VerifierBuilderError| {
            let place = files.crl.as_ref().unwrap_or(&files.ca).display();
            refusal(format!("{place}: cannot be used: {e}"))
                .hint("have the CA write a complete list of its own, of version 2")
        };
        // an intermediate CA need not have a list; the trusted ones' are checked when loaded, and
        // may expire while they are in use
        let servers = WebPkiServerVerifier::builder_with_provider(
            Arc::clone(&roots),
            Arc::clone(&self.provider),
        )
        .with_crls(crls.iter().cloned())
        .allow_unknown_revocation_status()
        .enforce_revocation_expiration()
        .build()
        .map_err(failed)?;
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&self.provider))
                .with_crls(crls.iter().cloned())
                .allow_unknown_revocation_status()
                .enforce_revocation_expiration()
                .build()
                .map_err(failed)?;
        Ok(Verifiers { servers, clients, revoked: Revoked::of(&self.loaded) })
    }

    /// Reports faults of this end's own chain: the other end would refuse it, with less explanation.
    fn chain(
        &self,
        files: &Files,
        end: End,
        verifiers: &Verifiers,
        now: UnixTime,
    ) -> Option<Error> {
        let path = files.certificate.as_ref()?;
        let chain: Vec<CertificateDer<'_>> =
            self.loaded.chain.iter().map(|c| c.der.clone()).collect();
        let (leaf, others) = chain.split_first()?;
        let verdict = match end {
            End::Client => verifiers.clients.verify_client_cert(leaf, others, now).map(|_| ()),
            End::Server => {
                // any name will do: it is looked at last
                let name = ServerName::try_from("localhost").ok()?;
                let verdict = verifiers.servers.verify_server_cert(leaf, others, &name, &[], now);
                verdict.map(|_| ()).or_else(|e| if is_name(&e) { Ok(()) } else { Err(e) })
            }
        };
        let (what, hint) = explain(&verdict.err()?);
        let error = refusal(format!("{}: {what} ({})", shown_path(path), shown_path(&files.ca)));
        Some(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }
}

/// Reports faults of each certificate of a file by itself.
fn insane(
    path: &Path,
    certificates: &[Certificate],
    role: impl Fn(usize) -> Role,
    now: UnixTime,
) -> Vec<Error> {
    let mut problems = Vec::new();
    for (number, certificate) in certificates.iter().enumerate() {
        for fault in sanity(&certificate.facts, role(number), now) {
            let whose = whose(path, number, certificates.len() > 1);
            problems.push(Problem { fault, whose }.into());
        }
    }
    problems
}

fn from_rustls(error: &rustls::Error) -> Error {
    let (what, hint) = explain(error);
    let error = refusal(what);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
