//! Files that lead out of the given paths, and those that are not regular.

use crate::support::site::Site;
use crate::support::{Needs, run, trial, trial_if, virt};
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("bounds/outside/a_link_to_the_environment_or_a_device_is_not_read", links),
        trial("bounds/outside/a_link_to_a_directory_is_not_gone_through", directories),
        trial("bounds/outside/a_file_by_itself_leads_nowhere_else", by_itself),
        trial("bounds/outside/a_given_link_leads_beneath_where_it_stands_or_nowhere", given),
        trial("bounds/outside/a_virt_toml_that_leads_elsewhere_is_not_read", virt_toml),
        trial("bounds/outside/grammars_and_what_they_include_stay_beneath", grammars),
        trial("bounds/outside/a_test_hosts_file_and_what_it_names_stay_beneath", node_file),
        trial("bounds/outside/pipes_are_not_waited_for", pipes),
        trial_if(devices(), "bounds/outside/a_device_is_not_opened", device),
        trial("bounds/outside/links_that_stay_beneath_are_followed", beneath),
        trial("bounds/outside/what_is_exchanged_meanwhile_is_not_read", races),
    ]
}

/// Text that no output may show.
const SECRET: &str = "sesame-open";

/// Longer than any of these runs may take.
const LONG: Duration = Duration::from_secs(20);

const DOMAIN: &str = "<domain type='qemu'><name>web</name><memory>65536</memory>\
                      <os><type>hvm</type></os></domain>";

const COMMANDS: [&[&str]; 4] = [&["validate"], &["plan"], &["diff"], &["watch", "--once"]];

fn command(arguments: &[&str], path: &Path) -> Command {
    let mut command = virt(arguments);
    if arguments != ["validate"] {
        command.args(["-c", "test:///default"]);
    }
    command.arg(path).env("TOKEN", format!("[{SECRET}]"));
    command
}

/// Runs all commands over `path`; each fails, shows no secret, and says all of this.
#[track_caller]
fn refused(path: &Path, said: &[&str]) {
    for arguments in COMMANDS {
        let begun = Instant::now();
        let ran = run(&mut command(arguments, path));
        let all = ran.stdout() + &ran.stderr();
        assert!(begun.elapsed() < LONG, "{ran}");
        assert!(!all.contains(SECRET) && ran.code() > 0, "{ran}");
        for said in said {
            assert!(all.contains(said), "{said}\n{ran}");
        }
    }
}

fn site() -> Site {
    Site::new(&[("web.xml", DOMAIN)])
}

fn links() {
    for (name, target) in [
        ("e.toml", "/proc/self/environ"),
        ("e.xml", "/proc/self/environ"),
        ("k.xml", "/proc/kmsg"),
        ("z.toml", "/dev/zero"),
        ("up.xml", "../secret"),
    ] {
        let site = site();
        fs::create_dir(site.path().join("m")).unwrap();
        site.write("secret", SECRET);
        fs::rename(site.path().join("web.xml"), site.path().join("m/web.xml")).unwrap();
        symlink(target, site.path().join("m").join(name)).unwrap();
        let place = format!("m/{name}: error: the path leads out of what is to be read");
        let target = target.trim_start_matches("..");
        refused(&site.path().join("m"), &[&place, target, "hint: put a copy in the place"]);
    }
}

fn directories() {
    let site = site();
    symlink("/", site.path().join("d")).unwrap();
    let other = Site::new(&[("other.toml", SECRET)]);
    symlink(other.path(), site.path().join("f")).unwrap();
    let said = "error: the path leads out of what is to be read";
    refused(site.path(), &[&format!("/d: {said}"), &format!("/f: {said}"), "it leads to /,"]);
}

fn by_itself() {
    let site = site();
    symlink("/proc/self/environ", site.path().join("e.toml")).unwrap();
    refused(&site.path().join("e.toml"), &["leads out of what is to be read"]);
    let ran = run(&mut command(&["convert"], &site.path().join("e.toml"))).expect(1);
    assert!(!ran.stderr().contains(SECRET) && ran.stderr().contains("leads out"), "{ran}");
}

