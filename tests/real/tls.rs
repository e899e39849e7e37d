//! TLS with a libvirtd (GnuTLS): admission of clients and trust in servers, equal to virsh's.

use super::transports::{await_port, goes_round, needs, there};
use crate::pki::maker::{KEY, Spec, crl};
use crate::support::{Libvirtd, run, trial_if};
use base64::Engine as _;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn trials() -> Vec<Trial> {
    let names =
        |name: &str, body: fn()| trial_if(needs(&[]), format!("real/tls/{name}"), move |()| body());
    vec![
        names("lets_in_who_belongs_there", lets_in_who_belongs_there),
        names("a_server_that_has_only_a_common_name", only_a_common_name),
        names("a_server_whose_time_is_over", expired),
    ]
}

const PORT: u16 = 16514;

pub(super) const LISTEN: &str = r#"
listen_tls = 1
listen_tcp = 0
auth_tls = "none"
listen_addr = "localhost"
ca_file = "$dir/server/cacert.pem"
cert_file = "$dir/server/servercert.pem"
key_file = "$dir/server/serverkey.pem"
"#;

/// Writes PEM files, and the key that all certificates share.
pub(super) struct Place<'a>(&'a Path);

impl Place<'_> {
    pub(super) fn new(dir: &Path) -> Place<'_> {
        fs::create_dir_all(dir).unwrap();
        Place(dir)
    }

    fn write(&self, name: &str, label: &str, der: &[u8]) -> &Self {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let text =
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
        fs::write(self.0.join(name), text).unwrap();
        self
    }

    pub(super) fn ca(&self, ca: &Spec) -> &Self {
        self.write("cacert.pem", "CERTIFICATE", &ca.root())
    }

    pub(super) fn end(&self, end: &str, certificate: &Spec, ca: &Spec) -> &Self {
        self.write(&format!("{end}cert.pem"), "CERTIFICATE", &certificate.signed_by(ca));
        let key = self.0.join(format!("{end}key.pem"));
        fs::write(&key, KEY.serialize_pem()).unwrap();
        run(Command::new("chmod").arg("600").arg(&key)).expect(0);
        self
    }

    fn revoked(&self, ca: &Spec, serials: &[u64]) -> &Self {
        self.write("cacrl.pem", "X509 CRL", &crl(ca, &KEY, serials, 24))
    }
}

fn uri(libvirtd: &Libvirtd, host: &str, client: &str) -> String {
    format!("qemu+tls://{host}/system?pkipath={}", libvirtd.path(client).display())
}

/// Whether virsh is admitted by that URI.
fn virsh_gets_in(libvirtd: &Libvirtd, uri: &str) -> bool {
    let mut command = Command::new("virsh");
    command.args(["--quiet", "--connect", uri, "list"]);
    run(&mut libvirtd.inside(&command)).code() == 0
}

/// Returns the report of `virt doctor` on the stage at which it ends; empty if all is well.
#[track_caller]
fn verdict(libvirtd: &Libvirtd, uri: &str) -> String {
    let ran = there(libvirtd, Path::new("/"), uri, &["doctor", "-o", "json"]);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
    let last = found["stages"].as_array().unwrap().last().unwrap().clone();
    if ran.code() == 0 { String::new() } else { format!("{}: {}", last["stage"], last["error"]) }
}

