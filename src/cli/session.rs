//! From paths to a plan: the common part of plan, diff, apply and delete.

use super::context::Context;
use super::exit::Failure;
use super::fleet::{self, Fleet};
use super::lock::HostLock;
use super::options::{Format, PlanOptions};
use super::project;
use super::view::json;
use super::view::plan_view::PlanView;
use super::written;
use crate::drivers::{Connection, Driver, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Grammars, Loaded, load_for_hosts};
use crate::model::{Capabilities, Desired, Observed, ResourceId, Scope, Uri};
use crate::reconcile::moves::{Crossing, HostFacts, Party, Pools, plan_together, pools_of};
use crate::reconcile::{Options, Plan, filled_in, fingerprint, plan};
use diagnostics::{Diagnostic, Diagnostics, Sources, closest};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tracing::info;

/// A connected host.
pub(crate) struct Host {
    /// The URI as given.
    pub(crate) uri: String,
    pub(crate) driver: Box<dyn Driver>,
    pub(crate) capabilities: Capabilities,
    /// Lock of the host, for a command that changes it.
    lock: Option<HostLock>,
}

impl Host {
    /// Connects to the host that the command line, a file or the environment names.
    pub(crate) fn open(context: &Context, written: Option<&Written>) -> Result<Self> {
        Self::open_at(context, &context.connection(written)?)
    }

    /// Connects to the host of a command without paths, and reports it.
    pub(crate) fn meant(context: &Context) -> Result<Self, Failure> {
        Ok(Self::open_at(context, &project::Target::of(context)?.connection)?)
    }

    /// Connects to a host.
    pub(crate) fn open_at(context: &Context, connection: &Connection) -> Result<Self> {
        let begun = Instant::now();
        let driver = context.open(connection)?;
        let capabilities = driver.capabilities()?;
        let uri = connection.text();
        info!(uri, driver = driver.name(), took = ?begun.elapsed(), "connected");
        let uri = match driver.uri() {
            Some(chosen) if uri.is_empty() => chosen.to_owned(),
            _ => uri.to_owned(),
        };
        let mut host = Self { uri, driver, capabilities, lock: None };
        host.lock(context)?;
        Ok(host)
    }

    fn lock(&mut self, context: &Context) -> Result<()> {
        self.lock = context.lock(&Uri::parse(&self.uri)?)?;
        Ok(())
    }

    pub(crate) fn observe(&self) -> Result<Observed> {
        let begun = Instant::now();
        let observed = self.driver.observe(&Scope::all())?;
        info!(resources = observed.resources.len(), took = ?begun.elapsed(), "observed");
        Ok(observed)
    }
}

/// An observed host of a fleet.
pub(crate) struct Looked {
    host: Host,
    observed: Observed,
    desired: Arc<Desired>,
    pools: Pools,
}

impl Looked {
    /// Connects to a host and observes it, with the storage behind those disks that matter to the
    /// plan.
    pub(crate) fn at(
        context: &Context,
        connection: &Result<Connection>,
        desired: Arc<Desired>,
    ) -> Result<Self> {
        let host = Host::open_at(context, connection.as_ref().map_err(Clone::clone)?)?;
        let observed = host.observe()?;
        let pools = pools_of(&observed, Some(&desired), |names| host.driver.pools(names))?;
        Ok(Self { host, observed, desired, pools })
    }

    /// Facts that the other hosts need.
    pub(crate) fn facts(&self, loaded: &Loaded) -> HostFacts {
        HostFacts::of(&self.observed, &self.pools, &loaded.shared)
    }
}

/// Target of a command: one host, or a fleet.
pub(crate) enum Target {
    /// One host, with its plan.
    Host(Box<Session>),
    /// The hosts that `virt.toml` names.
    Fleet(Box<Fleet>),
}

/// Manifests, their host, and the plan that follows.
pub(crate) struct Session {
    pub(crate) loaded: Arc<Loaded>,
    /// Desired state of this host.
    desired: Arc<Desired>,
    pub(crate) host: Host,
    pub(crate) options: Options,
    pub(crate) plan: Plan,
    /// Problems of the manifests that are reported with this plan; those of a fleet are reported
    /// once, and not with each host's.
    problems: Diagnostics,
    /// Objects to delete that are not on the host.
    pub(crate) absent: Vec<ResourceId>,
}

