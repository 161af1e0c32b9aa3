//! Batches that other clients built from the same records (`tests/data/batches`).

use bytes::Bytes;

use super::*;
use crate::ids::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

macro_rules! recorded {
    ($($name:literal: $compression:ident,)*) => {
        [$((
            $name,
            Compression::$compression,
            include_bytes!(concat!("../../../tests/data/batches/", $name, ".bin")),
        )),*]
    };
}

const RECORDED: [(&str, Compression, &[u8]); 13] = recorded! {
    "java-none": None,
    "java-gzip": Gzip,
    "java-snappy": Snappy,
    "java-lz4": Lz4,
    "java-zstd": Zstd,
    "librdkafka-gzip": Gzip,
    "librdkafka-snappy": Snappy,
    "librdkafka-lz4": Lz4,
    "librdkafka-zstd": Zstd,
    "kafka-python-gzip": Gzip,
    "kafka-python-snappy": Snappy,
    "kafka-python-lz4": Lz4,
    "kafka-python-zstd": Zstd,
};

const START: i64 = 1_700_000_000_000;

/// Nulls, empty strings, a header that comes twice, a timestamp before the first one, and then values of 1,000 bytes.
fn record(index: usize) -> Record {
    let text = |bytes: &'static [u8]| Some(Bytes::from_static(bytes));
    let repeated = [(&b"h"[..], Some(&b"1"[..])), (b"h", None), (b"", Some(b""))];
    let number = index.saturating_sub(3);
    let (timestamp, key, value, headers) = match index {
        0 => (START, None, None, Headers::default()),
        1 => (START + 5, text(b""), text(b""), Headers::new(repeated).unwrap()),
        2 => (START - 10, text(b"key"), text(b"value"), Headers::default()),
        _ => {
            let key = Bytes::from(format!("k{number}"));
            (START + 10 + number as i64, Some(key), Some(value(number)), Headers::default())
        }
    };
    Record { offset: Offset(index as i64), timestamp: Timestamp(timestamp), key, value, headers }
}

fn value(number: usize) -> Bytes {
    (0..1000).map(|at| ((number * 31 + at / 3) % 251) as u8).collect()
}

fn records(batch: &Batch) -> Vec<Record> {
    let open = batch.open(&mut Decompressor::new(), 1 << 20).unwrap();
    open.records().collect::<Result<_, _>>().unwrap()
}

#[test]
fn batches_of_other_clients_are_read() {
    for (name, compression, bytes) in RECORDED {
        let batch = only_batch(Bytes::from_static(bytes)).unwrap();
        let summary = Validator::new().check(&batch, &Rules::default()).unwrap();
        let count = if compression == Compression::None { 4 } else { 103 };
        assert_eq!(summary.record_count, count, "{name}");
        assert_eq!(batch.header().attributes.compression(), Ok(compression), "{name}");
        let expected = (0..count as usize).map(record).collect::<Vec<_>>();
        assert!(records(&batch) == expected, "{name}: the records differ");
    }
}

#[test]
fn headers_of_java_are_read() {
    let batch = only_batch(Bytes::from_static(RECORDED[0].2)).unwrap();
    let header = batch.header();
    assert_eq!((header.producer_id, header.producer_epoch.0), (ProducerId(4000), 7));
    assert_eq!((header.base_sequence, header.last_sequence()), (Sequence(20), Sequence(23)));
    assert!(header.attributes.is_transactional());
    assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp(START), Timestamp(START + 10)));
}

#[test]
fn plain_batches_equal_those_of_java() {
    let mut builder = BatchBuilder::new(Compression::None);
    for index in 0..4 {
        let record = record(index);
        let Record { timestamp, ref key, ref value, ref headers, .. } = record;
        let (key, value, headers) = (key.as_deref(), value.as_deref(), headers.as_ref());
        builder.append(&NewRecord { timestamp, key, value, headers }).unwrap();
    }
    let stamp = ProducerStamp {
        producer_id: ProducerId(4000),
        producer_epoch: ProducerEpoch(7),
        base_sequence: Sequence(20),
        transactional: true,
    };
    assert_eq!(builder.seal(&stamp).unwrap(), RECORDED[0].2);
}
