//! The settings of the reconciler, taken out of a resource's metadata.
//!
//! They stand in a `<virt:reconcile>` in the namespace `urn:virt:reconcile:1`; the TOML reader puts
//! a `[domain.reconcile]` there as well, so that this is the one place that knows them.

use crate::diag::{Diagnostic, Diagnostics, Span, closest, excerpt};
use crate::model::{Effect, NAMESPACE, PREFIX, Power, ResourceId, Settings, Stop};
use crate::xml::{Attribute, Element, Name, Path};
use std::time::Duration;

/// The element that holds the settings.
pub(super) const ELEMENT: &str = "reconcile";
/// The element that says who owns an object; `virt` writes it, manifests do not.
const OWNED: &str = "owned";

const ATTRIBUTES: [&str; 5] = ["power", "autostart", "prevent_destroy", "adopt", "replace"];
const CHILDREN: [&str; 4] = ["depends_on", "stop", "allow", "ignore"];

/// Settings and where the dependencies stand.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) settings: Settings,
    /// For each of `settings.depends_on`, its place.
    pub(super) places: Vec<Span>,
}

/// Whether an element holds settings.
pub(super) fn is_settings(e: &Element) -> bool {
    e.name.namespace.as_deref() == Some(NAMESPACE) && e.name.local == ELEMENT
}

/// The element that says how an object is kept: what an exported manifest has in its metadata.
pub fn settings_element(power: Power, autostart: bool) -> Element {
    let autostart = if autostart { "yes" } else { "no" };
    Element::named(Name::qualified(PREFIX, NAMESPACE, ELEMENT))
        .with_attr("power", power.word())
        .with_attr("autostart", autostart)
}

/// Takes the settings out of `root`, and the mark of ownership that a document read from a host
/// has; metadata that held nothing else goes with them.
pub(super) fn take(root: &mut Element, out: &mut Diagnostics) -> Found {
    let mut found = Found::default();
    let Some(metadata) = root.child_mut("metadata") else { return found };
    let mut first: Option<Span> = None;
    for e in metadata.elements().filter(|e| e.name.namespace.as_deref() == Some(NAMESPACE)) {
        match (e.name.local.as_str(), first) {
            (ELEMENT, None) => {
                found = read(e, out);
                first = Some(e.span);
            }
            (ELEMENT, Some(first)) => out.push(
                Diagnostic::error("bad-setting", "the settings are given twice")
                    .at(e.span)
                    .related(first, "the first ones"),
            ),
            (OWNED, _) => {}
            (other, _) => out.push(unknown("element", other, e.span, &[ELEMENT])),
        }
    }
    let any = metadata.remove_elements(|e| e.name.namespace.as_deref() == Some(NAMESPACE));
    if any && metadata.elements().next().is_none() && !metadata.has_text() {
        root.remove_elements(|e| e.is("metadata"));
    }
    found
}

fn read(element: &Element, out: &mut Diagnostics) -> Found {
    let mut found = Found::default();
    let settings = &mut found.settings;
    for a in &element.attributes {
        match own_name(&a.name) {
            "power" => match Power::parse(&a.value) {
                Some(power) => settings.power = power,
                None => out.push(bad_word(a, "power", &Power::ALL.map(Power::word))),
            },
            "autostart" => settings.autostart = truth(a, out),
            "prevent_destroy" => settings.prevent_destroy = truth(a, out).unwrap_or_default(),
            "adopt" => settings.adopt = truth(a, out).unwrap_or_default(),
            "replace" => settings.replace = truth(a, out).unwrap_or_default(),
            other => {
                let known: Vec<&str> = ATTRIBUTES.into_iter().chain(CHILDREN).collect();
                out.push(unknown("setting", other, a.name_span, &known));
            }
        }
    }
    for child in element.elements() {
        read_child(child, &mut found, out);
    }
    found
}