impl Session {
    /// Values that the host had filled in and that are sent again with the definition of an
    /// existing object.
    pub(crate) fn sent_along(&self, id: &ResourceId) -> Vec<xmltree::Path> {
        let change = self.plan.changes.iter().find(|c| c.id == *id);
        let sent = change.filter(|c| c.before.is_some()).and_then(|c| c.after.as_ref());
        match (sent, self.desired.resources.get(id)) {
            (Some(sent), Some(desired)) => {
                filled_in(id.kind, sent, desired.definition.as_element(), &desired.settings.ignore)
            }
            _ => Vec::new(),
        }
    }
}

/// Purpose of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For display only.
    Show,
    /// For an apply, now or later.
    Apply,
}

/// Reads the manifests and shows their problems. A single host is observed and planned for, too;
/// the hosts of a fleet are only selected.
pub(crate) fn prepare(
    context: &Context,
    paths: &[PathBuf],
    typed: &PlanOptions,
    purpose: Purpose,
) -> Result<Target, Failure> {
    let options = options(typed);
    let grammars = grammars(context, typed.schema_dir.as_deref())?;
    let (loaded, ahead) = load_and_observe(context, paths, &grammars);
    context.show(&loaded.diagnostics, &loaded.sources);
    // no host is asked for what nobody can want
    if loaded.desired.resources.is_empty() && loaded.diagnostics.has_errors() {
        if context.output.format == Format::Json {
            context.output.result(&json::validation(&loaded))?;
        }
        return Err(Failure::Shown);
    }
    check_prune(paths, typed, &loaded)?;
    if purpose == Purpose::Apply {
        check_set(paths, &loaded)?;
    }
    let hosts = fleet::chosen(context, &loaded)?;
    if !hosts.is_empty() {
        return Ok(Target::Fleet(Box::new(Fleet::applying(loaded, hosts, options))));
    }
    let session = Session::plan_ahead(context, loaded, options, ahead)?;
    match session.unknown_only().first() {
        Some(id) => Err(nobody_names(id, &session.loaded.desired)),
        None => Ok(Target::Host(Box::new(session))),
    }
}

/// Checks that only objects that the set itself no longer names can be pruned.
pub(crate) fn check_prune(
    paths: &[PathBuf],
    typed: &PlanOptions,
    loaded: &Loaded,
) -> Result<(), Failure> {
    let lacks = if !typed.prune {
        return Ok(());
    } else if paths.iter().any(|p| p.exists() && !p.is_dir()) {
        "--prune needs whole directories: with single files everything else of the set would be \
         deleted"
    } else if !loaded.set_is_named {
        "--prune needs a virt.toml that names the set, or --set: another directory may have the \
         same name"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(lacks.to_owned()))
}

/// Checks that the set is named. A directory's name may be another's, too: objects were recorded
/// under that name until this check was added.
pub(crate) fn check_set(paths: &[PathBuf], loaded: &Loaded) -> Result<(), Failure> {
    if loaded.set_is_named {
        return Ok(());
    }
    let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
    let directory = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let (file, set) = (directory.join("virt.toml"), &loaded.desired.set);
    Err(Failure::Usage(format!(
        "nothing names the set that owns these objects: add this line to {}:  set = \"{set}\"  \
         (earlier versions took the directory's name, and objects on the host have that), or pass \
         --set {set}; virt init asks the host and writes the file",
        file.display()
    )))
}

/// Planning options, as typed.
pub(crate) fn options(typed: &PlanOptions) -> Options {
    Options {
        prune: typed.prune,
        max_prune: typed.max_prune,
        adopt: typed.adopt,
        adopt_from: typed.adopt_from.iter().cloned().collect(),
        allow: typed.allow.iter().copied().collect(),
        only: typed.only.iter().cloned().collect(),
        assume_absent: typed.assume_absent.iter().cloned().collect(),
        explain: typed.explain,
        ..Options::default()
    }
}

/// Desired state and options of a deletion: all that the manifests name, and `named`. Only these
/// objects are looked at, and the manifests are not applied.
pub(crate) fn deletion(
    manifests: &Desired,
    named: &[ResourceId],
    options: Options,
) -> (Desired, Options) {
    let delete = named.iter().chain(manifests.resources.keys()).cloned().collect();
    let protected = manifests.resources.values().filter(|r| r.settings.prevent_destroy);
    let protected = protected.map(|r| r.id.clone()).collect();
    let set = manifests.set.clone();
    let desired = Desired { set, complete: true, ..Desired::default() };
    (desired, Options { protected, delete, ..options })
}

