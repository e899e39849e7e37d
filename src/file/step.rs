//! Steps of a path that is gone name by name.

use std::ffi::OsString;
use std::path::{Component, Path};

/// A step on the way.
#[derive(Debug)]
pub(super) enum Step {
    Top,
    Up,
    Down(OsString),
}

/// Puts the steps of a path before those that are left.
pub(super) fn push(left: &mut Vec<Step>, path: &Path) {
    let step = |component| match component {
        Component::Prefix(_) | Component::CurDir => None,
        Component::RootDir => Some(Step::Top),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
    };
    left.extend(path.components().rev().filter_map(step));
}
