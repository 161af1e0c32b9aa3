//! What is refused, with which code, and what is kept.

use bytes::Bytes;
use mainstem_protocol::{
    ProducerEpoch, ProducerId,
    records::{
        Attributes, BatchBuilder, BatchHeader, Decompressor, NewRecord, ProducerStamp, builder::write_header,
    },
};
use mainstem_storage::{Overrides, config::CleanupPolicy};

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn batch_of(records: &[NewRecord<'_>], compression: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    records.iter().for_each(|record| builder.append(record).unwrap());
    builder.seal(&ProducerStamp::NONE).unwrap()
}

fn record(value: &[u8]) -> NewRecord<'_> {
    NewRecord { timestamp: NOW, key: Some(b"key"), value: Some(value), ..Default::default() }
}

fn plain() -> Bytes {
    batch_of(&[record(b"one"), record(b"two")], Compression::None)
}

/// The batch with another header, and the checksum that fits it.
fn with_header(batch: &Bytes, change: impl Fn(&mut BatchHeader)) -> Bytes {
    let mut header = BatchHeader::parse(batch).unwrap();
    change(&mut header);
    let mut bytes = batch.to_vec();
    write_header(&mut bytes, &header);
    bytes.into()
}

fn terms() -> Terms {
    Terms { version: 9, now: NOW, config: Arc::default() }
}

fn terms_with(name: &str, value: &str) -> Terms {
    let overrides = Overrides::from([(name.to_owned(), value.to_owned())]);
    Terms { config: Arc::new(TopicConfig::default().with(&overrides).unwrap()), ..terms() }
}

async fn code(records: impl Into<Bytes>, terms: Terms) -> ErrorCode {
    check(Records::Bytes(records.into()), terms)
        .await
        .map_or_else(|rejected| rejected.code, |_| ErrorCode::NONE)
}

#[tokio::test]
async fn a_right_batch_stays_as_it_is() {
    for compression in Compression::ALL {
        let bytes = batch_of(&[record(b"one"), record(b"two")], compression);
        let kept = check(Records::Bytes(bytes.clone()), terms()).await.unwrap();
        assert_eq!(kept.bytes(), &bytes, "{compression:?}");
        assert_eq!(kept.bytes().as_ptr(), bytes.as_ptr(), "nothing is copied");
    }
}

#[tokio::test]
async fn one_whole_batch_is_wanted() {
    assert_eq!(code(Bytes::new(), terms()).await, ErrorCode::INVALID_RECORD);
    assert_eq!(code([plain(), plain()].concat(), terms()).await, ErrorCode::INVALID_RECORD);
    assert_eq!(code(plain().slice(..70), terms()).await, ErrorCode::INVALID_RECORD);
    let mut old = plain().to_vec();
    old[16] = 1;
    assert_eq!(code(old, terms()).await, ErrorCode::INVALID_RECORD);
}

#[tokio::test]
async fn a_wrong_checksum_is_told() {
    let mut bytes = plain().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(code(bytes, terms()).await, ErrorCode::CORRUPT_MESSAGE);
}

#[tokio::test]
async fn impossible_headers_are_refused() {
    let refused = async |change: fn(&mut BatchHeader)| code(with_header(&plain(), change), terms()).await;
    assert_eq!(refused(|header| header.base_offset = Offset(5)).await, ErrorCode::INVALID_RECORD);
    assert_eq!(refused(|header| header.record_count = 3).await, ErrorCode::INVALID_RECORD);
    assert_eq!(refused(|header| header.record_count = i32::MAX).await, ErrorCode::INVALID_RECORD);
    assert_eq!(refused(|header| header.last_offset_delta = -1).await, ErrorCode::INVALID_RECORD);
    assert_eq!(
        refused(|header| (header.producer_id, header.producer_epoch) = (ProducerId(7), ProducerEpoch(0)))
            .await,
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        refused(|header| header.attributes = header.attributes.with_control(true)).await,
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        refused(
            |header| header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime)
        )
        .await,
        ErrorCode::INVALID_TIMESTAMP
    );
    assert_eq!(
        refused(|header| header.attributes = Attributes(7)).await,
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
    );
}

#[tokio::test]
async fn zstd_needs_version_7() {
    let bytes = batch_of(&[record(b"one")], Compression::Zstd);
    let old = Terms { version: 6, ..terms() };
    assert_eq!(code(bytes.clone(), old).await, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    assert_eq!(code(bytes, Terms { version: 7, ..terms() }).await, ErrorCode::NONE);
}

#[tokio::test]
async fn size_is_told_before_the_checksum() {
    let mut bytes = plain().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let terms = terms_with("max.message.bytes", "70");
    assert_eq!(code(bytes, terms).await, ErrorCode::MESSAGE_TOO_LARGE);
}

#[tokio::test]
async fn timestamps_out_of_range_name_their_record() {
    let late = NewRecord { timestamp: Timestamp(NOW.0 + 3_600_001), ..record(b"two") };
    let bytes = batch_of(&[record(b"one"), late], Compression::None);
    let rejected = check(Records::Bytes(bytes.clone()), terms()).await.unwrap_err();
    assert_eq!(rejected.code, ErrorCode::INVALID_TIMESTAMP);
    assert_eq!(rejected.records[0].0, 1);
    assert_eq!(code(bytes, terms_with("message.timestamp.type", "LogAppendTime")).await, ErrorCode::NONE);
}

#[tokio::test]
async fn a_wrong_largest_timestamp_is_mended() {
    let bytes = with_header(&plain(), |header| header.max_timestamp = Timestamp(5));
    let kept = check(Records::Bytes(bytes), terms()).await.unwrap();
    assert_eq!(kept.header().max_timestamp, NOW);
    assert!(kept.is_intact());
}

#[tokio::test]
async fn compacted_topics_want_keys() {
    let keyless = NewRecord { key: None, ..record(b"two") };
    let bytes = batch_of(&[record(b"one"), keyless], Compression::Lz4);
    let mut terms = terms();
    Arc::make_mut(&mut terms.config).cleanup_policy = CleanupPolicy { delete: false, compact: true };
    let rejected = check(Records::Bytes(bytes), terms).await.unwrap_err();
    assert_eq!((rejected.code, rejected.records[0].0), (ErrorCode::INVALID_RECORD, 1));
}

#[tokio::test]
async fn batches_are_brought_into_the_compression_of_the_topic() {
    let bytes = batch_of(&[record(b"one"), record(b"two")], Compression::Gzip);
    for (name, target) in [("zstd", Compression::Zstd), ("uncompressed", Compression::None)] {
        let kept = check(Records::Bytes(bytes.clone()), terms_with("compression.type", name)).await.unwrap();
        assert_eq!(kept.header().attributes.compression(), Ok(target));
        assert!(kept.is_intact());
        let open = kept.open(&mut Decompressor::new(), 1000).unwrap();
        let values: Vec<_> = open.records().map(|record| record.unwrap().value.unwrap()).collect();
        assert_eq!(values, ["one", "two"]);
    }
}

#[tokio::test]
async fn what_yields_much_is_checked_on_another_thread() {
    let value = vec![b'x'; INLINE_DECOMPRESSED_BYTES_MAX + 1];
    let bytes = batch_of(&[record(&value)], Compression::Gzip);
    assert_eq!(code(bytes, terms()).await, ErrorCode::NONE);
}

#[tokio::test]
async fn what_is_not_compressed_data_is_refused() {
    let bytes = with_header(&plain(), |header| header.attributes = Attributes::new(Compression::Lz4));
    assert_eq!(code(bytes, terms()).await, ErrorCode::INVALID_RECORD);
}
