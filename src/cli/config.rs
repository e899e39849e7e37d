//! The operator's own configuration, read once per run: which connections have a name, so that a
//! file may choose them, and which keys records are signed with.
//!
//! `$XDG_CONFIG_HOME/virt/config.toml` and `/etc/virt/config.toml`, and `uri_aliases` of libvirt's own
//! `libvirt.conf`. A file that others can write to, or that has a mistake, is nobody's word: its
//! connections are passed over, and as it may have meant to name a key, no host is opened.

use super::uri_aliases;
use crate::drivers::Trust;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{NotOwned, open_owned};
use crate::manifest::{parse_table, unknown_key};
use crate::model::uri::is_alias;
use diagnostics::{Diagnostic, Diagnostics, Sources, Span, excerpt};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::io::{ErrorKind as IoErrorKind, Read as _};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Limit on the bytes of a configuration; a line per host is about a hundred.
const BYTES_MAX: u64 = 1 << 20;

/// Limit on old keys.
const OLD_MAX: usize = 16;

/// The system's directory of settings.
const SYSTEM: &str = "/etc";

const KEYS: [&str; 2] = ["connections", "signing"];
const SIGNING_KEYS: [&str; 3] = ["key_file", "old_keys", "accept_unsigned_until"];

/// A name and its URI.
type Named = (String, String);

/// Merged configuration of the user and the system.
#[derive(Debug)]
pub(super) struct Config {
    /// The file to which a line can be added.
    file: PathBuf,
    /// Connections by name; the first of a name counts.
    connections: Vec<Named>,
    /// Signing settings; the first file that has any counts.
    signing: Result<Option<SigningSettings>>,
    /// Files that were ignored, each with the reason.
    passed_over: Vec<String>,
}

/// Settings of `[signing]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SigningSettings {
    pub(super) key_file: Option<PathBuf>,
    pub(super) old_keys: Vec<PathBuf>,
    pub(super) accept_unsigned_until: Option<Timestamp>,
    /// Place of the settings, for messages.
    pub(super) place: String,
}

/// Content of one file.
#[derive(Debug, Default)]
struct Said {
    connections: Vec<Named>,
    signing: Option<SigningSettings>,
}

impl Config {
    /// Reads both configurations; `user` is the user's configuration directory.
    pub(super) fn read(user: Option<&Path>) -> Self {
        let user = user.filter(|directory| directory.is_absolute());
        let directories: Vec<&Path> = user.into_iter().chain([Path::new(SYSTEM)]).collect();
        Self::of(&directories)
    }

    /// Reads the configurations in these directories, the first of which has precedence.
    pub(super) fn of(directories: &[&Path]) -> Self {
        let file = |directory: &&Path| directory.join("virt/config.toml");
        let mut config = Self {
            file: file(directories.first().unwrap_or(&Path::new(SYSTEM))),
            connections: Vec::new(),
            signing: Ok(None),
            passed_over: Vec::new(),
        };
        directories.iter().for_each(|directory| config.take(&file(directory)));
        for directory in directories {
            config.take_aliases(&directory.join("libvirt/libvirt.conf"));
        }
        config
    }

    fn take(&mut self, path: &Path) {
        let said = match read_own(path) {
            Ok(None) => return,
            Ok(Some(text)) => parse(path, text),
            Err(error) => Err(vec![error]),
        };
        let is_open = matches!(self.signing, Ok(None));
        match said {
            Ok(said) => {
                self.connections.extend(said.connections);
                if is_open {
                    self.signing = Ok(said.signing);
                }
            }
            Err(errors) => {
                self.passed_over.extend(errors.iter().map(in_a_line));
                if is_open {
                    self.signing = Err(together(errors));
                }
            }
        }
    }

    fn take_aliases(&mut self, path: &Path) {
        let named = match read_own(path) {
            Ok(text) => text.map_or(Ok(Vec::new()), |text| uri_aliases::read(&text)),
            Err(error) => return self.passed_over.push(in_a_line(&error)),
        };
        match named {
            Ok(named) => self.connections.extend(named),
            Err(why) => self.passed_over.push(format!("{}: {why}", path.display())),
        }
    }

    /// Trust in connections by this configuration and the environment; with `all`, in any that a
    /// file names.
    pub(super) fn trust(&self, all: bool, environment: Option<&str>) -> Trust {
        let mut trust = Trust::new(all);
        environment.iter().for_each(|uri| trust.take_uri(uri));
        trust.file = Some(self.file.clone());
        trust.passed_over.clone_from(&self.passed_over);
        let named = self.connections.iter().cloned();
        named.for_each(|(name, uri)| trust.take_name(name, uri));
        trust
    }

