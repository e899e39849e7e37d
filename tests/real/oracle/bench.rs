//! A libvirtd of its own to apply manifests to, one object at a time, within this process.

use crate::support::ops;
use crate::support::{Libvirtd, run};
use diagnostics::Severity;
use std::process::Command;
use std::sync::Arc;
use std::{fmt, fs};
use tempfile::TempDir;
use virt::drivers::{self, Connection, Driver, Environment, ExecContext};
use virt::manifest::load;
use virt::model::{
    Call, Capabilities, Desired, Kind, ObservedResource, Op, Outcome, ResourceId, Scope, Target,
    UndefineKeep, Uuid,
};
use virt::reconcile::{FieldChange, Options, Plan, Status, SystemClock, apply, plan};
use xmltree::{Element, write};

/// Networks that manifests may use; they are there throughout.
const NETWORKS: [&str; 2] = ["lan", "dmz"];

/// A libvirtd, and a folder of manifests for it.
pub(crate) struct Bench {
    driver: Box<dyn Driver>,
    capabilities: Capabilities,
    folder: TempDir,
    /// Ends the daemon when it goes, last of all.
    libvirtd: Libvirtd,
}

/// A manifest that was read.
pub(crate) struct Wanted {
    /// Without the settings.
    pub(crate) definition: Element,
    pub(crate) desired: Arc<Desired>,
    /// The codes of the warnings.
    pub(crate) warnings: Vec<&'static str>,
}

/// The first thing that a plan would still do.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) what: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.what, self.before, self.after)
    }
}

/// Result of an apply.
#[derive(Debug)]
pub(crate) enum Applied {
    /// The plan was refused, for this reason, and nothing was done.
    Refused(String),
    /// A step failed.
    Failed(String),
    /// Success.
    Done,
}

