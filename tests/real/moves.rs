//! Guests that move between two hosts: killed between any two calls, refused, watched.

use super::host::{Host, Pool};
use crate::support::{Point, Strike, Watching, run, virt};
use libtest_mimic::Trial;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    vec![
        pool.trial_of_two("real/moves/killed_at_any_call", |a, b| killed(a, b, "")),
        pool.trial_of_two("real/moves/killed_at_any_call_with_a_uuid", |a, b| {
            killed(a, b, "<uuid>5c6e9c0e-7d0e-4b0a-9d41-0d2f6d6d0009</uuid>");
        }),
        pool.trial_of_two("real/moves/a_host_that_is_cut_off_leaves_the_old_one", cut_off),
        pool.trial_of_two("real/moves/refused_before_the_first_call", refused),
        pool.trial_of_two("real/moves/a_host_that_is_not_read", not_read),
        pool.trial_of_two("real/moves/watched", watched),
        pool.trial_of_two("real/moves/watched_once", watched_once),
    ]
}

/// Two hosts of one fleet, and the place of its manifests.
struct Two<'a> {
    hosts: [&'a Host; 2],
    site: tempfile::TempDir,
}

const NAMES: [&str; 2] = ["a", "b"];
const PRUNE: [&str; 3] = ["--prune", "--max-prune", "2"];

impl<'a> Two<'a> {
    fn new(a: &'a Host, b: &'a Host) -> Self {
        let site = tempfile::Builder::new().prefix("virt-moves-").tempdir().unwrap();
        let two = Self { hosts: [a, b], site };
        let images = two.path("images");
        fs::create_dir(&images).unwrap();
        fs::create_dir(two.path("fleet")).unwrap();
        for name in ["g", "h"] {
            fs::write(format!("{images}/{name}.img"), vec![0; 1 << 20]).unwrap();
        }
        fs::write(two.path("own.img"), vec![0; 1 << 20]).unwrap();
        let connect =
            |host: &Host| format!("qemu+unix:///system?socket={}", host.proxy.socket().display());
        two.write(
            "virt.toml",
            &format!(
                "set = 'moves'\nshared = ['{images}']\n[hosts]\na.connect = '{}'\nb.connect = '{}'\n",
                connect(a),
                connect(b)
            ),
        );
        two.write(
            "stays.toml",
            "[[domain]]\ntype = 'qemu'\nname = 'stays'\nmemory = 32768\n\
             os.type = { arch = 'x86_64', value = 'hvm' }\nreconcile = { power = 'stopped' }\n",
        );
        two
    }

    fn path(&self, name: &str) -> String {
        self.site.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.site.path().join("fleet").join(name), text).unwrap();
    }

    /// A guest that is for some hosts. `more` goes into its definition, `disk` is its image's path.
    fn guest(&self, name: &str, hosts: &str, more: &str, disk: &str) {
        self.write(
            &format!("{name}.xml"),
            &format!(
                "<domain type='qemu'><name>{name}</name>{more}
                 <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' autostart='yes'>
                   <stop timeout='1s' force='yes'/><hosts>{hosts}</hosts></virt:reconcile></metadata>
                 <memory unit='MiB'>32</memory><vcpu>1</vcpu>
                 <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
                 <devices><disk type='file'><driver name='qemu' type='raw'/><source file='{disk}'/>
                   <target dev='vda' bus='virtio'/></disk>
                   <interface type='user'><model type='virtio'/></interface></devices></domain>"
            ),
        );
    }

    fn image(&self, name: &str) -> String {
        self.path(&format!("images/{name}.img"))
    }

    fn virt(&self, arguments: &[&str]) -> Command {
        let mut command = virt(arguments);
        command.current_dir(self.site.path().join("fleet")).env("VIRT_TRUST_CONNECT", "1");
        command
    }

    #[track_caller]
    fn apply(&self, options: &[&str], code: i32) -> String {
        let ran = run(&mut self.virt(&[&["apply", "."], options].concat())).expect(code);
        format!("{ran}")
    }

    /// Returns the hosts that run a guest, and those that have it.
    fn running(&self, name: &str) -> (Vec<&'static str>, Vec<&'static str>) {
        let with = |list: &[&str]| {
            let has = |host: &&Host| host.names(list).iter().any(|n| n == name);
            let both = NAMES.iter().zip(self.hosts);
            both.filter(|(_, host)| has(host)).map(|(n, _)| *n).collect()
        };
        (with(&["list", "--name"]), with(&["list", "--all", "--name"]))
    }

    /// Whether both hosts run a guest that goes `to` one of them. That one is asked first: the guest may
    /// arrive between the two answers, and has left the other one by then.
    fn both_run(&self, name: &str, to: &str) -> bool {
        let (new, old) = if to == NAMES[0] { (0, 1) } else { (1, 0) };
        let runs = |at: usize| self.hosts[at].names(&["list", "--name"]).iter().any(|n| n == name);
        runs(new) && runs(old)
    }

    /// The calls that changed either host since this was last asked.
    fn changes(&self) -> usize {
        self.hosts.iter().map(|host| host.proxy.take_changes().len()).sum()
    }

    #[track_caller]
    fn identity(&self, at: usize) -> Vec<String> {
        let text = self.hosts[at].inactive("g");
        let lines = text.lines().map(str::trim);
        let tells = |line: &&str| {
            line.starts_with("<uuid>") || line.starts_with("<mac ") || line.starts_with("<type ")
        };
        lines.filter(tells).map(str::to_owned).collect()
    }
}

