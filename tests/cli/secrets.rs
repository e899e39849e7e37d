//! Secrets in every place that can hold one: no command shows them, in no format, neither of a manifest that
//! is sound nor of one that is refused, nor of what the host has.

use crate::support::site::Site;
use crate::support::{run, trial, virt};
use libtest_mimic::Trial;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("cli/secrets/no_command_shows_one_of_a_sound_manifest", sound),
        trial("cli/secrets/no_command_shows_one_of_a_refused_manifest", refused),
        trial("cli/secrets/no_excerpt_shows_one_of_broken_lines", broken),
    ]
}

/// A part of each secret, and of nothing else.
const HUSH: &str = "HUSH";

/// A guest with all of them; `N` is another one each time.
const DOMAIN: &str = r#"<domain type='test' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>vm</name>
  <memory>65536</memory>
  <sysinfo type='fwcfg'>
    <entry name='opt/com.example/key'>HUSHN</entry>
    <entry name='opt/com.example/two'>
      HUSHN
    </entry>
  </sysinfo>
  <os>
    <type>hvm</type>
    <kernel>/boot/k</kernel>
    <cmdline>console=ttyS0 password=HUSHN vault_token=HUSHN ds=nocloud;s=http://u:HUSHN@h/?HUSHN</cmdline>
  </os>
  <devices>
    <disk type='network' device='cdrom'>
      <source protocol='https' name='user:HUSHN@h/x?sig=HUSHN' query='a=HUSHN'>
        <host name='h' port='443'/>
        <cookies><cookie name='a'>HUSHN</cookie></cookies>
      </source>
      <target dev='sda' bus='sata'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='nbd' name='json:{"driver":"https","password":"HUSHN","url":"https://u:HUSHN@h?HUSHN"}'>
        <host name='h' port='10809'/>
      </source>
      <target dev='vda' bus='virtio'/>
    </disk>
    <graphics type='vnc' port='5901' autoport='no' passwd='HUSHN'/>
  </devices>
  <launchSecurity type='sev'>
    <policy>0x0001</policy>
    <dhCert>HUSHN</dhCert>
    <session>HUSHN</session>
  </launchSecurity>
  <qemu:commandline><qemu:arg value='-x'/><qemu:arg value='HUSHN'/><qemu:env name='A' value='HUSHN'/></qemu:commandline>
  <qemu:override>
    <qemu:device alias='ua-x'>
      <qemu:frontend><qemu:property name='password' type='string' value='HUSHN'/></qemu:frontend>
    </qemu:device>
  </qemu:override>
</domain>
"#;

/// Places where the grammar refuses content that a host may have.
const REFUSED: [(&str, &str); 3] = [
    ("/boot/k", "https://u:HUSHN@h/k?sig=HUSHN"),
    ("<source protocol='nbd' name=", "<source protocol='nbd' odd='1' name="),
    ("<memory>", "<memory unit='HUSHless' x='1'>"),
];

const COMMANDS: &[&str] = &[
    "validate m",
    "validate m -o json",
    "validate m --format sarif",
    "plan m",
    "plan m -o json",
    "plan m --explain -vvv",
    "plan m --explain -o json -vvv",
    "plan m --out saved",
    "plan --show saved",
    "plan --show saved -o json",
    "diff m",
    "diff m -o json",
    "apply m --allow data-loss --allow restart --yes",
    "apply m --allow data-loss --allow restart --yes -o json",
    "get -f m",
    "get -f m -o json",
    "get -f m domain/vm --explain",
    "get -f m domain/vm --explain -o json",
    "history -f m domain/vm",
    "history -f m domain/vm -o json",
    "rollback -f m domain/vm --dry-run --explain",
    "rollback -f m domain/vm --dry-run --explain -o json",
    "rollback -f m domain/vm --dry-run --allow restart --allow replace",
    "watch m --once",
    "watch m --once -o json",
    "doctor -f m",
    "delete -f m domain/vm --dry-run",
    "delete -f m domain/vm --dry-run -o json",
];

/// Runs all commands and checks their output.
fn commands(site: &Site, told: &mut String) {
    for line in COMMANDS {
        let host = ["-c", "test:///default?state=host"];
        let args: Vec<&str> = host
            .into_iter()
            .filter(|_| !line.starts_with("validate"))
            .chain(line.split(' '))
            .collect();
        let ran = run(virt(&args).current_dir(site.path()));
        let said = ran.stdout() + &ran.stderr();
        // arguments are right
        assert!(ran.code() != 64 && ran.code() != 101, "{ran}");
        assert!(!said.contains(HUSH), "{line}: {}", around(&said));
        told.push_str(&said);
    }
    if let Ok(saved) = fs::read_to_string(site.path().join("saved")) {
        assert!(!saved.contains("passwd"), "{saved}");
    }
}

