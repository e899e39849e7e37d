//! `virt export`: manifests for what is on the host, each proven to plan to nothing.

use super::context::Context;
use super::exit::{Exit, Run};
use super::options::{Language, resource};
use super::session::Host;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{self, Format, Grammars, read_text, to_toml};
use crate::model::{Observed, ObservedResource, ResourceId, check_name};
use crate::reconcile::{Sparse, export, prove};
use clap::{Args, ValueEnum};
use diagnostics::{Diagnostic, Diagnostics, Sources, shown_path};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Write manifests for what is on the host
///
/// What is written is read again and planned for first: a manifest that would change anything is not
/// written. Passwords are left out, and devices that only a running guest has are written; both are
/// said.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Objects as KIND/NAME; all without any
    #[arg(value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) what: Vec<ResourceId>,
    /// The format of the manifests
    #[arg(long, value_enum, default_value_t = Language::Xml)]
    pub(crate) format: Language,
    /// Write one file an object into this directory instead of printing
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Leave out what the host fills in anew by itself: defaults, controllers, addresses. UUID, MAC
    /// addresses and the version of the machine stay; with =anew they go, too
    #[arg(long, value_name = "WHAT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "same")]
    pub(crate) sparse: Option<Leave>,
}

/// What a sparse export leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Leave {
    /// What the host fills in to the same
    Same,
    /// What identifies the object, too: for another one like it
    Anew,
}

pub(crate) fn run(context: &Context, args: &ExportArgs) -> Run {
    if let Some(dir) = &args.dir {
        let name = shown_path(dir);
        std::fs::create_dir_all(dir).map_err(|e| Error::system(&name, &e))?;
    }
    let host = Host::meant(context)?;
    let observed = host.observe()?;
    let mut bad = false;
    let silent = observed.unknown.keys().filter(|_| args.what.is_empty());
    let missing = args.what.iter().filter(|id| !observed.resources.contains_key(id));
    for id in silent.chain(missing) {
        let text = match observed.unknown.get(id) {
            Some(unknown) => format!("it does not answer: {}", unknown.why),
            None => "it is not on the host".to_owned(),
        };
        let error = Error::new(ErrorKind::Invalid, text);
        context.show_error(&error.address(id.to_string()));
        bad = true;
    }
    let wanted = |r: &&ObservedResource| args.what.is_empty() || args.what.contains(&r.id);
    for resource in observed.resources.values().filter(wanted) {
        let made = manifest_of(args, &host, &observed, resource);
        let written = made.and_then(|made| match &made.path {
            Some(path) => write_new(path, &made.text).map(|()| made),
            None => Ok(made),
        });
        match written {
            Ok(made) => {
                if made.path.is_none() {
                    context.output.result(&made.text)?;
                }
                context.show(&made.notes, &made.sources);
            }
            Err(e) => {
                context.show_error(&e.address(resource.id.to_string()));
                bad = true;
            }
        }
    }
    Ok(if bad { Exit::Error } else { Exit::Done })
}

/// A manifest as it is written.
struct Made {
    /// Its file, if it has one.
    path: Option<PathBuf>,
    text: String,
    /// What there is to know of it.
    notes: Diagnostics,
    sources: Sources,
}

fn how(asked: Leave) -> Sparse {
    match asked {
        Leave::Same => Sparse::Same,
        Leave::Anew => Sparse::Anew,
    }
}

/// The manifest of one object, read again and proven.
fn manifest_of(
    args: &ExportArgs,
    host: &Host,
    observed: &Observed,
    resource: &ObservedResource,
) -> Result<Made> {
    let made =
        export(resource, &host.capabilities, args.sparse.map(how), manifest::settings_element)?;
    let (text, extension, format) = match args.format {
        Language::Xml if args.sparse.is_some() => {
            (xmltree::write_folded(&made.document), "xml", Format::Xml)
        }
        Language::Xml => (xmltree::write(&made.document), "xml", Format::Xml),
        Language::Toml => (to_toml(std::slice::from_ref(&made.document)), "toml", Format::Toml),
    };
    // a host may say anything, and a name must not lead out of the directory
    check_name(&resource.id.name).map_err(|why| {
        Error::new(ErrorKind::Invalid, format!("its name is none that a manifest can have: {why}"))
            .hint("rename it with virsh domrename first")
    })?;
    let name = format!("{}-{}.{extension}", resource.id.kind, resource.id.name);
    let path = args.dir.as_ref().map(|dir| dir.join(&name));
    let shown = path.as_ref().map_or(name, |path| shown_path(path));
    let (again, problems, sources) = read_text(&shown, &text, format, &Grammars::Embedded);
    let Some(again) = again else {
        let first = problems.iter().next().map(|d| d.summary.clone()).unwrap_or_default();
        let text = format!("its manifest cannot be read again: {first}");
        return Err(Error::new(ErrorKind::Unsupported, text)
            .hint("virsh dumpxml --inactive shows the definition"));
    };
    let proven = prove(&made, &again, observed, &host.capabilities)?;
    let mut notes = made.notes;
    // the host holds it: whether a manifest may is for validate and plan to say
    notes.extend(problems.into_iter().filter(Diagnostic::is_error).map(Diagnostic::into_warning));
    notes.extend(proven);
    Ok(Made { path, text, notes, sources })
}

/// Writes a file that must not be there yet: an export never takes the place of a manifest.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let name = shown_path(path);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|e| Error::system(&name, &e))?;
    file.write_all(text.as_bytes()).map_err(|e| Error::system(&name, &e))
}