/// Moves the guest to and fro, and kills the program before and after each call to each host.
fn killed(a: &Host, b: &Host, uuid: &str) {
    let two = Two::new(a, b);
    two.guest("g", "a", uuid, &two.image("g"));
    two.apply(&[], 0);
    two.changes();
    let identity = two.identity(0);
    assert_eq!(identity.len(), 3, "{identity:?}");
    let mut at = 0;
    for (role, point) in [
        ("old", Point::Before),
        ("old", Point::After),
        ("new", Point::Before),
        ("new", Point::After),
    ] {
        for passing in 0.. {
            let to = 1 - at;
            two.guest("g", NAMES[to], uuid, &two.image("g"));
            let struck = if role == "old" { at } else { to };
            two.hosts[struck].proxy.arm(passing, point, Strike::Kill);
            let ran = run(&mut two.virt(&[&["apply", "."], PRUNE.as_slice()].concat()));
            let words = format!("{point:?} call {passing} of the {role} one");
            let over = two.hosts[struck].proxy.disarm();
            if over {
                ran.expect(0);
                assert!(passing >= 4, "{words}: hardly any call");
            } else {
                assert_eq!(ran.code(), -1, "{words}: not killed\n{ran}");
                two.changes();
                let (running, defined) = two.running("g");
                assert!(running.len() < 2, "{words}: both run it");
                assert!(!defined.is_empty(), "{words}: nobody has it");
                // without leave to take it from the one, the other does not get it
                if running == [NAMES[at]] {
                    two.apply(&[], 1);
                    assert_eq!(two.running("g").0, [NAMES[at]], "{words}");
                }
                two.apply(&PRUNE, 0);
            }
            assert_eq!(two.running("g"), (vec![NAMES[to]], vec![NAMES[to]]), "{words}");
            assert_eq!(two.identity(to), identity, "{words}");
            two.changes();
            two.apply(&PRUNE, 0);
            assert_eq!(two.changes(), 0, "{words}: a second run does something");
            at = to;
            if over {
                break;
            }
        }
    }
}

/// A host that does not take the definition: the guest stays where it is, as the process that it is.
fn cut_off(a: &Host, b: &Host) {
    let two = Two::new(a, b);
    two.guest("g", "a", "", &two.image("g"));
    two.apply(&[], 0);
    two.changes();
    let guests = a.guests();
    two.guest("g", "b", "", &two.image("g"));
    b.proxy.arm(0, Point::Before, Strike::Cut);
    let said = two.apply(&PRUNE, 4);
    assert!(said.contains("b has not defined it"), "{said}");
    assert!(a.proxy.take_changes().is_empty(), "{said}");
    assert_eq!(a.guests(), guests);
    two.apply(&PRUNE, 0);
    assert_eq!(two.running("g"), (vec!["b"], vec!["b"]));
}

/// Checks that a refused move is refused before any call, with the reason.
fn refused(a: &Host, b: &Host) {
    let two = Two::new(a, b);
    let own = two.path("own.img");
    two.guest("g", "a", "", &own);
    two.apply(&[], 0);
    let stays = |options: &[&str], why: &str| {
        two.changes();
        let said = two.apply(options, 1);
        assert!(said.contains(why), "{why:?} is not in {said}");
        assert_eq!(two.changes(), 0, "{said}");
        assert_eq!(two.running("g"), (vec!["a"], vec!["a"]), "{said}");
    };
    two.guest("g", "b", "", &own);
    stays(&PRUNE, "nothing shows that b reaches its disk vda");
    stays(&[], "it is still on a");
    // the same image for two guests on two hosts
    two.guest("g", "a", "", &two.image("g"));
    two.apply(&["--allow", "restart"], 0);
    two.guest("h", "b", "", &two.image("g"));
    stays(&PRUNE, "domain/g on a writes to its disk");
    // an image that is each host's own is none of two hosts
    two.guest("h", "b", "", &own);
    two.apply(&[], 0);
    // firmware with variables of its own
    let firmware = format!("{}/halt.fd", a.directory());
    fs::write(&firmware, vec![0xf4; 256 << 10]).unwrap();
    let vars = format!("{}/vars.fd", a.directory());
    fs::write(&vars, vec![0; 128 << 10]).unwrap();
    two.guest("h", "nobody", "", &own);
    fs::remove_file(two.site.path().join("fleet/h.xml")).unwrap();
    let text = fs::read_to_string(two.site.path().join("fleet/g.xml")).unwrap();
    let efi = text.replace(
        "hvm</type></os>",
        &format!(
            "hvm</type><loader readonly='yes' type='pflash'>{firmware}</loader>\
             <nvram template='{vars}'/></os>"
        ),
    );
    two.write("g.xml", &efi);
    two.apply(&["--allow", "restart", "--prune", "--max-prune", "2"], 0);
    two.write("g.xml", &efi.replace("<hosts>a", "<hosts>b"));
    stays(&PRUNE, "it would leave its NVRAM behind on a");
    two.apply(&[PRUNE.as_slice(), &["--allow", "data-loss"]].concat(), 0);
    assert_eq!(two.running("g"), (vec!["b"], vec!["b"]));
}