impl Bench {
    pub(crate) fn start() -> Self {
        let libvirtd = Libvirtd::start();
        let uri = Connection::of_operator(&libvirtd.qemu_uri()).unwrap();
        let driver = drivers::open(&uri, &Environment::new(None, None)).unwrap();
        let capabilities = driver.capabilities().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("virt.toml"), "set = \"trials\"\n").unwrap();
        let bench = Self { driver, capabilities, folder, libvirtd };
        for name in NETWORKS {
            let id = ResourceId::new(Kind::Network, name);
            let xml = format!("<network><name>{name}</name></network>");
            assert_eq!(bench.define(&id, xml), Ok(()));
        }
        bench
    }

    pub(crate) fn libvirtd(&self) -> &Libvirtd {
        &self.libvirtd
    }

    /// Reads a manifest, or says the first thing that is wrong with it.
    pub(crate) fn read(&self, text: &str) -> Result<Wanted, String> {
        fs::write(self.folder.path().join("object.xml"), text).unwrap();
        let loaded = load(&[self.folder.path().to_owned()]);
        let Some(wanted) = loaded.desired.resources.values().next() else {
            let mut errors = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error);
            return Err(errors.next().map_or("?".to_owned(), |d| d.summary.to_string()));
        };
        let warnings = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Warning);
        Ok(Wanted {
            warnings: warnings.map(|d| d.code).collect(),
            definition: wanted.definition.to_element(),
            desired: Arc::clone(&loaded.desired),
        })
    }

    /// Networks that it needs are there.
    pub(crate) fn provide(&self, wanted: &Wanted) {
        let needed = wanted.desired.resources.values().flat_map(|r| &r.depends_on);
        for id in needed.filter(|id| id.kind == Kind::Network) {
            if self.observe(id).is_none() {
                let name = Element::new("name").with_text(&id.name);
                let _ = self.define(id, write(&Element::new("network").with_child(name)));
            }
        }
    }

    /// Returns the changes left after an apply: none, if all is well.
    pub(crate) fn left(&self, wanted: &Wanted, options: &Options) -> Option<Left> {
        let again = self.plan(wanted, options);
        let held = again.blocked.values().cloned();
        let refused = again.refusals.iter().map(|r| r.reason.clone());
        if let Some(what) = held.chain(refused).next() {
            return Some(Left { what, ..Left::default() });
        }
        if again.is_empty() && !again.has_pending() {
            return None;
        }
        let mut fields = again.changes.iter().flat_map(|c| c.fields.iter().chain(&c.pending));
        let left = |f: &FieldChange| Left {
            what: f.path.to_string(),
            before: format!("{:?}", f.before),
            after: format!("{:?}", f.after),
        };
        let none = || Left { what: "no field".to_owned(), ..Left::default() };
        Some(fields.next().map_or_else(none, left))
    }

    /// Returns the plan for a manifest, and the host's state at that time.
    pub(crate) fn plan(&self, wanted: &Wanted, options: &Options) -> Plan {
        let observed = self.driver.observe(&Scope::all()).unwrap();
        plan(&wanted.desired, &observed, &self.capabilities, options)
    }

    pub(crate) fn apply(&self, plan: &Plan) -> Applied {
        let refusals = plan.refusals.iter().map(|r| r.reason.clone());
        let held = plan.blocked.values().cloned();
        if let Some(reason) = refusals.chain(held).next() {
            return Applied::Refused(reason);
        }
        let report = apply(plan, &*self.driver, &SystemClock, 1, &mut |_| {});
        let failed = report.steps.iter().find_map(|step| match &step.status {
            Status::Failed(error) | Status::Unknown(error) => Some(error.message.to_string()),
            Status::Done | Status::Pending(_) | Status::Skipped => None,
        });
        failed.map_or(Applied::Done, Applied::Failed)
    }

    pub(crate) fn observe(&self, id: &ResourceId) -> Option<ObservedResource> {
        self.driver.observe(&Scope::all()).unwrap().resources.remove(id)
    }

    /// The definition of the next boot.
    pub(crate) fn definition(&self, id: &ResourceId) -> Option<Element> {
        self.observe(id)?.persistent.map(xmltree::Document::into_element)
    }

    /// Returns plain define's version of a text where the object does not exist; the object is removed again.
    pub(crate) fn plain(&self, id: &ResourceId, text: &str) -> Result<Element, String> {
        self.remove(id);
        self.define(id, text.to_owned())?;
        let definition = self.definition(id);
        self.remove(id);
        // some texts name another object
        definition.ok_or_else(|| "it is not there under that name".to_owned())
    }

    /// Checks a text against libvirt's own grammar, and its content against libvirt; the error is the reason
    /// of a refusal.
    pub(crate) fn validates(&self, id: &ResourceId, text: &str) -> Result<(), String> {
        self.remove(id);
        let file = self.folder.path().join("plain");
        fs::write(&file, text).unwrap();
        let verb = if id.kind == Kind::Network { "net-define" } else { "define" };
        let mut virsh = Command::new("virsh");
        virsh.args(["-q", "-c", &self.libvirtd.qemu_uri(), verb, "--validate"]).arg(file);
        let ran = run(&mut virsh);
        self.remove(id);
        let lines: Vec<String> = ran.stderr().lines().map(|line| line.trim().to_owned()).collect();
        if ran.code() == 0 { Ok(()) } else { Err(lines.join("; ")) }
    }

    pub(crate) fn define(&self, id: &ResourceId, xml: String) -> Result<(), String> {
        match self.call(id, Uuid::nil(), ops::define(id.kind, xml)) {
            Outcome::Done => Ok(()),
            Outcome::Refused(error) | Outcome::NotSent(error) | Outcome::Unknown(error) => {
                Err(error.message.clone())
            }
        }
    }

    /// Removes all but the networks that are always there.
    pub(crate) fn clear(&self) {
        for (id, found) in self.driver.observe(&Scope::all()).unwrap().resources {
            let stays = id.kind == Kind::Network && NETWORKS.contains(&id.name.as_str());
            if !stays {
                if found.state.is_active() {
                    self.call(&id, found.uuid, ops::destroy(id.kind));
                }
                self.remove(&id);
            }
        }
    }

    pub(crate) fn remove(&self, id: &ResourceId) {
        let Some(found) = self.observe(id) else { return };
        let keep = if id.kind.is_guest() { UndefineKeep::Remove } else { UndefineKeep::Nothing };
        assert_eq!(self.call(id, found.uuid, ops::undefine(id.kind, keep)), Outcome::Done, "{id}");
    }

    pub(crate) fn call(&self, id: &ResourceId, uuid: Uuid, op: Op) -> Outcome {
        let target = Target { id: id.clone(), uuid };
        self.driver.execute(&[Call { target, op }], &ExecContext::default()).pop().unwrap()
    }
}
