//! Choice of the host for a command without paths, without surprise for the operator.

use crate::support::{Ran, run, trial, virt};
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("cli/project/whom_an_access_control_list_lets_write_is_somebody_else", listed),
        trial("cli/project/what_is_above_counts_as_well", above),
        trial("cli/project/the_nearest_virt_toml_names_host_and_set_and_that_is_said", nearest),
        trial("cli/project/one_that_others_can_write_is_refused_by_name", writable),
        trial("cli/project/another_users_is_refused_but_sudos_is_not", of_another_user),
        trial("cli/project/a_users_own_group_is_no_one_else", own_group),
        trial("cli/project/of_several_hosts_one_is_chosen", several),
        trial("cli/project/a_delete_by_name_without_one_asks", delete_by_name),
        trial("cli/project/a_file_names_no_program_there_either", untrusted),
        trial("cli/project/a_root_watch_over_a_directory_of_others_warns", watched),
    ]
}

struct Place(TempDir);

const DOMAIN: &str =
    "<domain type='test'><name>a</name><memory>65536</memory><os><type>hvm</type></os></domain>";

impl Place {
    fn new(virt_toml: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(place.path("site/below/deep")).unwrap();
        fs::write(place.path("site/a.xml"), DOMAIN).unwrap();
        fs::write(place.path("site/virt.toml"), virt_toml).unwrap();
        place.chmod("site", 0o755);
        place.chmod("site/virt.toml", 0o644);
        place
    }

    fn of_one_host() -> Self {
        let place = Self::new("set = 's'\nconnect = 'test:///default?state=.host.xml'\n");
        run(virt(&["apply", "site"]).current_dir(place.0.path())).expect(0);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, at: &str, arguments: &[&str]) -> Command {
        let mut command = virt(arguments);
        command.current_dir(self.path(at));
        command
    }

    fn virt(&self, at: &str, arguments: &[&str]) -> Ran {
        run(&mut self.command(at, arguments))
    }
}

fn nearest() {
    let place = Place::of_one_host();
    for arguments in [
        ["get"].as_slice(),
        &["get", "domain/a"],
        &["history", "domain/a"],
        &["export", "domain/a"],
        &["doctor"],
        &["delete", "domain/a", "--dry-run"],
    ] {
        for (at, named) in [("site/below/deep", None), ("site", None), (".", Some("site"))] {
            let project: Vec<&str> = named.iter().flat_map(|n| ["-f", n]).collect();
            let ran = place.virt(at, &[&project, arguments].concat()).expect(0);
            let said = ran.stderr();
            assert!(said.contains("on test:///default?state="), "{ran}");
            assert!(
                said.contains(".host.xml, as ") && said.contains("site/virt.toml says"),
                "{ran}"
            );
            assert!(!ran.stdout().contains("virt.toml"), "results are results: {ran}");
        }
    }
    // a host on the command line needs no remark
    let uri = format!("test:///default?state={}", place.path("site/.host.xml").display());
    let ran = place.virt("site", &["-c", &uri, "get"]).expect(0);
    assert_eq!(ran.stderr(), "");
    // where nobody names it, that is said, too
    let ran = run(place.command(".", &["get"]).env("LIBVIRT_DEFAULT_URI", &uri)).expect(0);
    assert!(ran.stderr().contains("as LIBVIRT_DEFAULT_URI says"), "{ran}");
    let ran = place.virt(".", &["-f", "nowhere", "get"]).expect(1);
    assert!(ran.stderr().contains("there is no nowhere/virt.toml"), "{ran}");
    place.virt(".", &["-f", "site", "plan", "site"]).expect(64);
    place.virt(".", &["-f", "site", "-c", "", "get"]).expect(64);
    // a rollback is of the object that is meant, and asks the host that is meant
    let ran = place.virt("site", &["rollback", "domain/a"]).expect(1);
    assert!(ran.stderr().contains("only one version"), "{ran}");
}

fn writable() {
    for (name, mode) in [("site", 0o777), ("site", 0o1777), ("site/virt.toml", 0o646)] {
        let place = Place::of_one_host();
        place.chmod(name, mode);
        for command in [["get", "domains"], ["delete", "domain/a"], ["history", "domain/a"]] {
            let ran = place.virt("site/below", &command).expect(1);
            assert!(
                ran.stderr().contains("is not used unless it is named: everybody can write"),
                "{ran}"
            );
            assert!(ran.stderr().contains("name it with -f "), "{ran}");
            // it is not passed over for another host either
            assert_eq!(ran.stdout(), "");
        }
        place.virt(".", &["-f", "site", "get", "domain/a"]).expect(0);
    }
}

const STRANGER: u32 = 65_534;

fn of_another_user() {
    let place = Place::of_one_host();
    if chown(place.path("site"), Some(STRANGER), Some(STRANGER)).is_err() {
        // only root can give directories away
        return;
    }
    chown(place.path("site/virt.toml"), Some(STRANGER), Some(STRANGER)).unwrap();
    let ran = place.virt("site/below", &["get"]).expect(1);
    assert!(ran.stderr().contains("can write"), "{ran}");
    run(place.command("site/below", &["get"]).env("SUDO_UID", STRANGER.to_string())).expect(0);
    run(place.command("site/below", &["get"]).env("SUDO_UID", "65533")).expect(1);
}

fn own_group() {
    let place = Place::of_one_host();
    // root's own group has nobody else in it
    if chown(place.path("site"), Some(0), Some(0)).is_err() {
        return;
    }
    place.chmod("site", 0o775);
    place.virt("site/below", &["get"]).expect(0);
    // users, games or whatever has this number
    chown(place.path("site"), Some(0), Some(100)).unwrap();
    place.chmod("site", 0o775);
    let ran = place.virt("site/below", &["get"]).expect(1);
    assert!(ran.stderr().contains("group "), "{ran}");
}

