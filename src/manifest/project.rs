//! Project file `virt.toml`: settings for a whole directory of manifests.

use super::notation::{parse_table, unknown_key, value_span};
use crate::model::{HostPattern, check_host_name, check_set_name};
use diagnostics::{Diagnostic, Diagnostics, SourceId, Span, excerpt};
use std::collections::HashMap;
use std::path::{Component, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The file's name.
pub(super) const FILE: &str = "virt.toml";

/// Settings of a `virt.toml`, each with its place.
#[derive(Debug, Default)]
pub(super) struct VirtToml {
    /// Set that owns the directory's resources.
    pub(super) set: Option<(String, Span)>,
    /// The URI to connect to where the command line has none.
    pub(super) connect: Option<(String, Span)>,
    /// The directory of the grammars that the manifests are held to, from where it stands.
    pub(super) schema_dir: Option<(String, Span)>,
    /// The hosts that it names.
    pub(super) hosts: Vec<NamedHost>,
    /// The patterns that choose the hosts of the manifests below it.
    pub(super) choice: Option<Choice>,
    /// Paths beneath which all hosts find the same files.
    pub(super) shared: Vec<PathBuf>,
}

/// A connection as a `virt.toml` names it. Nobody has looked at it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The URI or the name, as it is written there.
    pub text: String,
    /// Place of the setting.
    pub span: Span,
    /// The directory of the file.
    pub directory: PathBuf,
}

/// A host of `[hosts.NAME]`.
#[derive(Clone, Debug)]
pub(super) struct NamedHost {
    pub(super) name: String,
    /// URI, as it is written there.
    pub(super) connect: String,
    /// Place of the URI.
    pub(super) span: Span,
    /// Place of the name.
    pub(super) name_span: Span,
    /// The directory of the file, once that is known.
    pub(super) directory: PathBuf,
}

/// `hosts = [...]`.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) patterns: Vec<(HostPattern, Span)>,
    pub(super) span: Span,
}

const KEYS: [&str; 5] = ["set", "connect", "schema_dir", "hosts", "shared"];
const HOST_KEYS: [&str; 1] = ["connect"];

/// A text, and where its problems go.
struct Reader<'a> {
    source: SourceId,
    text: &'a str,
    out: &'a mut Diagnostics,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the text of a `virt.toml`: of one in a path that was given, or of one further down, which
/// only chooses hosts.
pub(super) fn parse(source: SourceId, text: &str, is_top: bool, out: &mut Diagnostics) -> VirtToml {
    let mut found = VirtToml::default();
    let table = parse_table(source, text, out);
    let mut reader = Reader { source, text, out };
    for (key, value) in &table {
        match key.get_ref().as_ref() {
            "hosts" => match (value.get_ref(), is_top) {
                (DeValue::Table(hosts), true) => found.hosts = reader.hosts(hosts),
                _ => found.choice = reader.choice(value, is_top),
            },
            "set" | "connect" | "schema_dir" | "shared" if !is_top => reader.out.push(
                Diagnostic::warning("nested-settings", "this key is not read here")
                    .at(reader.span(&key.span()))
                    .detail(format!("a {FILE} further down only chooses hosts"))
                    .hint("write it in the directory that is given"),
            ),
            "set" => found.set = reader.string("set", value),
            "connect" => found.connect = reader.string("connect", value),
            "shared" => found.shared = reader.shared(value),
            "schema_dir" => found.schema_dir = reader.string("schema_dir", value),
            name => {
                let span = reader.span(&key.span());
                let what = format!("{FILE} has no such key");
                reader.out.push(unknown_key(what, name, span, &KEYS));
            }
        }
    }
    if let Some((set, span)) = &found.set
        && let Err(reason) = check_set_name(set)
    {
        reader.out.push(
            Diagnostic::error("bad-name", format!("this cannot name a set: {reason}"))
                .at(*span)
                .detail(format!("found \"{}\"", excerpt(set))),
        );
    }
    if let Some((connect, span)) = &found.connect
        && !found.hosts.is_empty()
    {
        let hint = "with hosts, each has its own connect: remove this one, or [hosts]";
        reader.out.push(
            Diagnostic::error("ambiguous-hosts", format!("{FILE} names one host and several"))
                .at(*span)
                .detail(format!("connect is {}, and [hosts] names others", excerpt(connect)))
                .hint(hint),
        );
    }
    distinct(&found.hosts, reader.out);
    found
}

