//! Two runs on one host.

use super::{Place, domain};
use crate::support::{Needs, run, tool, trial, trial_if, virt};
use libtest_mimic::Trial;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("watch/locks/f10_the_second_apply_is_told_who_has_the_host", second),
        trial("watch/locks/f29_a_lock_goes_with_its_holder", killed),
        trial_if(unshare(), "watch/locks/f10_whatever_the_environment_is", environment),
        trial_if(
            second_user(),
            "watch/locks/another_users_directory_in_the_place_of_ours_lets_no_run_through",
            squatted,
        ),
        trial("watch/locks/another_spelling_of_the_host_is_the_same_host", spellings),
        trial_if(
            second_user(),
            "watch/locks/root_and_another_user_keep_each_other_out",
            between_users,
        ),
        trial_if(
            second_user(),
            "watch/locks/who_sits_on_the_shared_name_is_named_and_nothing_is_changed",
            sat_upon,
        ),
        trial("watch/locks/a_watch_waits_its_turn", waits),
        trial("watch/locks/once_waits_as_apply_does", once),
    ]
}

/// An apply that has looked at the host and asks whether to go on.
struct Asking(Child);

impl Asking {
    fn start(place: &Place) -> Self {
        Self::of(apply(place))
    }

    fn of(mut command: Command) -> Self {
        command.arg("--confirm").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut question = [0; 5];
        child.stderr.as_mut().unwrap().read_exact(&mut question).unwrap();
        assert_eq!(&question, b"Apply");
        Self(child)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // of no consequence if it has ended
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn apply(place: &Place) -> Command {
    virt(&["apply", "-c", &place.uri(), place.manifests().to_str().unwrap()])
}

fn second() {
    let place = Place::new(&["web"]);
    let first = Asking::start(&place);
    let begun = Instant::now();
    let ran = run(&mut apply(&place)).expect(5);
    let waited = begun.elapsed();
    assert!((10..15).contains(&waited.as_secs()), "{waited:?}");
    let holder = format!("held by pid {} (virt apply) since 20", first.0.id());
    assert!(ran.stderr().contains(&holder), "{ran}");
    assert!(ran.stderr().contains("hint: nothing was changed"), "{ran}");
    // to look is free
    run(virt(&["plan", "-c", &place.uri()]).arg(place.manifests())).expect(0);
    run(apply(&place).arg("--dry-run")).expect(0);
}

/// User that the system does not know.
const USER: &str = "54321";

fn as_user(place: &Place) -> Command {
    let mut command = Command::new("unshare");
    let apply = apply(place);
    command.args(["--user", "--map-user", USER]).arg(apply.get_program()).args(apply.get_args());
    command
}

fn unshare() -> Needs {
    tool("unshare")?;
    let mapped = Command::new("unshare").args(["--user", "--map-user", USER, "true"]).status();
    let works = mapped.is_ok_and(|status| status.success());
    works.then_some(()).ok_or_else(|| "needs user namespaces".to_owned())
}

/// One is a job of cron, the other a shell.
fn environment((): ()) {
    let place = Place::new(&["web"]);
    let mut command = as_user(&place);
    command.env_remove("XDG_RUNTIME_DIR").env_remove("TMPDIR");
    let first = Asking::of(command);
    let mut command = as_user(&place);
    for variable in ["XDG_RUNTIME_DIR", "TMPDIR"] {
        command.env(variable, place.manifests());
    }
    let ran = run(&mut command).expect(5);
    assert!(ran.stderr().contains(&format!("held by pid {} ", first.0.id())), "{ran}");
    drop(first);
    // of no consequence if others use it meanwhile
    let _ = fs::remove_dir_all(format!("/tmp/virt-{USER}"));
}

/// User that the system does not know, whose directory another one made first.
const SQUATTED: u32 = 54_322;
const SQUATTER: u32 = 54_323;

fn second_user() -> Needs {
    if !nix::unistd::geteuid().is_root() {
        return Err("needs root, to be another user".to_owned());
    }
    let ran = virt(&["--version"]).uid(SQUATTED).stdout(Stdio::null()).status();
    let runs = ran.is_ok_and(|status| status.success());
    runs.then_some(()).ok_or_else(|| "needs a checkout that other users can read".to_owned())
}

fn squatted((): ()) {
    let place = Place::new(&["web"]);
    chown(place.directory.path(), Some(SQUATTED), None).unwrap();
    let directory = PathBuf::from(format!("/tmp/virt-{SQUATTED}"));
    fs::create_dir(&directory).unwrap();
    chown(&directory, Some(SQUATTER), None).unwrap();
    // nobody keeps the two apart, so neither may go on
    let runs = [apply(&place), apply(&place)]
        .map(|mut apply| std::thread::spawn(move || run(apply.uid(SQUATTED))));
    let ran = runs.map(|run| run.join().unwrap());
    let watched =
        run(virt(&["watch", "--once", "-c", &place.uri()]).arg(place.manifests()).uid(SQUATTED));
    fs::remove_dir(&directory).unwrap();
    for ran in ran {
        let ran = ran.expect(5);
        assert!(ran.stderr().contains("the host cannot be locked: /tmp/virt-54322: "), "{ran}");
        assert!(ran.stderr().contains("a directory of this user alone"), "{ran}");
    }
    watched.expect(5);
    assert!(!place.directory.path().join("state.xml").exists(), "nothing was changed");
    run(apply(&place).uid(SQUATTED)).expect(0);
    // of no consequence if it stays
    let _ = fs::remove_dir_all(directory);
}

fn spellings() {
    let place = Place::new(&["web"]);
    std::os::unix::fs::symlink(place.directory.path(), place.path("link")).unwrap();
    let first = Asking::start(&place);
    let directory = place.directory.path().display().to_string();
    let spelled = [
        format!("test:///default?state={directory}/./state.xml"),
        format!("test:///default?state={directory}/link/state.xml&foo=1"),
        format!("test:///default?x=y&state={directory}/manifests/../state.xml"),
    ];
    let holder = format!("held by pid {} (virt apply)", first.0.id());
    let runs = spelled.map(|uri| {
        let mut apply = virt(&["apply", "-c", &uri, place.manifests().to_str().unwrap()]);
        std::thread::spawn(move || run(&mut apply))
    });
    for ran in runs.map(|run| run.join().unwrap().expect(5)) {
        assert!(ran.stderr().contains(&holder), "{ran}");
    }
}

fn between_users((): ()) {
    let place = Place::new(&["web"]);
    chown(place.directory.path(), Some(SQUATTED), None).unwrap();
    let first = Asking::start(&place);
    let ran = run(apply(&place).uid(SQUATTED)).expect(5);
    assert!(ran.stderr().contains(&format!("held by pid {} of user root", first.0.id())), "{ran}");
    drop(first);
    let mut command = apply(&place);
    command.uid(SQUATTED);
    let first = Asking::of(command);
    let ran = run(&mut apply(&place)).expect(5);
    let holder = format!("held by pid {} of user {SQUATTED}", first.0.id());
    assert!(ran.stderr().contains(&holder), "{ran}");
    drop(first);
    run(&mut apply(&place)).expect(0);
    // of no consequence if others use it meanwhile
    let _ = fs::remove_dir_all(format!("/tmp/virt-{SQUATTED}"));
}

fn sat_upon((): ()) {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let place = Place::new(&["web"]);
    // the name is no secret: it is beside what the holder has open
    let first = Asking::start(&place);
    let open = fs::read_dir(format!("/proc/{}/fd", first.0.id())).unwrap().flatten();
    let lock = open
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .find(|path| path.extension().is_some_and(|e| e == "lock"))
        .unwrap();
    let name = format!("virt-lock-{}", lock.file_stem().unwrap().display());
    drop(first);
    let bind = || UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
    let sits = bind().unwrap();
    let ran = run(&mut apply(&place)).expect(5);
    let holder = format!("held by pid {} of user ", std::process::id());
    assert!(ran.stderr().contains(&holder), "{ran}");
    assert!(!place.path("state.xml").exists(), "nothing was changed");
    drop(sits);
    run(&mut apply(&place)).expect(0);
}

fn killed() {
    let place = Place::new(&["web"]);
    let mut first = Asking::start(&place);
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    let begun = Instant::now();
    run(&mut apply(&place)).expect(0);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

fn waits() {
    let place = Place::new(&["web"]);
    let mut watching = place.watch(&[]);
    place.write("db.toml", &domain("db", 65_536));
    watching.reconciled("db");
    // the other one plans for an object that the watch has left alone
    let other = Place::new(&["other"]);
    let mut command = virt(&["apply", "--confirm", "-c", &place.uri()]);
    command.arg(other.manifests()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut asking = Asking(command.stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(asking.0.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().starts_with("Plan:")).unwrap().unwrap();
    place.write("web.toml", &domain("web", 131_072));
    let told = watching.event("busy", |_| true);
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("pid {} (virt apply)", asking.0.id())), "{message}");
    drop(asking);
    watching.reconciled("web");
}

fn once() {
    let place = Place::new(&["web"]);
    let first = Asking::start(&place);
    let mut command = virt(&["watch", "--once", "-c", &place.uri()]);
    command.arg(place.manifests()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut second = command.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(second.try_wait().unwrap(), None, "it waits");
    drop(first);
    assert!(second.wait().unwrap().success());
    assert!(place.state().contains("<name>web</name>"));
}