fn several() {
    let hosts = "[hosts.one]\nconnect = 'test:///default?state=.one.xml'\n\
                 [hosts.two]\nconnect = 'test:///default?state=.two.xml'\n";
    let place = Place::new(&format!("set = 's'\n{hosts}"));
    place.virt(".", &["apply", "site", "--host", "two"]).expect(0);
    let ran = place.virt("site", &["get"]).expect(64);
    assert!(ran.stderr().contains("names 2 hosts"), "{ran}");
    assert!(ran.stderr().contains("--host one"), "{ran}");
    let ran = place.virt("site", &["get", "domains", "--host", "two"]).expect(0);
    assert!(ran.stdout().contains("domain/a"), "{ran}");
    assert!(ran.stderr().starts_with("on two, test:///default?state="), "{ran}");
    let ran = place.virt("site", &["get", "domains", "--host", "one"]).expect(0);
    assert!(!ran.stdout().contains("domain/a"), "{ran}");
    place.virt("site", &["get", "--host", "three"]).expect(64);
    place.virt(".", &["get", "--host", "two"]).expect(64);
    place.virt("site", &["delete", "domain/a"]).expect(64);
    place.virt("site", &["--host", "two", "delete", "domain/a"]).expect(0);
}

fn delete_by_name() {
    let place = Place::of_one_host();
    let uri = format!("test:///default?state={}", place.path("site/.host.xml").display());
    let mut delete = place.command(".", &["delete", "domain/a"]);
    let ran = run(delete.env("LIBVIRT_DEFAULT_URI", &uri)).expect(64);
    assert!(ran.stderr().contains("name the host with -c URI"), "{ran}");
    // another set's object is not the project's to delete
    fs::write(
        place.path("site/virt.toml"),
        "set = 't'\nconnect = 'test:///default?state=.host.xml'\n",
    )
    .unwrap();
    let ran = place.virt("site", &["delete", "domain/a"]).expect(5);
    assert!(ran.stdout().contains("the set \"s\" owns it"), "{ran}");
    place.virt(".", &["-c", &uri, "delete", "domain/a"]).expect(0);
}

fn untrusted() {
    let place = Place::new("set = 's'\nconnect = 'qemu+ext:///system?command=/bin/false'\n");
    for command in [["get", "domains"], ["delete", "domain/a"], ["export", "domain/a"]] {
        let ran = place.virt("site", &command).expect(1);
        assert!(ran.stderr().contains("virt.toml:2:12: a file alone cannot choose"), "{ran}");
    }
}

fn watched() {
    let place = Place::of_one_host();
    let watch = |place: &Place| place.virt(".", &["watch", "--once", "site"]).expect(0).stderr();
    assert!(!watch(&place).contains("warning"));
    // a user other than root decides only for themselves
    let is_root = nix::unistd::geteuid().is_root();
    let warned = |why: &str| assert_eq!(watch(&place).contains(why), is_root, "{}", watch(&place));
    for (name, mode) in [("site", 0o755), ("site/below", 0o755), ("site/virt.toml", 0o644)] {
        place.chmod(name, mode | 0o022);
        warned("everybody can write");
        place.chmod(name, mode);
    }
    // also above, and what a link leads to
    place.chmod(".", 0o777);
    warned("everybody can write");
    place.chmod(".", 0o1777);
    assert!(!watch(&place).contains("warning"));
    fs::create_dir(place.path("site/.hidden")).unwrap();
    place.chmod("site/.hidden", 0o777);
    assert!(!watch(&place).contains("warning"), "it is not read");
    std::os::unix::fs::symlink(".hidden", place.path("site/linked")).unwrap();
    warned("everybody can write");
    fs::remove_dir(place.path("site/.hidden")).unwrap();
    fs::remove_file(place.path("site/linked")).unwrap();
    if is_root {
        chown(place.path("site/virt.toml"), Some(STRANGER), None).unwrap();
        warned("can write site/virt.toml");
    }
}

/// An access control list by which user 54321 may do `more` beside the owner.
fn list(more: u16) -> Vec<u8> {
    let entries = [(0x01_u16, 6_u16, u32::MAX), (0x02, more, 54_321), (0x04, 4, u32::MAX)];
    let entries = entries.into_iter().chain([(0x10, 6, u32::MAX), (0x20, 4, u32::MAX)]);
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, may, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(may.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

fn listed() {
    let place = Place::of_one_host();
    if chown(place.path("site/virt.toml"), Some(0), Some(0)).is_err() {
        // the group of these files is to be root's
        return;
    }
    for name in ["site/virt.toml", "site"] {
        for (more, exit) in [(4, 0), (6, 1)] {
            let set = rustix::fs::setxattr(
                place.path(name),
                "system.posix_acl_access",
                &list(more),
                rustix::fs::XattrFlags::empty(),
            );
            if set.is_err() {
                // a file system without such lists
                return;
            }
            let ran = place.virt("site/below", &["get"]).expect(exit);
            let warned = ran.stderr().contains("user 54321 can write");
            assert_eq!(warned, exit == 1, "{ran}");
        }
        rustix::fs::removexattr(place.path(name), "system.posix_acl_access").unwrap();
        place.chmod(name, if name == "site" { 0o755 } else { 0o644 });
    }
}

fn above() {
    let place = Place::of_one_host();
    place.virt("site/below", &["get"]).expect(0);
    place.chmod(".", 0o777);
    let ran = place.virt("site/below", &["get"]).expect(1);
    assert!(ran.stderr().contains("is not used unless it is named: everybody can write"), "{ran}");
    place.chmod(".", 0o755);
    place.virt("site/below", &["get"]).expect(0);
}
