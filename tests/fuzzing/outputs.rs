//! Hostile text in every field of hosts, guests, manifests, file names and arguments, and in the output of
//! every command about them.

use super::Choices;
use super::daemon::{Answers, Daemon, Guest};
use super::hostile::{DOMAIN, FORGED, NETWORK, TAG, document, hostile};
use diagnostics::{SourceId, is_hazard};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use virt::manifest::to_toml;
use virt::model::Uuid;
use xmltree::{Limits, parse, write};

/// A host with an object of each kind, as the mock keeps it.
const HOST: &str = "<virt-test-host version='1'>\
    <object kind='network' state='1' reason='0' autostart='yes' managedsave='no'><persistent>NETWORK</persistent>\
    <live>NETWORK</live></object>\
    <object kind='domain' state='1' reason='1' autostart='no' managedsave='no'><persistent>DOMAIN</persistent>\
    <live>DOMAIN</live></object></virt-test-host>";

/// Sources of hostile text, by the first choice.
const SOURCES: [fn(&Place, &mut Choices<'_>) -> bool; 4] = [test_host, daemon, names, page];

/// Puts hostile text into fields as `data` chooses and runs commands; says whether one of them went well.
/// `$VIRT_PROGRAM` names the program where it is not the one that is tested.
///
/// # Panics
/// Something hazardous was printed, written or served, or a line that foreign text has made.
pub(crate) fn outputs(data: &[u8]) -> bool {
    let mut choices = Choices::new(data);
    let source = choices.pick(&SOURCES);
    let place = Place(tempfile::tempdir().unwrap());
    fs::create_dir(place.path().join("m")).unwrap();
    let went_well = source(&place, &mut choices);
    place.check_files();
    went_well
}

/// The mock, a guest and a network on it, and manifests for them.
fn test_host(place: &Place, choices: &mut Choices<'_>) -> bool {
    place.manifests(choices);
    place.commands("test:///default?state=host", choices)
}

/// A libvirtd whose objects, lists and errors are hostile.
fn daemon(place: &Place, choices: &mut Choices<'_>) -> bool {
    place.manifests(choices);
    let guests = [(DOMAIN, true), (NETWORK, false)].map(|(text, is_domain)| {
        let mut definition = document(text, choices);
        let mut name = definition.child_text("name").unwrap_or_default();
        if choices.chance(30) {
            name = hostile(choices);
            let child = definition.child_mut("name").filter(|_| choices.chance(60));
            child.into_iter().for_each(|child| child.set_text(name.clone()));
        }
        let uuid = Uuid::try_parse(&definition.child_text("uuid").unwrap_or_default()).unwrap();
        let child = definition.child_mut("uuid").filter(|_| choices.chance(15));
        child.into_iter().for_each(|child| child.set_text(hostile(choices)));
        Guest { is_domain, name, uuid, definition: write(&definition) }
    });
    let said = [(); 4].map(|()| hostile(choices));
    let known = ["QEMU", "qemu:///system"].map(|known| match choices.chance(15) {
        true => hostile(choices),
        false => known.to_owned(),
    });
    let socket = place.path().join("socket");
    let _daemon = Daemon::start(&socket, Answers { guests, said, known, fails: choices.below(24) });
    place.commands(&format!("qemu+unix:///system?socket={}", socket.display()), choices)
}

/// Names of files, sets and settings, and whatever a shell's pattern may make arguments of.
fn names(place: &Place, choices: &mut Choices<'_>) -> bool {
    place.manifests(choices);
    let words = [(); 5].map(|()| hostile(choices));
    let [set, key, value, file, element] = &words;
    let mut settings = format!("set = {}\n", quoted(set));
    if choices.chance(40) {
        settings.push_str(&format!("{} = {}\n", quoted(key), quoted(value)));
    }
    if choices.chance(40) {
        for host in ["a", "b"] {
            let uri = format!("test:///default?state={host}");
            settings.push_str(&format!("[hosts.{host}]\nconnect = {}\n", quoted(&uri)));
        }
    }
    place.write("m/virt.toml", &settings);
    let file = file.replace(['/', '\0'], "");
    // a name that is too odd for the file system is none to test
    let _ =
        fs::write(place.path().join(format!("m/{file}.toml")), format!("{} = 1\n", quoted(key)));
    let _ =
        fs::write(place.path().join(format!("m/{file}.xml")), format!("<domain>{element}</x>\n"));
    let odd = place.path().join(format!("d{file}"));
    if fs::create_dir(&odd).is_ok() {
        let _ = fs::write(odd.join("web.xml"), DOMAIN);
    }
    let args = ["init".to_owned(), format!("d{file}")];
    place.run(&["-c", "test:///default?state=host"], &args, false);
    for line in choices_of(choices, ARGUMENTS, 6) {
        let word = hostile(choices).replace('\0', "");
        let args: Vec<String> = line.split(' ').map(|arg| arg.replace('@', &word)).collect();
        place.run(&[], &args, false);
    }
    place.commands("test:///default?state=host", choices)
}

const ARGUMENTS: &[&str] = &[
    "plan m",
    "apply m --adopt -o json",
    "get -f m",
    "watch m --once --adopt",
    "@",
    "--@",
    "@ @",
    "plan --@",
    "plan -@",
    "plan m @",
    "plan m --only @",
    "plan m --allow @",
    "plan m -o @",
    "plan m --set @",
    "plan m --set=a@ --color always",
    "validate @ m",
    "validate m/@.xml",
    "get @",
    "get domain/@ -c test:///default",
    "get -c @",
    "apply m --host @",
    "apply @ --expect @",
    "watch m --interval @",
    "watch m --listen @",
    "watch m --max-hosts @",
    "convert @.xml",
    "export --dir @ -c @",
    "init @",
    "pki check --dir @",
    "schema @",
    "man @",
    "completions @",
    "help @",
];

/// Checks the output of a watch, and its page.
fn page(place: &Place, choices: &mut Choices<'_>) -> bool {
    place.manifests(choices);
    let mut watch = place.program();
    watch.args(
        "watch m --adopt --listen 127.0.0.1:0 -o json -c test:///default?state=host".split(' '),
    );
    let mut watch = Ended(watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| {
        check("watch", line.as_bytes(), false);
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        told["address"].as_str().map(str::to_owned)
    });
    let address = address.expect("it listens");
    // in a thread, so that it does not stop for want of somebody who reads
    let told = std::thread::spawn(move || lines.collect::<Vec<String>>());
    let until = Instant::now() + Duration::from_secs(3);
    while !get(&address, "/status.json").1.contains("\"kind\"") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let odd = hostile(choices).replace(|c: char| c.is_whitespace() || c.is_control(), "");
    let paths =
        ["/", "/?all", "/metrics", "/status.json", "/topology.svg", "/healthz", "/favicon.svg"];
    for path in paths.map(str::to_owned).into_iter().chain([format!("/{odd}")]) {
        let (head, body) = get(&address, &path);
        check(&path, head.replace("\r\n", "\n").as_bytes(), false);
        check(&path, body.as_bytes(), false);
        assert!(!body.contains(TAG) || path == "/status.json", "{path}: {body}");
        match path.as_str() {
            "/status.json" => {
                assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{body}");
            }
            "/topology.svg" => {
                assert!(parse(SourceId::NONE, &body, &Limits::default()).is_ok(), "{body}");
            }
            "/metrics" => {
                let ours = ["# ", "virt_", "process_"];
                let odd = body.lines().find(|line| !ours.iter().any(|word| line.starts_with(word)));
                assert_eq!(odd, None);
            }
            _ => {}
        }
    }
    drop(watch);
    for line in told.join().unwrap() {
        check("watch", line.as_bytes(), false);
    }
    true
}

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let mut said = Vec::new();
        let _ = self.0.stderr.take().map(|mut stderr| stderr.read_to_end(&mut said));
        let _ = self.0.wait();
        if !std::thread::panicking() {
            check("watch", &said, false);
        }
    }
}

