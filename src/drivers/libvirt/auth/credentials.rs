//! The name and password for a host: from libvirt's auth.conf, else from the user.

use super::keyfile::{KeyFile, Problem};
use super::who::{Who, refused};
use crate::drivers::{Question, Secret};
use crate::error::{Error, Result};
use diagnostics::{escape, shown_path};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The file for all users of this machine.
const SYSTEM_FILE: &str = "/etc/libvirt/auth.conf";

/// Largest auth.conf, in bytes: hundreds of hosts; a larger one is another file.
const FILE_MAX: usize = 64 << 10;

/// The bits of a mode by which somebody else than the owner and the group gets at a file.
const OTHERS: u32 = 0o007;

/// Name and password on a host.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) name: String,
    pub(super) password: Secret,
    /// Place of the password; `None` if it was typed.
    pub(super) place: Option<String>,
}

/// Entries of a file for a host.
#[derive(Debug, Default)]
struct Found {
    name: Option<String>,
    password: Option<Secret>,
    /// The group, for people.
    place: String,
}

/// Returns the name and password for the host that `who` connects to.
///
/// # Errors
/// A file cannot be read, or neither it nor the user says enough.
pub(super) fn login(who: &Who<'_>) -> Result<Login> {
    let Found { name, password, place } = match find(who, Path::new(SYSTEM_FILE))? {
        Some((path, file)) => read(&path, file, who.host)?,
        None => Found::default(),
    };
    let host = who.host.to_owned();
    let name = match name {
        Some(name) => name,
        None => {
            let question = Question::Name { host: host.clone() };
            ask(who, &question, "a name and a password")?.expose().to_owned()
        }
    };
    let (password, place) = match password {
        Some(password) => (password, Some(place)),
        None => {
            let question = Question::Password { host, name: name.clone() };
            (ask(who, &question, &format!("the password of '{name}'"))?, None)
        }
    };
    Ok(Login { name, password, place })
}

fn ask(who: &Who<'_>, question: &Question, what: &str) -> Result<Secret> {
    let Some(credential_prompt) = &who.env.ask else {
        let message =
            format!("libvirt at {} asks for {what}, and there is no terminal to ask at", who.host);
        return Err(refused(message).hint(advice(who)));
    };
    credential_prompt.ask(question).filter(|answer| !answer.expose().is_empty()).ok_or_else(|| {
        let message = format!("libvirt at {} asks for {what}, and no answer was given", who.host);
        refused(message).hint(advice(who))
    })
}

/// Returns a hint about the place for missing entries.
fn advice(who: &Who<'_>) -> String {
    let host = who.host;
    let path = named(who).or_else(|| user_file(who)).unwrap_or_else(|| SYSTEM_FILE.into());
    format!(
        "write it to {}, readable by you alone: under [credentials-NAME] authname=USER and \
         password=PASSWORD, under [auth-libvirt-{host}] credentials=NAME",
        shown_path(&path)
    )
}

/// The file that was named; libvirt asks the environment first.
fn named(who: &Who<'_>) -> Option<PathBuf> {
    let parameter = || who.uri.parameter("authfile").map(PathBuf::from);
    who.env.auth_file.clone().or_else(parameter)
}

fn user_file(who: &Who<'_>) -> Option<PathBuf> {
    Some(who.env.config()?.join("libvirt/auth.conf"))
}

/// The file that counts: the one that was named, else the first at the usual places that can be read.
fn find(who: &Who<'_>, system: &Path) -> Result<Option<(PathBuf, File)>> {
    if let Some(path) = named(who) {
        let file = crate::file::open(&path).map_err(|error| {
            let shown = path.display().to_string();
            let hint = "it is named by LIBVIRT_AUTH_FILE, or by authfile= in the URI";
            refused("the file with names and passwords cannot be read")
                .caused_by(Error::system(&shown, &error))
                .hint(hint)
        })?;
        return Ok(Some((path, file)));
    }
    let places = user_file(who).into_iter().chain([system.to_owned()]);
    Ok(places.filter_map(|path| crate::file::open(&path).ok().map(|file| (path, file))).next())
}