impl Reader<'_> {
    fn span(&self, range: &std::ops::Range<usize>) -> Span {
        Span::new(self.source, range.start, range.end)
    }

    fn string(&mut self, name: &str, value: &Value<'_>) -> Option<(String, Span)> {
        let span = value_span(self.source, self.text, value);
        if let DeValue::String(s) = value.get_ref() {
            return Some((s.to_string(), span));
        }
        let problem = Diagnostic::error("bad-setting", format!("{name} is not a string"));
        self.out.push(problem.at(span));
        None
    }

    /// The paths of `shared = [...]`. One that could mean another place on another host is refused.
    fn shared(&mut self, value: &Value<'_>) -> Vec<PathBuf> {
        let DeValue::Array(items) = value.get_ref() else {
            let problem = Diagnostic::error("bad-setting", "shared is no list of paths");
            let hint = "write shared = [\"/mnt/images\"]: paths beneath which all hosts find the same files";
            self.out.push(problem.at(self.span(&value.span())).hint(hint));
            return Vec::new();
        };
        let mut paths = Vec::new();
        for item in items.iter() {
            let Some((text, span)) = self.string("a shared path", item) else { continue };
            let path = PathBuf::from(&text);
            let plain = |c: Component<'_>| matches!(c, Component::RootDir | Component::Normal(_));
            if path.is_absolute() && path.components().all(plain) && path.parent().is_some() {
                paths.push(path);
                continue;
            }
            self.out.push(
                Diagnostic::error("bad-setting", "this path cannot be shared")
                    .at(span)
                    .detail(format!("found \"{}\"", excerpt(&text)))
                    .hint("write an absolute path without \"..\", such as /mnt/images"),
            );
        }
        paths
    }

    /// The hosts of `[hosts.NAME]`, in the order in which they stand there.
    fn hosts(&mut self, table: &DeTable<'_>) -> Vec<NamedHost> {
        let mut hosts = Vec::new();
        if table.is_empty() {
            // else the manifests would go to whatever host the environment names
            let span = Span::new(self.source, 0, 0);
            let problem = Diagnostic::error("bad-setting", "hosts names no host").at(span);
            self.out.push(problem.hint("name one as in [hosts.kvm01], or remove [hosts]"));
        }
        for (key, value) in table {
            let name: &str = key.get_ref();
            let name_span = self.span(&key.span());
            if let Err(reason) = check_host_name(name) {
                self.out.push(
                    Diagnostic::error("bad-name", format!("this cannot name a host: {reason}"))
                        .at(name_span)
                        .detail(format!("found \"{}\"", excerpt(name))),
                );
            }
            let DeValue::Table(inner) = value.get_ref() else {
                self.out.push(
                    Diagnostic::error("bad-setting", "a host is not a table")
                        .at(self.span(&value.span()))
                        .hint(format!("write [hosts.{}], and connect below", excerpt(name))),
                );
                continue;
            };
            let mut connect = None;
            for (key, value) in inner {
                match key.get_ref().as_ref() {
                    "connect" => connect = self.string("connect", value),
                    other => {
                        let span = self.span(&key.span());
                        let what = "a host has no such key".to_owned();
                        self.out.push(unknown_key(what, other, span, &HOST_KEYS));
                    }
                }
            }
            match connect {
                Some((connect, span)) if !connect.is_empty() => {
                    let (name, directory) = (name.to_owned(), PathBuf::new());
                    hosts.push(NamedHost { name, connect, span, name_span, directory });
                }
                // said above
                None if inner.contains_key("connect") => {}
                Some(_) | None => self.out.push(
                    Diagnostic::error("bad-setting", "the host has no URI to connect to")
                        .at(name_span)
                        .hint("give it one, such as connect = \"qemu+ssh://kvm01/system\""),
                ),
            }
        }
        hosts
    }

    /// The patterns of `hosts = [...]`.
    fn choice(&mut self, value: &Value<'_>, is_top: bool) -> Option<Choice> {
        let span = self.span(&value.span());
        let items: Vec<&Value<'_>> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            DeValue::String(_) => vec![value],
            _ => {
                let hint = if is_top {
                    "choose some as in [\"kvm*\", \"!kvm03\"], or name them as in [hosts.kvm01]"
                } else {
                    "choose some as in [\"kvm*\"]; hosts are named in the directory that is given"
                };
                let problem = Diagnostic::error("bad-setting", "hosts is no list of patterns");
                self.out.push(problem.at(span).hint(hint));
                return None;
            }
        };
        if items.is_empty() {
            self.out.push(
                Diagnostic::error("bad-setting", "hosts names no host")
                    .at(span)
                    .hint("leave hosts out for all of them; to have objects nowhere, remove them"),
            );
        }
        let mut patterns = Vec::new();
        for item in items {
            let Some((text, span)) = self.string("a pattern of hosts", item) else { continue };
            match HostPattern::parse(&text) {
                Ok(pattern) => patterns.push((pattern, span)),
                Err(reason) => self.out.push(
                    Diagnostic::error("bad-setting", format!("no host can be meant: {reason}"))
                        .at(span)
                        .detail(format!("found \"{}\"", excerpt(&text)))
                        .hint("write a name or a pattern, such as kvm01, kvm* or !kvm03"),
                ),
            }
        }
        Some(Choice { patterns, span })
    }
}

