//! Names of the domain and its devices: aliases, the firmware's UUID, labels, displays.

use super::facts::devices;
use crate::model::lint::{Claims, signs_of_running};
use crate::model::parse_uuid;
use crate::model::values::found;
use diagnostics::{Diagnostic, Diagnostics};
use xmltree::NodeRef;

pub(super) fn check(root: NodeRef<'_>, out: &mut Diagnostics) {
    check_aliases(root, out);
    check_firmware_uuid(root, out);
    check_labels(root, out);
    check_videos(root, out);
}

/// Prefix of a user's alias; others are the host's.
const ALIAS_PREFIX: &str = "ua-";

fn check_aliases(root: NodeRef<'_>, out: &mut Diagnostics) {
    let mut seen = Claims::default();
    let aliases = || devices(root).filter_map(|d| d.child("alias")?.attribute("name"));
    let mut dropped = aliases().filter(|a| !a.value.starts_with(ALIAS_PREFIX));
    // a running domain has one on each device: then it is said that it is one, and that is enough
    if let Some(alias) = dropped.next()
        && signs_of_running(root).is_empty()
    {
        let others = match dropped.count() {
            0 => String::new(),
            n => format!(", and {n} others"),
        };
        out.push(
            Diagnostic::warning("alias-dropped", "the host gives the device another alias")
                .at(alias.span)
                .detail(format!(
                    "{}{others}; one of your own starts with {ALIAS_PREFIX}",
                    found(&alias.value)
                ))
                .hint(format!("write {ALIAS_PREFIX}{}, or leave it out", alias.value)),
        );
    }
    for alias in aliases().filter(|a| a.value.starts_with(ALIAS_PREFIX)) {
        if let Some(first) = seen.claim(&alias.value, alias.span) {
            out.push(
                Diagnostic::error("duplicate-alias", "two devices have one alias")
                    .at(alias.span)
                    .detail(found(&alias.value))
                    .related(first, "the first one")
                    .hint("rename one of them"),
            );
        }
    }
}

/// The firmware shows the domain's UUID, or none.
fn check_firmware_uuid(root: NodeRef<'_>, out: &mut Diagnostics) {
    let Some(own) = root.child("uuid") else { return };
    let systems = root
        .children_named("sysinfo")
        .filter(|s| s.attr("type") == Some("smbios"))
        .flat_map(|s| s.children_named("system"));
    for entry in systems.flat_map(|s| s.children_named("entry")) {
        if entry.attr("name") == Some("uuid")
            && let (Some(a), Some(b)) = (parse_uuid(&own.text()), parse_uuid(&entry.text()))
            && a != b
        {
            out.push(
                Diagnostic::error("uuid-mismatch", "the firmware is to show another UUID")
                    .at(entry.text_span())
                    .detail(format!("{}; the domain has {}", found(&entry.text()), own.text()))
                    .related(own.text_span(), "the domain's UUID")
                    .hint("leave the entry out: the domain's UUID is shown"),
            );
        }
    }
}

fn check_labels(root: NodeRef<'_>, out: &mut Diagnostics) {
    let mut seen = Claims::default();
    for label in root.children_named("seclabel") {
        if let Some(model) = label.attribute("model")
            && let Some(first) = seen.claim(&model.value, model.span)
        {
            out.push(
                Diagnostic::error("duplicate-seclabel", "a security model has two labels")
                    .at(model.span)
                    .detail(found(&model.value))
                    .related(first, "the first one")
                    .hint("keep one of them"),
            );
        }
    }
}

fn check_videos(root: NodeRef<'_>, out: &mut Diagnostics) {
    let models = || devices(root).filter(|d| d.is("video")).filter_map(|d| d.child("model"));
    let several = models().nth(1).is_some();
    let mut primary = Claims::default();
    for model in models() {
        if model.attr("type") == Some("none") && several {
            out.push(
                Diagnostic::error("video", "video \"none\" goes with no other")
                    .at(model.span())
                    .hint("remove it, or the others"),
            );
        }
        if let Some(flag) = model.attribute("primary").filter(|p| p.value == "yes")
            && let Some(first) = primary.claim((), flag.span)
        {
            out.push(
                Diagnostic::error("video", "two video devices are the primary one")
                    .at(flag.span)
                    .related(first, "the first one")
                    .hint("keep one of them primary"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finds;
    use super::*;

    #[test]
    fn names_that_clash_or_go() {
        let (a, b) =
            ("c7a5fdbd-edaf-9455-926a-d65c16db1809", "c7a5fdbd-edaf-9455-926a-d65c16db1808");
        let system = |uuid: &str| {
            format!(
                "<uuid>{a}</uuid><sysinfo type='smbios'><system><entry name='uuid'>{uuid}</entry>\
                 </system></sysinfo>"
            )
        };
        let alias = "<disk><alias name='ua-a'/></disk>";
        finds(
            check,
            &[
                (&system(a), &[]),
                (&system(b), &["119 uuid-mismatch!"]),
                (&format!("<devices>{alias}{alias}</devices>"), &["81 duplicate-alias!"]),
                ("<devices><disk><alias name='net0'/></disk></devices>", &["48 alias-dropped"]),
                ("<seclabel model='dac'/><seclabel model='dac'/>", &["60 duplicate-seclabel!"]),
                (
                    "<devices><video><model type='none'/></video><video><model/></video></devices>",
                    &["36 video!"],
                ),
                (
                    "<devices><video><model primary='yes'/></video><video><model primary='yes'/>\
                     </video></devices>",
                    &["89 video!"],
                ),
            ],
        );
    }
}
