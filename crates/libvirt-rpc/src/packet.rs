//! Packets: the header, and finding whole packets in a stream of bytes.

use super::objects::open_number;
use super::xdr::{Decode, Encode, Malformed, Reader};
use super::{Procedure, RemoteError};

/// Most bytes of a packet behind its length word; libvirtd hangs up at one more.
pub const MESSAGE_MAX: usize = 33_554_432;

/// Bytes of the length word.
const LENGTH_WORD: usize = 4;

open_number! {
    /// Protocol of a packet.
    Program(u32) {
        /// The calls of libvirt's public API.
        REMOTE = 0x2000_8086,
        /// Keepalive, which either side may use at any time.
        KEEPALIVE = 0x6b65_6570,
    }
}

open_number! {
    /// Kind of a packet.
    PacketKind(i32) {
        /// A client calls a procedure.
        CALL = 0,
        /// A server answers a call.
        REPLY = 1,
        /// Sent without being asked for: an event, or keepalive.
        MESSAGE = 2,
    }
}

open_number! {
    /// Status of a call.
    Status(i32) {
        /// The payload is the result, or the arguments.
        OK = 0,
        /// The payload is a [`RemoteError`].
        ERROR = 1,
    }
}

/// The version of the programs.
const VERSION: u32 = 1;

/// Header before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The protocol.
    pub program: Program,
    /// The protocol's version.
    pub version: u32,
    /// The procedure.
    pub procedure: Procedure,
    /// Kind of the packet.
    pub kind: PacketKind,
    /// Chosen by the client for each call; the reply repeats it. Without meaning in a message.
    pub serial: u32,
    /// Status of the call.
    pub status: Status,
}

impl Header {
    /// Bytes of a header.
    const SIZE: usize = 24;

    /// The header of a call.
    pub fn call(procedure: Procedure, serial: u32) -> Self {
        Self {
            program: Program::REMOTE,
            version: VERSION,
            procedure,
            kind: PacketKind::CALL,
            serial,
            status: Status::OK,
        }
    }

    /// The header of the reply to this call.
    pub fn reply(self, status: Status) -> Self {
        Self { kind: PacketKind::REPLY, status, ..self }
    }

    /// The header of a keepalive message.
    pub fn keepalive(procedure: Procedure) -> Self {
        Self {
            program: Program::KEEPALIVE,
            version: VERSION,
            procedure,
            kind: PacketKind::MESSAGE,
            serial: 0,
            status: Status::OK,
        }
    }
}

impl Encode for Header {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        (self.program, self.version, self.procedure, self.kind, self.serial, self.status)
            .encode(out)
    }
}

impl Decode for Header {
    const LEAST: usize = Self::SIZE;

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (program, version, procedure, kind, serial, status) = Decode::decode(from)?;
        Ok(Self { program, version, procedure, kind, serial, status })
    }
}

/// A whole packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Header of the packet.
    pub header: Header,
    /// Arguments, result, error or event, in XDR.
    pub payload: Vec<u8>,
}

impl Packet {
    /// The reply that refuses `call` with `error`.
    ///
    /// # Errors
    /// A string of the error is too long to be sent.
    pub fn refusal(call: Header, error: &RemoteError) -> Result<Self, Malformed> {
        Ok(Self { header: call.reply(Status::ERROR), payload: super::to_bytes(error)? })
    }

    /// Appends the packet, length word included, to `out`.
    ///
    /// # Errors
    /// The payload is too long; `out` is then as it was.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let length = LENGTH_WORD + Header::SIZE + self.payload.len();
        let max = LENGTH_WORD + MESSAGE_MAX;
        let word = u32::try_from(length).ok().filter(|_| length <= max);
        word.ok_or(Malformed::TooLong { length, max })?.encode(out)?;
        self.header.encode(out)?;
        out.extend_from_slice(&self.payload);
        Ok(())
    }
}

/// Finds packets in a stream that arrives in pieces of any size. It sets aside memory for bytes that
/// came, never for bytes that were announced.
#[derive(Debug, Default)]
pub struct FrameReader {
    bytes: Vec<u8>,
    /// Number of `bytes` that belong to packets already taken.
    taken: usize,
}

impl FrameReader {
    /// Adds received bytes. Take all packets out before feeding more, so that little is moved.
    pub fn feed(&mut self, arrived: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(arrived);
    }

    /// The next packet, or `None` until more has arrived.
    ///
    /// # Errors
    /// The stream makes no sense from here on; there is no way to go on with it.
    pub fn take(&mut self) -> Result<Option<Packet>, Malformed> {
        let mut reader = Reader::new(self.bytes.get(self.taken..).unwrap_or_default());
        if reader.left() < LENGTH_WORD {
            return Ok(None);
        }
        let word = u32::decode(&mut reader)?;
        let length = usize::try_from(word).unwrap_or(usize::MAX);
        if !(LENGTH_WORD + Header::SIZE..=LENGTH_WORD + MESSAGE_MAX).contains(&length) {
            return Err(Malformed::FrameLength(word));
        }
        if reader.left() < length - LENGTH_WORD {
            return Ok(None);
        }
        let header = Header::decode(&mut reader)?;
        let payload = reader.take(length - LENGTH_WORD - Header::SIZE)?.to_vec();
        self.taken += length;
        Ok(Some(Packet { header, payload }))
    }