/// Error for a name in `--only` that is nowhere: it is a typo, and not a reason to do nothing.
pub(crate) fn nobody_names(id: &ResourceId, desired: &Desired) -> Failure {
    let names = desired.resources.keys().filter(|r| r.kind == id.kind);
    let close = closest(&id.name, names.map(|r| r.name.as_str()));
    let hint = close.map(|c| format!("; did you mean {}/{c}?", id.kind));
    Failure::Usage(format!("no manifest names {id}{}", hint.unwrap_or_default()))
}

impl Session {
    /// Names in `--only` that are neither in the manifests nor on the host.
    pub(crate) fn unknown_only(&self) -> Vec<ResourceId> {
        let desired = &self.loaded.desired;
        let known = |id: &ResourceId| {
            desired.resources.contains_key(id)
                || desired.blocked.contains_key(id)
                || self.plan.orphans.contains(id)
                || self.plan.changes.iter().any(|c| c.id == *id)
        };
        self.options.only.iter().filter(|id| !known(id)).cloned().collect()
    }

    /// Connects, observes and plans.
    pub(crate) fn plan(context: &Context, loaded: Loaded, options: Options) -> Result<Self> {
        Self::plan_ahead(context, loaded, options, None)
    }

    fn plan_ahead(
        context: &Context,
        loaded: Loaded,
        options: Options,
        ahead: Option<Result<(Host, Observed)>>,
    ) -> Result<Self> {
        let (host, observed) =
            ahead.unwrap_or_else(|| observe(context, written::of_manifests(&loaded).as_ref()))?;
        let problems = loaded.diagnostics.clone();
        let desired = Arc::clone(&loaded.desired);
        let session = Self::made(Arc::new(loaded), desired, host, &observed, options, problems);
        context.show(&session.plan.diagnostics, &session.loaded.sources);
        Ok(session)
    }

    /// Plans for an observed host.
    pub(crate) fn of_host(
        context: &Context,
        loaded: Loaded,
        options: Options,
        observed: (Host, Observed),
    ) -> Result<Self> {
        Self::plan_ahead(context, loaded, options, Some(Ok(observed)))
    }

    /// Plans for a host of a fleet on its own.
    pub(crate) fn of_fleet(loaded: &Arc<Loaded>, looked: Looked, options: Options) -> Self {
        let Looked { host, observed, desired, .. } = looked;
        let none = Diagnostics::default();
        Self::made(Arc::clone(loaded), desired, host, &observed, options, none)
    }

    /// Plans for hosts of a fleet that depend on each other: `crossings` are theirs in their order,
    /// and `moves` name the places that each guest leaves and goes to.
    pub(crate) fn together(
        loaded: &Arc<Loaded>,
        looked: Vec<(Looked, Options)>,
        crossings: &[Crossing],
        moves: &[(ResourceId, usize, usize)],
    ) -> Vec<Self> {
        let begun = Instant::now();
        let now = Some(Timestamp::now());
        let looked: Vec<(Looked, Options)> =
            looked.into_iter().map(|(l, options)| (l, Options { now, ..options })).collect();
        let parties = looked.iter().map(|(of_host, options)| Party {
            name: options.host_name(),
            desired: &of_host.desired,
            observed: &of_host.observed,
            pools: &of_host.pools,
            capabilities: &of_host.host.capabilities,
            options,
        });
        let parties: Vec<Party<'_>> = parties.collect();
        let plans = plan_together(&parties, crossings, moves, &loaded.shared);
        info!(hosts = plans.len(), took = ?begun.elapsed(), "planned together");
        let planned = looked.into_iter().zip(plans);
        let session = |((l, _), (options, plan)): ((Looked, Options), (Options, Plan))| Self {
            loaded: Arc::clone(loaded),
            desired: l.desired,
            host: l.host,
            options,
            plan,
            problems: Diagnostics::default(),
            absent: Vec::new(),
        };
        planned.map(session).collect()
    }

    /// Shows the problems of the manifests.
    pub(crate) fn show_problems(&self, context: &Context) {
        context.show(&self.plan.diagnostics, &self.loaded.sources);
    }

