//! Differences that are not counted, each with the rule behind it: what `--explain` shows.

use super::difference::{Change, Edit, Side, Uncounted};
use super::normalize::{self, Rule};
use super::overlay::explained;
use super::ownership::without_mark;
use super::secret::{REDACTED, is_private};
use crate::model::Kind;
use crate::xml::{Element, Path};

/// What a manifest and a definition have differently without its being counted, the definition's own
/// additions included.
pub(crate) fn uncounted(
    kind: Kind,
    side: Side,
    definition: &Element,
    manifest: &Element,
    ignore: &[Path],
) -> Vec<Uncounted> {
    let definition = without_mark(definition);
    let (laid, mut found) = explained(kind, side, &definition, manifest, Some(manifest), ignore);
    // the comparison the other way round finds what only the definition has
    let means = normalize::prepare(kind, manifest, &definition);
    let (there, not_compared) = explained(kind, side, &means, &definition, None, &[]);
    let is_counted = |path: &Path| laid.changes.iter().any(|c| c.path.covers(path));
    let only = there.changes.into_iter().filter(|c| c.before.is_none() && !is_counted(&c.path));
    found.extend(only.map(|c| Uncounted {
        rule: added_by(side, &c, ignore),
        manifest: None,
        host: c.after,
        path: c.path,
    }));
    let by_itself =
        |u: &Uncounted| u.host.is_none() && matches!(u.rule, Rule::OnlyAtBoot | Rule::OwnAffair);
    let only = not_compared.into_iter().filter(by_itself);
    found.extend(only.map(|u| Uncounted { manifest: None, host: u.manifest, ..u }));
    for difference in found.iter_mut().filter(|d| is_private(&d.path)) {
        for value in [&mut difference.manifest, &mut difference.host].into_iter().flatten() {
            REDACTED.clone_into(value);
        }
    }
    found
}

/// What a host had filled in of the definition `sent`: values that `manifest` does not ask for, and
/// that were sent along because the host has them.
pub fn filled_in(kind: Kind, sent: &Element, manifest: &Element, ignore: &[Path]) -> Vec<Path> {
    let theirs =
        |u: &Uncounted| u.manifest.is_none() && matches!(u.rule, Rule::FilledIn | Rule::Identity);
    let all = uncounted(kind, Side::NextBoot, sent, manifest, ignore);
    all.into_iter().filter(theirs).map(|u| u.path).collect()
}

fn added_by(side: Side, change: &Change, ignore: &[Path]) -> Rule {
    let path = &change.path;
    match &change.edit {
        _ if ignore.iter().any(|i| i.covers(path)) => Rule::Ignored,
        _ if normalize::is_kept(path) => Rule::Identity,
        Edit::Add(e) if side == Side::Running && normalize::is_no_limit(path, e) => Rule::NoLimit,
        Edit::Add(_) | Edit::Set | Edit::Remove => Rule::FilledIn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SourceId;
    use crate::xml::{Limits, parse};

    /// What a host has, what a manifest has, the path and the rule.
    const NEXT_BOOT: &[(&str, &str, &str, Rule)] = &[
        ("<clock/>", "", "clock", Rule::FilledIn),
        ("<os><nvram>1</nvram></os>", "<os/>", "os/nvram", Rule::Identity),
        ("<a x='1'/>", "<a x=' 1'/>", "a/@x", Rule::Blanks),
        ("<memory>2048</memory>", "<memory unit='MiB'>2</memory>", "memory", Rule::Amount),
        ("<a index='0x1'/>", "<a index='1'/>", "a/@index", Rule::Number),
        ("<a mode='0644'/>", "<a mode='644'/>", "a/@mode", Rule::Mode),
        ("<a cpuset='0,1'/>", "<a cpuset='0-1'/>", "a/@cpuset", Rule::Set),
        ("<a mac='52:54:00:00:00:0a'/>", "<a mac='52:54:0:0:0:A'/>", "a/@mac", Rule::Mac),
        (
            "<uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>",
            "<uuid>C7A5FDBDEDAF9455926AD65C16DB1809</uuid>",
            "uuid",
            Rule::Uuid,
        ),
        ("<a ip='::1'/>", "<a ip='0::1'/>", "a/@ip", Rule::Address),
        ("<ip netmask='255.0.0.0'/>", "<ip prefix='8'/>", "ip/@prefix", Rule::Netmask),
        ("<ip prefix='8'/>", "<ip netmask='255.0.0.0'/>", "ip/@netmask", Rule::Netmask),
        ("<a machine='pc-q35-10.0'/>", "<a machine='q35'/>", "a/@machine", Rule::Machine),
        ("<model vram='16'/>", "<model vram='10'/>", "model/@vram", Rule::PowerOfTwo),
        ("<model type='E1000'/>", "<model type='e1000'/>", "model/@type", Rule::Case),
        ("<controller model='x'/>", "<controller model='auto'/>", "controller/@model", Rule::Auto),
        ("<source name='iqn.a/0'/>", "<source name='iqn.a'/>", "source/@name", Rule::FirstUnit),
        ("<ip/>", "<ip family='ipv4'/>", "ip/@family", Rule::Default),
        ("<vcpu>2</vcpu>", "<vcpu current='2'>2</vcpu>", "vcpu/@current", Rule::Implied),
        ("<a passwd='b'/>", "<a passwd='(sensitive)'/>", "a/@passwd", Rule::Secret),
        (
            "<cpu mode='maximum' migratable='on'/>",
            "<cpu mode='host-model'/>",
            "cpu/@migratable",
            Rule::Renewed,
        ),
        ("<other x='1'/>", "<other x='2'/>", "other/@x", Rule::Ignored),
        ("<other x='1'/>", "", "other", Rule::Ignored),
    ];

    const RUNNING: &[(&str, &str, &str, Rule)] = &[
        ("<memory>2048</memory>", "<memory>1900</memory>", "memory", Rule::WholeMib),
        ("<cpu mode='custom'/>", "<cpu mode='host-model'/>", "cpu/@mode", Rule::OnlyAtBoot),
        ("<cpu mode='custom'/>", "<cpu/>", "cpu/@mode", Rule::OnlyAtBoot),
        ("<cputune><quota>-1</quota></cputune>", "", "cputune", Rule::NoLimit),
        ("<serial tty='/dev/pts/1'/>", "<serial/>", "serial/@tty", Rule::OwnAffair),
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
                let found = uncounted(Kind::Domain, side, &tree(host), &tree(manifest), &ignore);
                let is_it = |u: &Uncounted| u.path.to_string() == *path && u.rule == *rule;
                assert!(found.iter().any(is_it), "{host} {manifest}: {found:#?}");
                assert!(!format!("{found:?}").contains("\"b\""), "a secret: {found:#?}");
                seen.push(*rule);
            }
        }
        let unseen: Vec<&Rule> = Rule::ALL.iter().filter(|rule| !seen.contains(rule)).collect();
        assert!(unseen.is_empty(), "{unseen:?}");
    }

    #[test]
    fn what_is_counted_is_not_among_them() {
        let (host, manifest) = (tree("<a x='1'/><b>2</b>"), tree("<a x='2'/><b>3</b>"));
        let found = uncounted(Kind::Domain, Side::NextBoot, &host, &manifest, &[]);
        assert_eq!(found, []);
    }
}
