//! Report on all pairs: counts by governor, and faults by class.

use super::Verdict;
use super::generate::Pair;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use virt::reconcile::Plan;
use xmltree::{Element, write};

/// Fault of a pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault {
    /// Class of the fault.
    pub(super) class: String,
    /// The place, or the host's words.
    pub(super) what: String,
    pub(super) got: String,
    pub(super) expected: String,
    /// Whether the pair was refused before anything was done.
    pub(super) is_refusal: bool,
    /// The definitions before, after, and by plain define, as far as there are any.
    definitions: Vec<(&'static str, String)>,
    planned: Vec<String>,
}

impl Fault {
    pub(super) fn new(class: &str, what: String) -> Self {
        Self { class: class.to_owned(), what, ..Self::default() }
    }

    /// Adds the plan.
    pub(super) fn of_plan(mut self, plan: &Plan) -> Self {
        let fields = plan.changes.iter().flat_map(|c| &c.fields);
        self.planned =
            fields.map(|f| format!("{}: {:?} -> {:?}", f.path, f.before, f.after)).collect();
        self
    }

    pub(super) fn with(
        mut self,
        first: &Element,
        mine: Option<&Element>,
        plain: Option<&Element>,
    ) -> Self {
        let all = [("first", Some(first)), ("mine", mine), ("plain", plain)];
        self.definitions =
            all.into_iter().filter_map(|(name, e)| Some((name, write(e?)))).collect();
        self
    }

    fn words(&self) -> String {
        let mut words = format!("{}: {}", self.class, self.what);
        if !self.got.is_empty() || !self.expected.is_empty() {
            let _ = write!(words, " is {}, by virsh define {}", self.got, self.expected);
        }
        words
    }

    /// Returns a key that is equal for all pairs with the same fault.
    fn kind(&self) -> String {
        let what: String = self.what.chars().filter(|c| !c.is_ascii_digit()).collect();
        format!("{}: {}", self.class, without_keys(&what))
    }
}

/// Returns a path without the keys of its elements.
pub(super) fn without_keys(path: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::new();
    for c in path.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

#[derive(Clone, Copy, Default)]
struct Count {
    equal: usize,
    wrong: usize,
    refused: usize,
    not_counted: usize,
}

/// Results of all pairs.
#[derive(Default)]
pub(super) struct Tally {
    by_governor: BTreeMap<String, Count>,
    wrong: BTreeMap<String, (Pair, Fault)>,
    equal: Vec<String>,
    not_counted: BTreeMap<String, String>,
}

impl Tally {
    pub(super) fn count(&mut self, pair: &Pair, verdict: Verdict) {
        let count = self.by_governor.entry(pair.governor.clone()).or_default();
        match verdict {
            Verdict::Equal => {
                count.equal += 1;
                self.equal.push(pair.name.clone());
            }
            Verdict::Refused => count.refused += 1,
            Verdict::NotCounted(why) => {
                count.not_counted += 1;
                self.not_counted.insert(pair.name.clone(), why);
            }
            Verdict::Wrong(fault) => {
                count.wrong += 1;
                self.wrong.insert(pair.name.clone(), (pair.clone(), fault));
            }
        }
    }

    /// Fails unless enough pairs count, enough of them are equal, and each other one is in `left`.
    pub(super) fn expect(&self, left: &[(&str, &str)], least: Option<usize>, share: f64) {
        self.save();
        let mut wrong = String::new();
        for (name, (_, fault)) in &self.wrong {
            if !left.iter().any(|(explained, _)| name == explained) {
                let _ = writeln!(wrong, "{name}: {}", fault.words());
            }
        }
        for (name, _) in left {
            if self.equal.iter().any(|equal| equal == name) {
                let _ = writeln!(wrong, "{name} is as it should be: take it out of the list");
            }
        }
        let counted = self.equal.len() + self.wrong.len();
        let is_enough = least.is_none_or(|least| counted >= least);
        let _ = writeln!(wrong, "{} of {counted} are equal", self.equal.len());
        // of a few, one that is explained may be more than the share
        let is_equal = least.is_none() || self.equal.len() as f64 >= share * counted as f64;
        assert!(is_enough && is_equal && wrong.lines().count() == 1, "{wrong}");
    }

    /// Writes faults by class to the file that `VIRT_TRIALS_REPORT` names, to be worked through.
    fn save(&self) {
        let Some(path) = std::env::var_os("VIRT_TRIALS_REPORT") else { return };
        let mut classes: BTreeMap<String, Vec<&(Pair, Fault)>> = BTreeMap::new();
        for entry in self.wrong.values() {
            classes.entry(entry.1.kind()).or_default().push(entry);
        }
        let mut classes: Vec<_> = classes.into_iter().collect();
        classes.sort_by_key(|(_, entries)| std::cmp::Reverse(entries.len()));
        let mut text = format!("{self}\n\n");
        for (class, entries) in &classes {
            let mut governors = BTreeMap::<&str, usize>::new();
            for (pair, _) in entries {
                *governors.entry(&pair.governor).or_default() += 1;
            }
            let _ = writeln!(text, "## {} x {class}\n\ngovernors: {governors:?}", entries.len());
            let size = |(pair, _): &&&(Pair, Fault)| pair.before.len() + pair.after.len();
            let Some((pair, fault)) = entries.iter().min_by_key(size) else { continue };
            let _ = writeln!(text, "example {}: {}", pair.name, fault.words());
            let _ = writeln!(text, "  before: {}\n  after: {}", pair.before, pair.after);
            let _ = writeln!(text, "  planned: {}", fault.planned.join("; "));
            for (name, definition) in &fault.definitions {
                let _ = writeln!(text, "  {name}:\n{definition}");
            }
            for (pair, fault) in entries.iter().take(40) {
                let _ = writeln!(text, "- {}: {}", pair.name, fault.words());
            }
            text.push('\n');
        }
        let _ = writeln!(text, "## not counted: libvirt refuses one side");
        for (name, why) in &self.not_counted {
            let _ = writeln!(text, "- {name}: {why}");
        }
        std::fs::write(path, text).unwrap();
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sum = Count::default();
        for (governor, count) in &self.by_governor {
            let Count { equal, wrong, refused, not_counted } = *count;
            writeln!(
                f,
                "{governor:36} {equal:5} equal {wrong:4} not {refused:4} refused {not_counted:4} not counted"
            )?;
            sum.equal += equal;
            sum.wrong += wrong;
            sum.refused += refused;
            sum.not_counted += not_counted;
        }
        let Count { equal, wrong, refused, not_counted } = sum;
        write!(
            f,
            "of {} pairs that count {equal} are equal; {refused} may be refused and are, {not_counted} do not count",
            equal + wrong
        )
    }
}
