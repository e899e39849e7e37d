//! Ignored differences, each with the rule behind it, for `--explain`.

use super::difference::{Change, Edit, IgnoredDifference, Side};
use super::normalize;
use super::normalize::Equivalence;
use super::overlay::explained;
use crate::model::Kind;
use crate::reconcile::ownership::record::without_owner_record;
use crate::reconcile::ownership::redact::presented;
use xmltree::{Element, Path};

/// Lists the differences between a manifest and a definition that are not counted, the definition's own
/// additions included.
pub(crate) fn ignored(
    kind: Kind,
    side: Side,
    definition: &Element,
    manifest: &Element,
    ignore: &[Path],
) -> Vec<IgnoredDifference> {
    let definition = without_owner_record(definition);
    let (laid, mut found) = explained(kind, side, &definition, manifest, Some(manifest), ignore);
    // the comparison the other way round finds what only the definition has
    let means = normalize::prepare(kind, manifest, &definition);
    let (there, not_compared) = explained(kind, side, &means, &definition, None, &[]);
    let is_counted = |path: &Path| laid.changes.iter().any(|c| c.path.covers(path));
    let only = there.changes.into_iter().filter(|c| c.before.is_none() && !is_counted(&c.path));
    found.extend(only.map(|c| IgnoredDifference {
        rule: added_by(side, &c, ignore),
        manifest: None,
        host: c.after,
        path: c.path,
    }));
    let by_itself = |u: &IgnoredDifference| {
        u.host.is_none() && matches!(u.rule, Equivalence::OnlyAtBoot | Equivalence::OwnAffair)
    };
    let only = not_compared.into_iter().filter(by_itself);
    found.extend(only.map(|u| IgnoredDifference { manifest: None, host: u.manifest, ..u }));
    for difference in &mut found {
        for value in [&mut difference.manifest, &mut difference.host].into_iter().flatten() {
            *value = presented(&difference.path, value);
        }
    }
    found
}

/// Lists the paths of values in the definition `sent` that `manifest` does not ask for, and that were sent
/// along because the host has them.
pub fn filled_in(kind: Kind, sent: &Element, manifest: &Element, ignore: &[Path]) -> Vec<Path> {
    let theirs = |u: &IgnoredDifference| {
        u.manifest.is_none() && matches!(u.rule, Equivalence::FilledIn | Equivalence::Identity)
    };
    let all = ignored(kind, Side::NextBoot, sent, manifest, ignore);
    all.into_iter().filter(theirs).map(|u| u.path).collect()
}