fn lets_in_who_belongs_there() {
    let ca = Spec::ca("our CA");
    let foreign = Spec::ca("their CA");
    let server = Spec::server("kvm").dns(&["localhost"]);
    let client = Spec::client("good");
    let revoked = Spec::client("revoked");
    let conf = format!(
        "{LISTEN}crl_file = \"$dir/server/cacrl.pem\"\n\
         tls_allowed_dn_list = [\"*CN=good\", \"*CN=revoked\"]\n"
    );
    let libvirtd = Libvirtd::start_with(&conf, "", |dir| {
        Place::new(&dir.join("server"))
            .ca(&ca)
            .end("server", &server, &ca)
            .revoked(&ca, &[revoked.serial]);
        let client_in = |name: &str, spec: &Spec, signer: &Spec| {
            Place::new(&dir.join(name)).ca(&ca).end("client", spec, signer);
        };
        client_in("good", &client, &ca);
        client_in("revoked", &revoked, &ca);
        client_in("stranger", &Spec::client("stranger"), &ca);
        client_in("foreigner", &Spec::client("good"), &foreign);
        client_in("expired", &Spec { until: -1, from: -9, ..Spec::client("good") }, &ca);
        Place::new(&dir.join("nobody")).ca(&ca);
        Place::new(&dir.join("distrustful")).ca(&foreign);
        client_in("informed", &client, &ca);
        Place::new(&dir.join("informed")).revoked(&ca, &[server.serial]);
        client_in("late", &client, &ca);
        Place::new(&dir.join("late")).write("cacrl.pem", "X509 CRL", &crl(&ca, &KEY, &[], -1));
    });
    await_port(&libvirtd, PORT);
    let refuses = "does not accept our certificate";
    for (host, client, says, virsh) in [
        ("localhost", "good", "", true),
        ("127.0.0.1", "good", "127.0.0.1", false),
        ("localhost", "nobody", refuses, false),
        ("localhost", "stranger", refuses, false),
        ("localhost", "revoked", refuses, false),
        ("localhost", "foreigner", "is not signed by a CA", false),
        ("localhost", "expired", "expired", false),
        ("localhost", "distrustful", "no TLS connection", false),
        ("localhost", "informed", "revoked", false),
        // GnuTLS lets a list pass whose time is over; a list that is not kept up is none
        ("localhost", "late", "cacrl.pem", true),
    ] {
        let uri = uri(&libvirtd, host, client);
        let verdict = verdict(&libvirtd, &uri);
        assert_eq!(verdict.is_empty(), says.is_empty(), "{client}: {verdict}");
        assert!(verdict.contains(says), "{client}: {verdict}");
        assert_eq!(virsh_gets_in(&libvirtd, &uri), virsh, "{client}");
    }
    let unchecked = format!("{}&no_verify=1", uri(&libvirtd, "127.0.0.1", "good"));
    assert_eq!(verdict(&libvirtd, &unchecked), "");
    goes_round(&libvirtd, &uri(&libvirtd, "localhost", "good"));
}

/// Checks certificates as the documentation of libvirt's first years recommended them; and TLS 1.2.
fn only_a_common_name() {
    let ca = Spec::ca("our CA");
    let conf = format!("{LISTEN}tls_priority = \"NORMAL:-VERS-TLS1.3\"\n");
    let libvirtd = Libvirtd::start_with(&conf, "", |dir| {
        Place::new(&dir.join("server")).ca(&ca).end("server", &Spec::server("localhost"), &ca);
        Place::new(&dir.join("good")).ca(&ca).end("client", &Spec::client("good"), &ca);
    });
    await_port(&libvirtd, PORT);
    let by_name = uri(&libvirtd, "localhost", "good");
    let ran = there(&libvirtd, Path::new("/"), &by_name, &["doctor"]).expect(0);
    assert!(ran.stdout().contains("TLSv1_2"), "{ran}");
    assert!(ran.stderr().contains("common name") || ran.stdout().contains("common name"), "{ran}");
    assert!(virsh_gets_in(&libvirtd, &by_name));
    let by_address = uri(&libvirtd, "127.0.0.1", "good");
    assert!(!verdict(&libvirtd, &by_address).is_empty());
    assert!(!virsh_gets_in(&libvirtd, &by_address));
}

fn expired() {
    let ca = Spec::ca("our CA");
    let conf = format!("{LISTEN}tls_no_sanity_certificate = 1\n");
    let libvirtd = Libvirtd::start_with(&conf, "", |dir| {
        let server = Spec { from: -9, until: -1, ..Spec::server("kvm").dns(&["localhost"]) };
        Place::new(&dir.join("server")).ca(&ca).end("server", &server, &ca);
        Place::new(&dir.join("good")).ca(&ca).end("client", &Spec::client("good"), &ca);
    });
    await_port(&libvirtd, PORT);
    let uri = uri(&libvirtd, "localhost", "good");
    let verdict = verdict(&libvirtd, &uri);
    assert!(verdict.contains("expired"), "{verdict}");
    assert!(!virsh_gets_in(&libvirtd, &uri));
}
