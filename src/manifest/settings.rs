//! The settings of the reconciler, taken out of a resource's metadata.
//!
//! They stand in a `<virt:reconcile>` in the namespace `urn:virt:reconcile:1`; the TOML reader puts
//! a `[domain.reconcile]` there as well, so that this is the one place that reads them. What they
//! may be is in the grammar; here is said only what it cannot say.

use crate::model::{
    Effect, HostPattern, Kind, NAMESPACE, PREFIX, Power, ResourceId, Settings, ShutdownPolicy,
    check_name,
};
use diagnostics::{Diagnostic, Diagnostics, Span, excerpt};
use std::time::Duration;
use xmltree::{Element, Name, Path};

/// The element that holds the settings.
pub(super) const ELEMENT: &str = "reconcile";

/// Settings and where the dependencies stand.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) settings: Settings,
    /// Places of the entries of `settings.depends_on`.
    pub(super) places: Vec<Span>,
    /// Patterns that choose its hosts. They are matched while manifests are read: a planner gets those for
    /// one host.
    pub(super) hosts: Vec<(HostPattern, Span)>,
    /// The name of what it is in, and where that stands: a volume's document does not have its pool.
    pub(super) parent: Option<(String, Span)>,
}

/// Whether an element holds settings.
pub(super) fn is_settings(e: &Element) -> bool {
    e.name.namespace.as_deref() == Some(NAMESPACE) && e.name.local == ELEMENT
}

/// Builds the element with the settings of an object: an exported manifest has it in its metadata. Defaults
/// are left out, but for the power state.
pub fn settings_element(settings: &Settings) -> Element {
    let yes = |on: bool| on.then_some("yes");
    let mut element = Element::named(Name::qualified(PREFIX, NAMESPACE, ELEMENT));
    element.set_attr("power", settings.power.as_str());
    element.put_attr("autostart", settings.autostart.map(|on| if on { "yes" } else { "no" }));
    element.put_attr("apply_on_reboot", yes(settings.apply_on_reboot));
    element.put_attr("prevent_destroy", yes(settings.prevent_destroy));
    let needs = settings.depends_on.iter();
    let needs = needs.map(|id| ("depends_on", format!("{}/{}", id.kind, id.name)));
    let allow = settings.allow.iter().map(|effect| ("allow", effect.as_str().to_owned()));
    let ignore = settings.ignore.iter().map(|path| ("ignore", path.to_string()));
    for (name, text) in needs.chain(allow).chain(ignore) {
        element.push(Element::new(name).with_text(text));
    }
    let (stop, usual) = (settings.stop, ShutdownPolicy::default());
    if stop != usual {
        let mut said = Element::new("stop");
        let timeout = (stop.timeout != usual.timeout).then(|| written(stop.timeout));
        said.put_attr("timeout", timeout.as_deref());
        said.put_attr("force", yes(stop.force));
        element.push(said);
    }
    element
}

