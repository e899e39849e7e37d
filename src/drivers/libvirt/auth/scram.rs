//! SCRAM-SHA-256 (RFC 5802, RFC 7677): the client's two messages and the proof of the server.
//!
//! Bytes in, bytes out. Each step takes the one before, so that nothing can be left out: only
//! [`ServerProof::check`] ends it. Passwords go in as they are typed. RFC 5802 has them normalized by
//! SASLprep first, which changes no ASCII; Cyrus, which is the other side of every libvirt, leaves
//! it out as well.

use crate::drivers::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, pbkdf2};
use std::num::NonZeroU32;

/// The name by which the mechanism is known.
pub(super) const NAME: &str = "SCRAM-SHA-256";

/// Iterations that a server may ask for. RFC 7677 has 4096 as the least; fewer would make the
/// password easy to guess for who plays the server. The most takes some seconds, which who plays
/// the server can make us lose.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=10_000_000;

/// Random bytes of a nonce: 24 characters in base64, as long as others' are.
const NONCE: usize = 18;

/// Header without channel binding, and without a name to act under. It also states that this client has no
/// binding to TLS.
const GS2_HEADER: &str = "n,,";

/// Reason for which an exchange cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The name cannot be sent.
    Name,
    /// The system has no random numbers.
    Random,
    /// Invalid message of the server at this point.
    Message(&'static str),
    /// The server asks for a number of iterations that is out of [`ITERATIONS`].
    Iterations(String),
    /// The server says no, in SCRAM's own words.
    Refused(String),
    /// The server does not know the password.
    Impostor,
}

/// A client that has said its name.
#[derive(Debug)]
pub(super) struct Client {
    nonce: String,
    /// `client-first-message-bare`.
    bare: String,
}

/// Proof that the server has to send after the client's last message.
#[derive(Debug)]
pub(super) struct ServerProof {
    key: Key,
    auth_message: String,
}

impl Client {
    /// A client by that name, with a nonce that nobody can foresee.
    pub(super) fn new(name: &str) -> Result<Self, Problem> {
        let mut bytes = [0; NONCE];
        SystemRandom::new().fill(&mut bytes).map_err(|_| Problem::Random)?;
        Self::with_nonce(name, BASE64.encode(bytes))
    }

    fn with_nonce(name: &str, nonce: String) -> Result<Self, Problem> {
        if name.is_empty() || name.contains('\0') {
            return Err(Problem::Name);
        }
        let name = name.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={name},r={nonce}");
        Ok(Self { nonce, bare })
    }

    /// The client's first message.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("{GS2_HEADER}{}", self.bare).into_bytes()
    }

    /// Returns the client's last message, which proves the password to the server and nobody else, and the
    /// proof that the server has to send then.
    pub(super) fn last(
        self,
        server_first: &[u8],
        password: &Secret,
    ) -> Result<(Vec<u8>, ServerProof), Problem> {
        let text = text(server_first)?;
        let ServerFirst { nonce, salt, iterations } = ServerFirst::read(text, &self.nonce)?;
        let header = BASE64.encode(GS2_HEADER);
        let without_proof = format!("c={header},r={nonce}");
        let auth_message = format!("{},{text},{without_proof}", self.bare);

        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        let secret = password.expose().as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, secret, &mut salted);
        let salted = Key::new(HMAC_SHA256, &salted);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let stored_key = Key::new(HMAC_SHA256, stored_key.as_ref());
        let signature = sign(&stored_key, auth_message.as_bytes());
        let pairs = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(key, signature)| key ^ signature).collect();
        let last = format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes();

        let server_key = sign(&salted, b"Server Key");
        let key = Key::new(HMAC_SHA256, server_key.as_ref());
        Ok((last, ServerProof { key, auth_message }))
    }
}

