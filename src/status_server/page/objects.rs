//! The table of objects, the worst first.

use super::parts::{Page, View, counted, sign};
use crate::controller::{Condition, ResourceStatus};
use crate::model::{ResourceId, shown_name};
use crate::status_server::format::plain;
use crate::status_server::topology::class;
use maud::{Markup, html};
use std::cmp::Reverse;

/// Number of objects that are shown in any case.
const ROWS_MIN: usize = 12;

/// Limit on the objects that are shown unless all are asked for.
const ROWS_MAX: usize = 60;

/// A row: host, id, and status.
type Row<'a> = (&'a str, &'a ResourceId, &'a ResourceStatus);

pub(super) fn objects(page: &Page<'_>) -> Markup {
    let rows = rows(page);
    let troubled = rows.iter().filter(|(_, _, o)| o.condition != Condition::InSync).count();
    let shown = match page.view.all {
        true => rows.len(),
        false => troubled.clamp(ROWS_MIN, ROWS_MAX).min(rows.len()),
    };
    html! {
        section aria-labelledby="objects" {
            h2 #objects { "Objects" }
            @if rows.is_empty() {
                p.empty { "No object yet." }
            } @else {
                (table(page, rows.get(..shown).unwrap_or(&rows), rows.len()))
                (more(page.view, shown, rows.len()))
            }
        }
    }
}

fn rows<'a>(page: &Page<'a>) -> Vec<Row<'a>> {
    let hosts = page.status.hosts.iter();
    let mut rows: Vec<Row<'a>> = hosts
        .flat_map(|(name, host)| host.objects.iter().map(|(id, o)| (name.as_str(), id, o)))
        .collect();
    // hosts and ids are in order already
    rows.sort_by_key(|(_, _, object)| Reverse(object.condition));
    rows
}

// The roles say again what the elements say: a narrow screen shows rows as blocks, and browsers then
// take a table for none.
fn table(page: &Page<'_>, rows: &[Row<'_>], all: usize) -> Markup {
    let retries = rows.iter().any(|(_, _, object)| object.next_try.is_some());
    let columns = [
        ("Condition", true),
        ("Object", true),
        ("Host", page.is_fleet()),
        ("State", true),
        ("Since", true),
        ("Detail", true),
        ("Next try", retries),
    ];
    html! {
        table role="table" {
            caption { (rows.len()) " of " (counted(all, "object")) ", the worst first" }
            thead role="rowgroup" {
                tr role="row" {
                    @for (column, _) in columns.into_iter().filter(|(_, wanted)| *wanted) {
                        th scope="col" role="columnheader" { (column) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for row in rows { (table_row(page, row, retries)) }
            }
        }
    }
}

fn table_row(page: &Page<'_>, (host, id, object): &Row<'_>, retries: bool) -> Markup {
    html! {
        tr role="row" class=(class(object.condition)) {
            td.condition role="cell" { (sign(object.condition)) (object.condition.label()) }
            th scope="row" role="rowheader" {
                span.kind { (id.kind) "/" } bdi { (shown_name(&id.name)) }
            }
            @if page.is_fleet() { td.host role="cell" { bdi { (plain(host)) } } }
            td.state role="cell" { (plain(&object.state)) }
            td.since role="cell" { (page.ago(object.since)) }
            td.detail role="cell" {
                bdi { (plain(&object.detail)) }
                @if object.failures > 1 { span.times { " failed " (object.failures) " times" } }
            }
            @if retries {
                td.next role="cell" { @if let Some(at) = object.next_try { (page.ago(at)) } }
            }
        }
    }
}

fn more(view: View, shown: usize, all: usize) -> Markup {
    html! {
        @if shown < all {
            p.more { a href=(View { all: true, ..view }.link()) { "Show all " (all) " objects" } }
        } @else if view.all && all > ROWS_MIN {
            p.more { a href=(View { all: false, ..view }.link()) { "Show only the worst" } }
        }
    }
}
