//! The status page: HTML that a browser reads again every few seconds, without scripts.
//!
//! - `objects.rs`: the table of objects, the worst first
//! - `parts.rs`: the page's input, and small parts that repeat
//! - `plans.rs`: the last plans, the newest first

mod objects;
mod parts;
mod plans;

pub(super) use parts::View;

use super::format::{exact, plain, relative};
use super::topology::{self, HostPicture, class};
use crate::controller::{Condition, ControllerStatus, Listening, Sources};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use parts::{Page, counted, sign};
use std::time::SystemTime;

/// Style sheet of the page, the pictures' rules first.
pub(super) const STYLE: &str =
    concat!(include_str!("../topology/topology.css"), include_str!("page.css"));

/// Seconds until a browser reads the page again.
const REFRESH: u32 = 5;

/// Lost hosts that are named one by one.
const LOST_MAX: usize = 5;

/// Renders the page.
pub(super) fn page(status: &ControllerStatus, view: View, now: SystemTime) -> String {
    let page = Page { status, view, now };
    let title = format!("{} — virt", plain(&status.set));
    let body = html! {
        a.skip href="#main" { "Skip to content" }
        (page.header())
        main #main {
            (page.warnings())
            (page.counts())
            (objects::objects(&page))
            div.split[page.is_small()] {
                (page.topology())
                (plans::plans(&page))
            }
        }
        footer {
            nav aria-label="The same for programs" {
                a href="/metrics" { "Metrics" } " "
                a href="/status.json" { "JSON" } " "
                a href="/topology.svg" { "Picture" } " "
                a href="/healthz" { "Health" }
            }
            p { "virt " (env!("CARGO_PKG_VERSION")) " · this page changes nothing" }
        }
    };
    document(&title, !view.paused, &body)
}

/// Renders the page for an unknown path.
pub(super) fn not_found() -> String {
    let body = html! {
        main.lone {
            h1 { "Not found" }
            p { "Available pages:" }
            ul {
                li { a href="/" { "the status page" } }
                li { a href="/metrics" { "metrics for Prometheus" } }
                li { a href="/status.json" { "the status as JSON" } }
                li { a href="/topology.svg" { "the topology as a picture" } }
                li { a href="/healthz" { "health of the watch" } }
            }
        }
    };
    document("Not found — virt", false, &body)
}

fn document(title: &str, refreshes: bool, body: &Markup) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if refreshes { meta http-equiv="refresh" content=(REFRESH); }
                title { (title) }
                link rel="icon" href="/favicon.svg" type="image/svg+xml";
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    markup.into_string()
}

impl Page<'_> {
    fn header(&self) -> Markup {
        let status = self.status;
        let paused = View { paused: true, ..self.view };
        let running = View { paused: false, ..self.view };
        html! {
            header {
                div.title {
                    h1 { bdi { (plain(&status.set)) } }
                    p { (self.summary()) }
                }
                div.clock {
                    p { "as of " (time(self.now)) }
                    @if self.view.paused {
                        p { "paused · " a href=(running.link()) { "Resume" } }
                    } @else {
                        p { "every " (REFRESH) " s · " a href=(paused.link()) { "Pause" } }
                    }
                }
            }
        }
    }

    /// Sources of the manifests and how they are watched, in a sentence or two.
    fn summary(&self) -> Markup {
        let sources = &self.status.sources;
        let paths: Vec<String> = sources.paths.iter().map(|path| plain(path)).collect();
        let listening = match sources.listening {
            Listening::Notified => "changes are noticed at once",
            Listening::Polling => "files are polled for changes",
        };
        html! {
            (counted(sources.resources, "object")) " in " code { (paths.join(", ")) }
            " · read " (self.ago(sources.loaded)) " · " (listening) " · watched since "
            (time(self.status.started))
        }
    }

    fn warnings(&self) -> Markup {
        let Sources { stale, problems, .. } = &self.status.sources;
        let lost: Vec<(&String, &(String, SystemTime))> = self
            .status
            .hosts
            .iter()
            .filter_map(|(name, h)| Some((name, h.lost.as_ref()?)))
            .collect();
        if stale.is_none() && *problems == 0 && lost.is_empty() {
            return html! {};
        }
        html! {
            section.warnings aria-label="Warnings" {
                @if let Some(why) = stale {
                    p.failing { (sign(Condition::Failing)) span {
                        strong { "The last good manifests are kept." } " " bdi { (plain(why)) }
                    } }
                }
                @for (name, (why, since)) in lost.iter().take(LOST_MAX) {
                    p.failing { (sign(Condition::Failing)) span {
                        strong { bdi { (plain(name)) } " cannot be reached" } " since "
                        (self.ago(*since)) ": " bdi { (plain(why)) }
                    } }
                }
                @if lost.len() > LOST_MAX {
                    p.failing { (sign(Condition::Failing)) span {
                        (counted(lost.len() - LOST_MAX, "more host")) " cannot be reached."
                    } }
                }
                @if *problems > 0 {
                    p.held { (sign(Condition::Blocked)) span {
                        strong { (counted(*problems, "problem")) " in the manifests." } " "
                        code { "virt validate" } " says which."
                    } }
                }
            }
        }
    }

    fn counts(&self) -> Markup {
        html! {
            section.counts aria-label="Objects by condition" {
                dl {
                    @for condition in Condition::ALL {
                        @let count = self.count(condition);
                        div class={ (class(condition)) @if count == 0 { " none" } } {
                            dt { (sign(condition)) (condition.label()) }
                            dd { (count) }
                        }
                    }
                }
            }
        }
    }

    fn topology(&self) -> Markup {
        let hosts = self.status.hosts.iter().enumerate();
        html! {
            section aria-labelledby="topology" {
                h2 #topology { "Topology" }
                @if self.status.hosts.is_empty() { p.empty { "No host yet." } }
                div.hosts {
                    @for (index, (name, host)) in hosts {
                        // what is wider than the screen is scrolled, by keyboard too
                        figure tabindex="0" aria-label=(plain(name)) {
                            (HostPicture::new(name, host).inline(index))
                        }
                    }
                }
            }
        }
    }

    fn count(&self, condition: Condition) -> usize {
        self.status.hosts.values().map(|host| topology::count(host, condition)).sum()
    }

    /// Whether the picture leaves room beside it.
    fn is_small(&self) -> bool {
        let mut hosts = self.status.hosts.values();
        hosts.next().is_some_and(topology::is_roomy) && hosts.next().is_none()
    }

    /// Whether hosts have to be distinguished.
    fn is_fleet(&self) -> bool {
        self.status.hosts.len() > 1
    }

    /// A moment in few words, and exactly as its tooltip.
    fn ago(&self, at: SystemTime) -> Markup {
        let exact = exact(at);
        html! { time datetime=(exact) title=(exact) { (relative(at, self.now)) } }
    }
}

fn time(at: SystemTime) -> Markup {
    let exact = exact(at);
    let shown = exact.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(exact) { (shown) } }
}