fn read_child(child: &Element, found: &mut Found, out: &mut Diagnostics) {
    let text = child.text();
    let bad = |summary: &str, hint: &str| {
        Diagnostic::error("bad-setting", summary)
            .at(child.text_span())
            .detail(format!("found \"{}\"", excerpt(&text)))
            .hint(hint)
    };
    match own_name(&child.name) {
        "depends_on" => match ResourceId::parse(&text) {
            Some(id) => {
                found.settings.depends_on.push(id);
                found.places.push(child.text_span());
            }
            None => out.push(bad(
                "a dependency does not name a resource",
                "write KIND/NAME, such as network/lan or domain/db",
            )),
        },
        "allow" => match Effect::parse(&text) {
            Some(effect) => found.settings.allow.push(effect),
            None => {
                let words = Effect::ALL.map(Effect::word);
                let hint = did_you_mean(&text, &words);
                out.push(bad("there is no such effect to allow", &hint));
            }
        },
        "ignore" => match Path::parse(&text) {
            Some(path) => found.settings.ignore.push(path),
            None => out.push(bad(
                "a path to ignore cannot be read",
                "write the elements from the root down, such as devices/video or os/type/@machine",
            )),
        },
        "stop" => found.settings.stop = read_stop(child, out),
        other => {
            let known: Vec<&str> = ATTRIBUTES.into_iter().chain(CHILDREN).collect();
            out.push(unknown("setting", other, child.span, &known));
        }
    }
}

fn read_stop(element: &Element, out: &mut Diagnostics) -> Stop {
    let mut stop = Stop::default();
    for a in &element.attributes {
        match own_name(&a.name) {
            "timeout" => match duration(&a.value) {
                Some(timeout) if timeout <= Stop::MAX => stop.timeout = timeout,
                Some(_) | None => out.push(
                    Diagnostic::error("bad-setting", "the time to stop cannot be read")
                        .at(a.span)
                        .detail(format!("found \"{}\"", excerpt(&a.value)))
                        .hint("write a number with ms, s, m or h, such as 60s; at most 24h"),
                ),
            },
            "force" => stop.force = truth(a, out).unwrap_or_default(),
            other => out.push(unknown("setting", other, a.name_span, &["timeout", "force"])),
        }
    }
    for child in element.elements() {
        out.push(unknown("setting", &child.name.local, child.span, &["timeout", "force"]));
    }
    stop
}

/// The local part of a name that is ours, with our prefix or without; another's is empty.
fn own_name(name: &Name) -> &str {
    match name.namespace.as_deref() {
        None | Some(NAMESPACE) => &name.local,
        Some(_) => "",
    }
}

/// A number with its unit; seconds without one.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" | "" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(60 * 60)?)),
        _ => None,
    }
}

fn truth(a: &Attribute, out: &mut Diagnostics) -> Option<bool> {
    match a.value.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => {
            out.push(bad_word(a, &a.name.local, &["yes", "no"]));
            None
        }
    }
}

fn bad_word(a: &Attribute, name: &str, words: &[&str]) -> Diagnostic {
    Diagnostic::error("bad-setting", format!("{name} has no such value"))
        .at(a.span)
        .detail(format!("found \"{}\"", excerpt(&a.value)))
        .hint(did_you_mean(&a.value, words))
}

fn unknown(what: &str, name: &str, span: Span, known: &[&str]) -> Diagnostic {
    Diagnostic::error("unknown-setting", format!("virt has no such {what}"))
        .at(span)
        .detail(format!("found \"{}\"", excerpt(name)))
        .hint(did_you_mean(name, known))
}

