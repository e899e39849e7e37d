//! Files that a mock host keeps beneath a directory of manifests: they are no manifests, and writing them
//! changes none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Suffixes of the mock's state file and of the files beside it: a lock, and an unfinished version.
const BESIDE: [&str; 3] = ["", ".lock", ".new"];

/// Returns the files of the mock hosts that the text of a `virt.toml` in this directory names.
pub(super) fn kept(text: &str, directory: &Path) -> BTreeSet<PathBuf> {
    let mut paths = BTreeSet::new();
    for state in states(text) {
        let path = directory.join(state);
        for suffix in BESIDE {
            let mut beside = path.clone().into_os_string();
            beside.push(suffix);
            paths.insert(PathBuf::from(beside));
        }
    }
    paths
}

/// The `state` of each mock host, as a URI of the driver `test` has it.
fn states(text: &str) -> Vec<String> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    let connects = |table: &DeTable<'_>| {
        table.get("connect").and_then(|value| match value.get_ref() {
            DeValue::String(uri) => Some(uri.to_string()),
            _ => None,
        })
    };
    let table = table.into_inner();
    let mut uris: Vec<String> = connects(&table).into_iter().collect();
    if let Some(DeValue::Table(hosts)) = table.get("hosts").map(toml::Spanned::get_ref) {
        for (_, host) in hosts {
            if let DeValue::Table(host) = host.get_ref() {
                uris.extend(connects(host));
            }
        }
    }
    uris.iter().filter_map(|uri| state(uri)).collect()
}

fn state(uri: &str) -> Option<String> {
    let (_, query) = uri.strip_prefix("test:///")?.split_once('?')?;
    let value = query.split(['&', ';']).find_map(|piece| piece.strip_prefix("state="))?;
    let mut plain = Vec::new();
    let mut pieces = value.split('%');
    plain.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        plain.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        plain.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    String::from_utf8(plain).ok().filter(|state| !state.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_one_host_and_of_several_are_found() {
        for (text, expected) in [
            ("connect = 'test:///default?state=host.xml'", vec!["host.xml"]),
            ("connect = 'test:///default?x=1&state=a%20b.xml'", vec!["a b.xml"]),
            (
                "[hosts.a]\nconnect = 'test:///default?state=a.xml'\n[hosts.b]\nconnect = 'qemu:///system'",
                vec!["a.xml"],
            ),
            ("connect = 'qemu:///system?state=x.xml'", vec![]),
            ("connect = 'test:///default?state='", vec![]),
            ("connect = 'test:///default?state=%zz'", vec![]),
            ("connect = 1\nhosts = ['a']", vec![]),
            ("connect = ", vec![]),
        ] {
            assert_eq!(states(text), expected, "{text}");
        }
    }
}
