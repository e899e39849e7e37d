//! Trials, and their needs on the machine.

use libtest_mimic::{Completion, Trial};
use std::path::{Path, PathBuf};

/// Needed resource of a test, or the reason for its absence.
pub(crate) type Needs<T = ()> = Result<T, String>;

/// A test that runs everywhere; it fails by panicking.
pub(crate) fn trial(name: impl Into<String>, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        body();
        Ok(())
    })
}

/// Creates a test that is ignored, with the reason, where the machine lacks its needs.
pub(crate) fn trial_if<T: Send + 'static>(
    needs: Needs<T>,
    name: impl Into<String>,
    body: impl FnOnce(T) + Send + 'static,
) -> Trial {
    ignorable_if(needs, name, move |needed| {
        body(needed);
        Completion::Completed
    })
}

/// Creates a test that may find out only while it runs that it does not apply.
pub(crate) fn ignorable_if<T: Send + 'static>(
    needs: Needs<T>,
    name: impl Into<String>,
    body: impl FnOnce(T) -> Completion + Send + 'static,
) -> Trial {
    match needs {
        Ok(needed) => Trial::ignorable_test(name, move || Ok(body(needed))),
        Err(reason) => {
            let kind = reason.clone();
            Trial::test(name, move || Err(reason.into())).with_kind(kind).with_ignored_flag(true)
        }
    }
}

/// Directory of the files that `./check` makes of libvirt's source package.
const FETCHED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/testdata");

/// A file or directory of the foreign test data: under `VIRT_TESTDATA`; where that is not set,
/// in `shared/testdata` beside the checkout or beside a directory that it is in, or where
/// `./check` has put it.
pub(crate) fn testdata(name: &str) -> Needs<PathBuf> {
    let places = match std::env::var_os("VIRT_TESTDATA") {
        Some(place) => vec![PathBuf::from(place)],
        None => {
            let around = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
            let beside = around.map(|parent| parent.join("shared/testdata"));
            beside.chain([PathBuf::from(FETCHED)]).collect()
        }
    };
    let found = places.iter().map(|place| place.join(name)).find(|path| path.exists());
    found.ok_or_else(|| format!("needs {name} in $VIRT_TESTDATA"))
}
