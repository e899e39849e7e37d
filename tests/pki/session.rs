//! Whole sessions: names, chains, lists of names, revocation.

use super::handshake::{Outcome, Place, pem, shake, wild_client, wild_server};
use super::maker::{KEY, OTHER_KEY, Spec, crl};
use crate::support::trial;
use libtest_mimic::Trial;
use rcgen::DnType;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Instant;
use virt::pki::End;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("pki/S01", only_a_common_name),
        trial("pki/S01/not_so", common_names_that_do_not_count),
        trial("pki/S02", two_cas),
        trial("pki/C35_C36_S15", chains),
        trial("pki/X4_X5_X6", revoked),
        trial("pki/beyond_webpki", beyond_webpki),
        trial("pki/X10_X11", empty_list_and_a_bad_one_later),
        trial("pki/X12_X13", strangers),
        trial("pki/X14_X15", long_chains),
        trial("pki/X18", tls_1_1),
        trial("pki/no_verify", no_verify),
    ];
    let alternatives = ["www.libvirt.org", "libvirt.org"];
    let others = ["www.libvirt.org", "wiki.libvirt.org"];
    for (id, names, host, good) in [
        ("S03", alternatives, "libvirt.org", true),
        ("S04", alternatives, "www.libvirt.org", true),
        ("S05", alternatives, "wiki.libvirt.org", false),
        ("S06", others, "libvirt.org", false),
        ("S07", others, "www.libvirt.org", true),
        ("S08", others, "wiki.libvirt.org", true),
        ("S03/ip", alternatives, "192.168.122.1", true),
        ("S03/ip6", alternatives, "fec0::dead:beaf", true),
        ("S03/other_ip", alternatives, "192.168.122.2", false),
        ("X24", ["*.example.com", "x"], "a.b.example.com", false),
        ("X24/one_label", ["*.example.com", "x"], "a.example.com", true),
    ] {
        trials.push(trial(format!("pki/{id}"), move || alternative(&names, host, good)));
    }
    let lists: [(&str, &[&str], bool); 8] = [
        ("S09", &["C=UK,CN=dogfood"], false),
        ("S10", &["C=UK,CN=libvirt"], true),
        ("S11", &["C=UK,CN=dogfood", "C=UK,CN=libvirt"], true),
        ("S12", &["C=UK,CN=libvirtstuff"], false),
        ("S13", &["C=UK,CN=libvirt*"], true),
        ("S14", &["C=UK,CN=*virt*"], true),
        ("X25/sound", &["*CN=libvirt"], true),
        ("X26", &[], false),
    ];
    for (id, list, good) in lists {
        trials.push(trial(format!("pki/{id}"), move || {
            let outcome = allowed(&Spec::client("libvirt"), list);
            assert_eq!(outcome.server.is_ok(), good, "{outcome:?}");
            let said = format!("{outcome:?}");
            assert!(good || said.contains("list of allowed names: C=UK,CN=libvirt"), "{said}");
        }));
    }
    trials.push(trial("pki/X25", || {
        let mut sly = Spec::client("x");
        sly.subject = vec![(DnType::OrganizationName, "x,CN=admin".into())];
        let outcome = allowed(&sly, &["*CN=admin"]);
        assert!(format!("{:?}", outcome.server).contains("list of allowed names"), "{outcome:?}");
    }));
    trials
}

fn ca() -> Spec {
    Spec::ca("libvirt CA")
}

/// Two sound ends of one CA.
fn pair(server: &Spec, client: &Spec) -> Place {
    let ca = ca();
    Place::new(&[ca.root()])
        .with(End::Server, &[server.signed_by(&ca)])
        .with(End::Client, &[client.signed_by(&ca)])
}

fn only_a_common_name() {
    let place = pair(&Spec::server("libvirt.org"), &Spec::client("libvirt"));
    let tls = place.client().unwrap();
    for name in ["libvirt.org", "LIBVIRT.org"] {
        let outcome = shake(tls.config.clone(), name, place.server(None).unwrap());
        assert!(outcome.is_ok(), "{outcome:?}");
        let warnings = tls.warnings.lock().unwrap();
        assert!(warnings[0].contains("only in its common name"), "{warnings:?}");
    }
    let outcome = shake(tls.config, "wiki.libvirt.org", place.server(None).unwrap());
    assert!(format!("{:?}", outcome.client).contains("not for wiki.libvirt.org"), "{outcome:?}");
}

