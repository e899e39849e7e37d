//! The table of single certificates: each is loaded by its own end, and shown to the other.

use super::handshake::{Place, shake, wild_client, wild_server};
use super::maker::{
    ANY, CERT_SIGN, CLIENT, CODE, ENCIPHERMENT, FakeRsa, KEY, SERVER, SIGNATURE, Spec, with_digest,
};
use crate::support::trial;
use libtest_mimic::Trial;
use rustls::pki_types::CertificateDer;
use virt::pki::End;

/// Case: a CA and the certificate that it signed, and the subject of the refusal, if there is one.
struct Row {
    id: &'static str,
    end: End,
    ca: Spec,
    leaf: Spec,
    refused: Option<&'static str>,
}

const GOOD: u8 = SIGNATURE | ENCIPHERMENT;

fn server(id: &'static str, refused: Option<&'static str>, change: impl Fn(&mut Spec)) -> Row {
    row(id, End::Server, refused, |_, leaf| change(leaf))
}

fn client(id: &'static str, refused: Option<&'static str>, change: impl Fn(&mut Spec)) -> Row {
    row(id, End::Client, refused, |_, leaf| change(leaf))
}

fn ca(id: &'static str, refused: Option<&'static str>, change: impl Fn(&mut Spec)) -> Row {
    row(id, End::Server, refused, |ca, _| change(ca))
}

fn row(
    id: &'static str,
    end: End,
    refused: Option<&'static str>,
    change: impl Fn(&mut Spec, &mut Spec),
) -> Row {
    let mut ca = Spec::ca("libvirt CA");
    let mut leaf = match end {
        End::Server => Spec::server("libvirt.org"),
        End::Client => Spec::client("libvirt"),
    };
    change(&mut ca, &mut leaf);
    Row { id, end, ca, leaf, refused }
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    vec![
        server("C01", None, |_| {}),
        client("C02", None, |_| {}),
        ca("C03", None, |c| c.usage = None),
        ca("C04", None, |c| { c.basic = Some((false, true)); c.usage = None; }),
        ca("C05", None, |_| {}),
        ca("C06", Some("may not sign"), |c| c.usage = Some((false, SIGNATURE))),
        ca("C07", Some("not a CA's"), |c| c.basic = None),
        ca("C08", Some("may not sign"), |c| c.usage = Some((true, SIGNATURE))),
        server("C09", None, |s| { s.usage = None; s.purposes = None; }),
        server("C10", None, |s| s.usage = Some((true, CERT_SIGN | GOOD))),
        server("C11", None, |s| s.usage = Some((false, CERT_SIGN))),
        server("C12", None, |s| s.purposes = Some((true, vec![SERVER]))),
        server("C13", None, |s| s.purposes = Some((false, vec![SERVER]))),
        server("C14", None, |s| s.purposes = Some((true, vec![CLIENT, SERVER]))),
        server("C15", None, |s| s.purposes = Some((false, vec![CLIENT, SERVER]))),
        server("C16", Some("digitalSignature"), |s| s.usage = Some((true, CERT_SIGN))),
        server("C17", Some("serverAuth"), |s| s.purposes = Some((true, vec![CLIENT]))),
        server("C18", Some("digitalSignature"), |s| s.usage = Some((true, 0))),
        client("C19", None, |c| { c.usage = None; c.purposes = None; }),
        client("C20", None, |c| c.usage = Some((true, CERT_SIGN | GOOD))),
        client("C21", None, |c| c.usage = Some((false, CERT_SIGN))),
        client("C22", None, |c| c.purposes = Some((true, vec![CLIENT]))),
        client("C23", None, |c| c.purposes = Some((false, vec![CLIENT]))),
        client("C24", None, |c| c.purposes = Some((true, vec![CLIENT, SERVER]))),
        client("C25", None, |c| c.purposes = Some((false, vec![CLIENT, SERVER]))),
        client("C26", Some("digitalSignature"), |c| c.usage = Some((true, CERT_SIGN))),
        client("C27", Some("clientAuth"), |c| c.purposes = Some((true, vec![SERVER]))),
        client("C28", Some("digitalSignature"), |c| c.usage = Some((true, 0))),
        ca("C29", Some("has expired on"), |c| { c.from = -4; c.until = -2; }),
        server("C30", Some("has expired on"), |s| { s.from = -4; s.until = -2; }),
        client("C31", Some("has expired on"), |c| { c.from = -4; c.until = -2; }),
        ca("C32", Some("not valid before"), |c| c.from = 2),
        server("C33", Some("not valid before"), |s| s.from = 2),
        client("C34", Some("not valid before"), |c| c.from = 2),
        server("X1/server", Some("serverAuth"), |s| s.purposes = Some((true, vec![ANY]))),
        client("X1/client", Some("clientAuth"), |c| c.purposes = Some((true, vec![ANY]))),
        server("X2/server", Some("serverAuth"), |s| s.purposes = Some((true, vec![CODE]))),
        client("X2/client", Some("clientAuth"), |c| c.purposes = Some((true, vec![CODE]))),
        server("X3/server", None, |s| s.usage = Some((true, SIGNATURE))),
        client("X3/client", None, |c| c.usage = Some((true, SIGNATURE))),
        server("X23/CN", Some("NUL"), |s| name(s, "libvirt.org\0.evil.example")),
        client("X23/client", Some("NUL"), |c| name(c, "admin\0x")),
        server("X23/SAN", Some("NUL"), |s| *s = s.clone().dns(&["libvirt.org\0.evil.example"])),
        server("leaf_is_a_ca", Some("is a CA's"), |s| s.basic = Some((true, true))),
    ]
}

