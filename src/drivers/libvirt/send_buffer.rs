//! Buffer of bytes to be written to a stream, with their progress.

use super::transport::Stream;
use libvirt_rpc::{Malformed, Packet};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};

/// Bytes that may wait to be written before further calls wait too.
const BACKLOG_MAX: usize = 1 << 20;

/// Packets on their way to a stream. Places in the stream are counted in bytes from its beginning.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Bytes of which the first `sent` are written.
    bytes: Vec<u8>,
    sent: usize,
    queued: u64,
    written: u64,
    /// Ends of the packets that are not completely written.
    ends: VecDeque<u64>,
}

impl Outgoing {
    /// Adds a packet, and says where it ends.
    ///
    /// # Errors
    /// The packet is longer than any may be; nothing is added.
    pub(super) fn push(&mut self, packet: &Packet) -> Result<u64, Malformed> {
        let before = self.bytes.len();
        packet.write(&mut self.bytes)?;
        self.queued += (self.bytes.len() - before) as u64;
        self.ends.push_back(self.queued);
        Ok(self.queued)
    }

    /// Whether all that ends at this place has been taken by the stream.
    pub(super) fn is_written(&self, end: u64) -> bool {
        end <= self.written
    }

    /// Whether something waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.bytes.len() > self.sent
    }

    /// Whether no more should be added for now.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() - self.sent >= BACKLOG_MAX
    }

    /// Writes as much as the stream takes.
    ///
    /// # Errors
    /// The stream can no longer be written to.
    pub(super) fn send(&mut self, stream: &mut dyn Stream) -> io::Result<()> {
        while self.is_waiting() {
            let end = self.sent + self.next(stream.wants_single_packets());
            match stream.write(self.bytes.get(self.sent..end).unwrap_or_default()) {
                Ok(taken) => {
                    self.sent += taken;
                    self.written += taken as u64;
                    let over = self.ends.iter().take_while(|end| **end <= self.written).count();
                    self.ends.drain(..over);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if self.sent >= BACKLOG_MAX {
                        self.bytes.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        match stream.flush() {
            Err(e) if !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Err(e),
            _ => Ok(()),
        }
    }

    /// Returns the number of bytes for the next write.
    fn next(&self, single: bool) -> usize {
        let waiting = self.bytes.len() - self.sent;
        match self.ends.front() {
            Some(end) if single => {
                usize::try_from(end - self.written).unwrap_or(usize::MAX).min(waiting)
            }
            _ => waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use libvirt_rpc::{Header, Procedure};
    use std::os::fd::{AsFd as _, BorrowedFd};

    /// Stream that takes at most this number of bytes at a time, and keeps each piece.
    #[derive(Debug)]
    struct Pieces {
        single: bool,
        most: usize,
        pieces: Vec<usize>,
        file: std::fs::File,
    }

    impl Stream for Pieces {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.most);
            self.pieces.push(taken);
            Ok(taken)
        }

        fn wants_single_packets(&self) -> bool {
            self.single
        }

        fn fd(&self) -> BorrowedFd<'_> {
            self.file.as_fd()
        }
    }

    #[test]
    fn a_stream_that_wants_packets_singly_gets_no_two_at_once() {
        let pieces = |single, most| {
            let file = std::fs::File::open("/dev/null").unwrap();
            let mut stream = Pieces { single, most, pieces: Vec::new(), file };
            let mut outgoing = Outgoing::default();
            let header = Header::call(Procedure(1), 0);
            // 28 bytes of length and header stand before each payload
            let ends = [0, 12, 100]
                .map(|n| outgoing.push(&Packet { header, payload: vec![0; n] }).unwrap());
            assert_eq!(ends, [28, 68, 196]);
            assert!(outgoing.is_waiting() && !outgoing.is_written(28));
            outgoing.send(&mut stream).unwrap();
            assert!(!outgoing.is_waiting() && outgoing.is_written(196));
            stream.pieces
        };
        assert_eq!(pieces(false, 1000), [196]);
        assert_eq!(pieces(true, 1000), [28, 40, 128]);
        assert_eq!(pieces(true, 100), [28, 40, 100, 28]);
    }
}
