//! Bytes that are no message: an error each time, never a panic.

use super::*;
use crate::{specimen::Counting, wire::DecodeError};

/// Calls `check` with each message, version and the bytes of a value of it.
struct Each<F>(F);

impl<F: FnMut(&str, &Bytes, &dyn Fn(Bytes) -> Result<(), DecodeError>)> Visit for Each<F> {
    fn visit<M, O>(&mut self, key: ApiKey, kind: Kind)
    where
        M: Message + Specimen + PartialEq + std::fmt::Debug,
        O: oracle::Oracle,
    {
        for version in M::VERSIONS {
            let bytes = encode(&M::specimen(&mut Counting::default(), version), version);
            (self.0)(&format!("{key} {kind:?} {version}"), &bytes, &|bytes| {
                reads_as_written::<M>(bytes, version)
            });
        }
    }
}

/// Whatever is read can be written and read again: nothing that passes is half a message. Bytes are compared, because a
/// number may be none (NaN), which is not equal to itself.
fn reads_as_written<M: Message + PartialEq + std::fmt::Debug>(
    bytes: Bytes,
    version: i16,
) -> Result<(), DecodeError> {
    let message = M::decode(bytes, version)?;
    let written = encode(&message, version);
    let again = M::decode(written.clone(), version).map(|again| encode(&again, version));
    assert_eq!(again, Ok(written), "{message:?}");
    Ok(())
}

#[test]
fn every_early_end_is_refused() {
    visit_all(&mut Each(|what: &str, bytes: &Bytes, read: &dyn Fn(Bytes) -> Result<(), DecodeError>| {
        for end in 0..bytes.len() {
            assert!(read(bytes.slice(..end)).is_err(), "{what} ends after {end} bytes");
        }
    }));
}

#[test]
fn bytes_behind_a_message_are_refused() {
    visit_all(&mut Each(|what: &str, bytes: &Bytes, read: &dyn Fn(Bytes) -> Result<(), DecodeError>| {
        let more = [bytes, &b"\0\0\0"[..]].concat();
        assert_eq!(read(more.into()), Err(DecodeError::Trailing(3)), "{what}");
    }));
}

/// What librdkafka 2.16 sends to ask for all topics, behind the client id: header tags, then the topics as four zeros
/// instead of one, so that the two flags and the tags are three bytes too many.
#[test]
fn bytes_behind_a_request_are_let_be() {
    let header = crate::header::RequestHeader {
        key: ApiKey::Metadata as i16,
        version: 13,
        correlation_id: Default::default(),
        client_id: None,
    };
    let body = header.body(Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 0])).unwrap();
    let all = MetadataRequest { topics: None, allow_auto_topic_creation: false, ..Default::default() };
    assert_eq!(body, all.into());
}

#[test]
fn versions_outside_the_range_are_refused() {
    visit_all(&mut Outside);
}

struct Outside;

impl Visit for Outside {
    fn visit<M, O>(&mut self, _: ApiKey, _: Kind)
    where
        M: Message + Specimen + PartialEq + std::fmt::Debug,
        O: oracle::Oracle,
    {
        for version in [i16::MIN, -1, M::VERSIONS.start() - 1, M::VERSIONS.end() + 1, i16::MAX] {
            assert_eq!(M::decode(Bytes::new(), version), Err(DecodeError::UnknownVersion(version)));
            assert!(M::default().encode(version).is_err());
        }
    }
}

/// What stands where a count, a length, a tag or a null could be.
const POISON: &[&[u8]] = &[
    &[0],
    &[0xff],
    &[0x7f, 0xff],
    &[0x80, 0, 0, 0],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
];

#[test]
fn poison_at_any_place_is_read_as_a_message_or_refused() {
    // Which poison meets which place goes round with the messages: all pairs would take seconds.
    let mut turn = 0;
    visit_all(&mut Each(|_: &str, bytes: &Bytes, read: &dyn Fn(Bytes) -> Result<(), DecodeError>| {
        turn += 1;
        for place in 0..bytes.len() {
            for poison in [POISON[(place + turn) % POISON.len()], POISON[(place + turn + 3) % POISON.len()]] {
                let end = bytes.len().min(place + poison.len());
                let _ = read([&bytes[..place], poison, &bytes[end..]].concat().into());
            }
        }
    }));
}

#[test]
fn noise_is_read_as_a_message_or_refused() {
    let mut source = Random::new(7);
    visit_all(&mut Each(|_: &str, bytes: &Bytes, read: &dyn Fn(Bytes) -> Result<(), DecodeError>| {
        for _ in 0..200 {
            let noise = (0..bytes.len()).map(|_| crate::specimen::Source::number(&mut source) as u8);
            let _ = read(noise.collect());
        }
    }));
}

#[test]
fn null_is_refused_where_the_version_has_none() {
    let topics_null = Bytes::from_static(&[0xff; 4]);
    assert_eq!(MetadataRequest::decode(topics_null.clone(), 0), Err(DecodeError::UnexpectedNull));
    assert_eq!(MetadataRequest::decode(topics_null, 1).map(|request| request.topics), Ok(None));
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert!(request.encode(0).is_err());
}

#[test]
fn frame_of_tiny_elements_is_refused_before_it_fills_the_memory() {
    // Eight million empty names of two bytes each would take twenty times as much memory as the frame.
    let count = 8_000_000_u32;
    let mut bytes = count.to_be_bytes().to_vec();
    bytes.resize(4 + 2 * count as usize, 0);
    assert_eq!(MetadataRequest::decode(bytes.into(), 0), Err(DecodeError::TooManyElements));
}
