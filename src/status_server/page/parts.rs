//! Input of the page, and small parts that it repeats.

use crate::controller::{Condition, ControllerStatus};
use crate::status_server::topology::icon;
use maud::{Markup, html};
use std::time::SystemTime;

/// View options of the page, by words of its query.
#[derive(Clone, Copy, Debug)]
pub(in crate::status_server) struct View {
    /// Show all objects and plans, not only the first.
    pub(in crate::status_server) all: bool,
    /// Show the current state without refreshing.
    pub(in crate::status_server) paused: bool,
}

impl View {
    /// Link to the page with these options.
    pub(super) fn link(self) -> &'static str {
        match (self.all, self.paused) {
            (false, false) => "/",
            (true, false) => "/?all",
            (false, true) => "/?paused",
            (true, true) => "/?all&paused",
        }
    }
}

/// Snapshot, time and view options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    pub(super) status: &'a ControllerStatus,
    pub(super) view: View,
    pub(super) now: SystemTime,
}

/// A condition's sign beside its label.
pub(super) fn sign(condition: Condition) -> Markup {
    html! {
        svg.sign width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" { (icon(condition)) }
    }
}

/// A number with its noun.
pub(super) fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}
