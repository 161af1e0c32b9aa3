//! Decoding never takes more memory than the frame can justify, whatever its counts claim. Each allocation of this
//! binary is counted, so it holds this one test alone.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

#[path = "../../tests/support/allocations.rs"]
mod allocations;

use allocations::peak;
use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, caps,
    messages::{RequestBody, ResponseBody},
    wire::DecodeError,
};

/// One golden message: what it is, and its bytes.
struct Golden {
    key: ApiKey,
    request: bool,
    version: i16,
    bytes: Vec<u8>,
}

impl Golden {
    fn all() -> Vec<Self> {
        include_str!("../../tests/data/golden/messages.txt").lines().map(Self::new).collect()
    }

    fn new(line: &str) -> Self {
        let words: Vec<_> = line.split(' ').collect();
        let digits = &words[4][1..];
        Self {
            key: ApiKey::from_key(words[0].parse().unwrap()).unwrap(),
            request: words[2] == "request",
            version: words[3].parse().unwrap(),
            bytes: (0..digits.len())
                .step_by(2)
                .map(|place| u8::from_str_radix(&digits[place..place + 2], 16).unwrap())
                .collect(),
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<(), DecodeError> {
        if self.request {
            RequestBody::decode(self.key, bytes, self.version).map(drop)
        } else {
            ResponseBody::decode(self.key, bytes, self.version).map(drop)
        }
    }

    /// The message with other bytes at a place.
    fn poisoned(&self, place: usize, poison: &[u8], length: usize) -> Bytes {
        let mut bytes = self.bytes.clone();
        let end = bytes.len().min(place + poison.len());
        bytes.splice(place..end, poison.iter().copied());
        bytes.resize(length.max(bytes.len()), 0);
        bytes.into()
    }
}

/// Memory that a frame of so many bytes may take while it is read: an element of one byte on the wire is a
/// structure of up to 250 bytes in memory, a growing array is held twice for a moment.
const fn justified(frame_bytes: usize) -> usize {
    let structures =
        if frame_bytes * 250 < caps::DECODED_BYTES_MAX { frame_bytes * 250 } else { caps::DECODED_BYTES_MAX };
    1024 + 3 * structures
}

#[test]
fn no_count_on_the_wire_takes_memory_that_the_bytes_do_not_justify() {
    let counts: &[&[u8]] = &[
        &[0x7f, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0x01],
        &[0, 1, 0, 0],
        &[0x80, 0x80, 0x04],
    ];
    for golden in Golden::all() {
        for place in 0..golden.bytes.len() {
            for count in counts {
                for length in [0, 1000] {
                    let frame = golden.poisoned(place, count, length);
                    let length = frame.len();
                    let (_, peak) = peak(|| golden.decode(frame));
                    let Golden { key, version, .. } = golden;
                    assert!(peak <= justified(length), "{key} {version}: {peak} bytes for {length}");
                }
            }
        }
    }
    let largest = largest_frames();
    assert!(largest <= justified(caps::FRAME_BYTES_MAX), "{largest}");
}

/// The most memory that frames of the largest size take when all of their bytes are elements.
fn largest_frames() -> usize {
    let mut bytes = vec![0; 16 * 1024 * 1024];
    bytes[..4].copy_from_slice(&8_000_000_u32.to_be_bytes());
    let bytes = Bytes::from(bytes);
    let decode = |version| RequestBody::decode(ApiKey::Metadata, bytes.clone(), version);
    let (result, plain) = peak(|| decode(0));
    assert_eq!(result, Err(DecodeError::TooManyElements));
    plain
}
