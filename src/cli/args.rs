//! The arguments as they were typed.
// long: all options of all commands, a line or two each

use super::fleet::Manner;
use crate::manifest::parse_duration;
use crate::model::{Effect, HostPattern, ResourceId, check_host_name, check_name};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Make the virtual machines and networks of a host match the manifests in a directory.
#[derive(Debug, Parser)]
#[command(name = "virt", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

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
    /// Most memory that what one host tells of itself may take, in MiB
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
    /// Say what is done; twice for more
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

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Validate(ValidateArgs),
    Plan(PlanArgs),
    Diff(DiffArgs),
    Apply(ApplyArgs),
    Watch(WatchArgs),
    Get(GetArgs),
    History(HistoryArgs),
    Rollback(RollbackArgs),
    Export(ExportArgs),
    Delete(DeleteArgs),
    Release(ReleaseArgs),
    Init(InitArgs),
    Doctor(DoctorArgs),
    Convert(ConvertArgs),
    Schema(SchemaArgs),
    Pki(PkiArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Command {
    /// Whether `--project` says what it is about.
    pub(crate) fn takes_project(&self) -> bool {
        match self {
            Self::Get(_)
            | Self::History(_)
            | Self::Rollback(_)
            | Self::Export(_)
            | Self::Delete(_)
            | Self::Release(_)
            | Self::Doctor(_) => true,
            Self::Validate(_)
            | Self::Plan(_)
            | Self::Diff(_)
            | Self::Apply(_)
            | Self::Watch(_)
            | Self::Init(_)
            | Self::Convert(_)
            | Self::Schema(_)
            | Self::Pki(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }
}

/// Check manifests without asking a host
///
/// Exits with 0 if all are valid, else with 1. Every problem is shown, with its place.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Manifests, or directories of them
    #[arg(required_unless_present = "list_rules", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How the result is printed, in place of --output
    #[arg(long, value_enum)]
    pub(crate) format: Option<ReportFormat>,
    /// Hold the manifests to the RELAX NG grammars domain.rng and network.rng of a directory, such
    /// as /usr/share/libvirt/schemas, in place of the embedded ones
    #[arg(long, value_name = "DIR")]
    pub(crate) schema_dir: Option<PathBuf>,
    /// Print the rules by which problems of manifests are named, and check nothing
    #[arg(long, conflicts_with = "paths")]
    pub(crate) list_rules: bool,
}

/// How the problems of manifests are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Human,
    /// For machines
    Json,
    /// For code review tools: SARIF 2.1.0
    Sarif,
}

/// Show what would change, why, and how disruptive each step is
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Manifests, or directories of them
    #[arg(required_unless_present = "show", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Show a saved plan, from its file alone: every step with what is sent
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "out", "fail_above"])]
    pub(crate) show: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: PlanOptions,
    /// Save the plan, to be applied as it is or not at all
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 5 if anything would be more disruptive than this: none, live, blip,
    /// network-restart, next-boot, restart, replace
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    pub(crate) fail_above: Option<Effect>,
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
    /// Take over objects that nobody owns
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Take over objects that this other set owns
    #[arg(long, value_name = "SET", value_parser = set_name)]
    pub(crate) adopt_from: Vec<String>,
    /// Allow steps as disruptive as this: network-restart, restart, stops, replace, data-loss
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    pub(crate) allow: Vec<Effect>,
    /// Only this object
    #[arg(long, value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) only: Vec<ResourceId>,
    /// Take it that this host, which cannot be read or is left out by --host, has no guest that is new
    /// elsewhere. One that it runs all the same may destroy a disk that both write to
    #[arg(long, value_name = "HOST", value_parser = host_name)]
    pub(crate) assume_absent: Vec<String>,
    /// Hold the manifests to the RELAX NG grammars domain.rng and network.rng of a directory in place
    /// of the embedded ones [default: `schema_dir` of virt.toml]
    #[arg(long, value_name = "DIR")]
    pub(crate) schema_dir: Option<PathBuf>,
    /// Exit with 2 if the plan has changes, with 3 if something applied waits for a boot
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Show what is in sync, too, and name the rule behind each difference that is not counted
    #[arg(long)]
    pub(crate) explain: bool,
}

impl PlanOptions {
    /// What the run shows and how it ends.
    pub(crate) fn manner(&self) -> Manner {
        Manner {
            explain: self.explain,
            detailed_exitcode: self.detailed_exitcode,
            ..Manner::default()
        }
    }

    /// Whether any of them would make another plan of the same manifests.
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

/// Show each definition as it is and as it would be
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Manifests, or directories of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) options: PlanOptions,
}

/// Make the host match
///
/// A second run changes nothing. A path that is a saved plan (virt plan --out) is applied as it was
/// reviewed, or refused if the host has moved on.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Manifests, directories of them, or one saved plan
    #[arg(required = true, value_name = "PATH|PLANFILE")]
    pub(crate) paths: Vec<PathBuf>,
    /// Apply a saved plan only if it has this digest, as virt plan --out printed it; it is not shown
    /// again then
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect: Option<String>,
    #[command(flatten)]
    pub(crate) options: PlanOptions,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// Options of commands that apply.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Stop after the plan
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show the plan and ask before it is applied, whatever it is; at a terminal that is done anyway
    /// before a guest would go down or something would be gone
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Ask nothing, at a terminal either
    #[arg(long, conflicts_with = "confirm")]
    pub(crate) yes: bool,
    /// How many calls go to a host together
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: u16,
}

