use proptest::prelude::*;

use super::{
    super::{BatchBuilder, Compressor, NewRecord, ProducerStamp, builder::write_header, varint},
    *,
};
use crate::ids::{LeaderEpoch, Sequence};

const CHECKED: Rules =
    Rules { timestamps: Timestamp(0)..=Timestamp(10_000), decompressed_bytes_max: 1 << 20 };

fn check(bytes: impl Into<Bytes>) -> Result<Summary, ValidateError> {
    Validator::new().check(&only_batch(bytes.into())?, &CHECKED)
}

fn good(compression: Compression, timestamps: &[i64]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(compression);
    for timestamp in timestamps {
        let (key, value) = (Some(&b"key"[..]), Some(&b"value"[..]));
        let record = NewRecord { timestamp: Timestamp(*timestamp), key, value, ..NewRecord::default() };
        builder.append(&record).unwrap();
    }
    builder.seal(&ProducerStamp::NONE).unwrap().into()
}

/// A good batch of three records whose header says something else; the checksum is right.
fn with_header(change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut bytes = good(Compression::None, &[100, 300, 200]);
    let mut header = BatchHeader::parse(&bytes).unwrap();
    change(&mut header);
    write_header(&mut bytes, &header);
    bytes
}

/// A batch of `count` records of these bytes, compressed.
fn with_records(compression: Compression, count: i32, records: &[u8]) -> Vec<u8> {
    let mut bytes = good(Compression::None, &[100, 100]);
    let mut header = BatchHeader::parse(&bytes).unwrap();
    bytes.truncate(61);
    Compressor::new().compress(compression, records, &mut bytes).unwrap();
    header.attributes = super::super::Attributes::new(compression);
    header.record_count = count;
    header.last_offset_delta = count - 1;
    write_header(&mut bytes, &header);
    bytes
}

/// The bytes of a record with that body.
fn record(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint::put_varint(&mut bytes, body.len() as i32);
    bytes.extend(body);
    bytes
}

fn refused(bytes: Vec<u8>, error: ValidateError, code: ErrorCode) {
    assert_eq!(check(bytes), Err(error.clone()));
    assert_eq!(error.error_code(), code, "{error}");
}

#[test]
fn good_batches_pass_in_every_compression() {
    for compression in Compression::ALL {
        let summary = check(good(compression, &[100, 300, 200, 300])).unwrap();
        assert_eq!(summary.record_count, 4);
        assert_eq!((summary.max_timestamp, summary.max_timestamp_index), (Timestamp(300), 1));
        assert_eq!(summary.first_without_key, None);
        assert_eq!(summary.records_bytes, good(Compression::None, &[100, 300, 200, 300]).len() - 61);
    }
}

#[test]
fn what_is_too_short_for_a_batch_is_left_out_behind_one() {
    let batch = good(Compression::None, &[1]);
    for behind in [&b"x"[..], &[0; 11], &batch[..12], &batch[..batch.len() - 1]] {
        let only = only_batch([&batch[..], behind].concat().into()).unwrap();
        assert_eq!(only.bytes()[..], batch[..], "{} bytes behind it", behind.len());
    }
}

#[test]
fn wrong_envelopes_are_refused() {
    let invalid = ErrorCode::INVALID_RECORD;
    let batch = good(Compression::None, &[1]);
    refused(vec![], ValidateError::NoBatch, invalid);
    refused([&batch[..], &batch].concat(), ValidateError::MoreThanOneBatch(batch.len()), invalid);
    refused(
        [&batch[..], &[0; 12]].concat(),
        HeaderError::LengthTooSmall(0).into(),
        ErrorCode::CORRUPT_MESSAGE,
    );
    let truncated = HeaderError::Truncated { wanted: batch.len(), left: batch.len() - 1 };
    refused(batch[..batch.len() - 1].to_vec(), truncated.into(), invalid);
    let mut old = batch.clone();
    old[16] = 1;
    refused(old, HeaderError::UnsupportedMagic(1).into(), invalid);
    let corrupt = ErrorCode::CORRUPT_MESSAGE;
    let mut unknown = batch.clone();
    unknown[16] = 3;
    refused(unknown, HeaderError::UnsupportedMagic(3).into(), corrupt);
    let mut short = batch;
    short[11] = 48;
    refused(short, HeaderError::LengthTooSmall(48).into(), corrupt);
    // A length that no format has counts more than the format.
    let garbage = i32::from_be_bytes([0xab; 4]);
    refused(vec![0xab; 17], HeaderError::LengthTooSmall(garbage).into(), corrupt);
    refused(vec![0xab; 12], HeaderError::LengthTooSmall(garbage).into(), corrupt);
    refused(vec![0xab; 11], HeaderError::Truncated { wanted: 61, left: 11 }.into(), invalid);
}

