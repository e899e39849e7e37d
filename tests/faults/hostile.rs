//! A daemon that breaks the protocol, or sends without end: `virt` ends with an error that says so,
//! with little memory and without a panic.

use crate::support::site::Site;
use crate::support::{Ran, Watching, run, trial, virt};
use libtest_mimic::Trial;
use libvirt_rpc::{
    AuthType, DomainHandle, FrameReader, Header, NetworkHandle, Packet, PacketKind, Procedure,
    Status, to_bytes,
};
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Limit of the memory that a run may have mapped, in kB; a run with an honest daemon peaks at some 10 MB.
const MEMORY_KB: u32 = 400_000;

/// Longest time of a run: a silent daemon is given up after 25 s.
const HANG: Duration = Duration::from_secs(40);

pub(crate) fn trials() -> Vec<Trial> {
    let case = |name: &str, code: i32, says: &'static str, script: Script| {
        trial(format!("faults/hostile/{name}"), move || {
            let ran = against(script);
            let ran = ran.expect(code);
            assert!(ran.stderr().contains(says), "{says:?} is not said\n{ran}");
            assert!(!ran.stderr().contains("panic"), "{ran}");
        })
    };
    vec![
        case("replies_out_of_order_are_matched", 0, "", out_of_order),
        case("a_reply_that_comes_twice", 1, "a reply to no call", twice),
        case("a_reply_to_no_call", 1, "a reply to no call", |s| s.reply_all(|h| h.serial += 7)),
        case("a_reply_of_another_procedure", 1, "to a call of", |s| {
            s.reply_all(|h| h.procedure = Procedure(9999));
        }),
        case("a_reply_of_another_program", 1, "no client expects", |s| {
            s.reply_all(|h| h.program.0 = 7);
        }),
        case("a_status_without_meaning", 1, "status 9", |s| s.reply_all(|h| h.status.0 = 9)),
        case("a_length_of_32_mib_and_nothing_more", 1, "the host is gone", |s| {
            s.open();
            s.write(&33_554_436u32.to_be_bytes());
            s.drain();
        }),
        case("a_length_of_32_mib_and_an_end", 1, "in the middle of a packet", |s| {
            s.open();
            s.write(&33_554_436u32.to_be_bytes());
        }),
        case("a_length_beyond_the_limit", 1, "a packet of 33554437 bytes", |s| {
            s.open();
            s.write(&33_554_437u32.to_be_bytes());
            s.drain();
        }),
        case("a_packet_cut_short", 1, "in the middle of a packet", |s| {
            s.open();
            let call = s.call().unwrap();
            let bytes = s.answer(call);
            s.write(&bytes[..bytes.len() - 1]);
        }),
        case("a_list_that_claims_more_than_it_has", 1, "malformed message", |s| {
            s.reply_with(|_| to_bytes(&16_000u32).unwrap());
        }),
        case("a_list_longer_than_any", 1, "above the limit of 16384", |s| {
            s.reply_with(|_| to_bytes(&u32::MAX).unwrap());
        }),
        case("a_string_of_4_gib", 1, "malformed message", |s| {
            s.reply_with(|_| to_bytes(&(1u32, u32::MAX)).unwrap());
        }),
        case("events_without_end_before_each_reply", 0, "", flood),
        case("pings_without_end", 0, "", pings),
        case("a_hundred_packets_of_a_mebibyte", 1, "no client expects", |s| {
            s.open();
            let header = Header { kind: PacketKind(3), ..Header::call(Procedure(208), 0) };
            let packet = Packet { header, payload: vec![0; 1 << 20] };
            (0..100).for_each(|_| s.send(&packet));
        }),
        trial("faults/hostile/too_large_an_inventory_fails_alone", fleet_goes_on),
        case("nothing_but_an_end", 1, "libvirt closed the connection", |_| {}),
        case("another_protocol", 1, "cannot be understood", |s| {
            s.write(b"SSH-2.0-OpenSSH_10.0\r\n");
            s.drain();
        }),
    ]
}

type Script = fn(&mut Server);

/// `virt get` against a daemon that behaves as `script` says.
fn against(script: Script) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            script(&mut Server { stream, frames: FrameReader::default() });
        }
    });
    let uri = format!("qemu+unix:///system?socket={}", socket.display());
    let virt = virt(&["get", "--connect", &uri]);
    let mut limited = Command::new("bash");
    limited.env_clear().args(["-c", &format!("ulimit -v {MEMORY_KB}; exec \"$@\""), "bash"]);
    limited.arg(virt.get_program()).args(virt.get_args());
    let begun = Instant::now();
    let ran = run(&mut limited);
    assert!(begun.elapsed() < HANG, "{:?}\n{ran}", begun.elapsed());
    ran
}

/// Memory limit, in MiB, that a definition of the hostile host exceeds.
const LIMIT: &str = "8";

