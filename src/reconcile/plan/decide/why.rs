//! Reasons of actions, in words; nothing is decided by them.

use crate::model::{DesiredResource, ObservedResource, Power, State};
use crate::reconcile::diff::difference::ChangeCause;
use crate::reconcile::kinds::rules;
use crate::reconcile::plan::types::{Action, FieldChange};

/// Why what was defined from this manifest is off, if it is off and nobody else's doing. An apply that
/// failed or was interrupted is ours.
pub(super) fn unstarted(
    desired: &DesiredResource,
    host: &ObservedResource,
    is_defined: bool,
) -> Option<&'static str> {
    let settings = &desired.settings;
    let wanted = matches!(settings.power, Power::Running | Power::Paused);
    if !is_defined || !wanted || host.state != State::Shutoff {
        return None;
    }
    (rules(desired.id.kind).unstarted)(desired, host)
}

/// Facts behind a reason, beside the fields that change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// Reason for which it is off although it was defined to run, if nobody turned it off.
    pub(super) unstarted: Option<&'static str>,
    /// Whether the manifest's definition is unchanged since the last apply, by its text; `None` where the
    /// whole manifest is unchanged, or was another set's.
    pub(super) same_text: Option<bool>,
    /// Whether something that is defined waits for the next boot.
    pub(super) waits: bool,
}

impl Words {
    /// Returns the reason of `action`.
    pub(super) fn reason(self, action: Action, fields: &[FieldChange]) -> &'static str {
        let named = |f: &FieldChange, names: &[&str]| names.contains(&f.path.pattern().as_str());
        let drift = fields.iter().filter(|f| f.origin == ChangeCause::Drift).count();
        let all = |names: &[&str]| drift == 0 && fields.iter().all(|f| named(f, names));
        match (action, self.unstarted, self.same_text) {
            (Action::NoOp, ..) if self.waits => "defined as the manifest says",
            (Action::NoOp, ..) => "in sync",
            (Action::Adopt, ..) => "nobody owns it yet",
            (_, Some(why), _) if all(&["power", "autostart"]) => why,
            (_, _, Some(false)) if all(&["owner"]) => "the text changed, the definition does not",
            (_, _, Some(true)) if all(&["owner"]) => {
                "the settings changed, the definition does not"
            }
            _ if drift == 0 => "the manifest changed",
            _ if drift == fields.len() => "the host was changed",
            _ => "the manifest and the host were changed",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use crate::model::Effect;
    use diagnostics::Span;
    use xmltree::Path;

    fn field(path: &str, origin: ChangeCause) -> FieldChange {
        FieldChange {
            path: Path::parse(path).unwrap(),
            before: None,
            after: None,
            effect: Effect::None,
            span: Span::NONE,
            origin,
            why: None,
        }
    }

    #[test]
    fn reasons() {
        const LAST_START_FAILED: &str = "not started: its last start failed";
        let (ours, drift) = (ChangeCause::Manifest, ChangeCause::Drift);
        let failed = Some(LAST_START_FAILED);
        for (fields, unstarted, same_text, expected) in [
            (vec![("power", ours)], failed, None, LAST_START_FAILED),
            (vec![("power", ours), ("autostart", ours)], failed, None, LAST_START_FAILED),
            (vec![("title", ours), ("power", ours)], failed, None, "the manifest changed"),
            (vec![("power", drift)], None, None, "the host was changed"),
            (vec![("owner", ours)], None, Some(false), "the text changed, the definition does not"),
            (
                vec![("owner", ours)],
                None,
                Some(true),
                "the settings changed, the definition does not",
            ),
            (vec![("owner", ours)], None, None, "the manifest changed"),
            (vec![("title", ours)], None, Some(false), "the manifest changed"),
            (
                vec![("title", ours), ("power", drift)],
                None,
                Some(false),
                "the manifest and the host were changed",
            ),
        ] {
            let shown = format!("{fields:?}");
            let fields: Vec<_> = fields.into_iter().map(|(path, from)| field(path, from)).collect();
            let words = Words { unstarted, same_text, waits: false };
            assert_eq!(words.reason(Action::Update, &fields), expected, "{shown}");
        }
    }
}
