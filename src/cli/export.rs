//! `virt export`: manifests for what is on the host, each proven to plan to nothing.

use super::args::{ExportArgs, Language};
use super::context::Context;
use super::exit::{Exit, Run};
use super::session::Host;
use crate::diag::{Error, ErrorCode, ErrorDomain};
use crate::manifest::{self, to_toml};
use crate::model::ObservedResource;
use crate::reconcile::export;
use crate::xml;
use std::io::Write as _;
use std::path::Path;

pub(crate) fn run(context: &Context, args: &ExportArgs) -> Run {
    if let Some(dir) = &args.dir {
        let name = dir.display().to_string();
        std::fs::create_dir_all(dir).map_err(|e| Error::system(&name, &e))?;
    }
    let host = Host::open(context, None)?;
    let observed = host.observe()?;
    let mut bad = false;
    for id in args.what.iter().filter(|id| !observed.resources.contains_key(id)) {
        let error = Error::new(ErrorCode::INVALID_ARG, ErrorDomain::NONE, "it is not on the host");
        context.show_error(&error.address(id.to_string()));
        bad = true;
    }
    let wanted = |r: &&ObservedResource| args.what.is_empty() || args.what.contains(&r.id);
    for resource in observed.resources.values().filter(wanted) {
        match export(resource, manifest::settings_element) {
            Err(e) => {
                context.show_error(&e.address(resource.id.to_string()));
                bad = true;
            }
            Ok(document) => {
                let (text, extension) = match args.format {
                    Language::Xml => (xml::write(&document), "xml"),
                    Language::Toml => (to_toml(std::slice::from_ref(&document)), "toml"),
                };
                match &args.dir {
                    None => context.output.result(&text)?,
                    Some(dir) => {
                        let name = format!("{}-{}.{extension}", resource.id.kind, resource.id.name);
                        write_new(&dir.join(name), &text)?;
                    }
                }
            }
        }
    }
    Ok(if bad { Exit::Error } else { Exit::Done })
}

/// Writes a file that must not be there yet: an export never takes the place of a manifest.
fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let name = path.display().to_string();
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|e| Error::system(&name, &e))?;
    file.write_all(text.as_bytes()).map_err(|e| Error::system(&name, &e))
}
