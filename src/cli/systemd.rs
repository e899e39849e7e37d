//! Notifications to systemd: sd_notify's datagrams, of which only a few words are needed.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager, if there is one that listens.
#[derive(Debug, Default)]
pub(crate) struct Systemd {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// Watchdog interval.
    watchdog: Option<Duration>,
    /// Last reported status.
    status: String,
}

impl Systemd {
    /// Connects to the service manager that the environment names.
    pub(crate) fn from_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name));
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        // a service's children see the variables, too
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0);
        Self { socket, watchdog: watchdog.map(Duration::from_micros), status: String::new() }
    }

    /// Interval at which [`Self::alive`] has to be sent; half of the watchdog's.
    pub(crate) fn pace(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog).map(|most| most / 2)
    }

    /// Reports that the start is complete.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// Feeds the watchdog.
    pub(crate) fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    /// Reports that the service is stopping.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// Reports the status in a line, if it has changed.
    pub(crate) fn status(&mut self, text: String) {
        if self.status != text {
            self.say(&format!("STATUS={}", diagnostics::escape(&text)));
            self.status = text;
        }
    }

    fn say(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            // a manager that is gone or busy is not waited for
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

/// Connects to a socket by its path, or with an `@` before it by its abstract name.
fn connect(name: &OsString) -> Option<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => return None,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, address.ok()?))
}