fn added_by(side: Side, change: &Change, ignore: &[Path]) -> Equivalence {
    let path = &change.path;
    match &change.edit {
        _ if ignore.iter().any(|i| i.covers(path)) => Equivalence::Ignored,
        _ if normalize::is_kept(path) => Equivalence::Identity,
        Edit::Add(e) if side == Side::Running && normalize::is_no_limit(path, e) => {
            Equivalence::NoLimit
        }
        Edit::Add(_) | Edit::Set | Edit::Remove => Equivalence::FilledIn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceId;
    use xmltree::{Limits, parse};

    /// Equivalences that hold for the next boot only: the host's value, the manifest's, the path and the
    /// rule.
    const NEXT_BOOT: &[(&str, &str, &str, Equivalence)] = &[
        ("<clock/>", "", "clock", Equivalence::FilledIn),
        ("<os><nvram>1</nvram></os>", "<os/>", "os/nvram", Equivalence::Identity),
        ("<a x='1'/>", "<a x=' 1'/>", "a/@x", Equivalence::Blanks),
        ("<memory>2048</memory>", "<memory unit='MiB'>2</memory>", "memory", Equivalence::Amount),
        ("<a index='0x1'/>", "<a index='1'/>", "a/@index", Equivalence::Number),
        ("<a mode='0644'/>", "<a mode='644'/>", "a/@mode", Equivalence::Mode),
        ("<a cpuset='0,1'/>", "<a cpuset='0-1'/>", "a/@cpuset", Equivalence::Set),
        ("<a mac='52:54:00:00:00:0a'/>", "<a mac='52:54:0:0:0:A'/>", "a/@mac", Equivalence::Mac),
        (
            "<uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>",
            "<uuid>C7A5FDBDEDAF9455926AD65C16DB1809</uuid>",
            "uuid",
            Equivalence::Uuid,
        ),
        ("<a ip='::1'/>", "<a ip='0::1'/>", "a/@ip", Equivalence::Address),
        ("<ip netmask='255.0.0.0'/>", "<ip prefix='8'/>", "ip/@prefix", Equivalence::Netmask),
        ("<ip prefix='8'/>", "<ip netmask='255.0.0.0'/>", "ip/@netmask", Equivalence::Netmask),
        ("<a machine='pc-q35-10.0'/>", "<a machine='q35'/>", "a/@machine", Equivalence::Machine),
        ("<model vram='16'/>", "<model vram='10'/>", "model/@vram", Equivalence::PowerOfTwo),
        ("<model type='E1000'/>", "<model type='e1000'/>", "model/@type", Equivalence::Case),
        (
            "<controller model='x'/>",
            "<controller model='auto'/>",
            "controller/@model",
            Equivalence::Auto,
        ),
        (
            "<source name='iqn.a/0'/>",
            "<source name='iqn.a'/>",
            "source/@name",
            Equivalence::FirstUnit,
        ),
        ("<ip/>", "<ip family='ipv4'/>", "ip/@family", Equivalence::Default),
        ("<vcpu>2</vcpu>", "<vcpu current='2'>2</vcpu>", "vcpu/@current", Equivalence::Implied),
        ("<a passwd='b'/>", "<a passwd='(sensitive)'/>", "a/@passwd", Equivalence::Secret),
        (
            "<cpu mode='maximum' migratable='on'/>",
            "<cpu mode='host-model'/>",
            "cpu/@migratable",
            Equivalence::Renewed,
        ),
        ("<other x='1'/>", "<other x='2'/>", "other/@x", Equivalence::Ignored),
        ("<other x='1'/>", "", "other", Equivalence::Ignored),
    ];

    const RUNNING: &[(&str, &str, &str, Equivalence)] = &[
        ("<memory>2048</memory>", "<memory>1900</memory>", "memory", Equivalence::WholeMib),
        ("<cpu mode='custom'/>", "<cpu mode='host-model'/>", "cpu/@mode", Equivalence::OnlyAtBoot),
        ("<cpu mode='custom'/>", "<cpu/>", "cpu/@mode", Equivalence::OnlyAtBoot),
        ("<cputune><quota>-1</quota></cputune>", "", "cputune", Equivalence::NoLimit),
        ("<serial tty='/dev/pts/1'/>", "<serial/>", "serial/@tty", Equivalence::OwnAffair),
    ];

    fn tree(inside: &str) -> Element {
        let text = format!("<domain>{inside}</domain>");
        parse(SourceId::NONE, &text, &Limits::default()).expect("well-formed")
    }

    #[test]
    fn each_rule_is_behind_a_difference() {
        let ignore = [Path::parse("other").expect("a path")];
        let mut seen = Vec::new();
        for (side, rows) in [(Side::NextBoot, NEXT_BOOT), (Side::Running, RUNNING)] {
            for (host, manifest, path, rule) in rows {
                let found = ignored(Kind::Domain, side, &tree(host), &tree(manifest), &ignore);
                let is_it = |u: &IgnoredDifference| u.path.to_string() == *path && u.rule == *rule;
                assert!(found.iter().any(is_it), "{host} {manifest}: {found:#?}");
                assert!(!format!("{found:?}").contains("\"b\""), "a secret: {found:#?}");
                seen.push(*rule);
            }
        }
        let unseen: Vec<&Equivalence> =
            Equivalence::ALL.iter().filter(|rule| !seen.contains(rule)).collect();
        assert!(unseen.is_empty(), "{unseen:?}");
    }

    #[test]
    fn what_is_counted_is_not_among_them() {
        let (host, manifest) = (tree("<a x='1'/><b>2</b>"), tree("<a x='2'/><b>3</b>"));
        let found = ignored(Kind::Domain, Side::NextBoot, &host, &manifest, &[]);
        assert_eq!(found, []);
    }
}
