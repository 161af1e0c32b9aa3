//! Our bytes against those of an independent implementation, over generated values.

use bytes::BytesMut;
use kafka_protocol::{
    messages::{RequestHeader as OracleRequestHeader, ResponseHeader as OracleResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Message as OracleMessage, StrBytes},
};

use super::*;
use crate::{
    CorrelationId,
    header::{RequestHeader, decode_response, encode_request, encode_response, peek_response},
};

/// Values per message and version.
const VALUES: u64 = 100;

pub(super) trait Oracle:
    OracleMessage + Decodable + Encodable + HeaderVersion + std::fmt::Debug
{
}

impl<T: OracleMessage + Decodable + Encodable + HeaderVersion + std::fmt::Debug> Oracle for T {}

/// Versions that the oracle does not have; the recorded frames have them, or the golden messages.
const ORACLE_LACKS: &[(ApiKey, Kind, i16)] = &[
    (ApiKey::ListOffsets, Kind::Request, 11),
    (ApiKey::ListOffsets, Kind::Response, 11),
    (ApiKey::OffsetCommit, Kind::Request, 10),
    (ApiKey::OffsetFetch, Kind::Request, 10),
    (ApiKey::WriteTxnMarkers, Kind::Request, 2),
    (ApiKey::WriteTxnMarkers, Kind::Response, 2),
];

/// Reads our bytes with the oracle and writes them again with it. A field that it knows and we left out, or the
/// other way round, moves everything behind it; a tag that it does not know shows in what it prints.
fn through_oracle<O: Oracle>(ours: &Bytes, version: i16) -> Bytes {
    let mut rest = ours.clone();
    let value = O::decode(&mut rest, version).unwrap();
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    let printed = format!("{value:?}");
    let tagged = printed.matches("unknown_tagged_fields: ").count();
    assert_eq!(tagged, printed.matches("unknown_tagged_fields: {}").count(), "{printed}");
    let mut theirs = BytesMut::new();
    value.encode(&mut theirs, version).unwrap();
    theirs.freeze()
}

struct Compare;

impl Visit for Compare {
    fn visit<M, O>(&mut self, key: ApiKey, kind: Kind)
    where
        M: Message + Specimen + PartialEq + std::fmt::Debug,
        O: Oracle,
    {
        for version in M::VERSIONS {
            let known = O::VERSIONS.min <= version && version <= O::VERSIONS.max;
            assert_eq!(known, !ORACLE_LACKS.contains(&(key, kind, version)), "{key} {kind:?} {version}");
            for seed in 0..VALUES {
                let value = M::specimen(&mut Random::new(seed), version);
                let ours = encode(&value, version);
                let read = M::decode(ours.clone(), version);
                assert_eq!(read.as_ref(), Ok(&value), "{key} {kind:?} {version}, seed {seed}");
                if known {
                    let theirs = through_oracle::<O>(&ours, version);
                    assert_eq!(theirs, ours, "{key} {kind:?} {version}, seed {seed}: {value:?}");
                }
            }
        }
    }
}

#[test]
fn every_version_of_every_message_equals_the_oracle() {
    visit_all(&mut Compare);
}

const CORRELATION_ID: CorrelationId = CorrelationId(0x0102_0304);

struct CompareFrames;

impl Visit for CompareFrames {
    fn visit<M, O>(&mut self, key: ApiKey, kind: Kind)
    where
        M: Message + Specimen + PartialEq + std::fmt::Debug,
        O: Oracle,
    {
        for version in M::VERSIONS {
            let body = encode(&M::specimen(&mut Random::new(1), version), version);
            for client_id in [None, Some(""), Some("a client")] {
                let ours = match kind {
                    Kind::Request => our_request(key, version, client_id, &body),
                    Kind::Response => our_response(key, version, &body),
                };
                let header = match kind {
                    Kind::Request => {
                        oracle_request_header(key, version, client_id, O::header_version(version))
                    }
                    Kind::Response => oracle_response_header(O::header_version(version)),
                };
                let size = (header.len() + body.len()) as u32;
                assert_eq!(ours, [&size.to_be_bytes()[..], &header, &body].concat(), "{key} {version}");
            }
        }
    }
}

fn our_request(key: ApiKey, version: i16, client_id: Option<&'static str>, body: &Bytes) -> Bytes {
    let header = RequestHeader {
        key: key as i16,
        version,
        correlation_id: CORRELATION_ID,
        client_id: client_id.map(Into::into),
    };
    let body = RequestBody::decode(key, body.clone(), version).unwrap();
    let frame = bytes(&encode_request(&header, &body).unwrap());
    let (peeked, rest) = RequestHeader::peek(frame.slice(4..)).unwrap();
    assert_eq!((peeked.body(rest), peeked), (Ok(body), header));
    frame
}

fn our_response(key: ApiKey, version: i16, body: &Bytes) -> Bytes {
    let body = ResponseBody::decode(key, body.clone(), version).unwrap();
    let frame = bytes(&encode_response(CORRELATION_ID, version, &body).unwrap());
    let (peeked, rest) = peek_response(frame.slice(4..)).unwrap();
    assert_eq!((peeked, decode_response(key, version, rest)), (CORRELATION_ID, Ok(body)));
    frame
}

fn oracle_request_header(key: ApiKey, version: i16, client_id: Option<&'static str>, kind: i16) -> Bytes {
    let header = OracleRequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION_ID.0)
        .with_client_id(client_id.map(StrBytes::from_static_str));
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes, kind).unwrap();
    bytes.freeze()
}

fn oracle_response_header(kind: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    OracleResponseHeader::default().with_correlation_id(CORRELATION_ID.0).encode(&mut bytes, kind).unwrap();
    bytes.freeze()
}

#[test]
fn every_version_of_every_header_equals_the_oracle() {
    visit_all(&mut CompareFrames);
}
