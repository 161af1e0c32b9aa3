//! Frames that Kafka and its Java client exchanged: we read them, and write them back the same. They hold the
//! versions that the oracle lacks.

use super::*;
use crate::header::{RequestHeader, decode_response, encode_request, encode_response, peek_response};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/golden");

/// A recorded frame, by the name of its file: `API-vN[-CASE]-request.hex`.
struct Recorded {
    key: ApiKey,
    version: i16,
    kind: Kind,
    frame: Bytes,
}

impl Recorded {
    #[expect(clippy::disallowed_methods, reason = "the frames lie in the repository")]
    fn all() -> Vec<Self> {
        let files = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
            .map(|path| {
                let hex = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
                Self::new(path.file_stem().unwrap().to_str().unwrap(), &hex)
            })
            .collect()
    }

    fn new(name: &str, hex: &str) -> Self {
        let words: Vec<_> = name.split('-').collect();
        Self {
            key: *ApiKey::ALL.iter().find(|key| key.name() == words[0]).unwrap(),
            version: words[1].strip_prefix('v').unwrap().parse().unwrap(),
            kind: if words.last() == Some(&"request") { Kind::Request } else { Kind::Response },
            frame: from_hex(hex),
        }
    }

    fn written_back(&self) -> Bytes {
        let frame = self.frame.slice(4..);
        match self.kind {
            Kind::Request => {
                let (header, rest) = RequestHeader::peek(frame).unwrap();
                assert_eq!((header.key, header.version), (self.key as i16, self.version));
                let body = header.body(rest).unwrap();
                bytes(&encode_request(&header, &body).unwrap())
            }
            Kind::Response => {
                let (correlation_id, rest) = peek_response(frame).unwrap();
                let body = decode_response(self.key, self.version, rest).unwrap();
                bytes(&encode_response(correlation_id, self.version, &body).unwrap())
            }
        }
    }
}

fn from_hex(hex: &str) -> Bytes {
    let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn recorded_frames_are_written_back_as_they_were() {
    for recorded in Recorded::all().iter().filter(|frame| frame.key.versions().contains(&frame.version)) {
        let Recorded { key, version, kind, frame } = recorded;
        assert_eq!(recorded.written_back(), frame, "{key} {version} {kind:?}");
    }
}

/// Kafka's clients ask Kafka for coordinators in version 6, which adds a kind of key and changes no field. Of the others,
/// Kafka's own code has read and written the golden messages: what it exchanges is not recorded.
const NOT_RECORDED: &[ApiKey] = &[
    ApiKey::FindCoordinator,
    ApiKey::DeleteRecords,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::TxnOffsetCommit,
    ApiKey::ElectLeaders,
    ApiKey::DescribeProducers,
    ApiKey::DescribeTransactions,
    ApiKey::ListTransactions,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::DescribeClientQuotas,
    ApiKey::AlterClientQuotas,
    ApiKey::DescribeUserScramCredentials,
    ApiKey::DescribeQuorum,
];

#[test]
fn every_api_is_recorded_in_the_newest_version_that_we_speak() {
    let recorded = Recorded::all();
    for key in ApiKey::ALL.iter().filter(|key| !NOT_RECORDED.contains(key)) {
        for kind in [Kind::Request, Kind::Response] {
            let newest = (*key, kind, *key.versions().end());
            assert!(
                recorded.iter().any(|frame| (frame.key, frame.kind, frame.version) == newest),
                "{newest:?}"
            );
        }
    }
}
