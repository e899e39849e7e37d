//! The far end of a connection, for tests: a thread that plays a server, well or badly.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::connection::Connection;
use super::connections::ConnectionPair;
use crate::error::{Error, ErrorCode, ErrorDomain};
use libvirt_rpc::{
    Encode, FrameReader, Header, Packet, PacketKind, Procedure, Program, RemoteError, Status,
    to_bytes,
};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Returns a connection to a server that does as `script` says and then closes it.
pub(super) fn connection(script: impl FnOnce(&mut Server) + Send + 'static) -> Connection {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut server = Server { stream: theirs, frames: FrameReader::default() };
    std::thread::spawn(move || script(&mut server));
    Connection::new(Box::new(ours))
}

/// Connections, as many as are asked for, to a server that answers as `answer` says.
pub(super) fn connections(
    answer: impl Fn(Procedure, &[u8]) -> Result<Vec<u8>, Error> + Clone + Send + Sync + 'static,
) -> ConnectionPair {
    ConnectionPair::new(Arc::new(move || {
        let answer = answer.clone();
        Ok(connection(move |server| server.serve(answer)))
    }))
}

/// The packet of an event that a client did not ask for.
pub(super) fn event() -> Packet {
    let header = Header { kind: PacketKind::MESSAGE, ..Header::call(Procedure(318), 1) };
    Packet { header, payload: vec![0; 40] }
}

pub(super) fn refusal(code: ErrorCode) -> Error {
    Error::host(code, ErrorDomain::TEST, format!("{code:?}"))
}

/// Returns the message that a server sends for a [`refusal`].
pub(super) fn in_wire(error: &Error) -> RemoteError {
    super::remote_error(error.vir.as_ref().unwrap(), &error.message)
}

#[derive(Debug)]
pub(super) struct Server {
    stream: UnixStream,
    frames: FrameReader,
}

impl Server {
    /// The next packet from the client, or `None` if it hung up.
    pub(super) fn packet(&mut self) -> Option<Packet> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(packet) = self.frames.take().unwrap() {
                return Some(packet);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.frames.feed(&buffer[..n]),
            }
        }
    }

    /// The header of the next call, which has to come.
    pub(super) fn call(&mut self) -> Header {
        let header = self.packet().unwrap().header;
        assert_eq!((header.program, header.kind), (Program::REMOTE, PacketKind::CALL));
        header
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        // the client may have had enough of us
        let _ = self.stream.write_all(bytes);
    }

    pub(super) fn send(&mut self, packet: &Packet) {
        self.write(&written(packet));
    }

    pub(super) fn reply(&mut self, call: Header, result: &impl Encode) {
        self.send(&done(call, result));
    }

    pub(super) fn disconnect_idle(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// Answers every call as `answer` says until the client hangs up.
    pub(super) fn serve(
        &mut self,
        mut answer: impl FnMut(Procedure, &[u8]) -> Result<Vec<u8>, Error>,
    ) {
        while let Some(Packet { header, payload }) = self.packet() {
            let reply = match answer(header.procedure, &payload) {
                Ok(payload) => Packet { header: header.reply(Status::OK), payload },
                Err(error) => Packet::refusal(header, &in_wire(&error)).unwrap(),
            };
            self.send(&reply);
        }
    }
}

pub(super) fn done(call: Header, result: &impl Encode) -> Packet {
    Packet { header: call.reply(Status::OK), payload: to_bytes(result).unwrap() }
}

pub(super) fn written(packet: &Packet) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.write(&mut bytes).unwrap();
    bytes
}