#[test]
fn every_changed_bit_that_the_checksum_covers_is_noticed() {
    let bytes = good(Compression::None, &[1, 2]);
    for bit in 21 * 8..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = check(damaged).unwrap_err();
        assert!(matches!(error, ValidateError::Checksum { .. }), "bit {bit}: {error}");
        assert_eq!(error.error_code(), ErrorCode::CORRUPT_MESSAGE);
    }
}

#[test]
fn leader_epochs_of_producers_do_not_matter() {
    assert!(check(with_header(|header| header.leader_epoch = LeaderEpoch(77))).is_ok());
}

#[test]
fn wrong_headers_are_refused() {
    let invalid = ErrorCode::INVALID_RECORD;
    let count = |count, last_offset_delta| ValidateError::RecordCount { count, last_offset_delta };
    let base = with_header(|header| header.base_offset = Offset(1));
    refused(base, ValidateError::BaseOffset(Offset(1)), invalid);
    for wrong in [0, -1, i32::MIN, 2, 4, i32::MAX] {
        refused(with_header(|header| header.record_count = wrong), count(wrong, 2), invalid);
    }
    for wrong in [0, -1, i32::MIN, 1, 3, i32::MAX] {
        refused(with_header(|header| header.last_offset_delta = wrong), count(3, wrong), invalid);
    }
    let control = with_header(|header| header.attributes = header.attributes.with_control(true));
    refused(control, ValidateError::Control, invalid);
    let unnumbered = with_header(|header| header.producer_id = ProducerId(5));
    refused(unnumbered, ValidateError::MissingSequence(ProducerId(5)), invalid);
    let numbered =
        with_header(|header| (header.producer_id, header.base_sequence) = (ProducerId(5), Sequence(0)));
    assert!(check(numbered).is_ok());
    let log_append_time = with_header(|header| {
        header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
    });
    refused(log_append_time, ValidateError::LogAppendTime, ErrorCode::INVALID_TIMESTAMP);
    let unknown = with_header(|header| header.attributes.0 |= 6);
    refused(unknown, UnknownCompressionError(6).into(), ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
}

#[test]
fn wrong_records_are_refused_in_every_compression() {
    let fields: &[u8] = &[0, 0, 0, 1, 1, 0];
    let cases: &[(&str, Vec<u8>, RecordError)] = &[
        ("nothing", vec![], RecordError::Truncated),
        ("length without record", vec![12], RecordError::Truncated),
        ("length beyond the batch", [&[14], fields].concat(), RecordError::Truncated),
        ("length below zero", vec![1], RecordError::NegativeLength(-1)),
        ("endless length", vec![0x80; 6], RecordError::VarintTooLong),
        ("empty record", record(&[]), RecordError::Truncated),
        ("no timestamp", record(&[0]), RecordError::Truncated),
        ("endless timestamp", record(&[0x80; 12]), RecordError::VarintTooLong),
        ("no offset", record(&[0, 0]), RecordError::Truncated),
        ("endless offset", record(&[0, 0, 0x80, 0x80, 0x80, 0x80, 0x80]), RecordError::VarintTooLong),
        ("no key", record(&[0, 0, 0]), RecordError::Truncated),
        ("key beyond the record", record(&[0, 0, 0, 8, b'k', 1, 0]), RecordError::Truncated),
        ("no value", record(&[0, 0, 0, 1]), RecordError::Truncated),
        ("value beyond the record", record(&[0, 0, 0, 1, 4, 0]), RecordError::Truncated),
        ("no header count", record(&[0, 0, 0, 1, 1]), RecordError::Truncated),
        ("header count below zero", record(&[0, 0, 0, 1, 1, 1]), RecordError::HeaderCount(-1)),
        ("more headers than bytes", record(&[0, 0, 0, 1, 1, 6, 0, 1]), RecordError::HeaderCount(3)),
        ("fewer headers than counted", record(&[0, 0, 0, 1, 1, 4, 0, 1]), RecordError::Truncated),
        ("more headers than counted", record(&[0, 0, 0, 1, 1, 2, 0, 1, 0, 1]), RecordError::Trailing(2)),
        ("null header key", record(&[0, 0, 0, 1, 1, 2, 1, 1]), RecordError::NullHeaderKey),
        ("header key beyond the record", record(&[0, 0, 0, 1, 1, 2, 6, b'h', 1]), RecordError::Truncated),
        ("header value beyond the record", record(&[0, 0, 0, 1, 1, 2, 2, b'h', 8]), RecordError::Truncated),
        ("bytes behind the fields", record(&[0, 0, 0, 1, 1, 0, 9]), RecordError::Trailing(1)),
        ("bytes behind the records", [&record(fields)[..], &[0]].concat(), RecordError::BatchTrailing),
    ];
    for (what, records, error) in cases {
        for compression in Compression::ALL {
            let result = check(with_records(compression, 1, records)).unwrap_err();
            let expected = ValidateError::Record { index: 0, error: *error };
            assert_eq!(result, expected, "{what} with {}", compression.name());
            assert_eq!(expected.error_code(), ErrorCode::INVALID_RECORD);
        }
    }
}

#[test]
fn any_negative_length_is_null() {
    let record = record(&[0, 0, 0, 3, 0x85, 0x01, 2, 0, 5]);
    assert_eq!(check(with_records(Compression::None, 1, &record)).unwrap().first_without_key, Some(0));
}

#[test]
fn offsets_must_rise_by_one() {
    let records = |deltas: [u8; 2]| deltas.map(|delta| record(&[0, 0, delta, 1, 1, 0])).concat();
    for compression in Compression::ALL {
        assert!(check(with_records(compression, 2, &records([0, 2]))).is_ok());
        for (deltas, index, offset_delta) in [([2, 4], 0, 1), ([0, 0], 1, 0), ([0, 4], 1, 2), ([1, 0], 0, -1)]
        {
            let error = ValidateError::OffsetDelta { index, offset_delta };
            assert_eq!(error.record_index(), Some(index));
            refused(with_records(compression, 2, &records(deltas)), error, ErrorCode::INVALID_RECORD);
        }
    }
}

#[test]
fn timestamps_out_of_range_are_refused() {
    for compression in Compression::ALL {
        assert!(check(good(compression, &[0, -1, 10_000])).is_ok(), "-1 is no timestamp at all");
        for timestamp in [-2, 10_001, i64::MAX, i64::MIN] {
            let error = ValidateError::Timestamp { index: 1, timestamp: Timestamp(timestamp) };
            refused(good(compression, &[5, timestamp]), error, ErrorCode::INVALID_TIMESTAMP);
        }
    }
}

#[test]
fn records_without_timestamps_have_none_as_the_largest() {
    let summary = check(good(Compression::None, &[-1, -1])).unwrap();
    assert_eq!((summary.max_timestamp, summary.max_timestamp_index), (Timestamp::NONE, 0));
}

#[test]
fn data_that_does_not_decompress_is_refused() {
    for compression in Compression::ALL.into_iter().skip(1) {
        let mut bytes = good(compression, &[1, 2, 3]);
        let header = BatchHeader::parse(&bytes).unwrap();
        bytes.truncate(61);
        bytes.extend(b"this is not what it says it is");
        write_header(&mut bytes, &header);
        let error = check(bytes).unwrap_err();
        assert!(matches!(error, ValidateError::Decompress(DecompressError::Malformed { .. })), "{error:?}");
        assert_eq!(error.error_code(), ErrorCode::INVALID_RECORD);
    }
}

#[test]
fn bombs_are_refused() {
    let zeros = vec![0; 4 << 20];
    let bomb = record(&[&[0, 0, 0, 1, 0x80, 0x80, 0x80, 0x04][..], &zeros, &[0]].concat());
    for compression in Compression::ALL {
        let error = check(with_records(compression, 1, &bomb)).unwrap_err();
        assert_eq!(error, DecompressError::TooLarge { limit: 1 << 20 }.into(), "{}", compression.name());
        assert_eq!(error.error_code(), ErrorCode::MESSAGE_TOO_LARGE);
    }
}

#[test]
fn records_larger_than_the_window_pass() {
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new(compression);
        for size in [10, 70_000, 3, 200_000, 65_536, 500] {
            let value = (0..size).map(|n| (n % 251) as u8).collect::<Vec<_>>();
            builder.append(&NewRecord { value: Some(&value), ..NewRecord::default() }).unwrap();
        }
        let summary = check(builder.seal(&ProducerStamp::NONE).unwrap()).unwrap();
        assert_eq!((summary.record_count, summary.first_without_key), (6, Some(0)));
    }
}