fn given() {
    let outside = Site::new(&[("other.toml", SECRET), ("virt.toml", SECRET)]);
    fs::create_dir(outside.path().join("below")).unwrap();
    outside.write("below/more.xml", SECRET);
    let site = Site::new(&[]);
    let at = |name: &str| site.path().join(name);
    symlink(outside.path(), at("manifests")).unwrap();
    symlink("/", at("top")).unwrap();
    symlink("manifests", at("again")).unwrap();
    let real = fs::canonicalize(outside.path()).unwrap();
    let real = real.display();
    for (name, leads) in [
        ("manifests", format!("{real}")),
        ("manifests/", format!("{real}")),
        ("manifests/.", format!("{real}")),
        ("./manifests/below", format!("{real}/below")),
        ("manifests/below/more.xml", format!("{real}/below")),
        ("again", format!("{real}")),
        ("top", "/".to_owned()),
        ("top/etc", "/etc".to_owned()),
    ] {
        for arguments in COMMANDS {
            let mut command = command(arguments, Path::new(name));
            let ran = run(command.current_dir(site.path()));
            let all = ran.stdout() + &ran.stderr();
            assert!(!all.contains(SECRET) && ran.code() > 0, "{ran}");
            assert!(all.contains("the path leads elsewhere by a symbolic link"), "{ran}");
            assert!(all.contains(&format!("give it by its own path: {leads}\n")), "{leads}\n{ran}");
        }
        refused(&at(name), &["leads elsewhere by a symbolic link"]);
    }
    let grammars = ["validate", "--schema-dir", "manifests", "."];
    let ran = run(virt(&grammars).current_dir(site.path())).expect(1);
    assert!(!ran.stderr().contains(SECRET) && ran.stderr().contains("leads elsewhere"), "{ran}");
    let ran = run(virt(&["-f", "manifests", "get"]).current_dir(site.path())).expect(1);
    assert!(!ran.stderr().contains(SECRET) && ran.stderr().contains("leads elsewhere"), "{ran}");
    // where one went by oneself, and what stays beneath
    let site = self::site();
    let there = Site::new(&[]);
    symlink(site.path(), there.path().join("here")).unwrap();
    let here = there.path().join("here");
    run(command(&["validate"], Path::new(".")).current_dir(&here)).expect(0);
    run(command(&["validate"], Path::new("web.xml")).current_dir(&here)).expect(0);
    fs::create_dir(site.path().join("..1")).unwrap();
    fs::rename(site.path().join("web.xml"), site.path().join("..1/web.xml")).unwrap();
    symlink("..1", site.path().join("..data")).unwrap();
    symlink("..data", site.path().join("current")).unwrap();
    run(&mut command(&["validate"], &site.path().join("current"))).expect(0);
    run(&mut command(&["validate"], &site.path().join("current/web.xml"))).expect(0);
}

fn virt_toml() {
    let site = site();
    fs::remove_file(site.path().join("virt.toml")).unwrap();
    symlink("/proc/self/environ", site.path().join("virt.toml")).unwrap();
    refused(site.path(), &["virt.toml: error: the path leads out of what is to be read"]);
}

fn grammars() {
    let outside = Site::new(&[("domain.rng", SECRET), ("x", SECRET)]);
    let outside = outside.path().display();
    for (setting, grammar, said) in [
        (format!("{outside}"), String::new(), "--schema-dir takes grammars from anywhere"),
        (".".to_owned(), "href='/proc/self/environ'".to_owned(), "it leads to /proc/"),
        (".".to_owned(), format!("href='{outside}/x'"), "outside of what was given"),
    ] {
        let site = site();
        let include = format!(
            "<grammar xmlns='http://relaxng.org/ns/structure/1.0'><include {grammar}/></grammar>"
        );
        site.write("domain.rng", &include);
        site.write("virt.toml", &format!("set = 'x'\nschema_dir = '{setting}'\n"));
        refused(site.path(), &[said]);
    }
    let site = site();
    symlink("/proc/self/environ", site.path().join("domain.rng")).unwrap();
    site.write("virt.toml", "set = 'x'\nschema_dir = '.'\n");
    refused(site.path(), &["it leads to /proc/"]);
    // a directory that is named on the command line is trusted, and what it includes is not
    let typed = Site::new(&[]);
    symlink("/proc/self/environ", typed.path().join("domain.rng")).unwrap();
    let arguments = ["validate", "--schema-dir", typed.path().to_str().unwrap()];
    let ran = run(&mut command(&arguments, site.path()));
    assert!(!ran.stderr().contains(SECRET) && ran.code() == 1, "{ran}");
}

fn node_file() {
    let site = site();
    site.write("node.xml", "<node><domain file='/proc/self/environ'/></node>");
    let uri = format!("test://{}/node.xml", site.path().display());
    let ran = run(virt(&["get", "-c", &uri]).env("TOKEN", SECRET)).expect(1);
    assert!(!ran.stderr().contains(SECRET) && ran.stderr().contains("it leads to /proc"), "{ran}");
    site.write("node.xml", "<node><domain file='web.xml'/></node>");
    assert!(run(&mut virt(&["get", "-c", &uri])).expect(0).stdout().contains("web"));
}