/// Checks that, of a fleet, the host that sends too much fails with the limit and the option, while the
/// others are planned for, changed and watched.
fn fleet_goes_on() {
    let site = Site::new(&[]);
    let at = |name: &str| site.path().join(name).display().to_string();
    let listener = UnixListener::bind(at("socket")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut server = Server { stream, frames: FrameReader::default() };
            std::thread::spawn(move || server.tell_too_much());
        }
    });
    std::fs::create_dir(at("m")).unwrap();
    let mock = |name: &str| format!("{name}.connect = 'test:///default?state={}'\n", at(name));
    site.write(
        "m/virt.toml",
        &format!(
            "set = 'fleet'\n[hosts]\n{}hostile.connect = 'qemu+unix:///system?socket={}'\n{}",
            mock("first"),
            at("socket"),
            mock("last")
        ),
    );
    let web = |memory: u32| {
        let text = format!("memory = {memory}\nos.type = 'hvm'\n[domain.reconcile]\n");
        let hosts = "hosts = ['first', 'last']\n";
        site.write(
            "m/web.toml",
            &format!("[[domain]]\ntype = 'test'\nname = 'web'\n{text}{hosts}"),
        );
    };
    web(65_536);
    let command = |arguments: &[&str]| {
        let mut command = virt(arguments);
        command.args(["--max-inventory", LIMIT]).arg(at("m")).env("VIRT_TRUST_CONNECT", "1");
        command
    };
    let tells = |text: &str| {
        assert!(text.contains("takes more memory than it may: 8 MiB"), "{text}");
        assert!(text.contains("--max-inventory MIB allows more"), "{text}");
    };
    for (name, done) in [("plan", "to change"), ("apply", "changed")] {
        let ran = run(&mut command(&[name])).expect(1);
        tells(&ran.stderr());
        let last = ran.stdout().lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("3 hosts: ") && last.contains(&format!("2 {done}")), "{ran}");
        assert!(last.contains("1 failed"), "{ran}");
    }
    for name in ["first", "last"] {
        assert!(std::fs::read_to_string(at(name)).unwrap().contains("<name>web</name>"));
    }
    let mut watching = Watching::run(command(&["watch", "--output", "json", "--interval", "1h"]));
    let lost = watching.event("lost", |told| told["host"] == "hostile");
    tells(&format!("{} {}", lost["error"]["message"], lost["error"]["hint"]));
    web(131_072);
    let mut changed = ["first", "last"].map(|_| {
        let told = watching.event("reconciled", |told| told["name"] == "web");
        told["host"].as_str().unwrap().to_owned()
    });
    changed.sort();
    assert_eq!(changed, ["first", "last"]);
    watching.end();
}

struct Server {
    stream: UnixStream,
    frames: FrameReader,
}

impl Server {
    /// The next call, or nothing if the client has hung up.
    fn call(&mut self) -> Option<Header> {
        let mut buffer = [0; 4096];
        loop {
            match self.frames.take().unwrap() {
                Some(packet) if packet.header.kind == PacketKind::CALL => {
                    return Some(packet.header);
                }
                Some(_) => {}
                None => match self.stream.read(&mut buffer) {
                    Ok(n @ 1..) => self.frames.feed(&buffer[..n]),
                    _ => return None,
                },
            }
        }
    }

    /// Lets the client in, as an honest daemon does.
    fn open(&mut self) {
        while let Some(call) = self.call() {
            let bytes = self.answer(call);
            self.write(&bytes);
            if call.procedure == Procedure::CONNECT_OPEN {
                return;
            }
        }
    }

    /// The reply of an honest daemon with two networks and two domains that are not running.
    fn answer(&self, call: Header) -> Vec<u8> {
        let names = ["a", "b"];
        let uuid = |n: usize| virt::model::Uuid::from_u128(n as u128);
        let domain = |(n, name): (usize, &&str)| DomainHandle {
            name: (*name).to_owned(),
            uuid: uuid(n),
            id: -1,
        };
        let network =
            |(n, name): (usize, &&str)| NetworkHandle { name: (*name).to_owned(), uuid: uuid(n) };
        let payload = match call.procedure {
            Procedure::AUTH_LIST => to_bytes(&vec![AuthType::NONE]),
            Procedure::CONNECT_GET_TYPE => to_bytes("QEMU"),
            Procedure::CONNECT_GET_LIB_VERSION => to_bytes(&11_003_000u64),
            Procedure::CONNECT_GET_URI => to_bytes("qemu:///system"),
            Procedure::CONNECT_SUPPORTS_FEATURE => to_bytes(&1i32),
            Procedure::CONNECT_LIST_ALL_DOMAINS => {
                to_bytes(&(names.iter().enumerate().map(domain).collect::<Vec<_>>(), 2u32))
            }
            Procedure::CONNECT_LIST_ALL_NETWORKS => {
                to_bytes(&(names.iter().enumerate().map(network).collect::<Vec<_>>(), 2u32))
            }
            Procedure::CONNECT_GET_ALL_DOMAIN_STATS => to_bytes(&0u32),
            // whichever domains are asked for, and these are asked about next
            Procedure::DOMAIN_LIST_ALL_SNAPSHOTS | Procedure::DOMAIN_LIST_ALL_CHECKPOINTS => {
                to_bytes(&(Vec::<DomainHandle>::new(), 0u32))
            }
            Procedure::DOMAIN_GET_STATE => to_bytes(&(5i32, 0i32)),
            Procedure::DOMAIN_GET_XML_DESC => {
                to_bytes("<domain type='qemu'><name>a</name></domain>")
            }
            Procedure::NETWORK_GET_XML_DESC => to_bytes("<network><name>a</name></network>"),
            _ => Ok(Vec::new()),
        };
        written(&Packet { header: call.reply(Status::OK), payload: payload.unwrap() })
    }