    /// Whether a packet has begun and not ended.
    pub fn is_inside_packet(&self) -> bool {
        self.bytes.len() > self.taken
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{PING, PONG, from_bytes, to_bytes};
    use proptest::prelude::*;

    fn words(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn written(packet: &Packet) -> Vec<u8> {
        let mut out = Vec::new();
        packet.write(&mut out).unwrap();
        out
    }

    fn read_one(bytes: &[u8]) -> Packet {
        let mut frames = FrameReader::default();
        frames.feed(bytes);
        let packet = frames.take().unwrap().unwrap();
        assert!(!frames.is_inside_packet());
        packet
    }

    /// Recorded between virsh and libvirtd 11.3.
    #[test]
    fn calls_and_replies_are_the_recorded_bytes() {
        let open = Packet {
            header: Header::call(Procedure::CONNECT_OPEN, 4),
            payload: to_bytes(&(Some("test:///default"), 0u32)).unwrap(),
        };
        assert_eq!(
            written(&open),
            words(
                "00000038 20008086 00000001 00000001 00000000 00000004 00000000 00000001 0000000f
                 74657374 3a2f2f2f 64656661 756c7400 00000000"
            )
        );
        let types = read_one(&words(
            "00000024 20008086 00000001 00000042 00000001 00000001 00000000 00000001 00000000",
        ));
        assert_eq!(types.header, Header::call(Procedure::AUTH_LIST, 1).reply(Status::OK));
        assert_eq!(from_bytes::<(u32, i32)>(&types.payload), Ok((1, 0)));
        let message = |procedure| Packet { header: Header::keepalive(procedure), payload: vec![] };
        assert_eq!(
            written(&message(PING)),
            words("0000001c 6b656570 00000001 00000001 00000002 00000000 00000000")
        );
        assert_eq!(
            written(&message(PONG)),
            words("0000001c 6b656570 00000001 00000002 00000002 00000000 00000000")
        );
    }

    #[test]
    fn lengths_that_no_packet_has_are_refused_at_once() {
        let check = |length: u32| {
            let mut frames = FrameReader::default();
            frames.feed(&length.to_be_bytes());
            frames.take()
        };
        for bad in [0, 3, 4, 27, 33_554_437, u32::MAX] {
            assert_eq!(check(bad), Err(Malformed::FrameLength(bad)));
        }
        for fair in [28, 33_554_436] {
            assert_eq!(check(fair), Ok(None));
        }
    }

    #[test]
    fn an_announced_length_sets_no_memory_aside() {
        let mut frames = FrameReader::default();
        frames.feed(&33_554_436u32.to_be_bytes());
        assert_eq!(frames.take(), Ok(None));
        assert!(frames.bytes.capacity() < 1024);
    }

    fn packets() -> impl Strategy<Value = Vec<Packet>> {
        let header = (any::<u32>(), any::<u32>(), any::<[i32; 3]>(), any::<u32>()).prop_map(
            |(program, version, [procedure, kind, status], serial)| Header {
                program: Program(program),
                version,
                procedure: Procedure(procedure),
                kind: PacketKind(kind),
                serial,
                status: Status(status),
            },
        );
        let packet = (header, prop::collection::vec(any::<u8>(), 0..50))
            .prop_map(|(header, payload)| Packet { header, payload });
        prop::collection::vec(packet, 0..6)
    }

    proptest! {
        #[test]
        fn packets_come_out_whole_however_the_stream_is_cut(
            sent in packets(),
            sizes in prop::collection::vec(1usize..90, 1..20),
        ) {
            let stream: Vec<u8> = sent.iter().flat_map(written).collect();
            let mut frames = FrameReader::default();
            let mut got = Vec::new();
            let mut rest = stream.as_slice();
            for size in sizes.iter().cycle() {
                let (piece, later) = rest.split_at((*size).min(rest.len()));
                frames.feed(piece);
                while let Some(packet) = frames.take().unwrap() {
                    got.push(packet);
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(got, sent);
            prop_assert!(!frames.is_inside_packet());
        }

        #[test]
        fn any_bytes_are_packets_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut frames = FrameReader::default();
            frames.feed(&bytes);
            let mut again = Vec::new();
            while let Ok(Some(packet)) = frames.take() {
                packet.write(&mut again).unwrap();
            }
            prop_assert!(bytes.starts_with(&again));
        }
    }
}
