//! SASL: the mechanism, and the exchange of its messages with a server.

use super::credentials::{self, Login};
use super::scram::{self, Client};
use super::who::{Who, quick, refused};
use crate::drivers::libvirt::connection::{Connection, Request};
use crate::error::{Error, ErrorCode, Result};
use diagnostics::excerpt;
use libvirt_rpc::{Chars, Encode, Procedure, to_bytes};

/// Answer of a server: whether it is done, whether there are data (SASL tells none from empty ones), and the
/// data.
type Answer = (i32, i32, Chars);

/// Authenticates the client to the server, and the server to the client.
///
/// # Errors
/// The server does not offer what was asked for or what we can do, there is nobody to be, or one
/// side does not accept the other's proof.
pub(super) fn authenticate(
    connection: &mut Connection,
    who: &Who<'_>,
    wanted: Option<&str>,
) -> Result<()> {
    let offered: String = connection.call(quick(Procedure::AUTH_SASL_INIT))?;
    check_mechanism(&offered, wanted)?;
    let login = credentials::login(who)?;
    exchange(connection, who, &login).inspect_err(|_| {
        if let Some(credential_prompt) = &who.env.ask {
            credential_prompt.forget(who.host);
        }
    })
}

/// Whether our one mechanism is among those that the server offers, and is the wanted one.
fn check_mechanism(offered: &str, wanted: Option<&str>) -> Result<()> {
    let is_offered = |name: &str| {
        let mut names = offered.split(|c: char| c == ',' || c.is_ascii_whitespace());
        !name.is_empty() && names.any(|offer| offer.eq_ignore_ascii_case(name))
    };
    let offers = if offered.trim().is_empty() { "none".to_owned() } else { excerpt(offered) };
    if let Some(name) = wanted.filter(|name| !name.eq_ignore_ascii_case(scram::NAME)) {
        let name = excerpt(&name.to_ascii_uppercase());
        let message =
            format!("virt does not have the SASL mechanism {name}; the server offers {offers}");
        return Err(refused(message).hint(format!("virt has {}", scram::NAME)));
    }
    if is_offered(scram::NAME) {
        return Ok(());
    }
    let message =
        format!("virt has the SASL mechanism {}, and the server offers {offers}", scram::NAME);
    Err(refused(message).hint(
        "add scram-sha-256 to mech_list in /etc/sasl2/libvirt.conf on the server, or use ssh",
    ))
}

fn exchange(connection: &mut Connection, who: &Who<'_>, login: &Login) -> Result<()> {
    let problem = |problem| explain(problem, who, login);
    let client = Client::new(&login.name).map_err(problem)?;
    let first = Chars(client.first());
    let start = (scram::NAME, 0i32, first);
    let (done, _, challenge) = say(connection, who, login, Procedure::AUTH_SASL_START, &start)?;
    if done != 0 {
        // it cannot have proved anything, and we have proved nothing
        return Err(problem(scram::Problem::Message("success without proof")));
    }
    let (last, proof) = client.last(&challenge.0, &login.password).map_err(problem)?;
    let step = (0i32, Chars(last));
    let (done, _, answer) = say(connection, who, login, Procedure::AUTH_SASL_STEP, &step)?;
    proof.check(&answer.0).map_err(problem)?;
    if done != 0 {
        return Ok(());
    }
    // its proof came as a challenge of its own, which has no answer
    let nothing = (1i32, Chars::default());
    let (done, _, answer) = say(connection, who, login, Procedure::AUTH_SASL_STEP, &nothing)?;
    if done == 0 || !answer.0.is_empty() {
        return Err(problem(scram::Problem::Message("more than SCRAM has")));
    }
    Ok(())
}

/// One message to the server and its answer.
fn say(
    connection: &mut Connection,
    who: &Who<'_>,
    login: &Login,
    procedure: Procedure,
    message: &impl Encode,
) -> Result<Answer> {
    let request = Request { args: to_bytes(message)?, ..quick(procedure) };
    connection.call(request).map_err(|error| {
        if error.is(ErrorCode::AUTH_FAILED) { not_accepted(who, login, error) } else { error }
    })
}

/// The server does not say whether it was the name or the password.
fn not_accepted(who: &Who<'_>, login: &Login, cause: Error) -> Error {
    let Login { name, place, .. } = login;
    let message = format!("libvirt at {} did not accept user '{name}' and this password", who.host);
    let hint = match place {
        Some(place) => format!("look into {place}; sasldblistusers2 on the server lists its users"),
        None => "try again; sasldblistusers2 on the server lists its users".to_owned(),
    };
    refused(message).caused_by(cause).hint(hint)
}

