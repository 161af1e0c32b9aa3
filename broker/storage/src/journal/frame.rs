//! Frames: the pieces that a journal is made of, each with its own proof of being whole and current.

use bytes::Bytes;

use crate::ids::{Incarnation, Lsn};

/// Bytes before the payload.
pub(crate) const FRAME_HEADER_BYTES: usize = 72;

const MAGIC: [u8; 4] = *b"MSFR";
const CRC_START: usize = 8;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Carries nothing but its durable LSN.
    Idle,
    /// A piece of a group that is written ahead of its commit frame.
    Data,
    /// Ends a group and gives it its place.
    Commit,
}

/// What every frame says under its checksum (durability rule 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: FrameKind,
    pub(crate) lsn: Lsn,
    pub(crate) incarnation: Incarnation,
    /// Every frame up to this one was synced when this frame was written.
    pub(crate) durable: Lsn,
    pub(crate) group: u64,
    pub(crate) payload_bytes: u32,
}

impl FrameHeader {
    /// Header bytes with the checksum over them and the payload.
    pub(crate) fn encode(&self, payload: &[Bytes]) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        put(&mut bytes, 0, MAGIC);
        put(&mut bytes, 8, self.payload_bytes.to_le_bytes());
        put(&mut bytes, 12, [self.kind as u8]);
        put(&mut bytes, 16, self.lsn.0.to_le_bytes());
        put(&mut bytes, 24, self.incarnation.0.to_le_bytes());
        put(&mut bytes, 32, self.durable.0.to_le_bytes());
        put(&mut bytes, 40, self.group.to_le_bytes());
        let crc = checksum(&bytes, payload);
        put(&mut bytes, 4, crc.to_le_bytes());
        bytes
    }

    /// Reads a header; the checksum is that of [`FrameHeader::encode`] and still to be compared.
    pub(crate) fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Option<(Self, u32)> {
        if bytes[..4] != MAGIC {
            return None;
        }
        let kind = match bytes[12] {
            0 => FrameKind::Idle,
            1 => FrameKind::Data,
            2 => FrameKind::Commit,
            _ => return None,
        };
        let header = Self {
            kind,
            lsn: Lsn(u64::from_le_bytes(field(bytes, 16))),
            incarnation: Incarnation(u64::from_le_bytes(field(bytes, 24))),
            durable: Lsn(u64::from_le_bytes(field(bytes, 32))),
            group: u64::from_le_bytes(field(bytes, 40)),
            payload_bytes: u32::from_le_bytes(field(bytes, 8)),
        };
        Some((header, u32::from_le_bytes(field(bytes, 4))))
    }

    /// Bytes of header and payload.
    pub(crate) const fn bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + self.payload_bytes as u64
    }
}

/// The checksum over a frame's header, behind the checksum's own place, and its payload.
pub(crate) fn checksum(header: &[u8; FRAME_HEADER_BYTES], payload: &[Bytes]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[CRC_START..]);
    payload.iter().for_each(|piece| hasher.update(piece));
    hasher.finalize()
}

fn field<const N: usize>(bytes: &[u8; FRAME_HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

fn put<const N: usize>(bytes: &mut [u8; FRAME_HEADER_BYTES], at: usize, field: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&field);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back_as_written_and_every_bit_counts() {
        let payload = [Bytes::from_static(b"abc"), Bytes::from_static(b"defg")];
        let header = FrameHeader {
            kind: FrameKind::Commit,
            lsn: Lsn(7),
            incarnation: Incarnation(2),
            durable: Lsn(5),
            group: 9,
            payload_bytes: 7,
        };
        let bytes = header.encode(&payload);
        let (read, crc) = FrameHeader::decode(&bytes).unwrap();
        assert_eq!((read, crc), (header, checksum(&bytes, &payload)));
        for bit in 64..FRAME_HEADER_BYTES * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let same = FrameHeader::decode(&bytes).is_some_and(|(_, crc)| crc == checksum(&bytes, &payload));
            assert!(!same, "bit {bit}");
        }
    }
}
