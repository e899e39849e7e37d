//! `virt init`: a `virt.toml` that names the set, after a look at whose the objects are already.

use super::context::Context;
use super::exit::{Exit, Failure, Run};
use super::session::Host;
use crate::drivers::Written;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Grammars, load_for_hosts, quoted};
use crate::model::{Desired, Observed, ResourceId};
use crate::reconcile::status;
use clap::Args;
use diagnostics::{escape, shown_path};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

/// Write a virt.toml that names the set of a directory
///
/// The name is that which the objects of its manifests have on the host already, else the directory's;
/// with --set no host is looked at.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The directory of manifests
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
}

pub(crate) fn run(context: &Context, args: &InitArgs) -> Run {
    let file = args.directory.join("virt.toml");
    let name = shown_path(&file);
    if std::fs::symlink_metadata(&file).is_ok() {
        let text = format!("{name} is there already");
        let hint = "add the line set = \"NAME\" to it, if it has none";
        return Err(Error::new(ErrorKind::Denied, text).hint(hint).into());
    }
    let paths = [args.directory.clone()];
    // what is wrong with the manifests is for validate to say
    let loaded = load_for_hosts(&paths, &Grammars::Embedded, None);
    let set = match &context.set {
        Some(set) => set.clone(),
        None => chosen(context, &loaded.desired)?,
    };
    let connect = context.connect.as_deref().filter(|uri| is_for_files(context, uri, args));
    let text = text(&set, connect);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&file);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Error::system(&name, &e))?;
    context.note(&format!("wrote {}: the set is {}\n", escape(&name), escape(&set)));
    Ok(Exit::Done)
}

fn text(set: &str, connect: Option<&str>) -> String {
    let mut text =
        format!("# Who owns what is applied from this directory.\nset = {}\n", quoted(set));
    if let Some(uri) = connect {
        text.push_str(&format!("connect = {}\n", quoted(uri)));
    }
    text
}

/// Whether the host of the command line is one that a file may choose, and leads to the same there.
fn is_for_files(context: &Context, uri: &str, args: &InitArgs) -> bool {
    let written = Written {
        text: uri.to_owned(),
        place: String::new(),
        directory: args.directory.clone(),
        real: super::written::real(&args.directory),
        name: None,
    };
    let is_uri = context.connection(None).is_ok_and(|named| named.text() == uri);
    is_uri && context.admit(&written).is_ok_and(|admitted| admitted.text() == uri)
}

/// The set of the records that are on the host, else the directory's name.
fn chosen(context: &Context, desired: &Desired) -> Result<String, Failure> {
    let looked = Host::open(context, None).and_then(|host| Ok((host.observe()?, host.uri)));
    let (observed, uri) = looked.map_err(|e| {
        let text = "it cannot be looked whose these objects are already";
        Error::new(ErrorKind::Invalid, text)
            .caused_by(e)
            .hint("name the host with --connect; --set NAME writes it without looking")
    })?;
    let owners = owners(&observed);
    let named: BTreeSet<&ResourceId> =
        desired.resources.keys().chain(desired.blocked.keys()).collect();
    let of_ours = owners
        .iter()
        .filter(|(_, ids)| ids.iter().any(|id| named.contains(id)))
        .collect::<Vec<_>>();
    match of_ours.as_slice() {
        [(set, ids)] => {
            let count = ids.iter().filter(|id| named.contains(id)).count();
            let objects = if count == 1 { "object" } else { "objects" };
            context.note(&format!(
                "{count} {objects} of these manifests on {} are of the set {} already\n",
                escape(&uri),
                escape(set)
            ));
            Ok((*set).clone())
        }
        [] => unused(&desired.set, owners.get(&desired.set), &uri).map_err(Failure::from),
        several => {
            let sets: Vec<&str> = several.iter().map(|(set, _)| set.as_str()).collect();
            let text = format!(
                "objects of these manifests are of several sets on {uri}: {}",
                sets.join(", ")
            );
            let hint = "choose one with --set, and take over the rest with virt apply --adopt-from";
            Err(Error::new(ErrorKind::Denied, text).hint(hint).into())
        }
    }
}

/// The directory's name, unless another one of that name has been applied to the host.
fn unused(set: &str, theirs: Option<&BTreeSet<ResourceId>>, uri: &str) -> Result<String> {
    let Some(first) = theirs.and_then(BTreeSet::first) else { return Ok(set.to_owned()) };
    let text = format!(
        "the set {set} on {uri} has {first}, which no manifest here names: another directory of this name \
         may have been applied"
    );
    let hint = format!("choose another name with --set, or --set {set} if it is this one");
    Err(Error::new(ErrorKind::Denied, text).hint(hint))
}

/// What each set owns.
fn owners(observed: &Observed) -> BTreeMap<String, BTreeSet<ResourceId>> {
    let mut owners: BTreeMap<String, BTreeSet<ResourceId>> = BTreeMap::new();
    for object in observed.resources.values() {
        if let Some(set) = status(object).owner {
            owners.entry(set).or_default().insert(object.id.clone());
        }
    }
    owners
}
