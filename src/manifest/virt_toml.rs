//! `virt.toml`: what holds for a whole directory of manifests.

use super::notation::{parse_table, value_span};
use crate::diag::{Diagnostic, Diagnostics, SourceId, Span, closest, excerpt};
use crate::model::check_name;
use toml::de::DeValue;

/// The file's name.
pub(super) const FILE: &str = "virt.toml";

/// What a `virt.toml` says, each with its place.
#[derive(Debug, Default)]
pub(super) struct VirtToml {
    /// Who owns what the directory applies.
    pub(super) set: Option<(String, Span)>,
    /// The URI to connect to where the command line has none.
    pub(super) connect: Option<(String, Span)>,
}

const KEYS: [&str; 2] = ["set", "connect"];

/// Reads the text of a `virt.toml`.
pub(super) fn parse(source: SourceId, text: &str, out: &mut Diagnostics) -> VirtToml {
    let mut found = VirtToml::default();
    for (key, value) in &parse_table(source, text, out) {
        let name: &str = key.get_ref();
        let key_span = Span::new(source, key.span().start, key.span().end);
        let span = value_span(source, text, value);
        let place = match name {
            "set" => &mut found.set,
            "connect" => &mut found.connect,
            _ => {
                out.push(unknown_key(name, key_span));
                continue;
            }
        };
        match value.get_ref() {
            DeValue::String(s) => *place = Some((s.to_string(), span)),
            _ => out
                .push(Diagnostic::error("bad-setting", format!("{name} is not a string")).at(span)),
        }
    }
    if let Some((set, span)) = &found.set
        && let Err(reason) = check_name(set)
    {
        out.push(
            Diagnostic::error("bad-name", format!("this cannot name a set: {reason}"))
                .at(*span)
                .detail(format!("found \"{}\"", excerpt(set))),
        );
    }
    found
}

fn unknown_key(name: &str, span: Span) -> Diagnostic {
    let hint = match closest(name, KEYS) {
        Some(known) => format!("did you mean {known}?"),
        None => format!("the keys are {}", KEYS.join(" and ")),
    };
    Diagnostic::error("unknown-setting", format!("{FILE} has no such key"))
        .at(span)
        .detail(format!("found \"{}\"", excerpt(name)))
        .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sources;

    fn read(text: &str) -> (VirtToml, Vec<(Option<String>, &'static str)>) {
        let mut sources = Sources::default();
        let id = sources.add(FILE, text);
        let mut out = Diagnostics::default();
        let found = parse(id, text, &mut out);
        let place = |d: &Diagnostic| d.span.and_then(|s| sources.place(s));
        (found, out.iter().map(|d| (place(d), d.code)).collect())
    }

    #[test]
    fn says_set_and_connect_and_nothing_else() {
        let (found, problems) = read("set = 'demo'\nconnect = \"qemu:///system\"\n");
        assert_eq!(problems, []);
        assert_eq!(found.set.map(|s| s.0).as_deref(), Some("demo"));
        assert_eq!(found.connect.map(|s| s.0).as_deref(), Some("qemu:///system"));
        let at = |place: &str| Some(format!("virt.toml:{place}"));
        for (text, problem) in [
            ("sett = 'demo'", (at("1:1"), "unknown-setting")),
            ("set = 7", (at("1:7"), "bad-setting")),
            ("\nset = 'a/b'", (at("2:8"), "bad-name")),
            ("set = 'demo", (at("1:12"), "toml")),
        ] {
            let (_, problems) = read(text);
            assert_eq!(problems.first(), Some(&problem), "{text}");
        }
    }
}