    /// Opens, and answers each further call with its reply's header changed.
    fn reply_all(&mut self, change: fn(&mut Header)) {
        self.open();
        while let Some(call) = self.call() {
            let mut frames = FrameReader::default();
            frames.feed(&self.answer(call));
            let mut packet = frames.take().unwrap().unwrap();
            change(&mut packet.header);
            self.send(&packet);
        }
    }

    /// Opens, and answers each list with a payload.
    fn reply_with(&mut self, payload: fn(Header) -> Vec<u8>) {
        self.open();
        while let Some(call) = self.call() {
            let is_list = matches!(
                call.procedure,
                Procedure::CONNECT_LIST_ALL_DOMAINS | Procedure::CONNECT_LIST_ALL_NETWORKS
            );
            if is_list {
                self.send(&Packet { header: call.reply(Status::OK), payload: payload(call) });
            } else {
                let bytes = self.answer(call);
                self.write(&bytes);
            }
        }
    }

    /// Opens, and answers each question about a domain with a definition that takes much memory.
    fn tell_too_much(&mut self) {
        let uuid = virt::model::Uuid::nil();
        let many = "<a/>".repeat(100_000);
        let xml = format!("<domain type='qemu'><name>a</name><uuid>{uuid}</uuid>{many}</domain>");
        self.open();
        while let Some(call) = self.call() {
            if call.procedure == Procedure::DOMAIN_GET_XML_DESC {
                let payload = to_bytes(&xml).unwrap();
                self.send(&Packet { header: call.reply(Status::OK), payload });
            } else {
                let bytes = self.answer(call);
                self.write(&bytes);
            }
        }
    }

    /// Reads until the client hangs up, and says nothing.
    fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(1..) = self.stream.read(&mut buffer) {}
    }

    fn send(&mut self, packet: &Packet) {
        self.write(&written(packet));
    }

    fn write(&mut self, bytes: &[u8]) {
        // the client may have had enough of us
        let _ = self.stream.write_all(bytes);
    }
}

fn written(packet: &Packet) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.write(&mut bytes).unwrap();
    bytes
}

/// Answers calls that come together in reverse order.
fn out_of_order(server: &mut Server) {
    server.open();
    server.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut waiting = Vec::new();
    for _ in 0..50 {
        while let Some(call) = server.call() {
            waiting.push(call);
        }
        while let Some(call) = waiting.pop() {
            let bytes = server.answer(call);
            server.write(&bytes);
        }
    }
}

fn twice(server: &mut Server) {
    server.open();
    while let Some(call) = server.call() {
        let bytes = server.answer(call);
        server.write(&bytes);
        server.write(&bytes);
    }
}

fn flood(server: &mut Server) {
    let event = Packet {
        header: Header { kind: PacketKind::MESSAGE, ..Header::call(Procedure(318), 1) },
        payload: vec![0; 40],
    };
    let many = written(&event).repeat(10_000);
    server.open();
    while let Some(call) = server.call() {
        server.write(&many);
        let bytes = server.answer(call);
        server.write(&bytes);
    }
}

/// The client answers pings, but never at the cost of its own memory.
fn pings(server: &mut Server) {
    let ping = Packet { header: Header::keepalive(libvirt_rpc::PING), payload: Vec::new() };
    let many = written(&ping).repeat(10_000);
    server.open();
    let mut writer = server.stream.try_clone().unwrap();
    while let Some(call) = server.call() {
        let mut bytes = many.clone();
        bytes.extend(server.answer(call));
        let mut writer = writer.try_clone().unwrap();
        std::thread::spawn(move || writer.write_all(&bytes)).join().unwrap().unwrap_or(());
    }
    let _ = writer.flush();
}
