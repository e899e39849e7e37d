//! Operations that change definitions alone, and no running instance: define, rename, autostart, edits.

use super::errors::{fault, parser_of, read};
use super::store::{Change, Object, Store};
use crate::error::{ErrorCode, ErrorDomain, Result};
use crate::model::{Affect, Kind, ResourceId, Target};
use xmltree::Element;

/// Defines a new object, or gives an object its next definition; what runs stays as it is.
pub(crate) fn define(store: &Store, kind: Kind, xml: &str) -> Result<Change> {
    let new = Object::defined(kind, read(kind, xml)?, store)?;
    let definition = new.persistent.as_ref();
    let name = definition.and_then(|d| d.child_text("name")).unwrap_or_default();
    store.check_identity(kind, &name, new.uuid)?;
    let id = ResourceId::new(kind, name);
    let object = match store.objects.get(&id) {
        Some(old) => Object { persistent: new.persistent, ..old.clone() },
        None => new,
    };
    Ok(Change::of(id, Some(object)))
}

/// Gives a domain that is shut off another name; everything else stays.
pub(crate) fn rename(store: &Store, target: &Target, name: &str) -> Result<Change> {
    let (was, object) = store.find(target)?;
    let invalid = |message| fault(ErrorCode::OPERATION_INVALID, ErrorDomain::TEST, message);
    let id = ResourceId::new(Kind::Domain, name);
    let mut object = object.clone();
    if object.is_active() || object.managed_save {
        return Err(invalid("cannot rename active domain"));
    }
    if *was == id {
        return Err(invalid("Can't rename domain to itself"));
    }
    if store.objects.contains_key(&id) {
        return Err(invalid("a domain of that name already exists"));
    }
    if let Some(definition) = &mut object.persistent {
        definition.child_or_new("name").set_text(name);
    }
    Ok(Change { id, object: Some(object), was: Some(was.clone()) })
}

/// Sets whether an object starts with its host.
pub(crate) fn set_autostart(kind: Kind, mut object: Object, on: bool) -> Result<Object> {
    if object.persistent.is_none() {
        let message = format!("cannot set autostart for transient {kind}");
        return Err(fault(ErrorCode::OPERATION_INVALID, ErrorDomain::TEST, message));
    }
    object.autostart = on;
    Ok(object)
}

/// Changes the definitions that `affect` names, both or none. The edit is given the one of the
/// two that it changes, [`Affect::Live`] or [`Affect::Config`].
pub(crate) fn edited(
    kind: Kind,
    mut object: Object,
    affect: Affect,
    edit: &dyn Fn(&mut Element, Affect) -> Result<()>,
) -> Result<Object> {
    let invalid = |message: &str| fault(ErrorCode::OPERATION_INVALID, parser_of(kind), message);
    let not_running = format!("{kind} is not running");
    let transient = if kind.is_guest() {
        "transient domains do not have any persistent config"
    } else {
        "cannot change persistent config of a transient network"
    };
    if matches!(affect, Affect::Live | Affect::Both) {
        edit(object.live.as_mut().ok_or_else(|| invalid(&not_running))?, Affect::Live)?;
    }
    if matches!(affect, Affect::Config | Affect::Both) {
        edit(object.persistent.as_mut().ok_or_else(|| invalid(transient))?, Affect::Config)?;
    }
    Ok(object)
}
