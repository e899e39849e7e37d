//! Plans for the part of a host that there is reason to plan for.

use crate::model::{Capabilities, Desired, Observed, ResourceId};
use crate::reconcile::plan::plan;
use crate::reconcile::{Options, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// What plans are made of.
pub(super) struct Planner<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) capabilities: &'a Capabilities,
    pub(super) options: &'a Options,
}

/// A plan, and what is left out of it since it would be refused.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) gated: BTreeMap<ResourceId, String>,
    /// Why nothing is pruned though it was asked for.
    pub(super) not_pruned: Option<String>,
}

impl Planner<'_> {
    /// Plans for some objects, or for all. What the plan refuses is left out of it: for the rest of a
    /// set nothing follows from one object's closed gate. What depends on that may be refused in turn,
    /// so it is planned again for as long as less and less is left; `None` if that leads nowhere.
    pub(super) fn plan(
        &self,
        only: Option<BTreeSet<ResourceId>>,
        left_alone: &BTreeSet<ResourceId>,
    ) -> Option<Planned> {
        let observed = self.observed;
        let mut options = self.options.clone();
        let everything = || {
            let wanted = self.desired.resources.keys();
            wanted.chain(observed.resources.keys()).cloned().collect::<BTreeSet<_>>()
        };
        let mut only = only.map(|only| self.with_needs(only));
        if !left_alone.is_empty() {
            let selected = only.get_or_insert_with(everything);
            selected.retain(|id| !left_alone.contains(id) && !self.needs_one_of(id, left_alone));
        }
        let typed = &self.options.only;
        let (mut gated, mut not_pruned) = (BTreeMap::new(), None);
        loop {
            if let Some(only) = &mut only {
                only.retain(|id| typed.is_empty() || typed.contains(id));
                if only.is_empty() {
                    // which means all to a plan
                    let plan = Plan { set: self.desired.set.clone(), ..Plan::default() };
                    return Some(Planned { plan, gated, not_pruned });
                }
                options.only.clone_from(only);
            }
            let plan = plan(self.desired, observed, self.capabilities, &options);
            if plan.refusals.is_empty() {
                return Some(Planned { plan, gated, not_pruned });
            }
            let mut is_less = false;
            for refusal in plan.refusals {
                match refusal.id {
                    Some(id) => {
                        is_less |= only.get_or_insert_with(everything).remove(&id);
                        gated.insert(id, format!("{}; {}", refusal.reason, refusal.hint));
                    }
                    None => {
                        is_less |= std::mem::take(&mut options.prune);
                        not_pruned = Some(format!("{}; {}", refusal.reason, refusal.hint));
                    }
                }
            }
            if !is_less {
                return None;
            }
        }
    }

    /// The same objects with what they need and the host does not have.
    fn with_needs(&self, mut ids: BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
        let mut open: Vec<ResourceId> = ids.iter().cloned().collect();
        while let Some(id) = open.pop() {
            let Some(resource) = self.desired.resources.get(&id) else { continue };
            for need in &resource.depends_on {
                let lacks = !self.observed.resources.contains_key(need);
                let known = self.desired.resources.contains_key(need);
                if lacks && known && ids.insert(need.clone()) {
                    open.push(need.clone());
                }
            }
        }
        ids
    }

    /// Whether an object waits for one that is left alone.
    fn needs_one_of(&self, id: &ResourceId, left_alone: &BTreeSet<ResourceId>) -> bool {
        let needs = self.desired.resources.get(id).map_or(&[][..], |r| &r.depends_on);
        needs.iter().any(|n| left_alone.contains(n) && !self.observed.resources.contains_key(n))
    }
}