/// Reads the entries of a file for `host`.
fn read(path: &Path, mut file: File, host: &str) -> Result<Found> {
    let shown = path.display().to_string();
    let failed = |error| {
        refused("the file with names and passwords cannot be read")
            .caused_by(Error::system(&shown, &error))
    };
    let mode = file.metadata().map_err(failed)?.mode();
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_MAX).unwrap_or(u64::MAX);
    file.by_ref().take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > FILE_MAX {
        let message = format!("{shown} is larger than {} KiB", FILE_MAX >> 10);
        return Err(refused(message).hint("it should hold names and passwords only"));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            Problem { line, what: "bytes that are not UTF-8".to_owned() }
        })
        .and_then(|text| look_up(text, &shown, host))
        .map_err(|Problem { line, what }| refused(format!("{shown}:{line}: {what}")))?;
    if text.password.is_some() && mode & OTHERS != 0 {
        // once, not for each connection
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            let path = escape(&shown);
            tracing::warn!("others can get at the passwords in {path}: chmod o= takes that away");
        });
    }
    Ok(text)
}

/// Returns the entries for `host` in the text of the file at `path`.
fn look_up(text: &str, path: &str, host: &str) -> Result<Found, Problem> {
    let file = KeyFile::read(text)?;
    let group = file.group(&format!("auth-libvirt-{host}"));
    let Some(group) = group.or_else(|| file.group("auth-libvirt-default")) else {
        return Ok(Found::default());
    };
    let (name, line) = group.value("credentials")?.ok_or_else(|| Problem {
        line: group.line,
        what: format!("[{}] has no key credentials", group.name),
    })?;
    let credentials = file.group(&format!("credentials-{name}")).ok_or_else(|| Problem {
        line,
        what: format!("[{}] names [credentials-{name}], which is not there", group.name),
    })?;
    let value = |key| Ok(credentials.value(key)?.map(|(value, _)| value));
    // to SASL, authname is who knows the password; username is ESX's word for the same
    let name = match value("authname")? {
        Some(name) => Some(name),
        None => value("username")?,
    };
    Ok(Found {
        name: name.filter(|name| !name.is_empty()),
        password: value("password")?.map(Secret::new),
        place: format!("[{}] of {path}", credentials.name),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;
    use crate::drivers::{CredentialPrompt, Environment};
    use crate::model::Uri;
    use std::fs;
    use std::sync::{Arc, Mutex};

    const FILE: &str = "[credentials-a]\nauthname=fred\npassword=tiger\n\
                        [credentials-b]\nusername=ann\n\
                        [auth-libvirt-h]\ncredentials=a\n\
                        [auth-libvirt-default]\ncredentials=b\n\
                        [auth-libvirt-empty]\n[auth-libvirt-lost]\ncredentials=c\n";

    fn who<'a>(uri: &'a Uri, env: &'a Environment) -> Who<'a> {
        Who { uri, is_plain_tcp: false, host: uri.host().unwrap_or("localhost"), env }
    }

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    #[test]
    fn a_host_has_its_own_credentials_or_the_default() {
        let found = look_up(FILE, "/f", "h").unwrap();
        assert_eq!(
            (found.name.as_deref(), found.place.as_str()),
            (Some("fred"), "[credentials-a] of /f")
        );
        assert_eq!(found.password.unwrap().expose(), "tiger");
        let other = look_up(FILE, "/f", "other").unwrap();
        assert_eq!((other.name.as_deref(), other.password.is_none()), (Some("ann"), true));
        let nothing = look_up("[auth-esx-h]\n", "/f", "h").unwrap();
        assert!(nothing.name.is_none() && nothing.password.is_none());
        let problem = look_up(FILE, "/f", "empty").unwrap_err();
        assert_eq!((problem.line, problem.what.contains("no key credentials")), (10, true));
        let problem = look_up(FILE, "/f", "lost").unwrap_err();
        assert_eq!((problem.line, problem.what.contains("[credentials-c]")), (12, true));
    }

    #[test]
    fn the_file_is_where_libvirt_looks_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("home/.config/libvirt")).unwrap();
        fs::create_dir_all(at("config/libvirt")).unwrap();
        let [environment, parameter] = [at("environment"), at("parameter")];
        let [system, home, config] =
            [at("system"), at("home/.config/libvirt/auth.conf"), at("config/libvirt/auth.conf")];
        let plain = uri("qemu+tls://h/system");
        let with_parameter = uri(&format!("qemu+tls://h/?authfile={}", parameter.display()));
        let mut env = Environment::new(None, Some(at("home")));
        let found = |env: &Environment, uri| find(&who(uri, env), &system).map(|f| Some(f?.0));
        assert_eq!(found(&env, &plain).unwrap(), None);
        fs::write(&system, "").unwrap();
        assert_eq!(found(&env, &plain).unwrap(), Some(system.clone()));
        fs::write(&home, "").unwrap();
        assert_eq!(found(&env, &plain).unwrap(), Some(home.clone()));
        env.config_dir = Some(at("config"));
        assert_eq!(found(&env, &plain).unwrap(), Some(system.clone()));
        fs::write(&config, "").unwrap();
        assert_eq!(found(&env, &plain).unwrap(), Some(config));
        let lost = found(&env, &with_parameter).unwrap_err();
        assert!(lost.source.as_ref().unwrap().message.contains("parameter"), "{lost:?}");
        fs::write(&parameter, "").unwrap();
        assert_eq!(found(&env, &with_parameter).unwrap(), Some(parameter));
        env.auth_file = Some(environment.clone());
        assert!(found(&env, &with_parameter).is_err());
        fs::write(&environment, "").unwrap();
        assert_eq!(found(&env, &with_parameter).unwrap(), Some(environment));
        env.auth_file = Some("/dev/zero".into());
        assert!(found(&env, &plain).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_at_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = |content: &[u8]| {
            fs::write(file.path(), content).unwrap();
            read(file.path(), file.reopen().unwrap(), "h").unwrap_err()
        };
        let shown = file.path().display();
        let error = refused(b"[a]\ntiger");
        assert_eq!(
            error.message,
            format!("{shown}:2: neither a comment nor a [group] nor key=value")
        );
        assert_eq!(refused(b"[a]\n\n\xff").message, format!("{shown}:3: bytes that are not UTF-8"));
        assert!(refused(&vec![b'#'; FILE_MAX + 1]).message.contains("larger than 64 KiB"));
        fs::write(file.path(), vec![b'#'; FILE_MAX]).unwrap();
        assert!(read(file.path(), file.reopen().unwrap(), "h").is_ok());
    }

    #[test]
    fn what_no_file_says_is_asked_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), FILE).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let memory = asked.clone();
        let mut env = Environment::new(None, Some("/nonexistent".into()));
        env.auth_file = Some(file.path().to_owned());
        env.ask = Some(CredentialPrompt::new(move |question| {
            memory.lock().unwrap().push(question.clone());
            Some(Secret::new("lion"))
        }));
        let known = login(&who(&uri("qemu://h/system"), &env)).unwrap();
        assert_eq!((known.name.as_str(), known.password.expose()), ("fred", "tiger"));
        assert!(known.place.is_some() && asked.lock().unwrap().is_empty());
        let half = login(&who(&uri("qemu://other/system"), &env)).unwrap();
        assert_eq!((half.name.as_str(), half.password.expose()), ("ann", "lion"));
        let question = Question::Password { host: "other".into(), name: "ann".into() };
        assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), [question]);
        fs::write(file.path(), "").unwrap();
        let typed = login(&who(&uri("qemu:///system"), &env)).unwrap();
        assert_eq!(
            (typed.name.as_str(), typed.password.expose(), typed.place),
            ("lion", "lion", None)
        );
        assert_eq!(asked.lock().unwrap()[0], Question::Name { host: "localhost".into() });
        env.ask = Some(CredentialPrompt::new(|_| None));
        let silent = login(&who(&uri("qemu:///system"), &env)).unwrap_err();
        assert!(silent.message.contains("no answer was given"), "{silent}");
        env.ask = None;
        let nobody = login(&who(&uri("qemu:///system"), &env)).unwrap_err();
        assert!(nobody.message.contains("no terminal"), "{nobody}");
        let hint = nobody.hint.as_deref().unwrap();
        assert!(hint.contains(&file.path().display().to_string()), "{hint}");
        assert!(hint.contains("[auth-libvirt-localhost]"), "{hint}");
        env.auth_file = None;
        let nobody = login(&who(&uri("qemu:///system"), &env)).unwrap_err();
        assert!(nobody.hint.as_deref().unwrap().contains("/nonexistent/.config/libvirt/auth.conf"));
    }
}
