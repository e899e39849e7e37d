//! Checks of a pool's values that no grammar can say, with the place of each.

use super::view::Pool;
use crate::model::lint::{check_padding, check_read_outs};
use crate::model::values::{check_identity, found};
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

/// Elements that only the definition of a pool on a host has.
const READ_OUTS: [&str; 3] = ["capacity", "allocation", "available"];

/// Types whose storage one host serves.
const ONE_HOST: [&str; 3] = ["netfs", "iscsi", "iscsi-direct"];

/// Adds the problems of the pool document `root` to `out`.
pub fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_identity(root, out);
    check_padding(root, out);
    check_read_outs(root, &READ_OUTS, out);
    let pool = Pool::new(root);
    if pool.name().is_none() {
        out.push(
            Diagnostic::error("missing-name", "the pool has no name")
                .at(root.span())
                .detail("libvirt would call it as its source is called")
                .hint("add that name: what a manifest asks for is known by its name"),
        );
    }
    check_hosts(pool, out);
    check_features(root, pool, out);
}

fn check_hosts(pool: Pool<'_>, out: &mut Diagnostics) {
    let backend = pool.backend().unwrap_or_default();
    let mut hosts = pool.hosts();
    if let (Some(first), Some(second)) = (hosts.next(), hosts.next())
        && ONE_HOST.contains(&backend)
    {
        out.push(
            Diagnostic::error("pool-hosts", "a pool of this type has one host")
                .at(second.span())
                .detail(format!("the type is {backend}"))
                .related(first.span(), "the first one")
                .hint("keep one of them"),
        );
    }
}

fn check_features(root: NodeRef<'_>, pool: Pool<'_>, out: &mut Diagnostics) {
    let cow = root.child("features").and_then(|features| features.child("cow"));
    let backend = pool.backend().unwrap_or_default();
    if let Some(cow) = cow.filter(|_| !["dir", "fs"].contains(&backend)) {
        out.push(
            Diagnostic::error("pool-feature", "a pool of this type has no copy on write to choose")
                .at(cow.span())
                .detail(found(backend))
                .hint("remove cow, which pools of type dir and fs have"),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use diagnostics::Sources;
    use xmltree::{Limits, parse};

    /// Each problem as `column code`, errors with `!`.
    fn problems(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add("x.xml", text);
        let root = parse(id, text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        check(root.node(), &mut out);
        out.sort();
        out.iter()
            .map(|d| {
                let (_, at) = sources.locate(d.span.unwrap()).unwrap();
                format!("{} {}{}", at.column, d.code, if d.is_error() { "!" } else { "" })
            })
            .collect()
    }

    #[test]
    fn each_rule_has_its_place() {
        let hosts = |backend: &str| {
            format!(
                "<pool type='{backend}'><name>a</name><source><host name='x'/><host name='y'/></source></pool>"
            )
        };
        for (text, expected) in [
            ("<pool type='dir'><name>a</name></pool>".to_owned(), vec![]),
            ("<pool type='dir'><name>a/b</name></pool>".into(), vec!["24 bad-name!"]),
            (
                "<pool type='rbd'><source><name>a</name></source></pool>".into(),
                vec!["1 missing-name!"],
            ),
            ("<pool type='logical'><source/></pool>".into(), vec!["1 missing-name!"]),
            (hosts("rbd"), vec![]),
            (hosts("netfs"), vec!["58 pool-hosts!"]),
            (
                "<pool type='dir'><name>a</name><capacity>1</capacity></pool>".into(),
                vec!["32 read-out"],
            ),
            (
                "<pool type='dir'><name>a</name><features><cow state='no'/></features></pool>"
                    .into(),
                vec![],
            ),
            (
                "<pool type='rbd'><name>a</name><features><cow state='no'/></features></pool>"
                    .into(),
                vec!["42 pool-feature!"],
            ),
        ] {
            assert_eq!(problems(&text), expected, "{text}");
        }
    }
}
