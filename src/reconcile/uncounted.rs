//! Differences that are not counted, each with the rule behind it: what `--explain` shows.

use super::normalize::{self, Rule};
use super::overlay::{Side, explained};
use super::ownership::without_mark;
use super::secret::{REDACTED, is_secret};
use crate::model::Kind;
use crate::xml::{Element, Path};

/// A difference that is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncounted {
    /// Which field.
    pub path: Path,
    /// What the manifest has there.
    pub manifest: Option<String>,
    /// What the definition has there.
    pub host: Option<String>,
    /// Why it is none.
    pub rule: Rule,
}

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
        manifest: None,
        host: c.after,
        rule: added_by(&c.path, ignore),
        path: c.path,
    }));
    let by_itself =
        |u: &Uncounted| u.host.is_none() && matches!(u.rule, Rule::OnlyAtBoot | Rule::OwnAffair);
    let only = not_compared.into_iter().filter(by_itself);
    found.extend(only.map(|u| Uncounted { manifest: None, host: u.manifest, ..u }));
    for difference in found.iter_mut().filter(|d| is_secret(&d.path)) {
        for value in [&mut difference.manifest, &mut difference.host].into_iter().flatten() {
            REDACTED.clone_into(value);
        }
    }
    found
}

fn added_by(path: &Path, ignore: &[Path]) -> Rule {
    if ignore.iter().any(|i| i.covers(path)) {
        Rule::Ignored
    } else if normalize::is_kept(path) {
        Rule::Identity
    } else {
        Rule::FilledIn
    }
}