/// The head and the body of an answer.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The commands, and whether their result is a document, whose lines are as its writer has made them. Each
/// may build on those before it.
const COMMANDS: &[(&str, bool)] = &[
    ("validate m", false),
    ("validate m --format sarif", false),
    ("validate m -o json", false),
    ("plan m --explain", false),
    ("plan m -o json", false),
    ("plan m --adopt --allow data-loss --allow stops --out saved", false),
    ("plan --show saved", false),
    ("plan --show saved -o json", false),
    ("apply saved", false),
    ("diff m --adopt", false),
    ("apply m --adopt --color always", false),
    ("apply m --adopt -o json", false),
    ("watch m --once --adopt", false),
    ("watch m --once --adopt -o json", false),
    ("get", false),
    ("get -o json", false),
    ("get --color always", false),
    ("get domain/web", false),
    ("get domain/web --explain", false),
    ("get network/lan -o json", false),
    ("rollback domain/web --allow data-loss --yes", false),
    ("history", false),
    ("history -o json", false),
    ("rollback domain/web --dry-run", false),
    ("export", true),
    ("export --sparse", true),
    ("export --format toml", true),
    ("export --dir exported", false),
    ("delete domain/web network/lan --adopt", false),
    ("delete domain/nobody -o json", false),
    ("release domain/web", false),
    ("convert m/web.xml", true),
    ("convert m/lan.toml", true),
    ("doctor", false),
    ("doctor -o json", false),
    ("-vvv plan m", false),
    ("-vvv get --color always", false),
    ("-v apply m --adopt --prune", false),
];

