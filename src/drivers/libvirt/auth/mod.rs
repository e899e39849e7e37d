//! Authentication of the client to a server: choice of the method, and the methods.
//!
//! A server offers types of authentication, nearly always one; `auth=` in the URI chooses among
//! them. None needs nothing, polkit is the server's affair, SASL is an exchange of ours.
//!
//! - `credentials.rs`: the name and password for a host: from libvirt's auth.conf, else from the user
//! - `keyfile.rs`: key files as GLib reads them: comments, `[groups]`, `key=value`
//! - `sasl.rs`: SASL: the mechanism, and the exchange of its messages with a server
//! - `scram.rs`: SCRAM-SHA-256 (RFC 5802, RFC 7677): the client's two messages and the proof of the server
//! - `who.rs`: the server and user of an authentication, and its quick calls

mod credentials;
mod keyfile;
mod sasl;
mod scram;
mod who;

pub(super) use who::Who;

use super::connection::{Connection, Request};
use super::timeouts;
use crate::error::Result;
use crate::model::Uri;
use diagnostics::excerpt;
use libvirt_rpc::{AuthType, Procedure};
use who::{quick, refused};

/// Method that `auth=` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// The server's first.
    Any,
    None,
    Polkit,
    /// SASL, with this mechanism, or any.
    Sasl(Option<&'a str>),
}

/// Authenticates by a method that the server offers and that the URI allows; returns that method.
///
/// # Errors
/// The server offers nothing that was asked for or that we can do, or it does not let us in.
pub(super) fn authenticate(
    connection: &mut Connection,
    who: &Who<'_>,
    mut offered: Vec<AuthType>,
) -> Result<String> {
    let wanted = Wanted::read(who.uri)?;
    if offered.is_empty() {
        // so libvirt reads it, too
        offered.push(AuthType::NONE);
    }
    let chosen = choose(&offered, &wanted)?;
    match chosen {
        // with polkit a server has already asked about root, and says NONE if it agreed
        AuthType::NONE => {}
        AuthType::POLKIT => polkit(connection)?,
        AuthType::SASL if who.is_plain_tcp => {
            let message = "SASL over plain tcp needs GSSAPI or DIGEST-MD5 encryption layers, which \
                           virt does not have";
            return Err(refused(message).hint("use tls, ssh or unix"));
        }
        AuthType::SASL => {
            let mechanism = if let Wanted::Sasl(mechanism) = wanted { mechanism } else { None };
            sasl::authenticate(connection, who, mechanism)?;
        }
        AuthType(other) => {
            let message =
                format!("the server asks for an authentication that is not known: type {other}");
            return Err(refused(message).hint("virt knows none, polkit and sasl"));
        }
    }
    Ok(word(chosen))
}

impl<'a> Wanted<'a> {
    fn read(uri: &'a Uri) -> Result<Self> {
        let Some(word) = uri.parameter("auth") else { return Ok(Self::Any) };
        let (kind, mechanism) = match word.split_once('.') {
            Some((kind, mechanism)) => (kind, Some(mechanism)),
            None => (word, None),
        };
        match (kind.to_ascii_lowercase().as_str(), mechanism) {
            ("none", None) => Ok(Self::None),
            ("polkit", None) => Ok(Self::Polkit),
            ("sasl", mechanism) => Ok(Self::Sasl(mechanism)),
            _ => {
                let message = format!("auth={} is not known", excerpt(word));
                let hint = "write none, polkit, sasl or sasl.scram-sha-256, or leave it out";
                Err(refused(message).hint(hint))
            }
        }
    }
}

fn choose(offered: &[AuthType], wanted: &Wanted<'_>) -> Result<AuthType> {
    let wanted = match wanted {
        Wanted::Any => return Ok(offered.first().copied().unwrap_or(AuthType::NONE)),
        Wanted::None => AuthType::NONE,
        Wanted::Polkit => AuthType::POLKIT,
        Wanted::Sasl(_) => AuthType::SASL,
    };
    if offered.contains(&wanted) {
        return Ok(wanted);
    }
    let offers: Vec<String> = offered.iter().map(|auth| word(*auth)).collect();
    let message = format!(
        "the URI asks for authentication by {}, and the server offers {}",
        word(wanted),
        offers.join(", ")
    );
    Err(refused(message).hint("leave auth= out to take what the server offers"))
}

fn word(auth: AuthType) -> String {
    match auth {
        AuthType::NONE => "none".to_owned(),
        AuthType::SASL => "sasl".to_owned(),
        AuthType::POLKIT => "polkit".to_owned(),
        AuthType(other) => format!("type {other}"),
    }
}

