//! Trials, and what they need of the machine.

use libtest_mimic::Trial;
use std::path::{Path, PathBuf};

/// What a test needs, or the reason why it is not there.
pub(crate) type Needs<T = ()> = Result<T, String>;

/// A test that runs everywhere; it fails by panicking.
pub(crate) fn trial(name: impl Into<String>, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        body();
        Ok(())
    })
}

/// A test that is ignored, and says why, where the machine lacks what it needs.
pub(crate) fn trial_if<T: Send + 'static>(
    needs: Needs<T>,
    name: impl Into<String>,
    body: impl FnOnce(T) + Send + 'static,
) -> Trial {
    match needs {
        Ok(needed) => trial(name, move || body(needed)),
        Err(reason) => {
            let kind = reason.clone();
            Trial::test(name, move || Err(reason.into())).with_kind(kind).with_ignored_flag(true)
        }
    }
}

/// A file of the foreign test data: under `VIRT_TESTDATA`, or beside the checkout.
pub(crate) fn testdata(name: &str) -> Needs<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    let directory = std::env::var_os("VIRT_TESTDATA").map_or_else(beside, PathBuf::from);
    let path = directory.join(name);
    if path.exists() { Ok(path) } else { Err(format!("needs {name} in $VIRT_TESTDATA")) }
}
