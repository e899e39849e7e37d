//! Interface of streams, and sockets as streams.

use crate::error::Error;
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Bytes both ways, without blocking: where nothing can be done at once the error is
/// [`WouldBlock`](io::ErrorKind::WouldBlock).
pub(in crate::drivers::libvirt) trait Stream:
    fmt::Debug + Send
{
    /// Reads available bytes; 0 when the other side is gone.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Takes bytes to be written, and says how many. It may keep some of them; see [`flush`](Self::flush).
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes buffered bytes, as far as the kernel takes them.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Whether the stream keeps bytes that were taken and are not yet written.
    fn has_output(&self) -> bool {
        false
    }

    /// Whether the stream has bytes to read that the kernel does not know of.
    fn has_input(&self) -> bool {
        false
    }

    /// Whether no two packets may be written at once.
    fn wants_single_packets(&self) -> bool {
        false
    }

    /// Returns the file descriptor to poll.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Returns the reason for which the other side is gone, where an intermediary has reported it.
    fn last_words(&mut self) -> Option<Error> {
        None
    }
}

/// A plain socket is a stream by itself.
macro_rules! socket_stream {
    ($socket:ty) => {
        impl Stream for $socket {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                io::Read::read(self, buffer)
            }

            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                io::Write::write(self, bytes)
            }

            fn fd(&self) -> BorrowedFd<'_> {
                self.as_fd()
            }
        }
    };
}
socket_stream!(UnixStream);
socket_stream!(TcpStream);
