//! Users with write access to a file: its owner, its group, everybody, and those on an access control list.

use nix::unistd::{Gid, Group, Uid, User, geteuid};
use rustix::io::Errno;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Longest list of users or groups that is read, in bytes.
const DATABASE_MAX: u64 = 16 << 20;

/// Longest access control list: the system's own limit of an attribute.
const LIST_MAX: usize = 64 << 10;

/// First UID of a person; lower ones are the system's.
const PEOPLE: u32 = 1_000;

const LIST: &str = "system.posix_acl_access";

/// Users whose files are as good as our own.
#[derive(Clone, Debug)]
pub struct Users(Vec<Uid>);

impl Users {
    /// The caller and root.
    pub fn caller() -> Self {
        Self(vec![geteuid(), Uid::from_raw(0)])
    }

    /// Root alone.
    pub(super) fn root() -> Self {
        Self(vec![Uid::from_raw(0)])
    }

    /// Adds these users.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = u32>) -> Self {
        self.0.extend(others.into_iter().map(Uid::from_raw));
        self
    }

    /// Trusts these users and no others.
    #[cfg(test)]
    pub(crate) fn only(users: impl IntoIterator<Item = u32>) -> Self {
        Self(Vec::new()).and(users)
    }

    /// Returns the others who control the file or directory at `path`; nobody if none.
    pub fn others(&self, path: &Path, found: &Metadata) -> Option<String> {
        self.owner(found).or_else(|| self.writers(path, found))
    }

    /// The owner, if it is none of these.
    pub(super) fn owner(&self, found: &Metadata) -> Option<String> {
        let owner = Uid::from_raw(found.uid());
        (!self.0.contains(&owner)).then(|| name_of(owner))
    }

    /// Returns those who can write it beside the owner.
    pub(super) fn writers(&self, path: &Path, found: &Metadata) -> Option<String> {
        if found.mode() & 0o002 != 0 {
            return Some("everybody".to_owned());
        }
        // where there is a list, these bits are the most that it gives to anybody
        if found.mode() & 0o020 == 0 {
            return None;
        }
        match list_of(path) {
            Ok(None) => self.group(Gid::from_raw(found.gid())),
            Ok(Some(list)) => self.listed(&list, Gid::from_raw(found.gid())),
            Err(e) => {
                Some(format!("somebody on its access control list, which cannot be read ({e}),"))
            }
        }
    }

    /// Returns those on an access control list with the right to write.
    fn listed(&self, list: &[u8], group: Gid) -> Option<String> {
        const WRITE: u16 = 2;
        let unclear = || Some("somebody on its access control list".to_owned());
        let Some((version, entries)) = list.split_first_chunk::<4>() else { return unclear() };
        if u32::from_le_bytes(*version) != 2 || entries.len() % 8 != 0 {
            return unclear();
        }
        for entry in entries.chunks_exact(8) {
            let [t0, t1, p0, p1, i0, i1, i2, i3] = entry else { return unclear() };
            let (tag, may) = (u16::from_le_bytes([*t0, *t1]), u16::from_le_bytes([*p0, *p1]));
            let id = u32::from_le_bytes([*i0, *i1, *i2, *i3]);
            if may & WRITE == 0 {
                continue;
            }
            let who = match tag {
                // the owner, the mask, and everybody: the mode says these
                0x01 | 0x10 | 0x20 => None,
                0x02 => Some(Uid::from_raw(id)).filter(|user| !self.0.contains(user)).map(name_of),
                0x04 => self.group(group),
                0x08 => self.group(Gid::from_raw(id)),
                _ => return unclear(),
            };
            if who.is_some() {
                return who;
            }
        }
        None
    }

    /// A group, unless it is of these users alone.
    fn group(&self, group: Gid) -> Option<String> {
        let found = Group::from_gid(group).ok().flatten();
        if found.as_ref().is_some_and(|found| self.is_private(group, found)) {
            return None;
        }
        let name = found.map_or_else(|| group.to_string(), |group| group.name);
        Some(format!("group {name}"))
    }

    /// Whether a group is root's or that of one of these users, and of nobody else: it has the user's
    /// name, no other members under any name of it, and is no one else's own.
    fn is_private(&self, group: Gid, found: &Group) -> bool {
        let is_one_of = |name: &str| {
            let user = User::from_name(name).ok().flatten();
            user.is_some_and(|user| self.0.contains(&user.uid))
        };
        let of_one = self.0.iter().any(|uid| {
            let user = User::from_uid(*uid).ok().flatten();
            user.is_some_and(|user| user.gid == group && user.name == found.name)
        });
        if !of_one || !found.mem.iter().all(|member| is_one_of(member)) {
            return false;
        }
        // others may have it as their own, or be in it under another name of it: only the files list
        // all; directory services do not list their users
        let (Ok(users), Ok(groups)) = (database("/etc/passwd"), database("/etc/group")) else {
            return false;
        };
        let number = |field: Option<&str>| field.and_then(|text| text.parse::<u32>().ok());
        let is_others_own = |line: &str| {
            let mut fields = line.split(':').skip(2);
            let (uid, gid) = (number(fields.next()), number(fields.next()));
            let known = uid.is_some_and(|uid| self.0.contains(&Uid::from_raw(uid)));
            // several accounts of the system have root's
            let systems = group.as_raw() == 0 && uid.is_some_and(|uid| uid < PEOPLE);
            gid == Some(group.as_raw()) && !known && !systems
        };
        let has_others = |line: &str| {
            let mut fields = line.split(':').skip(2);
            let gid = number(fields.next());
            let mut members = fields.next().into_iter().flat_map(|members| members.split(','));
            gid == Some(group.as_raw()) && members.any(|name| !name.is_empty() && !is_one_of(name))
        };
        !users.lines().any(is_others_own) && !groups.lines().any(has_others)
    }
}

fn name_of(user: Uid) -> String {
    let name = User::from_uid(user).ok().flatten().map(|user| user.name);
    name.map_or_else(|| format!("user {user}"), |name| format!("user {name}"))
}

fn database(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(DATABASE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the access control list of a path; `None` where it has none beside its mode.
fn list_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut list = vec![0_u8; LIST_MAX];
    match rustix::fs::getxattr(path, LIST, list.as_mut_slice()) {
        Ok(length) => {
            list.truncate(length);
            Ok(Some(list))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, may, id) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(may.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    #[test]
    fn whoever_a_list_lets_write_is_found() {
        let none = u32::MAX;
        let users = Users::only([0, 4_000_000]);
        let usual = [(0x01, 6, none), (0x04, 4, none), (0x10, 6, none), (0x20, 4, none)];
        let with = |entry| users.listed(&list(&[&usual[..], &[entry]].concat()), Gid::from_raw(0));
        assert_eq!(with((0x02, 4, 4_000_001)), None, "only reads");
        assert_eq!(with((0x02, 6, 4_000_000)), None, "one of ours");
        assert_eq!(with((0x02, 6, 4_000_001)).unwrap(), "user 4000001");
        assert_eq!(with((0x08, 2, 4_000_001)).unwrap(), "group 4000001");
        assert!(with((0x40, 7, 0)).is_some(), "nobody knows what that is");
        for broken in [&[][..], &[2, 0, 0], &[3, 0, 0, 0], &[2, 0, 0, 0, 1]] {
            assert!(users.listed(broken, Gid::from_raw(0)).is_some(), "{broken:?}");
        }
    }
}