/// Checks moves with `--host`, where the other hosts are unknown.
fn not_read(a: &Host, b: &Host) {
    let two = Two::new(a, b);
    two.guest("g", "a", "", &two.image("g"));
    two.apply(&[], 0);
    two.changes();
    two.guest("g", "b", "", &two.image("g"));
    let said = two.apply(&[PRUNE.as_slice(), &["--host", "b"]].concat(), 1);
    assert!(said.contains("a was not read and may have it"), "{said}");
    let said = two.apply(&[PRUNE.as_slice(), &["--host", "a"]].concat(), 1);
    assert!(said.contains("it may go to b, which was not read"), "{said}");
    assert_eq!(two.changes(), 0);
    // a new guest, and one with a disk that is the host's own
    two.guest("g", "a", "", &two.image("g"));
    two.guest("h", "b", "", &two.image("h"));
    let said = two.apply(&["--host", "b"], 1);
    assert!(said.contains("--assume-absent a"), "{said}");
    two.apply(&["--host", "b", "--assume-absent", "a"], 0);
    assert_eq!(two.running("h"), (vec!["b"], vec!["b"]));
    // a host that does not answer is not read either
    b.proxy.go_down();
    two.guest("i", "a", "", &two.image("h"));
    let said = two.apply(&[], 1);
    assert!(said.contains("is to write to its disk") || said.contains("b was not read"), "{said}");
    assert_eq!(two.running("i").1, [""; 0]);
    two.guest("i", "a", "", &two.path("own.img"));
    two.apply(&[], 1);
    assert_eq!(two.running("i").0, ["a"]);
    b.proxy.come_back();
}

/// A watch moves a guest to and fro as the manifests change, and goes on where one was killed.
fn watched(a: &Host, b: &Host) {
    let two = Two::new(a, b);
    two.guest("g", "a", "", &two.image("g"));
    let place = two.path("fleet");
    let options =
        [&[place.as_str(), "--interval", "1h", "--trust-connect"], PRUNE.as_slice()].concat();
    let mut watching = Watching::start(&options);
    let runs_on = |watching: &mut Watching, host: &'static str| {
        let deadline = Instant::now() + Duration::from_secs(180);
        while two.running("g") != (vec![host], vec![host]) {
            assert!(!two.both_run("g", host), "both run it");
            if Instant::now() > deadline {
                let told = watching.within(Duration::ZERO);
                panic!("not on {host}: {:?} {told:#?}", two.running("g"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    runs_on(&mut watching, "a");
    let identity = two.identity(0);
    two.guest("g", "b", "", &two.image("g"));
    runs_on(&mut watching, "b");
    assert_eq!(two.identity(1), identity);
    let told = watching.event("reconciled", |told| told["action"] == "move-in");
    assert_eq!((told["host"].as_str(), told["outcome"].as_str()), (Some("b"), Some("done")));
    two.guest("g", "a", "", &two.image("g"));
    runs_on(&mut watching, "a");
    watching.end();
    // a move that was killed in between
    b.proxy.arm(0, Point::After, Strike::Kill);
    two.guest("g", "b", "", &two.image("g"));
    let ran = run(&mut two.virt(&[&["apply", "."], PRUNE.as_slice()].concat()));
    assert_eq!(ran.code(), -1, "not killed: {ran}");
    assert_eq!(two.running("g"), (vec!["a"], vec!["a", "b"]));
    let mut watching = Watching::start(&options);
    runs_on(&mut watching, "b");
    assert_eq!(two.identity(1), identity);
    watching.end();
}

/// A watch that looks once has looked at all hosts before it makes a guest on one.
fn watched_once(a: &Host, b: &Host) {
    let two = Two::new(a, b);
    let once = |code| {
        let watch = [&["watch", ".", "--once"], PRUNE.as_slice()].concat();
        let ran = run(&mut two.virt(&watch)).expect(code);
        format!("{ran}")
    };
    two.guest("g", "a", "", &two.image("g"));
    once(0);
    assert_eq!(two.running("g"), (vec!["a"], vec!["a"]));
    two.guest("g", "b", "", &two.image("g"));
    once(0);
    assert_eq!(two.running("g"), (vec!["b"], vec!["b"]));
    two.changes();
    once(0);
    assert_eq!(two.changes(), 0);
    two.guest("g", "a", "", &two.path("own.img"));
    let said = once(1);
    assert!(said.contains("it is still on b: nothing shows that a reaches its disk"), "{said}");
    assert_eq!(two.changes(), 0);
}
