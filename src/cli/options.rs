//! Options that commands share, and how values of options are read.

use crate::manifest::parse_duration;
use crate::model::{Effect, HostPattern, ResourceId, check_host_name, check_set_name};
use clap::{ArgAction, Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The host, as a libvirt URI, or as a name of `connections` in ~/.config/virt/config.toml or
    /// /etc/virt/config.toml. Without it: `connect` of virt.toml, then VIRT_DEFAULT_CONNECT_URI,
    /// VIRSH_DEFAULT_CONNECT_URI, LIBVIRT_DEFAULT_URI
    #[arg(short, long, global = true, value_name = "URI", value_parser = connection)]
    pub(crate) connect: Option<String>,
    /// The directory whose virt.toml names the host and the set, for commands without paths [default:
    /// the nearest virt.toml upwards that nobody else can write]
    #[arg(short = 'f', long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Only this host of those that virt.toml names, or those that a pattern matches: `*` stands for
    /// any characters, `?` for one, and a `!` before it takes away
    #[arg(long, global = true, value_name = "PATTERN", value_parser = host)]
    pub(crate) host: Vec<HostPattern>,
    /// The set that owns what is applied [default: `set` of virt.toml]
    #[arg(long, global = true, value_name = "NAME", value_parser = set_name)]
    pub(crate) set: Option<String>,
    /// Take any connection that a virt.toml or a saved plan names, also one that runs a program or
    /// leads to a host that no configuration of yours names; VIRT_TRUST_CONNECT=1 does the same
    #[arg(long, global = true)]
    pub(crate) trust_connect: bool,
    /// Only look at the host: nothing can be changed, and no secret is read
    #[arg(short, long, global = true)]
    pub(crate) read_only: bool,
    /// Sign the records on objects with the key in this file, and believe no others; in place of
    /// `signing.key_file` of config.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) signing_key: Option<PathBuf>,
    /// Most memory that the inventory of one host may take, in MiB
    #[arg(long, global = true, value_name = "MIB", default_value_t = 256, hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) max_inventory: u32,
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) output: Format,
    /// Whether results are coloured
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Print errors and results only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Log each operation; twice for more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For machines
    Json,
}

/// When results are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Options of commands that plan.
#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    /// Delete objects of this set that no manifest names any more, and move guests to other hosts
    #[arg(long)]
    pub(crate) prune: bool,
    /// How many may be pruned [default: a fifth of the set, at least one]
    #[arg(long, value_name = "N")]
    pub(crate) max_prune: Option<usize>,
    /// Adopt objects that nobody owns
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Adopt objects that this other set owns
    #[arg(long, value_name = "SET", value_parser = set_name)]
    pub(crate) adopt_from: Vec<String>,
    /// Allow steps as disruptive as this: network-restart, restart, stops, replace, data-loss
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    pub(crate) allow: Vec<Effect>,
    /// Only this object
    #[arg(long, value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) only: Vec<ResourceId>,
    /// Assume that this host, which cannot be read or is left out by --host, has no guest that is
    /// new elsewhere. If it does run one, a disk that both write to may be destroyed
    #[arg(long, value_name = "HOST", value_parser = host_name)]
    pub(crate) assume_absent: Vec<String>,
    /// Validate the manifests against the RELAX NG grammars domain.rng and network.rng of a
    /// directory in place of the embedded ones [default: `schema_dir` of virt.toml]
    #[arg(long, value_name = "DIR")]
    pub(crate) schema_dir: Option<PathBuf>,
    /// Exit with 2 if the plan has changes, with 3 if something applied waits for a boot
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Show what is in sync, too, and name the rule behind each ignored difference
    #[arg(long)]
    pub(crate) explain: bool,
}

/// Content of a run's report, and the rules of its exit code.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReportOptions {
    pub(crate) explain: bool,
    pub(crate) detailed_exitcode: bool,
    /// The worst effect that a plan may have without being refused.
    pub(crate) fail_above: Option<Effect>,
}

impl PlanOptions {
    /// Options of the run's report.
    pub(crate) fn reporting(&self) -> ReportOptions {
        ReportOptions {
            explain: self.explain,
            detailed_exitcode: self.detailed_exitcode,
            ..ReportOptions::default()
        }
    }

    /// Whether any option would change the plan of the same manifests.
    pub(crate) fn changes_the_plan(&self) -> bool {
        self.prune
            || self.max_prune.is_some()
            || self.adopt
            || !self.adopt_from.is_empty()
            || !self.allow.is_empty()
            || !self.only.is_empty()
            || !self.assume_absent.is_empty()
            || self.schema_dir.is_some()
            || self.detailed_exitcode
    }
}

/// Options of commands that apply.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Stop after the plan
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show the plan and ask before it is applied, whatever it is; at a terminal that is done
    /// anyway before a guest would go down or data be lost
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Ask nothing, not even at a terminal
    #[arg(long, conflicts_with = "confirm")]
    pub(crate) yes: bool,
    /// How many calls are sent to a host at once
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: u16,
}

/// The language of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// libvirt's own XML
    Xml,
    /// TOML, with less noise
    Toml,
}

/// Parses a URI. An empty text comes from a script's unset variable, and never means the best
/// hypervisor here.
pub(super) fn connection(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it names no host; leave the option out for the default".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn set_name(text: &str) -> Result<String, String> {
    Ok(check_set_name(text).map(|()| text.to_owned())?)
}

pub(super) fn effect(text: &str) -> Result<Effect, String> {
    Effect::parse(text).ok_or_else(|| {
        let words: Vec<&str> = Effect::ALL.iter().map(|e| e.as_str()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let day = Duration::from_secs(24 * 60 * 60);
    let time = parse_duration(text).filter(|t| (Duration::from_secs(1)..=day).contains(t));
    time.ok_or_else(|| "expected a time from 1s to 24h, such as 30s or 5m".to_owned())
}

pub(super) fn host(text: &str) -> Result<HostPattern, String> {
    HostPattern::parse(text).map_err(str::to_owned)
}

pub(super) fn host_name(text: &str) -> Result<String, String> {
    Ok(check_host_name(text).map(|()| text.to_owned())?)
}

pub(super) fn resource(text: &str) -> Result<ResourceId, String> {
    ResourceId::parse(text).ok_or_else(|| "expected domain/NAME or network/NAME".to_owned())
}
