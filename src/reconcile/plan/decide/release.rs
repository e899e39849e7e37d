//! An object that its set lets go of: it stays as it is, and nobody's record is on it any more.

use super::decision::{Context, Decision, aimed, call};
use crate::model::{
    Affect, DomainOp, Effect, MetadataKind, NAMESPACE, ObservedResource, OpKind, PREFIX, Target,
};
use crate::reconcile::diff::difference::ChangeCause;
use crate::reconcile::kinds::rules;
use crate::reconcile::ownership::record::without_owner_record;
use crate::reconcile::plan::types::{Action, FieldChange, ResourceChange};
use diagnostics::Span;
use xmltree::{Document, Element, Path, write};

/// Takes the record of `owner` off an object: out of its next boot's definition, and out of the domain
/// that runs. An active network keeps it until its next start, where nobody reads it.
pub(crate) fn release(context: Context<'_>, host: &ObservedResource, owner: &str) -> Decision {
    let mut steps = Vec::new();
    let bare = host.persistent.as_ref().map(Document::as_element).map(without_owner_record);
    if let Some(definition) = &bare {
        steps.push(call((rules(host.id.kind).ops.define)(write(definition)), Effect::None));
    }
    let can_set = context.capabilities.supports(host.id.kind, OpKind::SetMetadata);
    if host.id.kind.is_guest()
        && can_set
        && host.live.as_ref().map(Document::as_element).is_some_and(is_ours)
    {
        let kind = MetadataKind::Element { key: PREFIX.to_owned(), uri: NAMESPACE.to_owned() };
        let off = DomainOp::SetMetadata { kind, value: None, affect: Affect::Live };
        steps.push(call(off, Effect::None));
    }
    let owned = FieldChange {
        path: Path::parse("owner").unwrap_or_default(),
        before: Some(owner.to_owned()),
        after: None,
        effect: Effect::None,
        span: Span::NONE,
        origin: ChangeCause::Manifest,
        why: None,
    };
    let change = ResourceChange {
        action: Action::Update,
        reason: "released by its set".to_owned(),
        fields: vec![owned],
        before: bare.clone(),
        after: bare,
        ..ResourceChange::nothing(host.id.clone(), Span::NONE)
    };
    let target = Target { id: host.id.clone(), uuid: host.uuid };
    Decision { change, steps: aimed(&target, steps), refusal: None, afterwards: None }
}

/// Whether the metadata has an element of ours.
fn is_ours(live: &Element) -> bool {
    let ours = |e: &Element| e.name.namespace.as_deref() == Some(NAMESPACE);
    live.child("metadata").is_some_and(|metadata| metadata.elements().any(ours))
}
