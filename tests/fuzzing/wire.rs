//! Any bytes as packets, and as each of the results that are read: nothing panics, no memory is reserved for
//! a mere announcement, and a result is written as the same bytes.

use libvirt_rpc::{
    AuthType, Chars, Decode, DomainHandle, DomainInfo, DomainInterface, DomainStats, Encode, Event,
    FrameReader, Header, NetworkHandle, NodeInfo, Packet, PacketKind, Procedure, RemoteError,
    Status, from_bytes, to_bytes,
};

/// Bytes as a stream that arrives in pieces. Says whether there was a packet in it.
pub(crate) fn packets(data: &[u8]) -> bool {
    let Some((size, stream)) = data.split_first() else { return false };
    let mut frames = FrameReader::default();
    let (mut again, mut count) = (Vec::new(), 0);
    'stream: for piece in stream.chunks(usize::from(*size).max(1)) {
        frames.feed(piece);
        loop {
            match frames.take() {
                Ok(Some(packet)) => {
                    packet.write(&mut again).unwrap();
                    count += 1;
                    read_as_its_procedure_says(&packet);
                }
                Ok(None) => break,
                Err(_) => break 'stream,
            }
        }
    }
    assert!(stream.starts_with(&again), "packets are written as they were read");
    count > 0
}

/// Reads a payload as a client would. Returns whether it was well-formed.
fn read_as_its_procedure_says(packet: &Packet) -> bool {
    let Packet { header: Header { procedure, kind, status, .. }, payload } = packet;
    if *kind == PacketKind::REPLY && *status == Status::ERROR {
        return same::<RemoteError>(payload);
    }
    if *kind == PacketKind::MESSAGE {
        return Event::decode(*procedure, payload).is_ok_and(|event| event.is_some());
    }
    if *kind == PacketKind::MESSAGE {
        return Event::decode(*procedure, payload).is_ok_and(|event| event.is_some());
    }
    match *procedure {
        Procedure::AUTH_LIST => same::<Vec<AuthType>>(payload),
        Procedure::CONNECT_LIST_ALL_DOMAINS => same::<(Vec<DomainHandle>, u32)>(payload),
        Procedure::CONNECT_LIST_ALL_NETWORKS => same::<(Vec<NetworkHandle>, u32)>(payload),
        Procedure::CONNECT_GET_ALL_DOMAIN_STATS => same::<Vec<DomainStats>>(payload),
        // what stands behind the end of a model is not kept
        Procedure::NODE_GET_INFO => from_bytes::<NodeInfo>(payload).is_ok(),
        Procedure::DOMAIN_GET_INFO => same::<DomainInfo>(payload),
        Procedure::DOMAIN_INTERFACE_ADDRESSES => same::<Vec<DomainInterface>>(payload),
        Procedure::DOMAIN_GET_STATE => same::<(i32, i32)>(payload),
        Procedure::CONNECT_GET_LIB_VERSION => same::<u64>(payload),
        Procedure::AUTH_POLKIT
        | Procedure::CONNECT_SUPPORTS_FEATURE
        | Procedure::DOMAIN_IS_PERSISTENT
        | Procedure::NETWORK_IS_PERSISTENT => same::<i32>(payload),
        Procedure::DOMAIN_DEFINE_XML_FLAGS => same::<DomainHandle>(payload),
        Procedure::NETWORK_DEFINE_XML => same::<NetworkHandle>(payload),
        _ => same::<String>(payload),
    }
}

/// The first byte chooses a result, the rest is its bytes. Says whether they were that.
pub(crate) fn replies(data: &[u8]) -> bool {
    let Some((which, bytes)) = data.split_first() else { return false };
    match which % 19 {
        0 => same::<RemoteError>(bytes),
        1 => same::<Vec<AuthType>>(bytes),
        2 => same::<(Vec<DomainHandle>, u32)>(bytes),
        3 => same::<(Vec<NetworkHandle>, u32)>(bytes),
        4 => same::<Vec<DomainStats>>(bytes),
        5 => same::<(i32, i32)>(bytes),
        6 => same::<u64>(bytes),
        7 => same::<i32>(bytes),
        8 => same::<DomainHandle>(bytes),
        9 => same::<NetworkHandle>(bytes),
        10 => same::<String>(bytes),
        11 => same::<Option<String>>(bytes),
        // a char may come with its sign or without
        12 => from_bytes::<(i32, i32, Chars)>(bytes).is_ok(),
        13 => event(bytes),
        14 => same::<(String, Option<String>)>(bytes),
        15 => same::<DomainInfo>(bytes),
        16 => same::<Vec<DomainInterface>>(bytes),
        17 => from_bytes::<NodeInfo>(bytes).is_ok(),
        _ => same::<Header>(bytes),
    }
}

/// Bytes as each of the events that are listened to.
fn event(bytes: &[u8]) -> bool {
    let numbers = [315, 318, 333, 354, 362, 367, 9999];
    let decoded = numbers.map(|number| Event::decode(Procedure(number), bytes));
    assert!(matches!(decoded, [.., Ok(None)]), "a number that is not known is no event");
    decoded.iter().any(|event| matches!(event, Ok(Some(_))))
}

fn same<T: Decode + Encode>(bytes: &[u8]) -> bool {
    match from_bytes::<T>(bytes) {
        Ok(value) => {
            assert_eq!(to_bytes(&value).unwrap(), bytes, "a value is written as it was read");
            true
        }
        Err(_) => false,
    }
}
