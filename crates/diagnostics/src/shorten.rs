//! Limits on the problems reported of a file, by itself and in a plan: the first ones, and the number of
//! others.

use super::{Diagnostic, Diagnostics, SourceId, Sources, Span};
use std::collections::BTreeMap;

/// Most reported problems of one file: nobody reads more at once, and a file can hold enough for hundreds of
/// megabytes of them.
pub const TOLD_MAX: usize = 200;

/// Number of a file's unreported problems.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untold {
    errors: usize,
    warnings: usize,
}

/// Unreported problems by file; those without a place share one entry.
pub type AllUntold = BTreeMap<SourceId, Untold>;

fn source(d: &Diagnostic) -> SourceId {
    d.span.unwrap_or(Span::NONE).source
}

/// Keeps the first problems of each file, errors before warnings, and counts the others.
pub fn shorten(mut problems: Diagnostics, untold: &mut AllUntold) -> Diagnostics {
    if problems.len() <= TOLD_MAX {
        return problems;
    }
    problems.sort();
    let mut errors: BTreeMap<SourceId, usize> = BTreeMap::new();
    for d in problems.iter().filter(|d| d.is_error()) {
        *errors.entry(source(d)).or_default() += 1;
    }
    // number of further problems of each file that fit
    let mut left: BTreeMap<SourceId, (usize, usize)> = BTreeMap::new();
    let mut told = Diagnostics::default();
    for d in problems {
        let source = source(&d);
        let room = || {
            let errors = errors.get(&source).copied().unwrap_or(0).min(TOLD_MAX);
            (errors, TOLD_MAX - errors)
        };
        let (for_errors, for_warnings) = left.entry(source).or_insert_with(room);
        let place = if d.is_error() { for_errors } else { for_warnings };
        match place.checked_sub(1) {
            Some(less) => {
                *place = less;
                told.push(d);
            }
            None => {
                let untold = untold.entry(source).or_default();
                let count = if d.is_error() { &mut untold.errors } else { &mut untold.warnings };
                *count += 1;
            }
        }
    }
    told
}

/// Reports for each file the number of its unreported problems.
pub fn say(untold: &AllUntold, sources: &Sources, out: &mut Diagnostics) {
    for (source, Untold { errors, warnings }) in untold {
        let count = thousands(errors + warnings);
        let problem = if *errors > 0 { Diagnostic::error } else { Diagnostic::warning };
        let detail = match (errors, warnings) {
            (_, 0) => "all of them are errors".to_owned(),
            (0, _) => "none of them is an error".to_owned(),
            _ => format!("{} of them are errors", thousands(*errors)),
        };
        let said = problem("more-problems", format!("and {count} more, which are not shown"));
        let said = said.detail(detail).hint("fix the first ones, and the others are shown");
        out.push(match sources.get(*source) {
            Some(source) => said.address(source.name.clone()),
            None => said,
        });
    }
}

/// A number as people read it.
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_before_warnings_and_the_rest_is_counted() {
        let mut sources = Sources::default();
        let (a, b) = (sources.add("a.toml", "x"), sources.add("b.toml", "x"));
        let mut all = Diagnostics::default();
        for i in 0..12_345 {
            let problem = if i % 100 == 99 { Diagnostic::error } else { Diagnostic::warning };
            all.push(problem("xml", format!("{i}")).at(Span::new(a, i, i)));
        }
        all.push(Diagnostic::warning("xml", "alone").at(Span::new(b, 0, 1)));
        let mut untold = AllUntold::new();
        // twice, as of a file by itself and with all others
        let told = shorten(shorten(all, &mut untold), &mut untold);
        assert_eq!(told.len(), TOLD_MAX + 1);
        assert_eq!(told.iter().filter(|d| d.is_error()).count(), 123);
        let first = told.iter().find(|d| !d.is_error()).map(|d| d.summary.as_str());
        assert_eq!(first, Some("0"));
        let mut out = Diagnostics::default();
        say(&untold, &sources, &mut out);
        let said: Vec<String> = out.iter().map(|d| crate::render(d, &sources)).collect();
        assert_eq!(said.len(), 1);
        assert!(said.concat().starts_with("a.toml: warning: and 12,145 more, which are not shown"));
        assert!(said.concat().contains("none of them is an error"), "{said:?}");
    }

    #[test]
    fn what_is_cut_stays_an_error() {
        let mut all = Diagnostics::default();
        (0..300).for_each(|i| all.push(Diagnostic::error("xml", format!("{i}"))));
        let mut untold = AllUntold::new();
        let told = shorten(all, &mut untold);
        let mut out = Diagnostics::default();
        say(&untold, &Sources::default(), &mut out);
        assert!(told.has_errors() && out.has_errors());
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