impl ServerProof {
    /// Whether the server's last message proves that it knows the password, too.
    pub(super) fn check(self, server_last: &[u8]) -> Result<(), Problem> {
        let text = text(server_last)?;
        let first = text.split(',').next().unwrap_or_default();
        if let Some(reason) = first.strip_prefix("e=") {
            return Err(Problem::Refused(reason.to_owned()));
        }
        let signature = first
            .strip_prefix("v=")
            .and_then(|signature| BASE64.decode(signature).ok())
            .ok_or(Problem::Message("no signature"))?;
        // in constant time
        verify(&self.key, self.auth_message.as_bytes(), &signature).map_err(|_| Problem::Impostor)
    }
}

/// `server-first-message`.
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl<'a> ServerFirst<'a> {
    /// Reads it; extensions after its three attributes mean nothing to us, as they may.
    fn read(text: &'a str, client_nonce: &str) -> Result<Self, Problem> {
        let mut attributes = text.split(',');
        // an extension that has to be understood stands in the nonce's place
        let mut next = |prefix, what| {
            let attribute = attributes.next().and_then(|a| a.strip_prefix(prefix));
            attribute.ok_or(Problem::Message(what))
        };
        let nonce = next("r=", "no nonce")?;
        let salt = next("s=", "no salt")?;
        let count = next("i=", "no number of iterations")?;
        let server_nonce = nonce.strip_prefix(client_nonce).unwrap_or_default();
        if server_nonce.is_empty() || !server_nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Problem::Message("a nonce that does not continue ours"));
        }
        let salt = BASE64.decode(salt).map_err(|_| Problem::Message("a salt that is no base64"))?;
        let iterations = count
            .parse()
            .ok()
            .filter(|n| ITERATIONS.contains(n) && count.bytes().all(|b| b.is_ascii_digit()))
            .and_then(NonZeroU32::new)
            .ok_or_else(|| Problem::Iterations(count.to_owned()))?;
        Ok(Self { nonce, salt, iterations })
    }
}

