//! Environment of the control loops: opens drivers, takes locks, prints events.

use crate::cli::context::{Context, Keys};
use crate::cli::descriptors::Descriptors;
use crate::cli::lock::HostLock;
use crate::cli::view::watch as view;
use crate::controller::{ControllerEvent, Environment};
use crate::drivers::{Connection, Driver};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Loaded;
use crate::model::Uri;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Address of a host.
#[derive(Clone, Debug)]
pub(super) struct HostAddress {
    /// Connection to the host, unless `virt.toml` may not choose it.
    pub(super) connection: Result<Connection>,
    /// The URI; in place of an empty one the URI that was found, once known.
    pub(super) uri: String,
    pub(super) label: Option<String>,
    /// Keys of the hosts that were started together, until this one was opened: keys may be rotated
    /// while a watch runs, and each new connection reads them again.
    pub(super) keys: Option<Keys>,
}

/// Environment of the control loops.
#[derive(Debug)]
pub(super) struct WatchEnvironment {
    context: Context,
    /// The manifests, for the places in them.
    loaded: Mutex<Arc<Loaded>>,
    addresses: Mutex<BTreeMap<String, HostAddress>>,
    descriptors: Descriptors,
}

impl WatchEnvironment {
    pub(super) fn new(context: Context, loaded: Arc<Loaded>) -> Self {
        let descriptors = Descriptors::of_process();
        Self { context, loaded: Mutex::new(loaded), addresses: Mutex::default(), descriptors }
    }

    pub(super) fn loaded(&self) -> MutexGuard<'_, Arc<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn addresses(&self) -> MutexGuard<'_, BTreeMap<String, HostAddress>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops a host that nothing is wanted of any more.
    pub(super) fn forget(&self, host: &str) {
        self.addresses().remove(host);
        self.descriptors.give_back(host);
    }

    fn address(&self, host: &str) -> Result<HostAddress> {
        let address = self.addresses().get(host).cloned();
        address.ok_or_else(|| {
            let text = format!("no connection to {host} is known");
            Error::new(ErrorKind::Invalid, text)
        })
    }
}

impl Environment for WatchEnvironment {
    fn open(&self, host: &str) -> Result<Arc<dyn Driver>> {
        let connection = self.address(host)?.connection?;
        self.descriptors.take(host, connection.uri())?;
        let shared = self.addresses().get_mut(host).and_then(|address| address.keys.take());
        let now = || self.context.signing_now();
        let keys = || shared.map_or_else(now, |shared| shared.get_or_init(now).clone());
        let opened = self.context.open_with(&connection, keys);
        let driver = opened.inspect_err(|_| self.descriptors.give_back(host))?;
        // an empty URI came to that
        if let (Some(address), Some(chosen)) = (self.addresses().get_mut(host), driver.uri())
            && address.uri.is_empty()
        {
            chosen.clone_into(&mut address.uri);
        }
        Ok(Arc::from(driver))
    }

    fn lock(&self, host: &str) -> Result<Box<dyn Debug>> {
        let lock: Option<HostLock> = self.context.lock(&Uri::parse(&self.address(host)?.uri)?)?;
        Ok(Box::new(lock))
    }

    fn emit(&self, host: &str, event: &ControllerEvent<'_>) {
        let label = self.addresses().get(host).and_then(|address| address.label.clone());
        let loaded = Arc::clone(&self.loaded());
        match label {
            Some(label) => view::event(&self.context.for_host(&label, false), event, &loaded),
            None => view::event(&self.context, event, &loaded),
        }
    }
}
