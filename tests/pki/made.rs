//! Certificates of `virt pki`, checked by libvirt's own checker, GnuTLS, and ours.

use super::handshake::shake;
use crate::support::{run, tool, trial, trial_if, virt};
use libtest_mimic::Trial;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use virt::pki::{End, Files};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("pki/made/shake_hands", shake_hands),
        trial_if(tool("virt-pki-validate"), "pki/made/libvirt_takes_them", libvirt_takes_them),
        trial_if(tool("certtool"), "pki/made/gnutls_takes_them", gnutls_takes_them),
        trial_if(tool("certtool"), "pki/made/under_a_ca_of_certtool", under_a_ca_of_certtool),
    ]
}

/// Makes all files of `virt pki`, in `tls` of a directory.
fn make() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let tls = directory.path().join("tls");
    pki(&tls, &["init"]);
    pki(&tls, &["server", "host1.example.com", "192.0.2.1", "2001:db8::1"]);
    pki(&tls, &["client", "anna"]);
    (directory, tls)
}

#[track_caller]
fn pki(directory: &Path, arguments: &[&str]) {
    run(virt(&["pki"]).args(arguments).arg("--dir").arg(directory)).expect(0);
}

fn shake_hands() {
    let (_directory, tls) = make();
    let place = Some(tls.as_path());
    let server =
        virt::pki::server(&Files::of_server(place), Some(&["CN=anna".to_owned()])).unwrap();
    for name in ["host1.example.com", "192.0.2.1", "2001:db8::1"] {
        let client = virt::pki::client(&Files::of_client(place, 0, None), true).unwrap();
        let outcome = shake(client.config, name, server.clone());
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        assert!(client.warnings.lock().unwrap().is_empty());
    }
    for end in [End::Server, End::Client] {
        let key = tls.join(format!("{}key.pem", end.as_str()));
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    run(virt(&["pki", "check", "--server", "--client", "--dir"]).arg(&tls)).expect(0);
}

fn libvirt_takes_them(validate: PathBuf) {
    let (_directory, tls) = make();
    let ran = run(Command::new(validate).arg("-p").arg(&tls));
    // another name of this machine is a warning
    let told = ran.stdout() + &ran.stderr();
    let properties = told.matches("cert properties").count();
    assert!(properties == 2 && told.contains("PASS") && !told.contains("FAIL"), "{ran}");
}

fn gnutls_takes_them(certtool: PathBuf) {
    let (_directory, tls) = make();
    let path = |name: &str| tls.join(name);
    for (name, purpose) in
        [("servercert.pem", "1.3.6.1.5.5.7.3.1"), ("clientcert.pem", "1.3.6.1.5.5.7.3.2")]
    {
        let mut command = Command::new(&certtool);
        command.arg("--verify").arg("--infile").arg(path(name));
        command.arg("--load-ca-certificate").arg(path("cacert.pem"));
        let ran = run(command.arg(format!("--verify-purpose={purpose}"))).expect(0);
        assert!(ran.stdout().contains("Verified. The certificate is trusted"), "{ran}");
    }
}

/// A CA with the template of libvirt's documentation, which has no usage of crlSign, and a key of
/// RSA in certtool's own form.
fn under_a_ca_of_certtool(certtool: PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let template = "cn = libvirt CA\nca\ncert_signing_key\nexpiration_days = 10\n";
    std::fs::write(path("template"), template).unwrap();
    run(Command::new(&certtool)
        .args(["--generate-privkey", "--bits=2048", "--outfile"])
        .arg(path("cakey.pem")))
    .expect(0);
    run(Command::new(&certtool)
        .args(["--generate-self-signed", "--template"])
        .arg(path("template"))
        .arg("--load-privkey")
        .arg(path("cakey.pem"))
        .arg("--outfile")
        .arg(path("cacert.pem")))
    .expect(0);
    pki(directory.path(), &["server", "host1.example.com"]);
    pki(directory.path(), &["client", "anna"]);
    run(virt(&["pki", "check", "--server", "--client", "--dir"]).arg(directory.path())).expect(0);
    let mut command = Command::new(&certtool);
    command.arg("--verify").arg("--infile").arg(path("servercert.pem"));
    run(command.arg("--load-ca-certificate").arg(path("cacert.pem"))).expect(0);
}