/// Keep hosts as the manifests say: on changed files, on drift, on a timer
///
/// A line is printed for each change. SIGHUP has everything looked at now; SIGTERM ends it after the step
/// in hand.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Manifests, or directories of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) options: PlanOptions,
    /// How often all of a host is looked at, whatever happens
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Look and act once, as for cron; exit as apply does
    #[arg(long)]
    pub(crate) once: bool,
    /// Serve a status page and metrics at this address, such as 127.0.0.1:9177
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    pub(crate) listen: Option<SocketAddr>,
    /// How many calls go to a host together
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: u16,
}

/// Show what is there: state, owner, pending changes, in sync or drifted
///
/// One object is shown by itself: the fields that differ between its last applied manifest, its next
/// boot, and what is running, each with the reason.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// domains, networks, or single objects as KIND/NAME; all without any
    #[arg(value_name = "domains|networks|KIND/NAME")]
    pub(crate) what: Vec<String>,
    /// Go on with a line for each change, as it happens, until interrupted
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Of one object, name the rule behind each difference that is not counted
    #[arg(long, conflicts_with = "watch")]
    pub(crate) explain: bool,
}

/// Show the versions of manifests that objects remember, and what differs between them
///
/// An object remembers the manifest that was applied last and the one before it, secrets left out.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Objects as KIND/NAME; all that are owned without any
    #[arg(value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) what: Vec<ResourceId>,
}

/// Take an object back to the manifest that was applied before the last one
///
/// Through the same plan and gate as apply. What is applied then is the last version, and what it
/// takes the place of the one before: a second rollback undoes the first. Manifests are not touched:
/// the next apply of the newer one brings it back. A secret stays as the host has it.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The object
    #[arg(value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) what: ResourceId,
    /// Allow steps as disruptive as this: network-restart, restart, stops, replace, data-loss
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    pub(crate) allow: Vec<Effect>,
    /// Exit with 2 if the plan has changes, with 3 if something applied waits for a boot
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Name the rule behind each difference that is not counted
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

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

/// Delete objects, through the same plan and gate
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// Objects as KIND/NAME, or manifests that name them
    #[arg(required = true, value_name = "PATH|KIND/NAME")]
    pub(crate) what: Vec<String>,
    /// Delete objects that nobody owns, too
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Take the NVRAM and TPM state of guests with them, which nothing brings back: it needs
    /// --allow data-loss. Disks stay in any case
    #[arg(long)]
    pub(crate) nvram: bool,
    /// Pull the plug of a guest that does not shut down in time
    #[arg(long)]
    pub(crate) force: bool,
    /// How long a guest has to shut down [default: as its manifest said, or 60s]
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) timeout: Option<Duration>,
    /// Allow steps as disruptive as this: data-loss for a saved memory image, snapshots, --nvram
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    pub(crate) allow: Vec<Effect>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// Have their set let go of objects, which stay as they are
///
/// The record that says who owns an object is taken off it. Nothing else changes, and no guest notices.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The objects
    #[arg(required = true, value_name = "KIND/NAME", value_parser = resource)]
    pub(crate) what: Vec<ResourceId>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

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

/// Say what is wrong with the way to a host
///
/// Each stage is shown with its time and what came of it: the URI, the host's name, connecting, TLS
/// or ssh, authentication, the hypervisor, its version, what it can do, and what we may do. Exits
/// with 0 if all is well, else with 1 and what to do about the first that is not.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The host [default: as for the other commands]
    #[arg(value_name = "URI", value_parser = connection)]
    pub(crate) uri: Option<String>,
}

/// Turn XML into TOML, or TOML into XML, without loss
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// The manifest
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The format to write [default: the other one]
    #[arg(long, value_enum)]
    pub(crate) to: Option<Language>,
}

/// The language of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// libvirt's own
    Xml,
    /// The same with less noise
    Toml,
}

/// Print the grammar that manifests are held to
///
/// RELAX NG in one file, as jing and xmllint take it; or a JSON Schema of TOML manifests, for the
/// completion of editors: Taplo and Even Better TOML read it.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of what [default: domain; with --toml both domain and network]
    #[arg(value_name = "KIND", value_parser = clap::builder::PossibleValuesParser::new(crate::schema::embedded_names()))]
    pub(crate) kind: Option<String>,
    /// Print a JSON Schema (draft 7) of TOML manifests
    #[arg(long)]
    pub(crate) toml: bool,
}

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

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The page of this command; of virt itself without any
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
}

/// An empty text is what a script's unset variable leaves: never the best hypervisor that is here.
fn connection(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it names no host; leave the option out for the default".to_owned());
    }
    Ok(text.to_owned())
}

fn set_name(text: &str) -> Result<String, String> {
    Ok(check_name(text).map(|()| text.to_owned())?)
}

fn effect(text: &str) -> Result<Effect, String> {
    Effect::parse(text).ok_or_else(|| {
        let words: Vec<&str> = Effect::ALL.iter().map(|e| e.word()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

fn interval(text: &str) -> Result<Duration, String> {
    let day = Duration::from_secs(24 * 60 * 60);
    let time = parse_duration(text).filter(|t| (Duration::from_secs(1)..=day).contains(t));
    time.ok_or_else(|| "expected a time from 1s to 24h, such as 30s or 5m".to_owned())
}

fn host(text: &str) -> Result<HostPattern, String> {
    HostPattern::parse(text).map_err(str::to_owned)
}

fn host_name(text: &str) -> Result<String, String> {
    Ok(check_host_name(text).map(|()| text.to_owned())?)
}

fn resource(text: &str) -> Result<ResourceId, String> {
    ResourceId::parse(text).ok_or_else(|| "expected domain/NAME or network/NAME".to_owned())
}
