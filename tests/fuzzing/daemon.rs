//! Daemon whose objects and errors a fuzzer chooses: names, documents, and libvirt's error in all its
//! strings.

use libvirt_rpc::{
    AuthType, DomainHandle, FrameReader, Header, Malformed, NetworkHandle, Packet, PacketKind,
    Procedure, RemoteError, SnapshotHandle, Status, from_bytes, to_bytes,
};
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use virt::model::Uuid;

/// One object of it.
pub(crate) struct Guest {
    /// Whether the object is a domain, or else a network.
    pub(crate) is_domain: bool,
    /// Name in lists; the document may have another.
    pub(crate) name: String,
    pub(crate) uuid: Uuid,
    pub(crate) definition: String,
}

/// A daemon that runs until it is dropped.
pub(crate) struct Daemon {
    socket: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Answers of the daemon.
pub(crate) struct Answers {
    pub(crate) guests: [Guest; 2],
    /// An error's message and its three strings.
    pub(crate) said: [String; 4],
    /// Name of its hypervisor, and its URI.
    pub(crate) known: [String; 2],
    /// Number of the call of a connection that gets that error, besides unknown ones; a small one hits none,
    /// as a connection begins with some five.
    pub(crate) fails: usize,
}

impl Daemon {
    pub(crate) fn start(socket: &Path, answers: Answers) -> Self {
        let listener = UnixListener::bind(socket).expect("a socket can be made");
        let is_over = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&is_over);
        let answers = Arc::new(answers);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_thread.load(Ordering::Relaxed) {
                    return;
                }
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || answers.serve(stream));
            }
        });
        Self { socket: socket.to_owned(), is_over, thread: Some(thread) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // wakes it up
        let _ = UnixStream::connect(&self.socket);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Answers {
    fn serve(&self, mut stream: UnixStream) {
        let mut frames = FrameReader::default();
        let (mut buffer, mut calls) = ([0; 4096], 0);
        loop {
            match frames.take() {
                Ok(Some(packet)) if packet.header.kind == PacketKind::CALL => {
                    calls += 1;
                    let (status, payload) = match self.reply(&packet, calls) {
                        Some(Ok(payload)) => (Status::OK, payload),
                        _ => (Status::ERROR, self.error()),
                    };
                    let mut bytes = Vec::new();
                    let reply = Packet { header: packet.header.reply(status), payload };
                    let written = reply.write(&mut bytes);
                    if written.is_err() || stream.write_all(&bytes).is_err() {
                        return;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => match stream.read(&mut buffer) {
                    Ok(n @ 1..) => frames.feed(buffer.get(..n).unwrap_or_default()),
                    _ => return,
                },
                Err(_) => return,
            }
        }
    }

    /// Returns the answer to a call; nothing for an error.
    fn reply(&self, call: &Packet, number: usize) -> Option<Result<Vec<u8>, Malformed>> {
        let Header { procedure, .. } = call.header;
        if self.fails > 4 && number == self.fails {
            return None;
        }
        let domains: Vec<DomainHandle> = self.of(true).map(domain).collect();
        let networks: Vec<NetworkHandle> = self
            .of(false)
            .map(|guest| NetworkHandle { name: guest.name.clone(), uuid: guest.uuid })
            .collect();
        let definition = |is_domain| self.of(is_domain).next().map(|guest| &guest.definition);
        Some(match procedure {
            Procedure::AUTH_LIST => to_bytes(&vec![AuthType::NONE]),
            Procedure::CONNECT_OPEN => Ok(Vec::new()),
            Procedure::CONNECT_GET_TYPE => to_bytes(&self.known[0]),
            Procedure::CONNECT_GET_LIB_VERSION => to_bytes(&11_003_000u64),
            Procedure::CONNECT_GET_URI => to_bytes(&self.known[1]),
            Procedure::CONNECT_SUPPORTS_FEATURE => to_bytes(&1i32),
            Procedure::CONNECT_LIST_ALL_DOMAINS => to_bytes(&(domains, 1u32)),
            Procedure::CONNECT_LIST_ALL_NETWORKS => to_bytes(&(networks, 1u32)),
            Procedure::CONNECT_GET_ALL_DOMAIN_STATS => to_bytes(&0u32),
            Procedure::DOMAIN_LIST_ALL_SNAPSHOTS | Procedure::DOMAIN_LIST_ALL_CHECKPOINTS => {
                let domain = from_bytes::<(DomainHandle, u32, u32)>(&call.payload).ok()?.0;
                let [.., name] = self.said.clone();
                to_bytes(&(vec![SnapshotHandle { name, domain }], 1u32))
            }
            Procedure::DOMAIN_SNAPSHOT_GET_XML_DESC => {
                to_bytes("<domainsnapshot><name>s</name></domainsnapshot>")
            }
            Procedure::DOMAIN_GET_STATE => to_bytes(&(5i32, 0i32)),
            Procedure::DOMAIN_GET_XML_DESC => to_bytes(definition(true)?),
            Procedure::NETWORK_GET_XML_DESC => to_bytes(definition(false)?),
            _ => return None,
        })
    }

    fn of(&self, is_domain: bool) -> impl Iterator<Item = &Guest> {
        self.guests.iter().filter(move |guest| guest.is_domain == is_domain)
    }

    fn error(&self) -> Vec<u8> {
        let [message, str1, str2, str3] = self.said.clone();
        let error = RemoteError {
            code: 1,
            domain: 10,
            message: Some(message),
            level: 2,
            dom: self.of(true).next().map(domain),
            str1: Some(str1),
            str2: Some(str2),
            str3: Some(str3),
            int1: -1,
            int2: -1,
            net: None,
        };
        to_bytes(&error).unwrap_or_default()
    }
}

fn domain(guest: &Guest) -> DomainHandle {
    DomainHandle { name: guest.name.clone(), uuid: guest.uuid, id: -1 }
}