fn text(message: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(message).map_err(|_| Problem::Message("bytes that are not UTF-8"))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    /// RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                               p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn client() -> Client {
        Client::with_nonce("user", NONCE.into()).unwrap()
    }

    fn last(server_first: &str) -> Result<(Vec<u8>, ServerProof), Problem> {
        client().last(server_first.as_bytes(), &Secret::new("pencil"))
    }

    fn checked(server_last: &str) -> Result<(), Problem> {
        last(SERVER_FIRST).unwrap().1.check(server_last.as_bytes())
    }

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(client().first(), *b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (message, proof) = last(SERVER_FIRST).unwrap();
        assert_eq!(String::from_utf8(message).unwrap(), CLIENT_LAST);
        assert_eq!(proof.check(SERVER_LAST.as_bytes()), Ok(()));
    }

    #[test]
    fn a_server_has_to_prove_itself() {
        let forged = SERVER_LAST.replace("v=6", "v=7");
        assert_eq!(checked(&forged), Err(Problem::Impostor));
        assert_eq!(checked("v="), Err(Problem::Impostor));
        assert_eq!(checked(&SERVER_LAST[..10]), Err(Problem::Impostor));
        assert_eq!(checked("v=%"), Err(Problem::Message("no signature")));
        assert_eq!(checked(""), Err(Problem::Message("no signature")));
        assert_eq!(checked("e=invalid-proof,x=1"), Err(Problem::Refused("invalid-proof".into())));
        let other = client().last(SERVER_FIRST.as_bytes(), &Secret::new("pencils")).unwrap().1;
        assert_eq!(other.check(SERVER_LAST.as_bytes()), Err(Problem::Impostor));
    }

    #[test]
    fn a_first_message_has_what_it_must() {
        let refused = |message: &str| last(message).unwrap_err();
        let message = |what| Problem::Message(what);
        assert_eq!(refused(""), message("no nonce"));
        assert_eq!(refused("m=x,r=a,s=,i=4096"), message("no nonce"));
        assert_eq!(refused(&format!("r={NONCE}x,")), message("no salt"));
        assert_eq!(refused(&format!("r={NONCE}x,s=QUJD")), message("no number of iterations"));
        for nonce in [NONCE.to_owned(), "x".to_owned(), format!("x{NONCE}"), format!("{NONCE}\n")] {
            let error = refused(&format!("r={nonce},s=QUJD,i=4096"));
            assert_eq!(error, message("a nonce that does not continue ours"), "{nonce}");
        }
        let error = refused(&format!("r={NONCE}x,s=Q,i=4096"));
        assert_eq!(error, message("a salt that is no base64"));
        for count in ["0", "4095", "10000001", "4294967296", "+4096", "", "x"] {
            let error = refused(&format!("r={NONCE}x,s=QUJD,i={count}"));
            assert_eq!(error, Problem::Iterations(count.into()));
        }
        let not_text = client().last(b"r=\xff", &Secret::new("pencil")).unwrap_err();
        assert_eq!(not_text, message("bytes that are not UTF-8"));
        assert!(last(&format!("{SERVER_FIRST},x=an extension")).is_ok());
    }

    #[test]
    fn names_are_escaped_and_nonces_differ() {
        let escaped = Client::with_nonce("a=b,c", "x".into()).unwrap();
        assert_eq!(escaped.first(), *b"n,,n=a=3Db=2Cc,r=x");
        for name in ["", "a\0"] {
            assert_eq!(Client::new(name).unwrap_err(), Problem::Name);
        }
        let (a, b) = (Client::new("a").unwrap().nonce, Client::new("a").unwrap().nonce);
        assert!(a != b && a.len() == 24, "{a} {b}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_a_problem(bytes in prop::collection::vec(any::<u8>(), 0..60), attributes in "(r=rOprNGfwEbeRWgbNEkqO[a-z,=]{0,3}|[rsime]?=?,|s=QUJD,?|i=[0-9]{0,9},?){0,5}") {
            let _ = client().last(&bytes, &Secret::new("x"));
            let _ = ServerFirst::read(&attributes, NONCE);
            let _ = ServerProof { key: Key::new(HMAC_SHA256, b"x"), auth_message: String::new() }.check(&bytes);
        }
    }

    /// The other side: its first message to a client's first, with the nonce that it chose.
    pub(in super::super) fn server_first(client_first: &[u8], salt: &[u8], count: u32) -> String {
        let text = std::str::from_utf8(client_first).unwrap();
        let nonce = text.split_once(",r=").unwrap().1;
        format!("r={nonce}SERVER,s={},i={count}", BASE64.encode(salt))
    }

    /// The other side: its last message, if the client's proves that password.
    pub(in super::super) fn server_last(
        messages: [&[u8]; 3],
        (password, salt, count): (&str, &[u8], u32),
    ) -> Option<String> {
        let [client_first, server_first, client_last] =
            messages.map(|message| std::str::from_utf8(message).unwrap());
        let (without_proof, proof) = client_last.split_once(",p=").unwrap();
        let bare = client_first.strip_prefix(GS2_HEADER).unwrap();
        let auth_message = format!("{bare},{server_first},{without_proof}");
        let mut salted = [0; 32];
        let count = NonZeroU32::new(count).unwrap();
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, count, salt, password.as_bytes(), &mut salted);
        let salted = Key::new(HMAC_SHA256, &salted);
        let stored = digest::digest(&digest::SHA256, sign(&salted, b"Client Key").as_ref());
        let signature = sign(&Key::new(HMAC_SHA256, stored.as_ref()), auth_message.as_bytes());
        let proof = BASE64.decode(proof).unwrap();
        let pairs = proof.iter().zip(signature.as_ref());
        let client_key: Vec<u8> = pairs.map(|(a, b)| a ^ b).collect();
        let proved = digest::digest(&digest::SHA256, &client_key);
        let server_key = Key::new(HMAC_SHA256, sign(&salted, b"Server Key").as_ref());
        let signature = sign(&server_key, auth_message.as_bytes());
        (proved.as_ref() == stored.as_ref()).then(|| format!("v={}", BASE64.encode(signature)))
    }
}