fn did_you_mean(word: &str, known: &[&str]) -> String {
    match closest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("expected one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use crate::diag::Sources;
    use crate::xml::{Limits, parse, write_compact};

    /// The settings in `inside`, what is left of the document, and each problem.
    fn read(inside: &str) -> (Found, String, Vec<String>) {
        let text = format!(
            "<domain xmlns:v='urn:virt:reconcile:1'><metadata>\n{inside}</metadata></domain>"
        );
        let mut sources = Sources::default();
        let id = sources.add("x.xml", text.as_str());
        let mut root = parse(id, &text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        let found = take(&mut root, &mut out);
        let problem = |d: &Diagnostic| {
            let (_, at) = sources.locate(d.span.unwrap()).unwrap();
            format!("{}:{} {}; {}", at.line, at.column, d.summary, d.hint.as_deref().unwrap_or(""))
        };
        (found, write_compact(&root), out.iter().map(problem).collect())
    }

    #[test]
    fn all_settings_are_read_and_taken_out() {
        let (found, left, problems) = read(
            "<v:owned set='x'/><v:reconcile power='paused' autostart='no' prevent_destroy='yes' \
             adopt='yes' replace='yes'><depends_on>network/lan</depends_on>\
             <v:depends_on>domain/db</v:depends_on><stop timeout='2m' force='yes'/>\
             <allow>restart</allow><ignore>devices/video</ignore></v:reconcile>",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(left, "<domain xmlns:v='urn:virt:reconcile:1'/>");
        let expected = Settings {
            power: Power::Paused,
            autostart: Some(false),
            depends_on: ["network/lan", "domain/db"].map(|d| ResourceId::parse(d).unwrap()).into(),
            stop: Stop { timeout: Duration::from_secs(120), force: true },
            allow: vec![Effect::Restart],
            prevent_destroy: true,
            ignore: vec![Path::parse("devices/video").unwrap()],
            adopt: true,
            replace: true,
        };
        assert_eq!(found.settings, expected);
        assert_eq!(found.places.len(), 2);
    }

    #[test]
    fn what_others_keep_in_the_metadata_stays() {
        let (found, left, problems) = read("<a:b xmlns:a='urn:a'/><v:reconcile/>");
        assert_eq!((found.settings, problems), (Settings::default(), vec![]));
        assert!(left.contains("<metadata><a:b xmlns:a='urn:a'/></metadata>"), "{left}");
    }

    #[test]
    fn problems_have_their_place_and_a_way_out() {
        for (inside, problem) in [
            (
                "<v:reconcile power='runing'/>",
                "2:21 power has no such value; did you mean running?",
            ),
            (
                "<v:reconcile autostart='1'/>",
                "2:25 autostart has no such value; expected one of yes, no",
            ),
            (
                "<v:reconcile autostrat='yes'/>",
                "2:14 virt has no such setting; did you mean autostart?",
            ),
            (
                "<v:reconcile><alow>restart</alow></v:reconcile>",
                "2:14 virt has no such setting; did you mean allow?",
            ),
            (
                "<v:reconcile><allow>restrat</allow></v:reconcile>",
                "2:21 there is no such effect to allow; did you mean restart?",
            ),
            (
                "<v:reconcile><stop timeout='1 min'/></v:reconcile>",
                "2:29 the time to stop cannot be read; write a number with ms, s, m or h, such as 60s; at most 24h",
            ),
            (
                "<v:reconcile><stop timeot='1m'/></v:reconcile>",
                "2:20 virt has no such setting; did you mean timeout?",
            ),
            (
                "<v:reconcile><depends_on>db</depends_on></v:reconcile>",
                "2:26 a dependency does not name a resource; write KIND/NAME, such as network/lan or domain/db",
            ),
            ("<v:reconcil/>", "2:1 virt has no such element; did you mean reconcile?"),
            ("<v:reconcile/><v:reconcile/>", "2:15 the settings are given twice; "),
        ] {
            assert_eq!(read(inside).2, [problem], "{inside}");
        }
    }

    #[test]
    fn times() {
        for (text, seconds) in [("60s", Some(60)), ("5", Some(5)), ("2h", Some(7_200)), ("", None)]
        {
            assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("99999999999999999999s"), None);
        assert_eq!(duration("9999999999999999999h"), None);
    }
}