#[test]
fn a_validator_is_as_good_as_new_after_an_error() {
    let mut validator = Validator::new();
    for compression in Compression::ALL {
        let bad = only_batch(with_records(compression, 2, &record(&[0; 6])).into()).unwrap();
        assert!(validator.check(&bad, &CHECKED).is_err());
        let good = only_batch(good(compression, &[1, 2, 3]).into()).unwrap();
        assert!(validator.check(&good, &CHECKED).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn validator_and_reader_agree_on_any_bytes(
        mut records: Vec<u8>,
        good_start: bool,
        count in 1..4_i32,
    ) {
        if good_start {
            records.splice(0..0, record(&[0, 0, 0, 1, 1, 0]));
        }
        for compression in Compression::ALL {
            let batch = only_batch(with_records(compression, count, &records).into()).unwrap();
            let open = batch.open(&mut Decompressor::new(), 1 << 20).unwrap();
            let read = open.refs().find_map(Result::err);
            match Validator::new().check(&batch, &Rules::default()) {
                Ok(_) => prop_assert_eq!(read, None),
                Err(ValidateError::Record { error, .. }) => prop_assert_eq!(read, Some(error)),
                Err(error) => {
                    let contents = matches!(error, ValidateError::OffsetDelta { .. });
                    prop_assert!(contents, "{}", error);
                }
            }
        }
    }
}