/// Refuses two names for one host: each would take the other's resources for orphans.
fn distinct(hosts: &[NamedHost], out: &mut Diagnostics) {
    let mut seen: HashMap<&str, &NamedHost> = HashMap::new();
    for host in hosts {
        if let Some(first) = seen.insert(&host.connect, host) {
            out.push(
                Diagnostic::error("ambiguous-hosts", "two hosts have the same URI")
                    .at(host.span)
                    .related(first.span, format!("the first is {}", first.name))
                    .hint("remove one of them: what is for one would be deleted as the other"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::Sources;

    fn read_as(is_top: bool, text: &str) -> (VirtToml, Vec<(Option<String>, &'static str)>) {
        let mut sources = Sources::default();
        let id = sources.add(FILE, text);
        let mut out = Diagnostics::default();
        let found = parse(id, text, is_top, &mut out);
        let place = |d: &Diagnostic| d.span.and_then(|s| sources.place(s));
        (found, out.iter().map(|d| (place(d), d.code)).collect())
    }

    fn read(text: &str) -> (VirtToml, Vec<(Option<String>, &'static str)>) {
        read_as(true, text)
    }

    fn at(place: &str) -> Option<String> {
        Some(format!("virt.toml:{place}"))
    }

    #[test]
    fn says_set_and_connect_and_nothing_else() {
        let text = "set = 'demo'\nconnect = \"qemu:///system\"\nshared = ['/mnt/a', '/srv']\n";
        let (found, problems) = read(text);
        assert_eq!(problems, []);
        assert_eq!(found.shared, [PathBuf::from("/mnt/a"), PathBuf::from("/srv")]);
        assert_eq!(found.set.map(|s| s.0).as_deref(), Some("demo"));
        assert_eq!(found.connect.map(|s| s.0).as_deref(), Some("qemu:///system"));
        for (text, problem) in [
            ("sett = 'demo'", (at("1:1"), "unknown-setting")),
            ("set = 7", (at("1:7"), "bad-setting")),
            ("schema_dir = 7", (at("1:14"), "bad-setting")),
            ("\nset = 'a/b'", (at("2:8"), "bad-name")),
            ("set = 'demo", (at("1:12"), "toml")),
            ("shared = '/mnt'", (at("1:10"), "bad-setting")),
            ("shared = ['/mnt', 'x']", (at("1:20"), "bad-setting")),
            ("shared = ['/mnt/../x']", (at("1:12"), "bad-setting")),
            ("shared = ['/']", (at("1:12"), "bad-setting")),
        ] {
            let (_, problems) = read(text);
            assert_eq!(problems.first(), Some(&problem), "{text}");
        }
    }

    #[test]
    fn names_hosts() {
        let text = "[hosts.b]\nconnect = 'xen:///system'\n[hosts]\na.connect = 'qemu:///system'\n";
        let (found, problems) = read(text);
        assert_eq!(problems, []);
        let hosts: Vec<_> = found.hosts.iter().map(|h| (&*h.name, &*h.connect)).collect();
        assert_eq!(hosts, [("b", "xen:///system"), ("a", "qemu:///system")]);
        for (text, problem) in [
            ("hosts.a = 'qemu:///system'", (at("1:11"), "bad-setting")),
            ("hosts.a = {}", (at("1:7"), "bad-setting")),
            ("hosts.a.connect = 1", (at("1:19"), "bad-setting")),
            ("hosts.a.conect = 'x'", (at("1:9"), "unknown-setting")),
            ("hosts.'a*'.connect = 'x'", (at("1:7"), "bad-name")),
            ("connect = 'x'\nhosts.a.connect = 'y'", (at("1:12"), "ambiguous-hosts")),
            ("hosts.a.connect = 'y'\nhosts.b.connect = 'y'", (at("2:20"), "ambiguous-hosts")),
            ("hosts = 1", (at("1:9"), "bad-setting")),
        ] {
            let (_, problems) = read(text);
            assert_eq!(problems.first(), Some(&problem), "{text}");
        }
    }

    #[test]
    fn chooses_hosts_also_further_down() {
        for is_top in [true, false] {
            let (found, problems) = read_as(is_top, "hosts = ['kvm*', '!kvm03']");
            assert_eq!(problems, []);
            let patterns = found.choice.map(|c| c.patterns).unwrap_or_default();
            let shown: Vec<String> = patterns.iter().map(|(p, _)| p.to_string()).collect();
            assert_eq!(shown, ["kvm*", "!kvm03"]);
        }
        for (text, problem) in [
            ("hosts = []", (at("1:9"), "bad-setting")),
            ("hosts = ['a', 1]", (at("1:15"), "bad-setting")),
            ("hosts = 'a b'", (at("1:10"), "bad-setting")),
            ("hosts.a.connect = 'y'", (at("1:1"), "bad-setting")),
            ("hosts = ['a']\nset = 'x'", (at("2:1"), "nested-settings")),
        ] {
            let (_, problems) = read_as(false, text);
            assert_eq!(problems, [problem], "{text}");
        }
    }
}
