//! The rounds in which the hosts of a fleet are gone through.
//!
//! In the first each host is read and planned for by itself, and what the others have to know of it is
//! kept. A host whose plan makes, starts and takes away no guest has nothing to do with the others, and is
//! done with. For the rest it is settled what they have to do with each other: most are then as planned,
//! and those between which a guest moves are read anew, planned for together and walked beside each other.

use super::confirm::{Asking, confirmed};
use super::context::Context;
use super::execute::carry_out;
use super::exit::{Exit, Failure};
use super::fleet::{Fleet, by_process};
use super::host_summary::HostSummary;
use super::multi_host::{HostReport, failed, show_plan};
use super::options::ReportOptions;
use super::options::{Format, RunOptions};
use super::session::{Looked, Session};
use super::signals::stopping;
use super::units::{Ready, Rest, Unit, told_to_stop};
use super::view::human;
use super::worker_pool::{self, WorkerClass};
use crate::error::{Error, Result};
use crate::model::{OpKind, ResourceId};
use crate::reconcile::moves::HostFacts;
use crate::reconcile::{Action, Crossroads};
use diagnostics::Diagnostics;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Reports hosts in their order, whatever order the results come in.
struct Turns<F> {
    next: usize,
    early: BTreeMap<usize, HostReport>,
    tell: F,
    /// Whether the output still has a reader.
    heard: bool,
}

impl<F: FnMut(usize, HostReport) -> bool> Turns<F> {
    fn new(tell: F) -> Self {
        Self { next: 0, early: BTreeMap::new(), tell, heard: true }
    }

    fn put(&mut self, at: usize, told: HostReport) -> bool {
        self.early.insert(at, told);
        while let Some(told) = self.early.remove(&self.next) {
            let at = self.next;
            self.next += 1;
            self.heard = self.heard && (self.tell)(at, told);
        }
        self.heard
    }
}

/// A host whose plan is to be applied, by its place.
type Going = (usize, Context, Session);

/// Result of the first round for a host.
struct First {
    told: HostReport,
    facts: Option<HostFacts>,
    /// Whether other hosts may be affected.
    is_open: bool,
}

impl Fleet {
    /// Plans for all hosts and reports each in its turn; returns the problems between hosts.
    pub(super) fn plan_in_rounds(
        &self,
        context: &Context,
        show: &(dyn Fn(&Context, &Session) -> HostReport + Sync),
        tell: impl FnMut(usize, HostReport) -> bool,
    ) -> Diagnostics {
        let mut turns = Turns::new(tell);
        let work = |own: &Context, session: Session, _| show(own, &session);
        let rest = self.first_round(context, true, work, &mut turns);
        let classes = self.classes_of(&rest.units);
        let work = |unit: usize| {
            let told = |ready: Ready| {
                let Ready { at, own, session } = ready;
                let told = match session {
                    Ok(session) => {
                        HostReport { unknown: Some(session.unknown_only()), ..show(&own, &session) }
                    }
                    Err(e) => self.not_read(&own, at, &e, true),
                };
                (at, HostReport { pieces: own.into_kept(), ..told })
            };
            match rest.units.get(unit) {
                Some(Unit::AsPlanned(at)) => {
                    rest.take(*at).map(|told| (*at, told)).into_iter().collect()
                }
                Some(Unit::Anew(members)) => {
                    self.look_again(context, &rest, members, true).into_iter().map(told).collect()
                }
                None => Vec::new(),
            }
        };
        worker_pool::each(
            &classes,
            work,
            |_| {},
            |_, told: Vec<(usize, HostReport)>| {
                told.into_iter().fold(true, |_, (at, told)| turns.put(at, told))
            },
        );
        rest.settled.diagnostics
    }