fn common_names_that_do_not_count() {
    let mut two = Spec::server("libvirt.org");
    two.subject.push((DnType::CustomDnType(vec![2, 5, 4, 3]), "libvirt.org".into()));
    let rows = [
        ("two names", two, "libvirt.org"),
        ("an address", Spec::server("192.168.122.1"), "192.168.122.1"),
        ("a wildcard", Spec::server("*.libvirt.org"), "www.libvirt.org"),
        ("an alternative address", Spec::server("libvirt.org").ip(&["10.0.0.1"]), "libvirt.org"),
    ];
    for (what, server, name) in rows {
        let place = pair(&server, &Spec::client("libvirt"));
        let outcome = shake(place.client().unwrap().config, name, place.server(None).unwrap());
        assert!(format!("{:?}", outcome.client).contains("is not for"), "{what}: {outcome:?}");
    }
}

fn two_cas() {
    let other = Spec::ca("another CA");
    let ours = pair(&Spec::server("libvirt.org"), &Spec::client("libvirt"));
    let theirs =
        Place::new(&[other.root()]).with(End::Client, &[Spec::client("x").signed_by(&other)]);
    let server = ours.server(None).unwrap();
    let outcome = shake(theirs.client().unwrap().config, "libvirt.org", server.clone());
    assert!(format!("{:?}", outcome.client).contains("not signed by a CA"), "{outcome:?}");
    let client = wild_client(&[Spec::client("x").signed_by(&other)]);
    let outcome = shake(client, "libvirt.org", server);
    assert!(format!("{:?}", outcome.server).contains("not signed by a CA"), "{outcome:?}");
}

/// Root, 1a and 1b below it, 2a below 1a.
fn chains() {
    let [root, one_a, one_b, two_a] = ["root", "1a", "1b", "2a"].map(Spec::ca);
    let (server, client) = (Spec::server("libvirt.org"), Spec::client("libvirt"));
    let all =
        [root.root(), one_a.signed_by(&root), one_b.signed_by(&root), two_a.signed_by(&one_a)];
    let server = server.signed_by(&two_a);
    let client = client.signed_by(&one_b);
    let of_server = vec![server.clone(), all[3].clone(), all[1].clone()];
    let of_client = vec![client.clone(), all[2].clone()];
    for (what, cas, server, client) in [
        ("all are trusted", &all[..], vec![server], vec![client]),
        ("the root is", &all[..1], of_server.clone(), of_client.clone()),
        ("the root is, and is shown", &all[..1], [&of_server[..], &all[..1]].concat(), of_client),
    ] {
        let place = Place::new(cas).with(End::Server, &server).with(End::Client, &client);
        let tls = place.client().unwrap();
        let outcome = shake(tls.config, "libvirt.org", place.server(None).unwrap());
        assert!(outcome.is_ok(), "{what}: {outcome:?}");
    }
}

fn alternative(names: &[&str], host: &str, good: bool) {
    let server = Spec::server("libvirt.org").dns(names).ip(&["192.168.122.1", "fec0::dead:beaf"]);
    let place = pair(&server, &Spec::client("libvirt"));
    let tls = place.client().unwrap();
    let outcome = shake(tls.config, host, place.server(None).unwrap());
    assert_eq!(outcome.client.is_ok(), good, "{outcome:?}");
    assert!(good || format!("{outcome:?}").contains("it is for"), "{outcome:?}");
    assert!(tls.warnings.lock().unwrap().is_empty());
}

fn allowed(client: &Spec, list: &[&str]) -> Outcome {
    let place = pair(&Spec::server("libvirt.org"), client);
    let server = place.server(Some(list)).unwrap();
    shake(place.client().unwrap().config, "libvirt.org", server)
}

