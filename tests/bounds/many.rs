//! More hosts than files that may be open, and more manifests than are read.

use crate::support::site::Site;
use crate::support::{Watching, run, trial, virt};
use libtest_mimic::Trial;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("bounds/many/hosts_that_cannot_be_held_are_named_and_the_others_go_on", hosts),
        trial("bounds/many/the_soft_limit_of_files_is_raised", soft_limit),
        trial("bounds/many/of_too_many_manifests_none_counts_as_in_sync", manifests),
        trial("bounds/many/too_many_manifests_later_leave_what_was_read", later),
    ]
}

fn domain(name: &str, memory: usize) -> String {
    format!("[[domain]]\ntype = 'test'\nname = '{name}'\nmemory = {memory}\nos.type = 'hvm'\n")
}

/// Returns the command under other limits of open files.
fn limited(command: &Command, limits: &str) -> Command {
    let mut limited = Command::new("sh");
    limited.env_clear().args(["-c", &format!("ulimit {limits} && exec \"$@\""), "sh"]);
    limited.arg(command.get_program()).args(command.get_args()).env("VIRT_TRUST_CONNECT", "1");
    limited
}

fn watch(site: &Site, options: &[&str], limits: &str) -> Watching {
    let mut command = virt(&["watch", "--output", "json"]);
    command.args(options).arg(site.path().join("m"));
    Watching::run(limited(&command, limits))
}

/// A listener that takes connections and never says a word; it ends when it is dropped.
struct Silent {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
}

impl Silent {
    fn listen(path: PathBuf) -> Self {
        let listener = UnixListener::bind(&path).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            let mut taken = Vec::new();
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                match stream {
                    Ok(stream) => taken.push(stream),
                    // no file is left here: callers wait in the queue
                    Err(_) => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        });
        Self { path, is_over }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // only to wake it
        let _ = UnixStream::connect(&self.path);
    }
}

/// A site whose `virt.toml` names one built-in host, and `count` more that take connections and
/// never say a word.
fn site(count: usize) -> (Site, Silent) {
    let site = Site::new(&[]);
    let at = |name: &str| site.path().join(name);
    fs::create_dir(at("m")).unwrap();
    let silent = Silent::listen(at("socket"));
    let state = at("state.xml");
    let mut text = format!(
        "set = 'many'\n[hosts.a-good]\nconnect = 'test:///default?state={}'\n",
        state.display()
    );
    for n in 0..count {
        // another hypervisor of one daemon is another host
        let uri = format!("qemu+unix:///h{n}?socket={}", at("socket").display());
        text.push_str(&format!("[hosts.h{n}]\nconnect = '{uri}'\n"));
    }
    site.write("m/virt.toml", &text);
    site.write("m/web.toml", &domain("web", 65_536));
    (site, silent)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn hosts() {
    for count in [600, 1_200] {
        let (site, _silent) = site(count);
        let options = ["--listen", "127.0.0.1:0", "--interval", "1h"];
        let mut watching = watch(&site, &options, "-n 1024");
        let listening = watching.event("listening", |_| true);
        let address = listening["address"].as_str().unwrap();
        let told = watching.event("lost", |told| {
            told["error"]["message"]
                .as_str()
                .is_some_and(|m| m.contains("this host is not watched"))
        });
        assert!(told["host"].as_str().unwrap().starts_with('h'), "{told:#}");
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains("all 1024 files"), "{message}");
        assert!(told["error"]["hint"].as_str().unwrap().contains("LimitNOFILE"), "{told:#}");
        site.write("m/web.toml", &domain("web", 131_072));
        watching.event("reconciled", |told| told["host"] == "a-good" && told["name"] == "web");
        site.write("m/db.toml", &domain("db", 65_536));
        watching.reconciled("db");
        assert!(get(address, "/healthz").starts_with("HTTP/1.1 200 "));
        assert!(get(address, "/metrics").contains("\n"));
        let open = fs::read_dir(format!("/proc/{}/fd", watching.pid())).unwrap().count();
        assert!(open < 1_000, "{open}");
    }
}

fn soft_limit() {
    let (site, _silent) = site(0);
    let watching = watch(&site, &[], "-Sn 64; ulimit -Hn 512");
    let limits = fs::read_to_string(format!("/proc/{}/limits", watching.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["512", "512"]);
}

/// Number of manifests above the limit of a run.
const TOO_MANY: usize = 10_001;

fn manifests() {
    let (site, _silent) = site(0);
    site.write("m/virt.toml", "set = 'many'\n");
    let uri = format!("test:///default?state={}", site.path().join("state.xml").display());
    let act = |command: &str, code: i32| {
        run(virt(&[command, "-c", &uri]).arg(site.path().join("m"))).expect(code)
    };
    act("apply", 0);
    for n in 0..TOO_MANY {
        site.write(&format!("m/z{n}.toml"), "");
    }
    let state = fs::read_to_string(site.path().join("state.xml")).unwrap();
    for command in ["plan", "apply", "diff"] {
        let ran = act(command, 1);
        assert!(ran.stderr().contains("error: there are too many manifests"), "{}", ran.stderr());
        assert!(!ran.stdout().contains("in sync"), "{}", ran.stdout());
    }
    assert!(act("validate", 1).stdout().contains("; 0 resources valid, 1 blocked"));
    assert_eq!(fs::read_to_string(site.path().join("state.xml")).unwrap(), state);
}

fn later() {
    let (site, _silent) = site(0);
    let mut watching = watch(&site, &["--interval", "1h"], "-n 1024");
    watching.reconciled("web");
    for n in 0..TOO_MANY {
        site.write(&format!("m/z{n}.toml"), "");
    }
    let told = watching.event("manifests", |told| !told["stale"].is_null());
    assert!(told["stale"].as_str().unwrap().contains("too many manifests"), "{told:#}");
    (0..TOO_MANY).for_each(|n| site.remove(&format!("m/z{n}.toml")));
    site.write("m/web.toml", &domain("web", 131_072));
    watching.reconciled("web");
}