fn polkit(connection: &mut Connection) -> Result<()> {
    let request = Request { time: timeouts::AUTHENTICATE, ..quick(Procedure::AUTH_POLKIT) };
    let complete: i32 = connection.call(request).map_err(|error| {
        error.hint(
            "run as root or as a member of the group libvirt, or register an agent with pkttyagent",
        )
    })?;
    if complete == 1 { Ok(()) } else { Err(refused("polkit did not agree")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::fake_server;
    use super::*;
    use crate::drivers::Environment;
    use crate::error::{ErrorCode, ErrorKind};
    use libvirt_rpc::to_bytes;

    /// Returns the result with a server that offers these types, and answers polkit's call so.
    fn authenticated(
        uri: &str,
        types: &'static [AuthType],
        polkit: fn() -> Result<Vec<u8>>,
    ) -> Result<()> {
        let mut connection = fake_server::connection(move |server| {
            server.serve(|procedure, _| match procedure {
                Procedure::AUTH_LIST => Ok(to_bytes(&types.to_vec())?),
                Procedure::AUTH_POLKIT => polkit(),
                Procedure::AUTH_SASL_INIT => Ok(to_bytes("GSSAPI")?),
                other => panic!("{other:?}"),
            });
        });
        let uri = Uri::parse(uri).unwrap();
        let env = Environment::new(None, None);
        let is_plain_tcp = uri.to_string().contains("+tcp");
        let who =
            Who { uri: &uri, is_plain_tcp, host: uri.host().unwrap_or("localhost"), env: &env };
        let offered = connection.call(quick(Procedure::AUTH_LIST))?;
        authenticate(&mut connection, &who, offered).map(drop)
    }

    #[test]
    fn a_server_is_told_no_more_than_it_asks_for() {
        let unasked = || -> Result<Vec<u8>> { panic!("polkit was not to be asked") };
        let agrees = || Ok(to_bytes(&1i32)?);
        let denies = || Err(fake_server::refusal(ErrorCode::AUTH_FAILED));
        let plain = "qemu:///system";
        assert!(authenticated(plain, &[], unasked).is_ok());
        assert!(authenticated(plain, &[AuthType::NONE], unasked).is_ok());
        assert!(authenticated(plain, &[AuthType::NONE, AuthType::POLKIT], unasked).is_ok());
        assert!(authenticated(plain, &[AuthType::POLKIT, AuthType::SASL], agrees).is_ok());
        let silent = authenticated(plain, &[AuthType::POLKIT], || Ok(to_bytes(&0i32)?));
        assert!(silent.unwrap_err().message.contains("did not agree"));
        let refused = authenticated(plain, &[AuthType::POLKIT], denies).unwrap_err();
        assert!(
            refused.is(ErrorCode::AUTH_FAILED) || refused.kind == ErrorKind::Denied,
            "{refused:?}"
        );
        assert!(refused.hint.as_deref().unwrap().contains("pkttyagent"));
        let sasl = authenticated(plain, &[AuthType::SASL, AuthType::POLKIT], unasked).unwrap_err();
        assert!(sasl.message.contains("GSSAPI"), "{sasl}");
        let unknown = authenticated(plain, &[AuthType(9)], unasked).unwrap_err();
        assert!(unknown.message.contains("type 9"), "{unknown}");
    }

    #[test]
    fn the_uri_chooses_among_what_is_offered() {
        let unasked = || -> Result<Vec<u8>> { panic!("polkit was not to be asked") };
        let agrees = || Ok(to_bytes(&1i32)?);
        let both = &[AuthType::SASL, AuthType::POLKIT];
        assert!(authenticated("qemu:///system?auth=PolKit", both, agrees).is_ok());
        assert!(authenticated("qemu:///system?auth=none", &[], unasked).is_ok());
        for (uri, types, message) in [
            (
                "qemu:///system?auth=sasl",
                &[AuthType::NONE][..],
                "by sasl, and the server offers none",
            ),
            ("qemu:///system?auth=none", both, "by none, and the server offers sasl, polkit"),
            ("qemu:///system?auth=sasl", &[], "by sasl, and the server offers none"),
            ("qemu:///system?auth=sasl.plain", both, "PLAIN"),
            ("qemu:///system?auth=none.x", both, "auth=none.x is not known"),
            ("qemu:///system?auth=kerberos", both, "auth=kerberos is not known"),
            ("qemu:///system?auth=", both, "auth= is not known"),
            ("qemu+tcp://h/system", both, "SASL over plain tcp needs GSSAPI or DIGEST-MD5"),
        ] {
            let error = authenticated(uri, types, unasked).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Denied);
            assert!(error.message.contains(message), "{uri}: {error}");
            assert!(error.hint.is_some(), "{uri}");
        }
    }
}