    /// Applies to all hosts and reports each; returns the problems between hosts, or `None` if the
    /// user declined.
    pub(super) fn apply_in_rounds(
        &self,
        context: &Context,
        reporting: ReportOptions,
        run: &RunOptions,
        summary: &mut HostSummary<'_>,
    ) -> Result<Option<Diagnostics>, Failure> {
        let keep = context.output.format == Format::Human;
        let asking = self.asking(run);
        let mut turns = Turns::new(|at, told| {
            // with no reader left it goes on all the same
            let _ = self.tell(context, summary, at, told, true);
            true
        });
        let work = |own: &Context, session: Session, is_open: bool| {
            if is_open || asking != Asking::Never {
                let told = HostReport::planned(&session, reporting);
                return HostReport { session: Some(session), ..told };
            }
            session.show_problems(own);
            show_plan(own, &session, reporting).unwrap_or_else(|| {
                HostReport::applied(&session, carry_out(own, &session, run, None), reporting)
            })
        };
        let rest = self.first_round(context, keep, work, &mut turns);
        let classes = self.classes_of(&rest.units);
        if asking != Asking::Never {
            drop(turns);
            return self.confirm_and_apply(context, reporting, run, summary, rest, &classes);
        }
        let work = |unit: usize| {
            let (mut told, mut going) = (Vec::new(), Vec::new());
            for ready in self.ready(context, &rest, unit, keep) {
                match self.shown(ready, reporting, keep) {
                    Ok(ready) => going.push(ready),
                    Err(of_one) => told.push(*of_one),
                }
            }
            told.extend(self.walk_together(going, reporting, run));
            told
        };
        worker_pool::each(
            &classes,
            work,
            |_| {},
            |_, told: Vec<(usize, HostReport)>| {
                told.into_iter().fold(true, |_, (at, told)| turns.put(at, told))
            },
        );
        Ok(Some(rest.settled.diagnostics))
    }

    fn asking(&self, run: &RunOptions) -> Asking {
        match self.deletes {
            Some(_) => Asking::of_asked(run),
            None => Asking::of(run),
        }
    }

    /// Shows all plans, asks once, and applies them.
    fn confirm_and_apply(
        &self,
        context: &Context,
        reporting: ReportOptions,
        run: &RunOptions,
        summary: &mut HostSummary<'_>,
        rest: Rest,
        classes: &[WorkerClass],
    ) -> Result<Option<Diagnostics>, Failure> {
        let keep = context.output.format == Format::Human;
        let asking = self.asking(run);
        let crowded = |unit: usize| {
            classes.iter().any(|l| l.is_crowded() && l.members.binary_search(&unit).is_ok())
        };
        let waiting: Vec<Mutex<Vec<(usize, Session)>>> =
            rest.units.iter().map(|_| Mutex::default()).collect();
        let mut any = false;
        let mut shown: BTreeMap<usize, (HostReport, bool)> = BTreeMap::new();
        let work = |unit: usize| {
            let mut told = Vec::new();
            for ready in self.ready(context, &rest, unit, keep) {
                match self.shown(ready, reporting, keep) {
                    Err(over) => {
                        let (at, of_one) = *over;
                        told.push((at, of_one, true, false));
                    }
                    Ok((at, own, mut session)) => {
                        if crowded(unit) {
                            session.pause();
                        }
                        let is_asked = asking.about(&session.plan);
                        // nobody agrees to what was not shown
                        if is_asked && own.output.format == Format::Json {
                            own.say(&human::plan(&session.view(), own.output, reporting.explain));
                        }
                        let unknown = Some(session.unknown_only());
                        let of_one =
                            HostReport { unknown, ..HostReport::planned(&session, reporting) };
                        if let Some(place) = waiting.get(unit) {
                            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
                            place.push((at, session));
                        }
                        told.push((
                            at,
                            HostReport { pieces: own.into_kept(), ..of_one },
                            false,
                            is_asked,
                        ));
                    }
                }
            }
            told
        };
        worker_pool::each(
            classes,
            work,
            |_| {},
            |_, told| {
                for (at, told, is_over, is_asked) in told {
                    any |= is_asked;
                    shown.insert(at, (told, is_over));
                }
                true
            },
        );
        for (at, (told, is_over)) in shown {
            if is_over {
                let _ = self.tell(context, summary, at, told, true);
            } else {
                let _ = summary.show(self.heading(context, at), &told.pieces);
                summary.knows(told.unknown);
            }
        }
        self.clear(context);
        if any && !confirmed(context)? {
            summary.exit = summary.exit.worse(Exit::Refused);
            return Ok(None);
        }
        let work = |unit: usize| {
            let place = waiting.get(unit).map(|m| m.lock().unwrap_or_else(PoisonError::into_inner));
            let sessions = place.map(|mut place| std::mem::take(&mut *place)).unwrap_or_default();
            let (mut told, mut going) = (Vec::new(), Vec::new());
            for (at, mut session) in sessions {
                let Some(host) = self.hosts.get(at) else { continue };
                let own = context.for_host(&host.name, keep);
                match if crowded(unit) { session.resume(&own) } else { Ok(()) } {
                    Ok(()) => going.push((at, own, session)),
                    Err(e) => {
                        let of_one = failed(&own, host, &e, keep);
                        told.push((at, HostReport { pieces: own.into_kept(), ..of_one }));
                    }
                }
            }
            told.extend(self.walk_together(going, reporting, run));
            told
        };
        let mut told: BTreeMap<usize, HostReport> = BTreeMap::new();
        worker_pool::each(
            classes,
            work,
            |_| {},
            |_, of_unit: Vec<(usize, HostReport)>| {
                told.extend(of_unit);
                true
            },
        );
        for (at, of_one) in told {
            let _ = self.tell(context, summary, at, of_one, false);
        }
        Ok(Some(rest.settled.diagnostics))
    }

