//! Explanations of `rustls` errors about a handshake or a certificate.

use super::problem::Problem;
use rustls::{AlertDescription, CertificateError, Error};

/// Returns a description, and a hint.
pub fn explain(error: &Error) -> (String, Option<String>) {
    let (what, hint) = match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            return match other.0.downcast_ref::<Problem>() {
                Some(problem) => (problem.to_string(), Some(problem.fault.remedy().to_owned())),
                None => of_webpki(&other.to_string()),
            };
        }
        Error::InvalidCertificate(error) => return certificate(error),
        Error::NoCertificatesPresented => (
            "the client has no certificate".to_owned(),
            "make one with `virt pki client`, or put the client's files in their place",
        ),
        Error::AlertReceived(alert) => return alert_received(*alert),
        Error::InvalidMessage(_) => (
            "the other end does not speak TLS".to_owned(),
            "is the port that of libvirt's TLS, 16514?",
        ),
        Error::PeerIncompatible(why) => (
            format!("the two ends have no version or cipher of TLS in common: {why:?}"),
            "TLS 1.3 or 1.2 with an ephemeral key exchange is needed: see tls_priority of libvirtd.conf",
        ),
        other => return (other.to_string(), None),
    };
    (what, Some(hint.to_owned()))
}

/// Explains an error of webpki's that `rustls` passes on without a name of its own.
fn of_webpki(error: &str) -> (String, Option<String>) {
    let (what, hint) = match error {
        "MaximumPathDepthExceeded" => {
            ("the chain of certificates is too long", "sign with fewer intermediate CAs")
        }
        "UnsupportedCertVersion" => (
            "a certificate is not of version 3 of X.509",
            "make it again with extensions: OpenSSL leaves them out unless it is asked for them",
        ),
        "CaUsedAsEndEntity" => {
            ("the certificate is a CA's", "make one of its own for each server and client")
        }
        "EndEntityUsedAsCa" => (
            "a certificate was signed by one that is not a CA's",
            "make the CA again with basicConstraints CA:true (`virt pki init`)",
        ),
        "PathLenConstraintViolated" => (
            "a CA of the chain allows fewer CAs below it",
            "sign with fewer intermediate CAs, or make that CA again with a greater pathlen",
        ),
        other => return (format!("the certificate is not good: {other}"), None),
    };
    (what.to_owned(), Some(hint.to_owned()))
}

fn certificate(error: &CertificateError) -> (String, Option<String>) {
    use CertificateError as E;
    const CLOCK: &str = "renew it, or set the clock if that is wrong";
    let (what, hint) = match error {
        E::Expired | E::ExpiredContext { .. } => ("a certificate of the chain has expired", CLOCK),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            ("a certificate of the chain is not valid yet", CLOCK)
        }
        E::UnknownIssuer => (
            "the certificate is not signed by a CA of the CA file",
            "both ends need a cacert.pem with the CA that signed the other's certificate",
        ),
        E::Revoked => ("the certificate, or one above it, has been revoked", "make another one"),
        E::UnknownRevocationStatus => (
            "whether the certificate has been revoked is not known",
            "have the CA write a list that covers it",
        ),
        E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => (
            "the certificate revocation list has expired",
            "have the CA write a new list, and put that in place of cacrl.pem",
        ),
        E::BadSignature => (
            "a signature is wrong: a certificate is not signed by the CA that it names, or the key \
             is not the certificate's",
            "is it another CA of the same name? Sign the certificate again with this one",
        ),
        E::NotValidForName => (
            "the server's certificate is not for the name that was asked for",
            "connect to a name that it has, or make it again with this one (`virt pki server`)",
        ),
        E::NotValidForNameContext { expected, presented } => {
            let hint = "connect to a name that it has, or make it again with this one \
                        (`virt pki server`)";
            let names = if presented.is_empty() {
                "it has no subjectAltName that could match".to_owned()
            } else {
                format!("it is for {}", presented.join(", "))
            };
            let what =
                format!("the server's certificate is not for {}: {names}", expected.to_str());
            return (what, Some(hint.to_owned()));
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => (
            "the certificate is not for this purpose, by its extendedKeyUsage",
            "a server needs serverAuth, a client clientAuth",
        ),
        E::BadEncoding => ("a certificate cannot be decoded", "make it again, as X.509 version 3"),
        E::UnhandledCriticalExtension => (
            "a certificate has a critical extension that is not known here",
            "make it again without that, or not critical",
        ),
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "a certificate is signed in a way that is not known here, or broken",
            "sign it with RSA, ECDSA on P-256 or P-384, or Ed25519, over SHA-256 or better",
        ),
        other => return (format!("the certificate is not good: {other}"), None),
    };
    (what.to_owned(), Some(hint.to_owned()))
}

fn alert_received(alert: AlertDescription) -> (String, Option<String>) {
    use AlertDescription as A;
    let (what, hint) = match alert {
        A::CertificateRequired => (
            "the other end wants a certificate and got none",
            "make one with `virt pki client`, or put the client's files in their place",
        ),
        A::UnknownCA => (
            "the other end does not know the CA of our certificate",
            "both ends need a cacert.pem with the CA that signed the other's certificate",
        ),
        A::CertificateExpired => (
            "the other end says that our certificate has expired",
            "renew it, or set the clock that is wrong",
        ),
        A::CertificateRevoked => {
            ("the other end says that our certificate has been revoked", "make another one")
        }
        A::BadCertificate | A::UnsupportedCertificate | A::CertificateUnknown | A::AccessDenied => {
            (
                "the other end refuses our certificate",
                "its log says why; `virt pki check` shows what can be seen from here",
            )
        }
        A::ProtocolVersion | A::HandshakeFailure | A::InsufficientSecurity => (
            "the two ends have no version or cipher of TLS in common",
            "TLS 1.3 or 1.2 with an ephemeral key exchange is needed: see tls_priority of libvirtd.conf",
        ),
        other => return (format!("the other end ended the handshake: {other:?}"), None),
    };
    (what.to_owned(), Some(hint.to_owned()))
}