fn explain(problem: scram::Problem, who: &Who<'_>, login: &Login) -> Error {
    let host = who.host;
    match problem {
        scram::Problem::Name => {
            refused("the user's name is empty or holds a NUL").hint("give another name")
        }
        scram::Problem::Random => refused("the system gives no random numbers"),
        scram::Problem::Message(what) => {
            let message =
                format!("libvirt at {host} does not speak SCRAM as it should: it sent {what}");
            refused(message).hint("look into the daemon's log")
        }
        scram::Problem::Iterations(count) => {
            let message = format!(
                "libvirt at {host} asks for {} rounds of hashing, which are too few to be safe or \
                 too many to be meant",
                excerpt(&count)
            );
            refused(message).hint("virt takes 4096 to 10000000: scram_iteration_counter of SASL")
        }
        scram::Problem::Refused(reason) => {
            not_accepted(who, login, refused(format!("the server says {reason}")))
        }
        scram::Problem::Impostor => {
            let message = format!(
                "libvirt at {host} let us in without proving that it knows the password of '{}'",
                login.name
            );
            refused(message).hint("somebody may be between here and the host: do not go on")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::super::authenticate;
    use super::super::scram::tests::{server_first, server_last};
    use super::*;
    use crate::drivers::libvirt::fake_server;
    use crate::drivers::{CredentialPrompt, Environment, Secret};
    use crate::error::ErrorKind;
    use crate::model::Uri;
    use libvirt_rpc::{AuthType, from_bytes};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SALT: &[u8] = b"salt and pepper";

    /// Behaviour of the server.
    #[derive(Clone)]
    struct Plays {
        mechanisms: String,
        count: u32,
        /// Replacement of its first message.
        first: Option<Vec<u8>>,
        /// Replacement of its last message.
        last: Option<Vec<u8>>,
        /// Whether the first message has `complete`.
        hasty: bool,
        /// Whether the last message is a challenge, after which an empty answer is due.
        slow: bool,
        /// Data in the answer to the empty answer.
        rest: Vec<u8>,
    }

    impl Default for Plays {
        fn default() -> Self {
            Self {
                mechanisms: "PLAIN,SCRAM-SHA-256".into(),
                count: 4096,
                first: None,
                last: None,
                hasty: false,
                slow: false,
                rest: Vec::new(),
            }
        }
    }

    /// Returns the result with a server whose one user is fred with the password tiger.
    fn authenticated(plays: Plays, uri: &str, password: &'static str) -> Result<()> {
        let credential_prompt = CredentialPrompt::new(move |_| Some(Secret::new(password)));
        let credential_prompt = CredentialPrompt::new(move |question| match question {
            crate::drivers::Question::Name { .. } => Some(Secret::new("fred")),
            crate::drivers::Question::Password { .. } => credential_prompt.ask(question),
        });
        with_asker(plays, uri, credential_prompt)
    }

    fn with_asker(plays: Plays, uri: &str, credential_prompt: CredentialPrompt) -> Result<()> {
        let mut connection = fake_server::connection(move |server| {
            let mut said: Vec<Vec<u8>> = Vec::new();
            server.serve(move |procedure, args| {
                let answer = |done: i32, data: Vec<u8>| Ok(to_bytes(&(done, 0i32, Chars(data)))?);
                match procedure {
                    Procedure::AUTH_LIST => Ok(to_bytes(&vec![AuthType::SASL])?),
                    Procedure::AUTH_SASL_INIT => Ok(to_bytes(&plays.mechanisms)?),
                    Procedure::AUTH_SASL_START => {
                        let (mechanism, nil, Chars(first)): (String, i32, Chars) =
                            from_bytes(args)?;
                        assert_eq!((mechanism.as_str(), nil), ("SCRAM-SHA-256", 0));
                        assert!(first.starts_with(b"n,,n=fred,r="), "{first:?}");
                        let ours = server_first(&first, SALT, plays.count).into_bytes();
                        said.push(first);
                        said.push(plays.first.clone().unwrap_or(ours));
                        answer(i32::from(plays.hasty), said[1].clone())
                    }
                    Procedure::AUTH_SASL_STEP => {
                        let (nil, Chars(last)): (i32, Chars) = from_bytes(args)?;
                        if nil == 1 {
                            assert!(plays.slow && last.is_empty());
                            return answer(1, plays.rest.clone());
                        }
                        let messages = [said[0].as_slice(), &said[1], &last];
                        let secret = ("tiger", SALT, plays.count);
                        match (server_last(messages, secret), plays.last.clone()) {
                            (_, Some(forged)) => answer(1, forged),
                            (Some(proof), None) => answer(i32::from(!plays.slow), proof.into()),
                            (None, None) => Err(fake_server::refusal(ErrorCode::AUTH_FAILED)),
                        }
                    }
                    other => panic!("{other:?}"),
                }
            });
        });
        let uri = Uri::parse(uri).unwrap();
        let mut env = Environment::new(None, Some("/nonexistent".into()));
        // so that no file of the machine's counts
        let file = tempfile::NamedTempFile::new().unwrap();
        env.auth_file = Some(file.path().to_owned());
        env.ask = Some(credential_prompt);
        let who = Who { uri: &uri, is_plain_tcp: false, host: "h", env: &env };
        let offered = connection.call(quick(Procedure::AUTH_LIST))?;
        authenticate(&mut connection, &who, offered).map(drop)
    }

    fn refusal(plays: Plays) -> Error {
        let error = authenticated(plays, "qemu:///system", "tiger").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
        assert!(!format!("{error:?}").contains("tiger"), "{error:?}");
        error
    }

    #[test]
    fn both_sides_prove_themselves() {
        for uri in ["qemu:///system", "qemu:///system?auth=sasl.scram-sha-256"] {
            authenticated(Plays::default(), uri, "tiger").unwrap();
        }
        let slow = Plays { slow: true, ..Plays::default() };
        authenticated(slow.clone(), "qemu:///system?auth=SASL", "tiger").unwrap();
        let error = refusal(Plays { rest: b"more".to_vec(), ..slow });
        assert!(error.message.contains("more than SCRAM has"), "{error}");
    }

    #[test]
    fn a_wrong_password_is_refused_and_forgotten() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let credential_prompt = CredentialPrompt::new(move |question| {
            Some(Secret::new(match question {
                crate::drivers::Question::Name { .. } => "fred",
                crate::drivers::Question::Password { .. } => {
                    ["lion", "tiger"][counter.fetch_add(1, Ordering::Relaxed)]
                }
            }))
        });
        let open = || with_asker(Plays::default(), "qemu:///system", credential_prompt.clone());
        let error = open().unwrap_err();
        assert_eq!(error.message, "libvirt at h did not accept user 'fred' and this password");
        assert!(error.source.is_some() && !format!("{error:?}").contains("lion"), "{error:?}");
        open().unwrap();
        open().unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        let last = Some(b"e=invalid-proof".to_vec());
        let error = refusal(Plays { last, ..Plays::default() });
        assert!(error.message.contains("did not accept"), "{error}");
        assert!(error.source.as_ref().unwrap().message.contains("invalid-proof"));
    }

    #[test]
    fn a_server_without_proof_is_refused() {
        let bad = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        let error = refusal(Plays { last: Some(bad.into()), ..Plays::default() });
        assert!(error.message.contains("without proving"), "{error}");
        assert!(error.hint.as_deref().unwrap().contains("between"));
        let error = refusal(Plays { last: Some(Vec::new()), ..Plays::default() });
        assert!(error.message.contains("no signature"), "{error}");
        let error = refusal(Plays { hasty: true, ..Plays::default() });
        assert!(error.message.contains("success without proof"), "{error}");
        let error = refusal(Plays { count: 4095, ..Plays::default() });
        assert!(error.message.contains("4095 rounds"), "{error}");
        let first = Some(b"r=x,".to_vec());
        let error = refusal(Plays { first, ..Plays::default() });
        assert!(error.message.contains("it sent"), "{error}");
    }

    #[test]
    fn data_has_a_limit() {
        let first = |length| Some(vec![b'x'; length]);
        let error = refusal(Plays { first: first(Chars::MAX), ..Plays::default() });
        assert!(error.message.contains("no nonce"), "{error}");
        // as nobody can encode it, the length is said and the rest left out
        let mut connection = fake_server::connection(|server| {
            server.serve(|_, _| Ok(to_bytes(&(0i32, 0i32, 65_537u32))?));
        });
        let request = quick(Procedure::AUTH_SASL_START);
        let error = connection.call::<Answer>(request).unwrap_err();
        assert!(error.message.contains("above the limit of 65536"), "{error}");
    }

    #[test]
    fn a_mechanism_is_offered_or_the_offer_is_shown() {
        for offered in ["SCRAM-SHA-256", "gssapi,scram-sha-256", "PLAIN SCRAM-SHA-256"] {
            assert!(check_mechanism(offered, None).is_ok(), "{offered}");
        }
        for (offered, wanted, message) in [
            ("", None, "the server offers none"),
            (" ", Some("scram-sha-256"), "the server offers none"),
            ("GSSAPI,PLAIN", None, "the server offers GSSAPI,PLAIN"),
            ("SCRAM-SHA-256-PLUS", None, "the server offers SCRAM-SHA-256-PLUS"),
            ("SCRAM-SHA-256,PLAIN", Some("plain"), "does not have the SASL mechanism PLAIN"),
            ("SCRAM-SHA-256", Some(""), "does not have the SASL mechanism ;"),
            ("PL\u{1b}[2JAIN", None, "offers PL\\u{1b}[2JAIN"),
        ] {
            let error = check_mechanism(offered, wanted).unwrap_err();
            assert!(error.message.contains(message), "{offered}: {error:?}");
        }
        let many = check_mechanism(&"X,".repeat(100_000), None).unwrap_err();
        assert!(many.message.len() < 1000);
    }
}