/// A time as [`duration`] reads it.
fn written(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

/// Takes the settings out of `root`, and the mark of ownership that a document read from a host
/// has; metadata that held nothing else goes with them. Where a kind has no metadata, they stand in the
/// root itself.
pub(super) fn take(kind: Kind, root: &mut Element, out: &mut Diagnostics) -> Found {
    if !kind.keeps_metadata() {
        return take_from(root, out).0;
    }
    let Some(metadata) = root.child_mut("metadata") else { return Found::default() };
    let (found, any) = take_from(metadata, out);
    if any && metadata.elements().next().is_none() && !metadata.has_text() {
        root.remove_elements(|e| e.is("metadata"));
    }
    found
}

/// The settings in `holder`, out of which all that is ours is taken, and whether there was any.
fn take_from(holder: &mut Element, out: &mut Diagnostics) -> (Found, bool) {
    let element = holder.elements().find(|e| is_settings(e));
    let found = element.map(|element| read(element, out)).unwrap_or_default();
    let any = holder.remove_elements(|e| e.name.namespace.as_deref() == Some(NAMESPACE));
    (found, any)
}

/// Reads what the grammar lets pass; what it does not is left at its default.
fn read(element: &Element, out: &mut Diagnostics) -> Found {
    let mut found = Found::default();
    let settings = &mut found.settings;
    if let Some(power) = element.attr("power").and_then(Power::parse) {
        settings.power = power;
    }
    settings.autostart = truth(element, "autostart");
    settings.apply_on_reboot = truth(element, "apply_on_reboot").unwrap_or_default();
    settings.prevent_destroy = truth(element, "prevent_destroy").unwrap_or_default();
    settings.adopt = truth(element, "adopt").unwrap_or_default();
    settings.replace = truth(element, "replace").unwrap_or_default();
    let parent = element.attribute("pool").filter(|a| check_name(&a.value).is_ok());
    found.parent = parent.map(|a| (a.value.clone(), a.span));
    for child in element.elements().filter(|c| is_ours(&c.name)) {
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
    match child.name.local.as_str() {
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
        "allow" => found.settings.allow.extend(Effect::parse(&text)),
        "ignore" => match Path::parse(&text) {
            Some(path) => found.settings.ignore.push(path),
            None => out.push(bad(
                "a path to ignore cannot be read",
                "write the elements from the root down, such as devices/video or os/type/@machine",
            )),
        },
        // the grammar says what is none
        "hosts" => {
            let pattern = HostPattern::parse(&text).ok();
            found.hosts.extend(pattern.map(|p| (p, child.text_span())));
        }
        "stop" => found.settings.stop = read_stop(child, out),
        _ => {}
    }
}

fn read_stop(element: &Element, out: &mut Diagnostics) -> ShutdownPolicy {
    let mut stop = ShutdownPolicy::default();
    if let Some(a) = element.attribute("timeout") {
        match duration(&a.value) {
            Some(timeout) if timeout <= ShutdownPolicy::MAX => stop.timeout = timeout,
            Some(_) | None => out.push(
                Diagnostic::error("bad-setting", "the time to stop is too long")
                    .at(a.span)
                    .detail(format!("found \"{}\"", excerpt(&a.value)))
                    .hint("write at most 24h"),
            ),
        }
    }
    stop.force = truth(element, "force").unwrap_or_default();
    stop
}

/// Whether a child's name is ours: with our prefix or without.
fn is_ours(name: &Name) -> bool {
    name.namespace.as_deref().is_none_or(|n| n == NAMESPACE)
}

/// A time as it is written: a number with its unit `ms`, `s`, `m` or `h`; seconds without one.
pub fn duration(text: &str) -> Option<Duration> {
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

fn truth(element: &Element, name: &str) -> Option<bool> {
    match element.attr(name)? {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use diagnostics::Sources;
    use xmltree::{Limits, parse, write_compact};

    /// Reads the settings in `inside`; returns them, the rest of the document, and each problem.
    fn read(inside: &str) -> (Found, String, Vec<String>) {
        let text = format!(
            "<domain xmlns:v='urn:virt:reconcile:1'><metadata>\n{inside}</metadata></domain>"
        );
        let mut sources = Sources::default();
        let id = sources.add("x.xml", text.as_str());
        let mut root = parse(id, &text, &Limits::default()).unwrap();
        let mut out = Diagnostics::default();
        let found = take(Kind::Domain, &mut root, &mut out);
        let problem = |d: &Diagnostic| {
            let (_, at) = sources.locate(d.span.unwrap()).unwrap();
            format!("{}:{} {}; {}", at.line, at.column, d.summary, d.hint.as_deref().unwrap_or(""))
        };
        (found, write_compact(&root), out.iter().map(problem).collect())
    }

    #[test]
    fn all_settings_are_read_and_taken_out() {
        let (found, left, problems) = read(
            "<v:owned set='x'/><v:reconcile power='paused' autostart='no' prevent_destroy='yes' apply_on_reboot='yes' \
             adopt='yes' replace='yes'><depends_on>network/lan</depends_on>\
             <v:depends_on>domain/db</v:depends_on><stop timeout='2m' force='yes'/>\
             <allow>restart</allow><ignore>devices/video</ignore><hosts>kvm*</hosts>\
             <v:hosts>!kvm03</v:hosts></v:reconcile>",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(left, "<domain xmlns:v='urn:virt:reconcile:1'/>");
        let expected = Settings {
            power: Power::Paused,
            autostart: Some(false),
            depends_on: ["network/lan", "domain/db"].map(|d| ResourceId::parse(d).unwrap()).into(),
            stop: ShutdownPolicy { timeout: Duration::from_secs(120), force: true },
            allow: vec![Effect::Restart],
            apply_on_reboot: true,
            prevent_destroy: true,
            ignore: vec![Path::parse("devices/video").unwrap()],
            adopt: true,
            replace: true,
        };
        assert_eq!(found.settings, expected);
        assert_eq!(found.places.len(), 2);
        let hosts: Vec<String> = found.hosts.iter().map(|(p, _)| p.to_string()).collect();
        assert_eq!(hosts, ["kvm*", "!kvm03"]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let settings = Settings {
            power: Power::Manual,
            autostart: Some(true),
            depends_on: vec![ResourceId::parse("network/lan").unwrap()],
            stop: ShutdownPolicy { timeout: Duration::from_millis(1500), force: true },
            allow: vec![Effect::Restart, Effect::DataLoss],
            apply_on_reboot: true,
            prevent_destroy: true,
            ignore: vec![Path::parse("devices/disk[target/@dev='vda']").unwrap()],
            adopt: false,
            replace: false,
        };
        for settings in [settings, Settings::default()] {
            let (found, _, problems) = read(&write_compact(&settings_element(&settings)));
            assert_eq!((found.settings, problems), (settings, vec![]));
        }
    }

    #[test]
    fn what_others_keep_in_the_metadata_stays() {
        let (found, left, problems) = read("<a:b xmlns:a='urn:a'/><v:reconcile/>");
        assert_eq!((found.settings, problems), (Settings::default(), vec![]));
        assert!(left.contains("<metadata><a:b xmlns:a='urn:a'/></metadata>"), "{left}");
    }

    #[test]
    fn what_the_grammar_cannot_say_has_its_place_and_a_way_out() {
        for (inside, problem) in [
            (
                "<v:reconcile><stop timeout='25h'/></v:reconcile>",
                "2:29 the time to stop is too long; write at most 24h",
            ),
            (
                "<v:reconcile><depends_on>domain/ </depends_on></v:reconcile>",
                "2:26 a dependency does not name a resource; write KIND/NAME, such as network/lan or domain/db",
            ),
            (
                "<v:reconcile><ignore>a[</ignore></v:reconcile>",
                "2:22 a path to ignore cannot be read; write the elements from the root down, such as devices/video or os/type/@machine",
            ),
        ] {
            assert_eq!(read(inside).2, [problem], "{inside}");
        }
    }

    #[test]
    fn what_the_grammar_refuses_is_left_to_it() {
        for inside in [
            "<v:reconcile power='runing' autostart='1' adopt='true' v:replace='yes'/>",
            "<v:reconcile><alow>restart</alow><allow>restrat</allow></v:reconcile>",
            "<v:reconcile><stop timeot='1m' v:force='yes'/></v:reconcile>",
            "<v:reconcile><a:stop xmlns:a='urn:a' force='yes'/></v:reconcile>",
            "<v:reconcil/>",
        ] {
            let (found, _, problems) = read(inside);
            assert_eq!((found.settings, problems), (Settings::default(), vec![]), "{inside}");
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