/// Checks revocations: X4 of a client, X5 of a server, X6 of an intermediate; the holder of a list refuses
/// its own certificate, too.
fn revoked() {
    let (ca, middle) = (ca(), Spec::ca("middle"));
    let (server, client) = (Spec::server("libvirt.org"), Spec::client("libvirt"));
    let below = Spec::client("below");
    let middle_der = middle.signed_by(&ca);
    let chains = [
        (End::Client, vec![client.signed_by(&ca)], client.serial),
        (End::Server, vec![server.signed_by(&ca)], server.serial),
        (End::Client, vec![below.signed_by(&middle), middle_der], middle.serial),
    ];
    for (end, chain, serial) in chains {
        let list = crl(&ca, &KEY, &[serial], 24);
        let good = pair(&Spec::server("libvirt.org"), &Spec::client("libvirt")).with_crl(&list);
        let sound = good.server(None).unwrap();
        let said = match end {
            End::Client => shake(wild_client(&chain), "libvirt.org", sound).server,
            End::Server => {
                let server = wild_server(&sound, &chain);
                shake(good.client().unwrap().config, "libvirt.org", server).client
            }
        };
        assert!(said.unwrap_err().contains("revoked"));
        let own = Place::new(&[ca.root()]).with(end, &chain).with_crl(&list);
        let said = match end {
            End::Client => own.client().map(|_| ()),
            End::Server => own.server(None).map(|_| ()),
        };
        assert!(said.unwrap_err().contains("revoked"));
    }
}

/// Checks cases that webpki alone would accept: a second list of one CA, a trusted CA that another has
/// revoked, a limit of a trusted CA on the CAs below it, and one on names where only a common name is.
fn beyond_webpki() {
    let (ca, middle) = (ca(), Spec::ca("middle"));
    let client = Spec::client("libvirt");
    let lists = [crl(&ca, &KEY, &[], 24), crl(&ca, &KEY, &[client.serial, middle.serial], 24)];
    let server = |authorities: &[CertificateDer<'_>]| {
        let place = Place::new(authorities)
            .with(End::Server, &[Spec::server("libvirt.org").signed_by(&ca)]);
        let blocks: Vec<(&str, &[u8])> = lists.iter().map(|l| ("X509 CRL", l.as_ref())).collect();
        place.write("cacrl.pem", &pem(&blocks));
        place.server(None).unwrap()
    };
    let chain = [client.signed_by(&ca)];
    let said = shake(wild_client(&chain), "libvirt.org", server(&[ca.root()])).server;
    assert!(said.unwrap_err().contains("revoked"));
    let middle_der = middle.signed_by(&ca);
    let chain = [Spec::client("below").signed_by(&middle), middle_der.clone()];
    let trusting = server(&[ca.root(), middle_der.clone()]);
    let said = shake(wild_client(&chain), "libvirt.org", trusting).server;
    assert!(said.unwrap_err().contains("revoked"));
    let short = Spec { path_length: Some(0), ..Spec::ca("our CA") };
    let chain = [Spec::client("below").signed_by(&middle), middle.signed_by(&short)];
    let trusting = Place::new(&[short.root()])
        .with(End::Server, &[Spec::server("libvirt.org").signed_by(&short)])
        .server(None)
        .unwrap();
    let said = shake(wild_client(&chain), "libvirt.org", Arc::clone(&trusting)).server;
    assert!(said.is_err(), "a CA below one that allows none");
    let direct = [Spec::client("direct").signed_by(&short)];
    assert_eq!(shake(wild_client(&direct), "libvirt.org", trusting).server, Ok(()));
    for (lab_only, good) in [(false, true), (true, false)] {
        let limited = Spec { lab_only, ..Spec::ca("our CA") };
        let place = Place::new(&[limited.root()])
            .with(End::Client, &[Spec::client("me").signed_by(&limited)]);
        let server = [Spec::server("libvirt.org").signed_by(&limited)];
        let own = Spec::server("x.lab").dns(&["x.lab"]).signed_by(&limited);
        let sound = Place::new(&[limited.root()]).with(End::Server, &[own]).server(None);
        let server = wild_server(&sound.unwrap(), &server);
        let said = shake(place.client().unwrap().config, "libvirt.org", server).client;
        assert_eq!(said.is_ok(), good, "{said:?}");
    }
}

