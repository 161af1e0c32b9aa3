//! Frames that real Kafka clients and a real Kafka broker sent are read, and written again byte for byte.
//!
//! The frames lie in `tests/data/golden`; its README tells how they were recorded.

#![expect(clippy::disallowed_methods, reason = "the frames are files of the repository")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey,
    header::{RequestHeader, decode_response, encode_request, encode_response, peek_response},
    wire::Chunk,
};

const SIZE_BYTES: usize = 4;

/// APIs of which Kafka 4.2 speaks newer versions than ours; frames of those wait for us.
const NEWER: [&str; 3] = ["Fetch-v18", "ListOffsets-v11", "FindCoordinator-v6"];

/// Kafka's clients ask Kafka in version 6, which adds a kind of key and changes no field.
const NOT_RECORDED: [ApiKey; 1] = [ApiKey::FindCoordinator];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/golden")
}

/// The names of the frames that end with `half`, without it: `OffsetFetch-v10-none`.
fn names(half: &str) -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the golden folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(half)?.to_owned())).collect();
    names.retain(|name| !NEWER.iter().any(|newer| name.starts_with(newer)));
    names.sort();
    names
}

/// The bytes of a frame behind its size, which is checked.
fn frame(name: &str) -> Bytes {
    let text = fs::read_to_string(folder().join(name)).expect("a frame");
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    let size = i32::from_be_bytes(bytes[..SIZE_BYTES].try_into().expect("four bytes"));
    assert_eq!(usize::try_from(size), Ok(bytes.len() - SIZE_BYTES), "{name}");
    Bytes::from(bytes).slice(SIZE_BYTES..)
}

/// What an encoded frame puts on the wire behind its size.
fn joined(chunks: Vec<Chunk>) -> Vec<u8> {
    let mut whole = Vec::new();
    for chunk in chunks {
        let Chunk::Bytes(bytes) = chunk else { panic!("a decoded frame holds no file") };
        whole.extend_from_slice(&bytes);
    }
    whole.split_off(SIZE_BYTES)
}

fn request_of(name: &str) -> (RequestHeader, Bytes) {
    RequestHeader::peek(frame(&format!("{name}-request.hex"))).expect(name)
}

fn key_of(header: &RequestHeader) -> ApiKey {
    ApiKey::from_key(header.key).expect("an API that we know")
}

#[test]
fn recorded_requests_are_read_and_written_again() {
    for name in names("-request.hex") {
        let (header, rest) = request_of(&name);
        let body = header.body(rest).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = joined(encode_request(&header, &body).expect(&name));
        assert_eq!(Bytes::from(again), frame(&format!("{name}-request.hex")), "{name}");
    }
}

#[test]
fn recorded_responses_are_read_and_written_again() {
    for name in names("-response.hex") {
        let (header, _) = request_of(&name);
        let recorded = frame(&format!("{name}-response.hex"));
        let (correlation_id, rest) = peek_response(recorded.clone()).expect(&name);
        assert_eq!(correlation_id, header.correlation_id, "{name}");
        let body = decode_response(key_of(&header), header.version, rest);
        let body = body.unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = joined(encode_response(correlation_id, header.version, &body).expect(&name));
        assert_eq!(Bytes::from(again), recorded, "{name}");
    }
}

#[test]
fn every_api_has_a_recorded_frame_of_its_newest_version() {
    let recorded: BTreeSet<(i16, i16)> = names("-request.hex")
        .iter()
        .map(|name| request_of(name).0)
        .map(|header| (header.key, header.version))
        .collect();
    let expected = ApiKey::ALL.iter().filter(|key| !NOT_RECORDED.contains(key));
    let newest = expected.map(|key| (*key as i16, *key.versions().end()));
    let missing: Vec<(i16, i16)> = newest.filter(|frame| !recorded.contains(frame)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
