//! Telling systemd how a service is: sd_notify's datagrams, of which only a few words are needed.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager, if it started us and listens.
#[derive(Debug, Default)]
pub(crate) struct Systemd {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that we are alive.
    watchdog: Option<Duration>,
    /// What was said last of how we are.
    status: String,
}

impl Systemd {
    /// The one that the environment names.
    pub(crate) fn from_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name));
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        // a service's children see the variables, too
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0);
        Self { socket, watchdog: watchdog.map(Duration::from_micros), status: String::new() }
    }

    /// How often [`Self::alive`] is to be said at least; half of what would be too seldom.
    pub(crate) fn pace(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog).map(|most| most / 2)
    }

    /// The start is over.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// We are alive.
    pub(crate) fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// How we are, in a line; said if it is new.
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

/// A path, or with an `@` before it a name that is no file.
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
