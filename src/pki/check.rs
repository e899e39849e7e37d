//! Check of one end's files: all their faults, and those that are near.

use super::config::Own;
use super::files::{End, Files};
use super::load::Certificate;
use crate::error::Error;
use diagnostics::shown_path;
use rustls::pki_types::UnixTime;
use std::path::Path;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Sound.
    Ok,
    /// Working, with a fault to fix.
    Warning,
    /// Not working.
    Error,
}

impl Level {
    /// Returns the name of the level.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Severity.
    pub level: Level,
    /// End that it is about.
    pub end: End,
    /// Finding in words.
    pub what: String,
    /// Hint for a remedy.
    pub hint: Option<String>,
}

/// Days before a certificate's end from which on it is reported.
const SOON: i64 = 30;

/// Checks the files of one end, all of them, as they will be used. An end that is not `needed` may
/// have neither certificate nor key.
pub fn check(files: &Files, end: End, needed: bool) -> Vec<Finding> {
    let own = [&files.certificate, &files.key];
    let there = own.iter().any(|p| p.as_ref().is_some_and(|p| p.symlink_metadata().is_ok()));
    if !needed && !there && end == End::Server {
        let what = "no certificate and no key: this is no server".to_owned();
        return vec![Finding { level: Level::Ok, end, what, hint: None }];
    }
    let now = UnixTime::now();
    let own = Own::read(files, end, true, now);
    let finding = |level, what, hint| Finding { level, end, what, hint };
    let error = |e: &Error| finding(Level::Error, e.message.clone(), e.hint.clone());
    let mut findings: Vec<Finding> = own.problems.iter().map(error).collect();
    let mut warn = |what: String, hint: &str| {
        findings.push(finding(Level::Warning, what, Some(hint.to_owned())));
    };
    let mut aging = |path: &Path, certificates: &[Certificate]| {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        for certificate in certificates {
            let left = certificate.facts.not_after.seconds.saturating_sub(now) / (24 * 3600);
            if (0..SOON).contains(&left) && certificate.facts.not_after.seconds >= now {
                let end = &certificate.facts.not_after.text;
                let what = format!("{}: the certificate ends on {end}", shown_path(path));
                warn(what, "renew it in time");
            }
        }
    };
    aging(&files.ca, &own.loaded.authorities);
    if let Some(path) = &files.certificate {
        aging(path, &own.loaded.chain);
        let leaf = own.loaded.chain.first().map(|leaf| &leaf.facts);
        if end == End::Server && leaf.is_some_and(|facts| !facts.has_alternatives) {
            let what = format!("{}: the certificate has no subjectAltName", shown_path(path));
            warn(
                what,
                "make it again with `virt pki server NAME...`: newer programs read no common name",
            );
        }
    }
    if files.crl.is_none() {
        let what = "no certificate revocation list: whoever has a certificate of the CA is trusted";
        findings.push(finding(Level::Ok, what.to_owned(), None));
    }
    let sound = findings.iter().all(|f| f.level != Level::Error);
    findings.extend(sound.then(|| finding(Level::Ok, summary(files, &own), None)));
    findings
}

/// Returns a summary of the files that are sound.
fn summary(files: &Files, own: &Own) -> String {
    let Some((path, leaf)) = files.certificate.as_ref().zip(own.loaded.chain.first()) else {
        return format!("{}: sound; this end has no certificate of its own", shown_path(&files.ca));
    };
    let facts = &leaf.facts;
    let addresses = facts.addresses.iter().map(ToString::to_string);
    let names: Vec<String> = facts.dns.iter().cloned().chain(addresses).collect();
    let names = if names.is_empty() { String::new() } else { format!(" for {}", names.join(", ")) };
    let until = &facts.not_after.text;
    format!("{}: sound: {}{names}, until {until}", shown_path(path), facts.distinguished_name())
}