fn make_pipe(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

fn pipes() {
    let site = site();
    let pipe = site.path().join("p.toml");
    make_pipe(&pipe);
    refused(site.path(), &["p.toml: error: the path cannot be read", "not a regular file"]);
    fs::remove_file(&pipe).unwrap();
    let state = site.path().join("state");
    make_pipe(&state);
    let begun = Instant::now();
    for uri in ["test:///default?state=", "test://"] {
        let uri = format!("{uri}{}", state.display());
        let ran = run(&mut virt(&["get", "-c", &uri])).expect(1);
        assert!(ran.stderr().contains("it is not a regular file"), "{ran}");
    }
    fs::remove_file(&state).unwrap();
    make_pipe(&site.path().join("state.lock"));
    let uri = format!("test:///default?state={}", state.display());
    run(virt(&["apply", "-c", &uri]).arg(site.path())).expect(1);
    let uri = format!("qemu+tcp://127.0.0.1:1/system?authfile={}", state.display());
    make_pipe(&state);
    assert_ne!(run(&mut virt(&["get", "-c", &uri])).code(), 0);
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

fn devices() -> Needs {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err("needs root, for mknod".to_owned()) }
}

fn device((): ()) {
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    let site = site();
    // /dev/zero
    let path = site.path().join("z.xml");
    mknod(&path, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 5)).unwrap();
    refused(site.path(), &["z.xml: error: the path cannot be read", "not a regular file"]);
}

fn beneath() {
    // as the kubelet lays out a ConfigMap
    let site = Site::new(&[]);
    let at = |name: &str| site.path().join(name);
    fs::create_dir_all(at("..1/")).unwrap();
    fs::create_dir_all(at("hosts/a")).unwrap();
    fs::create_dir_all(at("shared/more")).unwrap();
    site.write("..1/web.xml", DOMAIN);
    site.write("shared/db.xml", &DOMAIN.replace("web", "db"));
    site.write("shared/more/mail.xml", &DOMAIN.replace("web", "mail"));
    symlink("..1", at("..data")).unwrap();
    symlink("..data/web.xml", at("web.xml")).unwrap();
    symlink("../../shared/db.xml", at("hosts/a/db.xml")).unwrap();
    symlink(at("shared/more"), at("hosts/a/more")).unwrap();
    let valid = |paths: &[&str], count: &str| {
        let ran = run(virt(&["validate"]).args(paths.iter().map(|path| at(path)))).expect(0);
        assert!(ran.stdout().contains(count), "{ran}");
    };
    valid(&["."], "3 resources");
    valid(&["web.xml"], "1 resource");
    site.write("hosts/a/virt.toml", "set = 'a'\n");
    valid(&["hosts/a", "shared"], "2 resources");
    site.remove("hosts/a/virt.toml");
    // a link from one path to another that was not given is reported
    let ran = run(virt(&["validate"]).arg(at("hosts/a"))).expect(1);
    assert!(ran.stderr().contains("db.xml: error: the path leads out"), "{ran}");
    assert!(ran.stderr().contains("or give a directory that has both"), "{ran}");
    // a path that is given may be a link itself
    symlink("shared", at("current")).unwrap();
    let ran = run(virt(&["validate"]).arg(at("current"))).expect(0);
    assert!(ran.stdout().contains("2 resources"), "{ran}");
    fs::remove_file(at("current")).unwrap();
    // other files may lead anywhere
    symlink("/etc/passwd", at("notes.txt")).unwrap();
    symlink("/nowhere", at("result")).unwrap();
    valid(&["."], "3 resources");
}

fn races() {
    let (site, secret) = (site(), Site::new(&[("web.toml", SECRET)]));
    let (file, directory) = (site.path().join("x.toml"), site.path().join("d"));
    let swapped = |path: &Path, real: &dyn Fn(&Path), link: &Path| {
        let (one, other) = (path.with_extension("one"), path.with_extension("other"));
        real(&one);
        symlink(link, &other).unwrap();
        for from in [&one, &other] {
            // of no consequence if the run looks in between
            let kept = path.with_extension("kept");
            let _ = fs::rename(path, &kept);
            fs::rename(from, path).unwrap();
            let _ = fs::remove_file(&kept).or_else(|_| fs::remove_dir_all(&kept));
        }
    };
    let until = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < until {
                swapped(&file, &|p| fs::write(p, "").unwrap(), &secret.path().join("web.toml"));
                let real = |p: &Path| {
                    fs::create_dir(p).unwrap();
                    fs::write(p.join("web.toml"), "").unwrap();
                };
                swapped(&directory, &real, secret.path());
            }
        });
        while Instant::now() < until {
            let ran = run(virt(&["validate"]).arg(site.path()));
            assert!(!(ran.stdout() + &ran.stderr()).contains(SECRET), "{ran}");
        }
    });
}