/// Returns `count` values in a row, from a chosen one on.
fn choices_of<T: Copy>(choices: &mut Choices<'_>, from: &[T], count: usize) -> Vec<T> {
    let first = choices.below(from.len());
    from.iter().copied().cycle().skip(first).take(count).collect()
}

/// A directory for a case, with manifests in `m`.
struct Place(tempfile::TempDir);

impl Place {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Manifests, and the mock's state.
    fn manifests(&self, choices: &mut Choices<'_>) {
        let mut element = |text: &str| write(&document(text, choices));
        let host = HOST.replace("NETWORK", &element(NETWORK)).replace("DOMAIN", &element(DOMAIN));
        self.write("host", &host);
        fs::set_permissions(self.path().join("host"), fs::Permissions::from_mode(0o600)).unwrap();
        self.write("m/virt.toml", "set = \"demo\"\n");
        self.write("m/web.xml", &element(DOMAIN));
        self.write("m/lan.toml", &to_toml(&[document(NETWORK, choices)]));
    }

    /// Some of the commands, about this host; whether one of them went well.
    fn commands(&self, uri: &str, choices: &mut Choices<'_>) -> bool {
        let mut any = false;
        let host = fs::read(self.path().join("host")).unwrap();
        let fresh = choices.below(2) == 0;
        for (line, is_document) in choices_of(choices, COMMANDS, 9) {
            if fresh {
                fs::write(self.path().join("host"), &host).unwrap();
            }
            let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
            any |= self.run(&["-c", uri], &args, is_document).status.success();
        }
        any
    }

    fn program(&self) -> Command {
        let named = std::env::var_os("VIRT_PROGRAM").map(PathBuf::from);
        let built = option_env!("CARGO_BIN_EXE_virt").map(PathBuf::from);
        let mut command = Command::new(named.or(built).expect("VIRT_PROGRAM names the program"));
        command.current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        command
    }

    /// Runs the program and checks its output.
    fn run(&self, first: &[&str], args: &[String], is_document: bool) -> Output {
        let ran = self.program().args(first).args(args).output().unwrap();
        let told = format!("{first:?} {args:?}");
        assert!(ran.status.code().is_some_and(|code| code != 101), "{told}: {ran:?}");
        let is_painted = args.iter().any(|arg| arg == "always");
        let has = |word: &str| args.iter().any(|arg| arg == word);
        check(&told, &unpainted(&ran.stdout, is_painted), is_document);
        check(&told, &unpainted(&ran.stderr, is_painted), false);
        if has("json") || has("sarif") {
            for line in String::from_utf8_lossy(&ran.stdout).lines() {
                let read: Result<serde_json::Value, _> = serde_json::from_str(line);
                assert!(read.is_ok(), "{told} printed no JSON: {line}");
            }
        }
        ran
    }

    /// Checks that written files have lines and no other hazards, whoever may look at them.
    fn check_files(&self) {
        let mut open = vec![self.path().to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let entry = entry.unwrap();
                let is_input = entry.path() == self.path().join("m");
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() && !is_input => open.push(entry.path()),
                    kind if kind.is_file() => {
                        let text = fs::read(entry.path()).unwrap();
                        check(&entry.path().display().to_string(), &text, true);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A string of TOML's.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() || !c.is_ascii() && !c.is_control() => c.to_string(),
        c => format!("\\U{:08X}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Checks an output: UTF-8, no hazards but line breaks, and, outside of documents, no line that begins as
/// none of ours does.
fn check(told: &str, bytes: &[u8], is_document: bool) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{told}: {e}: {bytes:?}"));
    let shown = || text.escape_debug();
    let bad = text.chars().find(|c| is_hazard(*c) && !['\n', '\t'].contains(c));
    assert!(bad.is_none(), "{told} came out with {bad:?}:\n{}", shown());
    let forged = text.lines().any(|line| line.starts_with(FORGED));
    assert!(
        is_document || !forged,
        "{told} came out with a line of somebody else's:\n{text}\n{}",
        shown()
    );
}

fn unpainted(bytes: &[u8], is_painted: bool) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_painted => {
            PAINTS.iter().fold(text.to_owned(), |text, code| text.replace(code, "")).into_bytes()
        }
        _ => bytes.to_owned(),
    }
}

/// Sequences with which the program itself paints, and its log.
const PAINTS: &[&str] = &[
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[3m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[34m",
    "\u{1b}[35m",
    "\u{1b}[36m",
];
