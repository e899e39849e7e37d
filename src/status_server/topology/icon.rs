//! A sign for each condition: distinguished by shape, and again by colour.

use crate::controller::Condition;
use maud::{Markup, html};

/// Class of a condition in style sheets.
pub(in crate::status_server) fn class(condition: Condition) -> &'static str {
    match condition {
        Condition::InSync => "ok",
        Condition::Pending => "pending",
        Condition::Drifted => "drifted",
        Condition::Blocked => "held",
        Condition::Failing => "failing",
        Condition::Outage => "outage",
    }
}

/// The body of a sign and the mark on it, in a square of 16 pixels.
fn paths(condition: Condition) -> (&'static str, &'static str) {
    match condition {
        // a disc with a tick
        Condition::InSync => ("M8 1a7 7 0 1 1 0 14A7 7 0 1 1 8 1z", "M5 8.4l2.2 2.2L11.2 6"),
        // a clock: a ring with hands
        Condition::Pending => (
            "M8 1a7 7 0 1 1 0 14A7 7 0 1 1 8 1zM8 2.8a5.2 5.2 0 1 0 0 10.4A5.2 5.2 0 1 0 8 2.8z",
            "M8 5v3.2l2.2 1.3",
        ),
        // a diamond with a sign of inequality
        Condition::Drifted => {
            ("M8 .4L15.6 8 8 15.6.4 8z", "M5.4 6.8h5.2M5.4 9.4h5.2M9.4 4.9L6.6 11.3")
        }
        // a square with two bars
        Condition::Blocked => (
            "M3.5 1.5h9a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-9a2 2 0 0 1 2-2z",
            "M6.2 5v6M9.8 5v6",
        ),
        // a triangle with an exclamation mark
        Condition::Failing => ("M8 .9L15.8 14.8H.2z", "M8 6v3.6M8 12.2v.1"),
        // an octagon with a cross
        Condition::Outage => {
            ("M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z", "M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2")
        }
    }
}

/// The sign of a condition.
pub(in crate::status_server) fn icon(condition: Condition) -> Markup {
    let (body, mark) = paths(condition);
    html! {
        g class=(class(condition)) {
            path.i d=(body) {}
            path.m d=(mark) {}
        }
    }
}

/// The sign of a condition as a favicon, in colours of its own.
pub(in crate::status_server) fn favicon(condition: Condition) -> String {
    let (body, mark) = paths(condition);
    let (colour, mark_colour) = match condition {
        Condition::InSync => ("#1a7f45", "#fff"),
        Condition::Pending => ("#1f62c9", "#1f62c9"),
        Condition::Drifted => ("#c47a12", "#fff"),
        Condition::Blocked => ("#6d4fb8", "#fff"),
        Condition::Failing | Condition::Outage => ("#c62130", "#fff"),
    };
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" {
            path d=(body) fill=(colour) {}
            path d=(mark) fill="none" stroke=(mark_colour) stroke-width="1.8" stroke-linecap="round" {}
        }
    };
    markup.into_string()
}