    /// Signing settings, if there are any.
    ///
    /// # Errors
    /// A configuration cannot be read, has a mistake, or others can write to it.
    pub(super) fn signing(&self) -> Result<Option<&SigningSettings>> {
        self.signing.as_ref().map(Option::as_ref).map_err(Error::clone)
    }
}

/// Formats an error with its place in one line.
fn in_a_line(error: &Error) -> String {
    match &error.address {
        Some(place) => format!("{place}: {}", error.message),
        None => error.message.clone(),
    }
}

/// Joins several errors into one: the first never hides the rest.
fn together(errors: Vec<Error>) -> Error {
    let mut errors = errors.into_iter();
    let Some(mut first) = errors.next() else {
        return Error::new(ErrorKind::Invalid, "the configuration cannot be read");
    };
    for other in errors {
        let hint = other.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        first.message.push_str(&format!("\n{}{hint}", in_a_line(&other)));
    }
    first
}

/// Reads a file that is the caller's or root's and that nobody else can write; `None` if there is
/// none.
fn read_own(path: &Path) -> Result<Option<String>> {
    let name = path.display().to_string();
    let refused = |text: &str, hint: &str| {
        Error::new(ErrorKind::Invalid, text).address(name.clone()).hint(format!("{hint} {name}"))
    };
    let file = match open_owned(path, 0o022) {
        Ok(file) => file,
        Err(NotOwned::Unreadable(e))
            if matches!(e.kind(), IoErrorKind::NotFound | IoErrorKind::NotADirectory) =>
        {
            // a link says that there is to be one
            let leads_nowhere = |p: &Path| p.is_symlink() && !p.exists();
            if leads_nowhere(path) || path.parent().is_some_and(leads_nowhere) {
                return Err(refused("it is a dangling symbolic link", "fix or remove"));
            }
            return Ok(None);
        }
        Err(NotOwned::Unreadable(e)) => return Err(Error::system(&name, &e)),
        Err(NotOwned::NotRegular) => {
            return Err(refused("it is not a regular file", "replace it:"));
        }
        Err(NotOwned::OfUser(user)) => {
            let text = format!("its owner is neither you nor root, but user {user}");
            return Err(refused(&text, "chown it to the user who runs virt, or to root:"));
        }
        Err(NotOwned::Mode(_)) => {
            return Err(refused("others can write it (chmod go-w)", "chmod go-w"));
        }
    };
    let mut text = String::new();
    let read = file.take(BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|e| Error::system(&name, &e))?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes <= BYTES_MAX) {
        Ok(Some(text))
    } else {
        Err(refused(&format!("it is longer than {BYTES_MAX} bytes"), "shorten"))
    }
}

/// Parses a configuration; errors are collected.
fn parse(path: &Path, text: String) -> std::result::Result<Said, Vec<Error>> {
    let mut sources = Sources::default();
    let id = sources.add(path.display().to_string(), text);
    let text = sources.get(id).map_or("", |source| source.text.as_str());
    let mut out = Diagnostics::default();
    let table = parse_table(id, text, &mut out);
    let place = |span: Span| sources.place(span).unwrap_or_default();
    let mut reader = Reader { span: &|range| Span::new(id, range.start, range.end), out: &mut out };
    let mut said = Said::default();
    for (key, value) in &table {
        match key.get_ref().as_ref() {
            "connections" => said.connections = reader.connections(value),
            "signing" => {
                let place = place(Span::new(id, key.span().start, key.span().end));
                said.signing = reader.signing(value, place);
            }
            name => reader.unknown("the configuration has no such key", key, name, &KEYS),
        }
    }
    if out.is_empty() {
        return Ok(said);
    }
    out.sort();
    let error = |problem: Diagnostic| {
        let detail = problem.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        let error = Error::new(ErrorKind::Invalid, problem.summary + &detail);
        let error = error.address(problem.span.map(place).unwrap_or_default());
        error.hint(problem.hint.unwrap_or_else(|| "see docs/security.md".to_owned()))
    };
    Err(out.into_iter().map(error).collect())
}

