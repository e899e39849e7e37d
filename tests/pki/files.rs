//! Files that are not there, not good or not private.

use super::handshake::{Place, said};
use super::maker::{KEY, OTHER_KEY, Spec, crl};
use crate::support::trial;
use libtest_mimic::Trial;
use virt::pki::{End, Files};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("pki/C37", nothing_there),
        trial("pki/X7_X8_X9", bad_lists),
        trial("pki/X19", key_of_another),
        trial("pki/X20", key_for_all_to_read),
        trial("pki/X21_X22", too_much),
        trial("pki/places", places),
        trial("pki/half_a_pair", half_a_pair),
    ]
}

fn ca() -> Spec {
    Spec::ca("libvirt CA")
}

fn sound() -> Place {
    Place::new(&[ca().root()]).with(End::Server, &[Spec::server("libvirt.org").signed_by(&ca())])
}

#[track_caller]
fn refused(place: &Place, words: &[&str]) {
    let said = place.server(None).unwrap_err();
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

fn nothing_there() {
    let place = sound();
    std::fs::remove_file(place.path().join("servercert.pem")).unwrap();
    refused(&place, &["servercert.pem", "no such file", "virt pki server"]);
    std::fs::remove_file(place.path().join("cacert.pem")).unwrap();
    refused(&place, &["cacert.pem", "no such file", "virt pki init", "1 more"]);
    assert!(place.client().unwrap_err().contains("cacert.pem"));
    place.write("cacert.pem", "");
    refused(&place, &["no CA certificate in it"]);
    place.write("cacert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    refused(&place, &["a PEM block has no end"]);
    place.write("cacert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    refused(&place, &["cannot be read"]);
}

fn bad_lists() {
    let list = crl(&ca(), &KEY, &[], -1);
    refused(&sound().with_crl(&list), &["cacrl.pem", "has expired", "new list"]);
    let list = crl(&ca(), &OTHER_KEY, &[], 24);
    refused(&sound().with_crl(&list), &["not signed by the CA that it names"]);
    let list = crl(&Spec::ca("another CA"), &OTHER_KEY, &[], 24);
    refused(&sound().with_crl(&list), &["of another CA", "CN=another CA"]);
    // named, but not there
    let place = sound();
    let mut files = place.files(End::Server);
    assert_eq!(files.crl, None);
    files.crl = Some(place.path().join("cacrl.pem"));
    let error = said(&virt::pki::server(&files, None).unwrap_err());
    assert!(error.contains("cacrl.pem") && error.contains("no such file"), "{error}");
    let error = said(&virt::pki::client(&files, true).unwrap_err());
    assert!(error.contains("no such file"), "{error}");
    // somebody meant a list to be there
    std::os::unix::fs::symlink("gone.pem", place.path().join("cacrl.pem")).unwrap();
    refused(&place, &["cacrl.pem", "no such file"]);
    std::fs::remove_file(place.path().join("cacrl.pem")).unwrap();
    std::fs::create_dir(place.path().join("cacrl.pem")).unwrap();
    refused(&place, &["cacrl.pem", "is no file"]);
}

fn key_of_another() {
    let place = sound();
    place.write("serverkey.pem", &OTHER_KEY.serialize_pem());
    refused(&place, &["serverkey.pem", "servercert.pem", "belong together"]);
    place.write("serverkey.pem", "nothing");
    refused(&place, &["none is in it"]);
}

fn key_for_all_to_read() {
    let place = sound();
    for mode in [0o644, 0o640, 0o602] {
        place.set_mode("serverkey.pem", mode);
        refused(&place, &["serverkey.pem", &format!("mode 0{mode:o}"), "chmod 600"]);
    }
    place.set_mode("serverkey.pem", 0o400);
    place.server(None).unwrap();
}

fn too_much() {
    let place = sound();
    let text = std::fs::read_to_string(place.path().join("cacert.pem")).unwrap();
    place.write("cacert.pem", &format!("{text}{}", "#".repeat(65_536 - text.len())));
    place.server(None).unwrap();
    place.write("cacert.pem", &format!("{text}{}", "#".repeat(65_537 - text.len())));
    refused(&place, &["longer than 64 KiB"]);
    place.write("cacert.pem", &text.repeat(16));
    place.server(None).unwrap();
    place.write("cacert.pem", &text.repeat(17));
    refused(&place, &["more than 16 entries"]);
}

/// A user's own files are taken one by one, certificate and key together; root has none.
fn places() {
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join(".pki/libvirt");
    std::fs::create_dir_all(&own).unwrap();
    let client = |uid| Files::of_client(None, uid, Some(home.path()));
    assert_eq!(client(1000).ca, std::path::Path::new("/etc/pki/CA/cacert.pem"));
    for name in ["cacert.pem", "cacrl.pem", "clientcert.pem"] {
        std::fs::write(own.join(name), "").unwrap();
    }
    let files = client(1000);
    assert_eq!((files.ca, files.crl), (own.join("cacert.pem"), Some(own.join("cacrl.pem"))));
    assert_ne!(files.certificate, Some(own.join("clientcert.pem")));
    std::fs::write(own.join("clientkey.pem"), "").unwrap();
    assert_eq!(client(1000).certificate, Some(own.join("clientcert.pem")));
    assert_eq!(client(1000).key, Some(own.join("clientkey.pem")));
    assert_ne!(client(0).certificate, Some(own.join("clientcert.pem")));
    // a directory that is named is all there is
    let empty = tempfile::tempdir().unwrap();
    let files = Files::of_client(Some(empty.path()), 1000, Some(home.path()));
    let ca = empty.path().join("cacert.pem");
    assert_eq!(files, Files { ca, crl: None, certificate: None, key: None });
}

fn half_a_pair() {
    let place = Place::new(&[ca().root()]);
    place.client().unwrap();
    place.write("clientkey.pem", &KEY.serialize_pem());
    let said = place.client().unwrap_err();
    assert!(said.contains("clientcert.pem") && said.contains("virt pki client"), "{said}");
}
