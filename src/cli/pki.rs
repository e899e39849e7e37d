//! `virt pki`: the certificates of a CA, servers and clients.

use super::context::Context;
use super::exit::{Exit, Run};
use super::options::Format;
use super::output::Paint;
use super::view::json;
use crate::pki::{self, End, Files, Finding, Level, Pair, Places};
use clap::{Args, Subcommand};
use diagnostics::escape;
use std::path::{Path, PathBuf};

/// Make and check the certificates that TLS needs
///
/// Files stand where libvirt looks for them, or in one directory with --dir, which a URI names with
/// pkipath=DIR. Nothing is ever overwritten.
#[derive(Debug, Args)]
pub(crate) struct PkiArgs {
    #[command(subcommand)]
    pub(crate) command: PkiCommand,
}

/// What to make or check.
#[derive(Debug, Subcommand)]
pub(crate) enum PkiCommand {
    /// Make a CA: cacert.pem for every machine, and cakey.pem, which signs and stays here
    Init {
        /// The CA's name
        #[arg(long, value_name = "NAME", default_value = "virt CA")]
        name: String,
        /// How long it is valid
        #[arg(long, value_name = "DAYS", default_value_t = 3650)]
        days: u32,
        #[command(flatten)]
        place: PkiPlace,
    },
    /// Make a server's certificate: servercert.pem and serverkey.pem
    Server {
        /// What clients connect to: DNS names and addresses
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// How long it is valid; never longer than the CA
        #[arg(long, value_name = "DAYS", default_value_t = 730)]
        days: u32,
        #[command(flatten)]
        place: PkiPlace,
    },
    /// Make a client's certificate: clientcert.pem and clientkey.pem
    Client {
        /// Who it is, as a server's tls_allowed_dn_list has it behind CN=
        #[arg(value_name = "NAME")]
        name: String,
        /// How long it is valid; never longer than the CA
        #[arg(long, value_name = "DAYS", default_value_t = 730)]
        days: u32,
        #[command(flatten)]
        place: PkiPlace,
    },
    /// Check the files of both ends, each with a reason and a remedy
    ///
    /// Exits with 0 if they are sound, else with 1. A server that is not there is no error unless it
    /// is asked for; a client may be without a certificate.
    Check {
        /// The server's files only
        #[arg(long)]
        server: bool,
        /// The client's files only
        #[arg(long)]
        client: bool,
        #[command(flatten)]
        place: PkiPlace,
    },
}

/// Where the files are.
#[derive(Debug, Args)]
pub(crate) struct PkiPlace {
    /// All files in this directory, in place of libvirt's
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

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
    let level = context.output.paint(paint, &format!("{}:", finding.level.as_str()));
    let mut text = format!("{}: {level} {}\n", finding.end.as_str(), escape(&finding.what));
    if let Some(hint) = &finding.hint {
        text.push_str(&format!("    hint: {}\n", escape(hint)));
    }
    text
}