type Key<'a> = Spanned<toml::de::DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Reader of a parsed text, which collects errors with their places.
struct Reader<'a> {
    span: &'a dyn Fn(std::ops::Range<usize>) -> Span,
    out: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn wrong(&mut self, at: std::ops::Range<usize>, what: impl Into<String>, hint: &str) {
        let problem = Diagnostic::error("bad-setting", what).at((self.span)(at));
        self.out.push(problem.hint(hint));
    }

    fn unknown(&mut self, what: &str, key: &Key<'_>, name: &str, known: &[&'static str]) {
        self.out.push(unknown_key(what.to_owned(), name, (self.span)(key.span()), known));
    }

    fn table<'t, 'v>(&mut self, name: &str, value: &'t Value<'v>) -> Option<&'t DeTable<'v>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        let hint = format!("write [{name}] on a line of its own, its keys below");
        self.wrong(value.span(), format!("{name} is not a table"), &hint);
        None
    }

    /// Reads the names below `[connections]`.
    fn connections(&mut self, value: &Value<'_>) -> Vec<Named> {
        let mut named = Vec::new();
        for (key, value) in self.table("connections", value).into_iter().flatten() {
            let name: &str = key.get_ref();
            let DeValue::String(uri) = value.get_ref() else {
                let hint = "write a URI, such as \"qemu+ssh://kvm01/system\"";
                self.wrong(value.span(), "the connection is not a string", hint);
                continue;
            };
            if is_alias(name) {
                named.push((name.to_owned(), uri.to_string()));
            } else {
                let what = format!("\"{}\" cannot name a connection", excerpt(name));
                self.wrong(key.span(), what, "use letters, digits and - _ . alone, and not xen");
            }
        }
        named
    }

    fn signing(&mut self, value: &Value<'_>, place: String) -> Option<SigningSettings> {
        let mut found = SigningSettings { place, ..SigningSettings::default() };
        for (key, value) in self.table("signing", value)? {
            match key.get_ref().as_ref() {
                "key_file" => found.key_file = self.absolute("key_file", value),
                "old_keys" => found.old_keys = self.old_keys(value),
                "accept_unsigned_until" => found.accept_unsigned_until = self.moment(value),
                name => self.unknown("[signing] has no such key", key, name, &SIGNING_KEYS),
            }
        }
        Some(found)
    }

    fn old_keys(&mut self, value: &Value<'_>) -> Vec<PathBuf> {
        let hint = "write [\"/etc/virt/signing-2025.key\"]";
        let DeValue::Array(files) = value.get_ref() else {
            self.wrong(value.span(), "old_keys is not a list of files", hint);
            return Vec::new();
        };
        if files.len() > OLD_MAX {
            self.wrong(value.span(), format!("old_keys are at most {OLD_MAX}"), "remove some");
            return Vec::new();
        }
        files.iter().filter_map(|file| self.absolute("a file of old_keys", file)).collect()
    }

    fn absolute(&mut self, name: &str, value: &Value<'_>) -> Option<PathBuf> {
        let hint = "write an absolute path, such as \"/etc/virt/signing.key\"";
        let DeValue::String(file) = value.get_ref() else {
            self.wrong(value.span(), format!("{name} is not a string"), hint);
            return None;
        };
        let path = PathBuf::from(file.as_ref());
        if path.is_absolute() {
            return Some(path);
        }
        self.wrong(value.span(), format!("{name} is not an absolute path"), hint);
        None
    }

    /// Reads a date, as the start of that day in local time, or a moment.
    fn moment(&mut self, value: &Value<'_>) -> Option<Timestamp> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            _ => String::new(),
        };
        let day = || text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::system()).ok();
        let found = text.parse::<Timestamp>().ok().or_else(|| Some(day()?.timestamp()));
        if found.is_none() {
            let hint = "write a day, such as 2026-12-31";
            self.wrong(value.span(), "accept_unsigned_until is no date", hint);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn said(text: &str) -> std::result::Result<Said, Vec<Error>> {
        parse(Path::new("/c.toml"), text.to_owned())
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let all = said(
            "[connections]\nkvm01 = 'qemu+ssh://kvm01/system'\n[signing]\nkey_file = '/k'\n\
             old_keys = ['/a', '/b']\naccept_unsigned_until = '2026-12-31'",
        );
        let all = all.unwrap();
        let one = ("kvm01".to_owned(), "qemu+ssh://kvm01/system".to_owned());
        assert_eq!(all.connections, [one]);
        let signing = all.signing.unwrap();
        assert_eq!((signing.key_file, signing.old_keys.len()), (Some(PathBuf::from("/k")), 2));
        assert_eq!(signing.place, "/c.toml:3:2");
        assert!(signing.accept_unsigned_until.is_some());
        let day = said("[signing]\naccept_unsigned_until = 2026-12-31").unwrap().signing.unwrap();
        assert_eq!(day.accept_unsigned_until, signing.accept_unsigned_until);
        let nothing = said("").unwrap();
        assert!(nothing.connections.is_empty() && nothing.signing.is_none());
        for (text, problem) in [
            ("[connections", "1:13 the TOML cannot be read"),
            ("connections = 1", "1:15 connections is not a table: write [connections]"),
            ("connections.a = 1", "1:17 the connection is not a string"),
            ("connections.'a b' = 'x'", "1:13 \"a b\" cannot name a connection"),
            ("[conections]\na = 'x'", "1:2 the configuration has no such key: did you mean conn"),
            (
                "[Signing]\nkey_file = '/k'",
                "1:2 the configuration has no such key: did you mean sign",
            ),
            ("signing = 1", "1:11 signing is not a table"),
            ("[signing]\nkey_fil = '/k'", "2:1 [signing] has no such key: did you mean key_file?"),
            ("[signing]\nkey_file = 'k'", "2:12 key_file is not an absolute path"),
            ("[signing]\nkey_file = 1", "2:12 key_file is not a string"),
            ("[signing]\nold_keys = 1", "2:12 old_keys is not a list of files"),
            ("[signing]\nold_keys = ['/a', 1]", "2:19 a file of old_keys is not a string"),
            ("[signing]\naccept_unsigned_until = 'soon'", "2:25 accept_unsigned_until is no date"),
            ("[signing]\naccept_unsigned_until = 7", "2:25 accept_unsigned_until is no date"),
        ] {
            let errors = said(text).unwrap_err();
            let first = errors.first().unwrap();
            let place = first.address.as_ref().unwrap().strip_prefix("/c.toml:").unwrap();
            let summary = first.message.split(": found").next().unwrap();
            let line = format!("{place} {summary}: {}", first.hint.as_ref().unwrap());
            assert!(line.starts_with(problem), "{line}");
        }
    }

    #[test]
    fn every_mistake_is_told_and_nothing_of_the_file_counts() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("virt")).unwrap();
        let path = directory.path().join("virt/config.toml");
        fs::write(&path, "signin.key_file = 1\n[connections]\na = 'x'\nb = 1\n").unwrap();
        let config = Config::of(&[directory.path()]);
        assert!(config.connections.is_empty());
        assert_eq!(config.passed_over.len(), 2);
        let error = config.signing().unwrap_err();
        assert!(error.address.as_ref().unwrap().ends_with("/virt/config.toml:1:1"));
        assert_eq!(error.hint.as_deref(), Some("did you mean signing?"));
        let (first, second) = error.message.split_once('\n').unwrap();
        assert!(
            first.contains("no such key") && second.contains("/config.toml:4:5: the connection")
        );
    }

    #[test]
    fn the_first_file_that_says_how_to_sign_counts() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |directory: &Path, text: &str| {
            fs::create_dir_all(directory.join("virt")).unwrap();
            fs::write(directory.join("virt/config.toml"), text).unwrap();
        };
        let key = |first: &str, second: &str| {
            write(one.path(), first);
            write(two.path(), second);
            let config = Config::of(&[one.path(), two.path()]);
            config.signing().map(|said| said.and_then(|said| said.key_file.clone()))
        };
        let (a, b) = ("signing.key_file = '/a'", "signing.key_file = '/b'");
        assert_eq!(key(a, b).unwrap(), Some(PathBuf::from("/a")));
        assert_eq!(key("", b).unwrap(), Some(PathBuf::from("/b")));
        assert_eq!(key(a, "nonsense").unwrap(), Some(PathBuf::from("/a")));
        assert!(key("nonsense", b).is_err() && key("", "nonsense").is_err());
    }

    #[test]
    fn the_example_of_a_fleet_has_the_lines_for_its_hosts() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet");
        let read = |name: &str| fs::read_to_string(example.join(name)).unwrap();
        let hosts = read("manifests/virt.toml");
        let named = said(&read("config.toml")).unwrap().connections;
        for (name, uri) in &named {
            let host = format!("[hosts.{name}]\nconnect = \"{uri}\"\n");
            assert!(hosts.contains(&host), "{host}");
        }
        assert_eq!(hosts.matches("connect").count(), named.len());
    }

    #[test]
    fn a_configuration_that_others_can_write_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("virt/config.toml");
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "[connections]\na = 'qemu+ssh://a/system'\n").unwrap();
        let opens = |trust: &Trust| {
            let text = trust.operators("a").map(|connection| connection.text().to_owned());
            text.is_ok_and(|text| text == "qemu+ssh://a/system")
        };
        let known = |mode: u32| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let trust = Config::of(&[directory.path()]).trust(false, None);
            (opens(&trust), trust.passed_over)
        };
        assert!(known(0o644).0);
        for mode in [0o664, 0o646] {
            let (is_known, passed_over) = known(mode);
            assert!(!is_known && passed_over.iter().any(|why| why.contains("others can write")));
        }
        // a link to nothing is not the same as nothing
        fs::remove_file(&path).unwrap();
        assert!(Config::of(&[directory.path()]).signing().unwrap().is_none());
        std::os::unix::fs::symlink("/nowhere", &path).unwrap();
        let error = Config::of(&[directory.path()]).signing().unwrap_err();
        assert!(error.message.contains("a dangling symbolic link"), "{error:?}");
        // a pipe holds nobody up
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let trust = Config::of(&[directory.path()]).trust(false, None);
        assert!(trust.passed_over.iter().any(|why| why.contains("regular")));
    }
}