    /// Reads each host and plans for it on its own. `work` learns whether other hosts may be
    /// affected; if not, its result is reported.
    fn first_round(
        &self,
        context: &Context,
        keep: bool,
        work: impl Fn(&Context, Session, bool) -> HostReport + Sync,
        turns: &mut Turns<impl FnMut(usize, HostReport) -> bool>,
    ) -> Rest {
        let mut facts: Vec<Option<HostFacts>> = self.loaded.fleet.iter().map(|_| None).collect();
        let mut open: BTreeMap<usize, HostReport> = BTreeMap::new();
        let classes = self.classes();
        // there are too many of their sort for all to stay open at once
        let crowded: BTreeSet<usize> = classes
            .iter()
            .filter(|class| class.is_crowded())
            .flat_map(|class| class.members.iter().copied())
            .collect();
        worker_pool::each(
            &classes,
            |at| {
                let mut first = self.first(context, at, keep, &work);
                if let Some(session) = first.told.session.as_mut().filter(|_| crowded.contains(&at))
                {
                    session.pause();
                }
                first
            },
            |n| self.progress(context, n),
            |at, first| {
                let First { told, facts: of_host, is_open } = first;
                if let Some(place) = self.place(at).and_then(|place| facts.get_mut(place)) {
                    *place = of_host;
                }
                if is_open || told.session.is_some() {
                    open.insert(at, told);
                    return true;
                }
                turns.put(at, told)
            },
        );
        let settled = self.settle(&facts);
        let units = self.units(&settled, open.keys().copied().collect());
        let kept = open.into_iter().map(|(at, told)| (at, Mutex::new(Some(told)))).collect();
        Rest { facts, settled, units, kept, crowded }
    }

    fn first(
        &self,
        context: &Context,
        at: usize,
        keep: bool,
        work: &impl Fn(&Context, Session, bool) -> HostReport,
    ) -> First {
        let none = |told| First { told, facts: None, is_open: false };
        let Some(host) = self.hosts.get(at) else { return none(HostReport::failed()) };
        let own = context.for_host(&host.name, keep);
        if stopping() {
            own.say(&format!("{}: not started: the run was stopped\n", host.name));
            return none(HostReport { pieces: own.into_kept(), ..HostReport::failed() });
        }
        let (desired, options) = self.asked(host);
        let looked = match Looked::at(&own, &host.connection, desired) {
            Ok(looked) => looked,
            Err(e) => {
                let told = failed(&own, host, &e, keep);
                return none(HostReport { pieces: own.into_kept(), ..told });
            }
        };
        let facts = self.deletes.is_none().then(|| looked.facts(&self.loaded));
        let session = Session::of_fleet(&self.loaded, looked, options);
        let is_open = facts.as_ref().is_some_and(|facts| {
            facts.has_unfinished(&host.desired, self.options.prune) || changes_guests(&session)
        });
        let unknown = Some(session.unknown_only());
        if self.deletes.is_some() {
            session.say_absent(&own);
        }
        let told = HostReport { unknown, ..work(&own, session, is_open) };
        First { told: HostReport { pieces: own.into_kept(), ..told }, facts, is_open }
    }