    fn made(
        loaded: Arc<Loaded>,
        desired: Arc<Desired>,
        host: Host,
        observed: &Observed,
        options: Options,
        problems: Diagnostics,
    ) -> Self {
        let begun = Instant::now();
        let options = Options { now: Some(Timestamp::now()), ..options };
        let plan = plan(&desired, observed, &host.capabilities, &options);
        info!(steps = plan.steps.len(), took = ?begun.elapsed(), "planned");
        let gone = |id: &&ResourceId| {
            !observed.resources.contains_key(*id) && !observed.unknown.contains_key(*id)
        };
        let absent = options.delete.iter().filter(gone).cloned().collect();
        Self { loaded, desired, host, options, plan, problems, absent }
    }

    /// Observes the host again and plans again, for the remaining drift after an apply.
    pub(crate) fn plan_again(&self) -> Result<Plan> {
        let observed = self.host.observe()?;
        // what was taken away has to be gone
        let options = Options { seeks: self.plan.takes_away(), ..self.options.clone() };
        Ok(plan(&self.desired, &observed, &self.host.capabilities, &options))
    }

    /// Disconnects from the host, and keeps the plan: many hosts would otherwise stay open and
    /// locked until the user answers.
    pub(crate) fn pause(&mut self) {
        self.host.driver.disconnect_idle();
        self.host.lock = None;
    }

    /// Connects to the host again after a pause.
    ///
    /// # Errors
    /// Another run has it, or has changed what the plan is about.
    pub(crate) fn resume(&mut self, context: &Context) -> Result<()> {
        self.host.lock(context)?;
        still_fits(&self.plan, &self.host.observe()?)
    }

    /// Reports objects to delete that are not on the host.
    pub(crate) fn say_absent(&self, context: &Context) {
        for id in &self.absent {
            context.note(&format!("{id} is not on the host\n"));
        }
    }

    /// The plan with its sources, for display.
    pub(crate) fn view(&self) -> PlanView<'_> {
        PlanView {
            plan: &self.plan,
            sources: &self.loaded.sources,
            connection: &self.host.uri,
            problems: self.problems().collect(),
        }
    }

    /// Problems of the manifests, in themselves and for this host.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Diagnostic> {
        self.problems.iter().chain(self.plan.diagnostics.iter())
    }

    /// Whether an object of the manifests was left out because of a problem.
    pub(crate) fn has_errors(&self) -> bool {
        self.problems().any(Diagnostic::is_error)
    }
}

/// Checks that a host still has what a plan was made for.
///
/// # Errors
/// It has something else by now.
pub(crate) fn still_fits(plan: &Plan, observed: &Observed) -> Result<()> {
    if fingerprint(observed, &plan.steps) == plan.fingerprint {
        return Ok(());
    }
    let text = "the plan is stale: the host has changed since it was made; nothing was changed";
    Err(Error::new(ErrorKind::Stale, text).hint("plan again, review, and apply that"))
}

/// Connects to the host of a command without paths and observes it.
pub(crate) fn observe_meant(context: &Context) -> Result<(Host, Observed), Failure> {
    let host = Host::meant(context)?;
    let observed = host.observe()?;
    Ok((host, observed))
}

fn observe(context: &Context, written: Option<&Written>) -> Result<(Host, Observed)> {
    let host = Host::open(context, written)?;
    let observed = host.observe()?;
    Ok((host, observed))
}

/// Reads the manifests and, where the command line names the host, observes that in parallel:
/// neither needs the other.
fn load_and_observe(
    context: &Context,
    paths: &[PathBuf],
    grammars: &Grammars,
) -> (Loaded, Option<Result<(Host, Observed)>>) {
    std::thread::scope(|scope| {
        let ahead = context.connect.is_some().then(|| scope.spawn(|| observe(context, None)));
        let loaded = load(context, load_for_hosts, paths, grammars);
        let joined = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        (loaded, ahead.map(joined))
    })
}

/// The grammars of a directory, else the embedded ones. Problems in them are shown.
pub(crate) fn grammars(context: &Context, directory: Option<&Path>) -> Result<Grammars, Failure> {
    let Some(directory) = directory else { return Ok(Grammars::Embedded) };
    let mut sources = Sources::default();
    Grammars::from_directory(directory, &mut sources).map_err(|problems| {
        context.show(&problems, &sources);
        Failure::Shown
    })
}

pub(crate) fn load(
    context: &Context,
    read: fn(&[PathBuf], &Grammars, Option<&str>) -> Loaded,
    paths: &[PathBuf],
    grammars: &Grammars,
) -> Loaded {
    let begun = Instant::now();
    let loaded = read(paths, grammars, context.set.as_deref());
    info!(resources = loaded.desired.resources.len(), took = ?begun.elapsed(), "manifests read");
    loaded
}
