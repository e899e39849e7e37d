//! Signals: the first asks to stop after the step in hand, the second ends the program at once.

use crate::drivers::CancelToken;
use crate::error::{Error, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::sync::{Arc, Mutex, PoisonError};

/// What the first caller caught; signals are the whole program's.
static CAUGHT: Mutex<Option<CancelToken>> = Mutex::new(None);

/// Tells from now on who asks for a stop, in place of ending the program. Before that nothing is in
/// hand, and a signal does what it always does.
///
/// # Errors
/// The system does not let signals be caught.
pub(crate) fn stop_on_signal() -> Result<CancelToken> {
    let mut caught = CAUGHT.lock().unwrap_or_else(PoisonError::into_inner);
    match &*caught {
        Some(stop) => Ok(stop.clone()),
        None => Ok(caught.insert(catch(&[SIGINT, SIGTERM], |_| {})?).clone()),
    }
}

/// Has a write beyond the limit of a file's size fail, as on a full disk, in place of ending the program
/// in the middle of what it does.
pub(crate) fn survive_size_limit() {
    // where that cannot be had the signal ends the program, as it always did
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Whether somebody has asked for a stop.
pub(crate) fn stopping() -> bool {
    let caught = CAUGHT.lock().unwrap_or_else(PoisonError::into_inner);
    caught.as_ref().is_some_and(CancelToken::is_stopped)
}

/// The same for a program that goes on until it is told to stop. `came` is called after each signal,
/// with whether it asks for a run at once, as SIGHUP does.
///
/// # Errors
/// The system does not let signals be caught.
pub(crate) fn stop_or_run_on_signal(came: impl Fn(bool) + Send + 'static) -> Result<CancelToken> {
    catch(&[SIGINT, SIGTERM, SIGHUP], came)
}

fn catch(wanted: &[i32], came: impl Fn(bool) + Send + 'static) -> Result<CancelToken> {
    let mut signals = Signals::new(wanted).map_err(|e| Error::system("signals", &e))?;
    let stop = CancelToken::default();
    let told = stop.clone();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if signal != SIGHUP && told.is_stopped() {
                // it ends the program; if it cannot, the first signal still does in time
                let _ = emulate_default_handler(signal);
            } else if signal != SIGHUP {
                told.stop();
            }
            came(signal == SIGHUP);
        }
    });
    Ok(stop)
}
