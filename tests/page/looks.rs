//! Page in headless Chromium: its content, and the proof that nothing foreign runs.

use super::browser::{Browser, installed};
use super::{Served, statuses};
use crate::support::trial_if;
use libtest_mimic::Trial;
use std::io::Read as _;
use std::path::PathBuf;

pub(super) fn trials() -> Vec<Trial> {
    vec![trial_if(installed(), "page/browser", in_a_browser)]
}

/// One browser for all of it: starting it takes longer than the rest.
fn in_a_browser(programs: [PathBuf; 2]) {
    let browser = Browser::start(&programs);
    shows_objects_and_plans(&browser);
    links_lead_somewhere(&browser);
    nothing_foreign_runs(&browser);
    looks_well(&browser);
}

fn shows_objects_and_plans(browser: &Browser) {
    let served = Served::new(statuses::one());
    browser.go(&format!("http://{}/", served.address()));
    assert_eq!(browser.ask("return document.title"), "demo — virt");
    let rows = browser.ask(
        "return [...document.querySelectorAll('tbody tr')].map(r => r.querySelector('th').innerText)",
    );
    let names = ["domain/web", "network/backend", "network/lan", "domain/db", "domain/jump"];
    assert_eq!(rows, serde_json::json!(names));
    let count = |selector: &str| {
        browser.ask(&format!("return document.querySelectorAll('{selector}').length"))
    };
    // default is used, and not of the set
    assert_eq!(count("figure svg .node"), 6);
    assert_eq!(count("figure svg .node.other"), 1);
    assert_eq!(count("figure svg .edge"), 5);
    assert_eq!(count("ol.plans > li"), 2);
    assert_eq!(count(".warnings p"), 0);
    // the style sheet has been taken by the policy
    let family = browser.ask("return getComputedStyle(document.body).fontFamily");
    assert!(family.as_str().unwrap().starts_with("system-ui"), "{family}");
    assert_eq!(browser.console(), [""; 0]);
}

fn links_lead_somewhere(browser: &Browser) {
    let served = Served::new(statuses::fleet());
    browser.go(&format!("http://{}/?paused", served.address()));
    let rows = || browser.ask("return document.querySelectorAll('tbody tr').length").as_u64();
    let few = rows();
    browser
        .ask("document.querySelector('#objects').parentElement.querySelector('.more a').click()");
    browser.ask("return document.readyState");
    assert_eq!(browser.ask("return location.search"), "?all&paused");
    assert_eq!(rows(), Some(516));
    assert!(few < Some(61), "{few:?}");
    let links = browser.ask("return [...document.querySelectorAll('footer a')].map(a => a.href)");
    for link in links.as_array().unwrap() {
        browser.go(link.as_str().unwrap());
        let kind = browser.ask("return document.contentType");
        assert_ne!(kind, "text/html", "{link}");
    }
    browser.go(&format!("http://{}/lost", served.address()));
    assert_eq!(browser.ask("return document.querySelector('h1').innerText"), "Not found");
    // a browser says in its console that this page was answered with 404
    let console = browser.console();
    assert!(console.iter().all(|line| line.contains("404")), "{console:?}");
}

fn nothing_foreign_runs(browser: &Browser) {
    let served = Served::new(statuses::hostile());
    for path in ["/?all", "/topology.svg"] {
        browser.go(&format!("http://{}{path}", served.address()));
        assert_ne!(browser.ask("return document.title"), "owned");
        let foreign = "return document.querySelectorAll('script, img, [onerror]').length";
        assert_eq!(browser.ask(foreign), 0, "{path}");
        assert_eq!(browser.console(), [""; 0], "{path}");
    }
    // and what would run all the same is refused by the policy
    browser.go(&format!("http://{}/", served.address()));
    let script =
        "const s = document.createElement('script'); s.text = 'document.title = \"owned\"';
                  document.body.append(s); return document.title";
    assert_ne!(browser.ask(script), "owned");
    let console = browser.console();
    assert!(console.iter().any(|line| line.contains("Content Security Policy")), "{console:?}");
}

/// Saves pictures of every board on request: `VIRT_SCREENSHOTS=DIR`.
fn looks_well(browser: &Browser) {
    let directory = std::env::var_os("VIRT_SCREENSHOTS").map(PathBuf::from);
    let statuses = [
        ("one", statuses::one()),
        ("fleet", statuses::fleet()),
        ("failing", statuses::failing()),
        ("empty", statuses::empty()),
        ("hostile", statuses::hostile()),
    ];
    for (name, status) in statuses {
        let served = Served::new(status);
        browser.go(&format!("http://{}/?paused", served.address()));
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")] {
            if directory.is_none() && scheme == "dark" && name != "one" {
                continue;
            }
            browser.look(width, scheme);
            let wide = browser.ask("return document.documentElement.scrollWidth");
            assert_eq!(wide, width, "{name} has to be scrolled sideways at {width} pixels");
            let picture = browser.picture();
            assert!(is_drawn(&picture), "{name} at {width} is blank");
            if let Some(directory) = &directory {
                let path = directory.join(format!("{name}-{width}-{scheme}.png"));
                std::fs::write(path, picture).unwrap();
            }
        }
    }
}

/// Whether a PNG has more in it than one colour: blank lines are zeros after PNG's filters.
fn is_drawn(png: &[u8]) -> bool {
    let mut packed = Vec::new();
    let mut rest = &png[8..];
    while let Some((head, after)) = rest.split_at_checked(8) {
        let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        if &head[4..] == b"IDAT" {
            packed.extend(&after[..length]);
        }
        rest = &after[length + 4..];
    }
    let mut pixels = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut pixels).unwrap();
    let drawn = pixels.iter().filter(|byte| **byte != 0).count();
    drawn * 200 > pixels.len()
}