    /// Groups the units by the cost of connecting to their hosts.
    fn classes_of(&self, units: &[Unit]) -> [WorkerClass; 2] {
        worker_pool::classes(units.len(), |unit| {
            let members = units.get(unit).map(Unit::members).unwrap_or_default();
            let mut hosts = members.iter().filter_map(|at| self.hosts.get(*at));
            hosts.any(|host| by_process(&host.connection))
        })
    }

    /// Opens the sessions of a unit.
    fn ready(&self, context: &Context, rest: &Rest, unit: usize, keep: bool) -> Vec<Ready> {
        match rest.units.get(unit) {
            Some(Unit::AsPlanned(at)) => {
                let told = rest.take(*at);
                let (Some(host), Some(told)) = (self.hosts.get(*at), told) else {
                    return Vec::new();
                };
                let own = context.for_host(&host.name, keep);
                own.again(&told.pieces);
                let session = told.session.ok_or_else(told_to_stop).and_then(|mut session| {
                    if rest.crowded.contains(at) {
                        session.resume(&own)?;
                    }
                    Ok(session)
                });
                vec![Ready { at: *at, own, session }]
            }
            Some(Unit::Anew(members)) => self.look_again(context, rest, members, keep),
            None => Vec::new(),
        }
    }

    /// Shows the plan of a host. A host that is not applied is reported with it.
    fn shown(
        &self,
        ready: Ready,
        reporting: ReportOptions,
        keep: bool,
    ) -> Result<Going, Box<(usize, HostReport)>> {
        let Ready { at, own, session } = ready;
        let told = match session {
            Ok(session) => {
                session.show_problems(&own);
                match show_plan(&own, &session, reporting) {
                    None => return Ok((at, own, session)),
                    Some(told) => HostReport { unknown: Some(session.unknown_only()), ..told },
                }
            }
            Err(e) => self.not_read(&own, at, &e, keep),
        };
        Err(Box::new((at, HostReport { pieces: own.into_kept(), ..told })))
    }

    fn not_read(&self, own: &Context, at: usize, error: &Error, keep: bool) -> HostReport {
        self.hosts.get(at).map_or_else(HostReport::failed, |host| failed(own, host, error, keep))
    }

    /// Applies the plans of hosts in parallel.
    fn walk_together(
        &self,
        going: Vec<Going>,
        reporting: ReportOptions,
        run: &RunOptions,
    ) -> Vec<(usize, HostReport)> {
        let crossroads = Crossroads::default();
        // all are there before the first one asks for another
        let entered: Vec<_> = going
            .into_iter()
            .map(|(at, own, session)| {
                let walker = crossroads.enter(session.options.host_name());
                (at, own, session, walker)
            })
            .collect();
        let walk = |(at, own, session, walker): (usize, Context, Session, _)| {
            let unknown = Some(session.unknown_only());
            let applied = carry_out(&own, &session, run, Some(walker));
            let told = HostReport { unknown, ..HostReport::applied(&session, applied, reporting) };
            (at, HostReport { pieces: own.into_kept(), ..told })
        };
        if entered.len() == 1 {
            return entered.into_iter().map(walk).collect();
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                entered.into_iter().map(|one| scope.spawn(|| walk(one))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        })
    }
}

/// Whether a plan creates, starts or removes a guest, or is refused so that this is unknown.
fn changes_guests(session: &Session) -> bool {
    let plan = &session.plan;
    let of_guest = |id: &ResourceId| id.kind.is_guest();
    let makes = |action| matches!(action, Action::Create | Action::Replace | Action::Delete);
    plan.changes.iter().any(|c| of_guest(&c.id) && makes(c.action))
        || plan.steps.iter().any(|step| {
            let starts = step.action.calls(OpKind::Create);
            starts && of_guest(&step.target.id)
        })
}