fn around(said: &str) -> String {
    let lines = said.lines().filter(|line| line.contains(HUSH));
    lines.map(|line| format!("\n  {}", line.chars().take(600).collect::<String>())).collect()
}

fn numbered(text: &str, n: usize) -> String {
    text.replace("HUSHN", &format!("HUSH{n}"))
}

/// The manifest in both formats, as it is, and edited.
fn sites(text: &str, mut each: impl FnMut(&Site, &dyn Fn(usize))) {
    for toml in [false, true] {
        let site = Site::new(&[]);
        fs::create_dir(site.path().join("m")).unwrap();
        site.write("m/virt.toml", "set = \"site\"\n");
        each(&site, &|n| {
            site.write("vm.xml", &numbered(text, n));
            if toml {
                let toml = run(virt(&["convert", "vm.xml"]).current_dir(site.path())).stdout();
                assert!(toml.contains(HUSH), "{toml}");
                site.write("m/vm.toml", &toml);
            } else {
                site.write("m/vm.xml", &numbered(text, n));
            }
        });
    }
}

fn sound() {
    sites(DOMAIN, |site, write| {
        let mut told = String::new();
        for n in 1..3 {
            write(n);
            commands(site, &mut told);
        }
        assert!(told.contains("console=ttyS0 password=(sensitive)"), "{told}");
        // somebody changes them on the host
        let host = fs::read_to_string(site.path().join("host")).unwrap();
        assert!(host.contains("HUSH2"), "the host has them");
        site.write("host", &host.replace("HUSH2", "HUSH3"));
        commands(site, &mut told);
    });
}

fn refused() {
    for (good, bad) in REFUSED {
        let bad = bad.replace("HUSHless", "odd");
        sites(&DOMAIN.replacen(good, &bad, 1), |site, write| {
            write(1);
            let mut told = String::new();
            commands(site, &mut told);
            assert!(told.contains("error"), "{told}");
        });
    }
}

/// Checks files that cannot be read to the end, or have a mistake on the line of a secret or next to it.
fn broken() {
    let domain = numbered(DOMAIN, 1);
    let without = |text: &str| domain.replacen(text, "", 1);
    let mut texts: Vec<(String, &str)> = domain
        .match_indices(HUSH)
        .flat_map(|(at, _)| {
            // the secret has a character that may not stand there; the text ends behind it
            let (before, behind) = domain.split_at(at);
            // texts and values may be broken, options within them may not
            // of a name that ends before its at sign nobody can tell that it begins with a user
            let whole = if before.ends_with("user:") { "" } else { HUSH };
            let broken = if before.ends_with(['>', '\'', '"']) { "\n" } else { "" };
            [
                (format!("{before}{HUSH}<&{behind}"), "xml"),
                (format!("{before}{whole}"), "xml"),
                (format!("{before}&{behind}"), "xml"),
                (format!("{before}{broken}{whole}\u{1}\n{behind}"), "xml"),
            ]
        })
        .collect();
    texts.push((without("</entry>"), "xml"));
    texts.push((without("<cookies>"), "xml"));
    let site = Site::new(&[("vm.xml", &domain)]);
    let toml = run(virt(&["convert", "vm.xml"]).current_dir(site.path())).stdout();
    for (at, _) in toml.match_indices(HUSH) {
        let (before, behind) = toml.split_at(at);
        texts.push((format!("{before}\\q{behind}"), "toml"));
        let whole = if before.ends_with("user:") { "" } else { HUSH };
        texts.push((format!("{before}{whole}"), "toml"));
        texts.push((format!("{before}{whole}\u{1}{behind}"), "toml"));
        let end = at + behind.find('\n').unwrap_or(behind.len());
        let (line, rest) = toml.split_at(end);
        texts.push((format!("{line} odd{rest}"), "toml"));
    }
    for (text, format) in texts {
        let site = Site::new(&[(&format!("vm.{format}"), &text)]);
        for output in ["human", "json"] {
            let ran = run(virt(&["validate", ".", "-o", output]).current_dir(site.path()));
            let said = ran.stdout() + &ran.stderr();
            assert!(ran.code() != 64, "{ran}");
            assert!(!said.contains(HUSH), "{text}\n{}", around(&said));
        }
    }
}