/// X10, and X11 as far as there is something to test without a daemon.
fn empty_list_and_a_bad_one_later() {
    let place = pair(&Spec::server("libvirt.org"), &Spec::client("libvirt")).with_crl(&crl(
        &ca(),
        &KEY,
        &[],
        24,
    ));
    let server = place.server(None).unwrap();
    let client = place.client().unwrap().config;
    assert!(shake(client.clone(), "libvirt.org", server.clone()).is_ok());
    place.write("cacrl.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    assert!(place.server(None).unwrap_err().contains("cannot be read"));
    assert!(shake(client, "libvirt.org", server).is_ok());
}

/// X12 a client without a certificate, X13 one that signed its own, and a CA's namesake.
fn strangers() {
    let place = pair(&Spec::server("libvirt.org"), &Spec::client("libvirt"));
    let server = place.server(None).unwrap();
    let nobody = Place::new(&[ca().root()]).client().unwrap().config;
    let outcome = shake(nobody, "libvirt.org", server.clone());
    assert!(format!("{:?}", outcome.server).contains("no certificate"), "{outcome:?}");
    assert!(format!("{:?}", outcome.client).contains("wants a certificate"), "{outcome:?}");
    let own = Spec::client("libvirt").root();
    let outcome = shake(wild_client(&[own]), "libvirt.org", server.clone());
    assert!(format!("{:?}", outcome.server).contains("not signed by a CA"), "{outcome:?}");
    let namesake = Spec::client("libvirt").signed_with(&*KEY, &ca(), &*OTHER_KEY);
    let outcome = shake(wild_client(&[namesake]), "libvirt.org", server);
    assert!(format!("{:?}", outcome.server).contains("a signature is wrong"), "{outcome:?}");
}

/// X14 seven intermediates, X15 a hundred; the table asks for less than 50 ms, which is printed.
#[allow(clippy::print_stdout, reason = "a time is shown, and asserted nowhere")]
fn long_chains() {
    let place = pair(&Spec::server("libvirt.org"), &Spec::client("libvirt"));
    let server = place.server(None).unwrap();
    for length in [6, 7, 100] {
        let mut above = ca();
        let mut chain: Vec<CertificateDer<'static>> = Vec::new();
        for number in 0..length {
            let next = Spec::ca(&format!("intermediate {number}"));
            chain.insert(0, next.signed_by(&above));
            above = next;
        }
        chain.insert(0, Spec::client("libvirt").signed_by(&above));
        let client = wild_client(&chain);
        let start = Instant::now();
        let outcome = shake(client, "libvirt.org", server.clone());
        println!("{length} intermediates: {:?}, {:?}", start.elapsed(), outcome.server);
        assert_eq!(outcome.server.is_ok(), length == 6, "{outcome:?}");
        assert!(length == 6 || format!("{outcome:?}").contains("hint: sign"), "{outcome:?}");
    }
}

fn tls_1_1() {
    let place = pair(&Spec::server("libvirt.org"), &Spec::client("libvirt"));
    let mut server = rustls::ServerConnection::new(place.server(None).unwrap()).unwrap();
    // version 1.1, no session, ECDHE-RSA with AES-128-CBC, no compression
    let hello = [&[3, 2][..], &[7; 32], &[0, 0, 2, 0xc0, 0x13, 1, 0]].concat();
    let length = u8::try_from(hello.len()).unwrap();
    let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
    server.read_tls(&mut record.as_slice()).unwrap();
    let (what, hint) = virt::pki::explain(&server.process_new_packets().unwrap_err());
    assert!(what.contains("no version or cipher"), "{what}");
    assert!(hint.is_some_and(|hint| hint.contains("TLS 1.3 or 1.2")));
}

/// `no_verify=1`: any certificate will do, of a server that has the key to it.
fn no_verify() {
    let place = pair(&Spec::server("libvirt.org"), &Spec::client("libvirt"));
    let sound = place.server(None).unwrap();
    let client = wild_client(&[Spec::client("libvirt").signed_by(&ca())]);
    let stranger = wild_server(&sound, &[Spec::server("stranger").root()]);
    let outcome = shake(client.clone(), "libvirt.org", stranger);
    assert!(outcome.is_ok(), "{outcome:?}");
    let stolen = Spec::server("libvirt.org").signed_with(&*OTHER_KEY, &ca(), &*KEY);
    let outcome = shake(client, "libvirt.org", wild_server(&sound, &[stolen]));
    assert!(format!("{:?}", outcome.client).contains("signature is wrong"), "{outcome:?}");
}
