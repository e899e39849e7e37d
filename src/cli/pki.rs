//! `virt pki`: the certificates of a CA, servers and clients.

use super::args::{Format, PkiArgs, PkiCommand};
use super::context::Context;
use super::exit::{Exit, Run};
use super::output::Paint;
use super::view::json;
use crate::diag::escape;
use crate::pki::{self, End, Files, Finding, Level, Pair, Places};
use std::path::{Path, PathBuf};

pub(crate) fn run(context: &Context, args: &PkiArgs) -> Run {
    match &args.command {
        PkiCommand::Init { name, days, place } => {
            let places = Places::of_authority(place.dir.as_deref());
            made(context, &places, &pki::authority(name, *days)?)
        }
        PkiCommand::Server { names, days, place } => {
            issue(context, End::Server, names, *days, place.dir.as_deref())
        }
        PkiCommand::Client { name, days, place } => {
            issue(context, End::Client, std::slice::from_ref(name), *days, place.dir.as_deref())
        }
        PkiCommand::Check { server, client, place } => {
            check(context, (*server, *client), place.dir.as_deref())
        }
    }
}

fn issue(
    context: &Context,
    end: End,
    names: &[String],
    days: u32,
    directory: Option<&Path>,
) -> Run {
    let ca = pki::read_authority(&Places::of_authority(directory))?;
    let pair = pki::issue(end, names, &ca, days)?;
    made(context, &Places::of(end, directory), &pair)
}

fn made(context: &Context, places: &Places, pair: &Pair) -> Run {
    pki::write_pair(places, pair)?;
    context.output.result(&match context.output.format {
        Format::Json => json::pki_made(places),
        Format::Human => {
            let shown = |path: &Path| escape(&path.to_string_lossy());
            format!(
                "certificate {}\nkey         {}\n",
                shown(&places.certificate),
                shown(&places.key)
            )
        }
    })?;
    Ok(Exit::Done)
}

fn check(context: &Context, (server, client): (bool, bool), directory: Option<&Path>) -> Run {
    let both = server == client;
    let mut findings = Vec::new();
    if server || both {
        findings.extend(pki::check(&Files::of_server(directory), End::Server, server));
    }
    if client || both {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let uid = nix::unistd::Uid::effective().as_raw();
        let files = Files::of_client(directory, uid, home.as_deref());
        findings.extend(pki::check(&files, End::Client, client));
    }
    let sound = findings.iter().all(|f| f.level != Level::Error);
    context.output.result(&match context.output.format {
        Format::Json => json::pki_checked(&findings, sound),
        Format::Human => findings.iter().map(|f| human(context, f)).collect(),
    })?;
    Ok(if sound { Exit::Done } else { Exit::Error })
}

fn human(context: &Context, finding: &Finding) -> String {
    let paint = match finding.level {
        Level::Ok => Paint::Green,
        Level::Warning => Paint::Yellow,
        Level::Error => Paint::Red,
    };
    let level = context.output.paint(paint, &format!("{}:", finding.level.word()));
    let mut text = format!("{}: {level} {}\n", finding.end.word(), escape(&finding.what));
    if let Some(hint) = &finding.hint {
        text.push_str(&format!("    hint: {}\n", escape(hint)));
    }
    text
}