fn name(spec: &mut Spec, name: &str) {
    spec.subject[1].1 = name.to_owned();
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = rows()
        .into_iter()
        .map(|row| trial(format!("pki/{}", row.id), move || check(row)))
        .collect();
    trials.push(trial("pki/X16", short_keys));
    trials.push(trial("pki/X17", broken_digests));
    trials
}

fn check(row: Row) {
    // a CA certificate's own faults are found where its file is read
    let ca_is_bad = row.ca.basic != Some((true, true)) || row.ca.usage != Spec::ca("").usage;
    let ca_is_bad = ca_is_bad || row.ca.from > 0 || row.ca.until < 0;
    let leaf = row.leaf.signed_by(&row.ca);
    verdict(row.id, row.end, &row.ca, &row.ca.root(), &leaf, row.refused, !ca_is_bad);
}

/// Loads the certificate at its end and, `shown`, shows it to the other.
fn verdict(
    id: &str,
    end: End,
    ca: &Spec,
    root: &CertificateDer<'static>,
    leaf: &CertificateDer<'static>,
    refused: Option<&str>,
    shown: bool,
) {
    let own = Place::new(std::slice::from_ref(root)).with(end, std::slice::from_ref(leaf));
    let loaded = match end {
        End::Server => own.server(None).map(|_| ()),
        End::Client => own.client().map(|_| ()),
    };
    expect(&format!("{id} loaded"), loaded, refused);
    if !shown {
        return;
    }
    let sound = Place::new(std::slice::from_ref(root))
        .with(End::Server, &[Spec::server("libvirt.org").signed_by(ca)])
        .with(End::Client, &[Spec::client("libvirt").signed_by(ca)]);
    let sound_server = sound.server(None).unwrap();
    let result = match end {
        End::Server => {
            let server = wild_server(&sound_server, std::slice::from_ref(leaf));
            shake(sound.client().unwrap().config, "libvirt.org", server).client
        }
        End::Client => {
            let client = wild_client(std::slice::from_ref(leaf));
            shake(client, "libvirt.org", sound_server).server
        }
    };
    expect(&format!("{id} shown"), result, refused);
}

fn expect(what: &str, result: Result<(), String>, refused: Option<&str>) {
    match (&result, refused) {
        (Ok(()), None) => {}
        (Err(said), Some(word)) if said.contains(word) && said.contains("hint: ") => {}
        _ => panic!("{what}: expected {refused:?}, got {result:?}"),
    }
}

/// X16: RSA of 1024 bits.
fn short_keys() {
    let ca = Spec::ca("libvirt CA");
    for (end, leaf) in
        [(End::Server, Spec::server("libvirt.org")), (End::Client, Spec::client("libvirt"))]
    {
        let leaf = leaf.signed_with(&FakeRsa::new(1024), &ca, &*KEY);
        verdict("X16", end, &ca, &ca.root(), &leaf, Some("1024 bits"), true);
    }
}

/// X17: signatures over SHA-1 and MD5. There is no sound certificate of that CA, so only loading
/// and a server that another shows are tried.
fn broken_digests() {
    let ca = Spec::ca("old CA");
    let rsa = FakeRsa::new(2048);
    let root = ca.params().self_signed(&rsa).unwrap().der().clone();
    let leaf = Spec::server("libvirt.org").signed_with(&*KEY, &ca, &rsa);
    for (digest, word) in [(5, "SHA-1"), (4, "MD5")] {
        let leaf = with_digest(&leaf, digest);
        verdict(word, End::Server, &ca, &root, &leaf, Some(word), false);
        let good = Spec::ca("libvirt CA");
        let other = Place::new(&[good.root()])
            .with(End::Server, &[Spec::server("libvirt.org").signed_by(&good)]);
        let server = wild_server(&other.server(None).unwrap(), &[leaf]);
        let said = shake(
            Place::new(std::slice::from_ref(&root)).client().unwrap().config,
            "libvirt.org",
            server,
        );
        expect(word, said.client, Some(word));
    }
}
