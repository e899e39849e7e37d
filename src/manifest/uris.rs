//! Checks of the connection URIs of a fleet's hosts.

use super::assemble::Loaded;
use super::fleet::HostDesired;
use crate::model::Uri;
use crate::model::uri::is_alias;
use diagnostics::Diagnostic;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reports URIs of hosts that cannot be used, and hosts that have two names.
pub(super) fn check_uris(loaded: &mut Loaded) {
    let mut known: BTreeMap<String, &HostDesired> = BTreeMap::new();
    let mut one_by_two_names = false;
    for host in &loaded.fleet {
        if is_alias(&host.connect.text) {
            // what it leads to is the operator's configuration's to say
            continue;
        }
        let uri = match Uri::parse(&host.connect.text) {
            Ok(uri) => uri,
            Err(e) => {
                let problem =
                    Diagnostic::error("bad-setting", e.message.clone()).at(host.connect.span);
                loaded.diagnostics.push(Diagnostic { hint: e.hint.clone(), ..problem });
                continue;
            }
        };
        let first = *known.entry(uri.destination()).or_insert(host);
        // the same to the letter is said where the file is read
        if first.name != host.name && first.connect.text != host.connect.text {
            one_by_two_names = true;
            loaded.diagnostics.push(
                Diagnostic::error("ambiguous-hosts", "two names lead to one host")
                    .at(host.connect.span)
                    .related(first.connect.span, format!("the first is {}", first.name))
                    .hint("leave one out: each would prune the other's objects"),
            );
        }
    }
    if one_by_two_names {
        // then nobody is asked for anything
        loaded.desired = Arc::default();
    }
    loaded.diagnostics.sort();
}
