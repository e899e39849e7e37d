//! Destination of a URI, as far as its text shows.

use super::{Transport, Uri};
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

impl Uri {
    /// Returns a text that is equal for two URIs which differ only in the user, in keys, in unknown parts, or
    /// in notation. Names of one host that only its resolver knows to be equal stay different, and so do
    /// paths that only the files show to be.
    pub fn destination(&self) -> String {
        let socket = self.parameter("socket").map(without_detours);
        let state = self.parameter("state").map(without_detours);
        format!("{:?}", (self.hypervisor(), self.server(), socket, state))
    }

    /// The server, whichever of its hypervisors is asked for.
    pub(crate) fn server(&self) -> String {
        let transport = self.transport().filter(|t| *t != Transport::Unix);
        let port = self.port.or_else(|| transport.and_then(Transport::default_port));
        let command = self.parameter("command").filter(|_| transport == Some(Transport::Ext));
        let far = |_: &&str| transport == Some(Transport::Ssh);
        let socket = self.parameter("socket").filter(far).map(without_detours);
        format!("{:?}", (self.host.as_deref().map(plain_host), port, socket, command))
    }

    /// The hypervisor that is asked for, without parameters; empty where the server is to choose.
    pub(crate) fn hypervisor(&self) -> String {
        match self.parameter("name") {
            // whatever cannot be read is for the server to refuse
            Some(name) => Self::parse(name).map_or_else(|_| name.to_owned(), |uri| uri.own_name()),
            None => self.own_name(),
        }
    }

    fn own_name(&self) -> String {
        match self.driver.as_str() {
            "" | "remote" => String::new(),
            // it has one for all
            "xen" => "xen:///".to_owned(),
            driver => Self::local(driver, &self.path).to_string(),
        }
    }
}

/// A host's name or address in one form.
fn plain_host(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    }
}

/// Returns a path without redundant steps, as far as that is possible without looking.
fn without_detours(path: &str) -> PathBuf {
    Path::new(path).components().filter(|c| *c != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn uris_of_one_destination_are_known() {
        let to = |uri: &str| Uri::parse(uri).unwrap().destination();
        let one = to("qemu+ssh://kvm01/system");
        assert_eq!(one, to("qemu+ssh://root@KVM01:22/system?keyfile=/k&no_tty=1"));
        assert_eq!(to("qemu:///system"), to("qemu+unix:///system"));
        assert_eq!(to("qemu://h/system"), to("qemu+tls://h:16514/system?pkipath=/p"));
        assert_eq!(to("qemu:///system"), to("qemu:///system?foo=1"));
        assert_eq!(to("qemu:///system?socket=/a/b"), to("qemu:///system?socket=/a/.//b"));
        assert_eq!(to("remote+tcp://h/?name=xen:///"), to("xen+tcp://H./system"));
        for other in ["qemu+ssh://kvm02/system", "qemu+ssh://kvm01:23/system", "xen+ssh://kvm01/"] {
            assert_ne!(one, to(other));
        }
        assert_ne!(to("test:///default?state=/a"), to("test:///default?state=/b"));
        assert_ne!(to("qemu:///system"), to("qemu:///system?socket=/a"));
    }
}
