use proptest::{collection::vec, option, prelude::*};

use super::{super::*, *};

/// Everything that a record can have, owned.
#[derive(Clone, Debug, PartialEq)]
struct Given {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Given {
    fn headers(&self) -> Headers {
        Headers::new(self.headers.iter().map(|(key, value)| (&key[..], value.as_deref()))).unwrap()
    }

    fn append_to(&self, builder: &mut BatchBuilder) {
        let Self { timestamp, key, value, .. } = self;
        let (timestamp, headers) = (Timestamp(*timestamp), self.headers());
        let (key, value, headers) = (key.as_deref(), value.as_deref(), headers.as_ref());
        builder.append(&NewRecord { timestamp, key, value, headers }).unwrap();
    }
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    let long = (any::<u8>(), 8000..9000_usize).prop_map(|(byte, count)| vec![byte; count]);
    option::of(prop_oneof![4 => vec(any::<u8>(), 0..20), 2 => vec(any::<u8>(), 60..70), 1 => long])
}

fn record(timestamps: impl Strategy<Value = i64>) -> impl Strategy<Value = Given> {
    // Few different keys, so that some come twice.
    let header = (vec(b'a'..b'c', 0..2), option::of(vec(any::<u8>(), 0..5)));
    (timestamps, bytes(), bytes(), vec(header, 0..4)).prop_map(|(timestamp, key, value, headers)| Given {
        timestamp,
        key,
        value,
        headers,
    })
}

fn any_timestamp() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
        Just(-1),
        1_700_000_000_000..1_700_000_000_999_i64
    ]
}

fn build(builder: &mut BatchBuilder, given: &[Given], stamp: &ProducerStamp) -> Batch {
    given.iter().for_each(|record| record.append_to(builder));
    only_batch(builder.seal(stamp).unwrap()).unwrap()
}

fn read(batch: &Batch) -> Vec<Given> {
    let open = batch.open(&mut Decompressor::new(), 1 << 24).unwrap();
    let given = |(index, record): (usize, Result<Record, RecordError>)| {
        let record = record.unwrap();
        assert_eq!(record.offset, batch.header().base_offset.plus(index as i64));
        let owned = |bytes: Bytes| bytes.to_vec();
        Given {
            timestamp: record.timestamp.0,
            headers: record.headers.iter().map(|(key, value)| (owned(key), value.map(owned))).collect(),
            key: record.key.map(owned),
            value: record.value.map(owned),
        }
    };
    open.records().enumerate().map(given).collect()
}

const STAMP: ProducerStamp = ProducerStamp {
    producer_id: ProducerId(4000),
    producer_epoch: ProducerEpoch(7),
    base_sequence: Sequence(20),
    transactional: true,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn batches_read_back_in_every_compression(given in vec(record(any_timestamp()), 1..30)) {
        for compression in Compression::ALL {
            let batch = build(&mut BatchBuilder::new(compression), &given, &STAMP);
            prop_assert!(batch.is_intact());
            prop_assert_eq!(read(&batch), &given[..]);
            let summary = Validator::new().check(&batch, &Rules::default()).unwrap();
            let max_timestamp = given.iter().map(|record| record.timestamp).max().unwrap();
            prop_assert_eq!(summary.max_timestamp.0, max_timestamp.max(-1));
            prop_assert_eq!(batch.header().max_timestamp.0, max_timestamp);
            let first_without_key = given.iter().position(|record| record.key.is_none());
            prop_assert_eq!(summary.first_without_key, first_without_key.map(|index| index as i32));
        }
    }

    #[test]
    fn a_builder_is_as_good_as_new_after_each_batch(given in vec(record(any_timestamp()), 1..30)) {
        for compression in Compression::ALL {
            let mut builder = BatchBuilder::new(compression);
            let first = build(&mut builder, &given, &STAMP);
            prop_assert!(builder.is_empty());
            prop_assert_eq!(build(&mut builder, &given, &STAMP), first);
        }
    }

    #[test]
    fn sizes_are_exact_without_compression(given in vec(record(any_timestamp()), 1..30)) {
        let mut builder = BatchBuilder::new(Compression::None);
        for record in &given {
            let Given { timestamp, key, value, .. } = record;
            let (timestamp, headers) = (Timestamp(*timestamp), record.headers());
            let (key, value, headers) = (key.as_deref(), value.as_deref(), headers.as_ref());
            let expected = builder.estimated_size_with(&NewRecord { timestamp, key, value, headers });
            record.append_to(&mut builder);
            prop_assert_eq!(builder.estimated_size(), expected);
        }
        let expected = builder.estimated_size();
        prop_assert_eq!(builder.seal(&STAMP).unwrap().len(), expected);
    }
}

/// Another implementation of the same format, both ways. It keeps one header of each key and cannot count with
/// extreme timestamps.
mod oracle {
    use bytes::BytesMut;
    use kafka_protocol::{
        indexmap::IndexMap,
        protocol::StrBytes,
        records::{self as theirs, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions},
    };

    use super::*;

    fn their_compression(compression: Compression) -> theirs::Compression {
        match compression {
            Compression::None => theirs::Compression::None,
            Compression::Gzip => theirs::Compression::Gzip,
            Compression::Snappy => theirs::Compression::Snappy,
            Compression::Lz4 => theirs::Compression::Lz4,
            Compression::Zstd => theirs::Compression::Zstd,
        }
    }

    fn their_record((index, given): (usize, &Given)) -> theirs::Record {
        let share = |bytes: &Vec<u8>| Bytes::from(bytes.clone());
        let text = |bytes: &Vec<u8>| StrBytes::from_string(String::from_utf8(bytes.clone()).unwrap());
        let headers: IndexMap<_, _> =
            given.headers.iter().map(|(key, value)| (text(key), value.as_ref().map(share))).collect();
        theirs::Record {
            transactional: STAMP.transactional,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: STAMP.producer_id.0,
            producer_epoch: STAMP.producer_epoch.0,
            timestamp_type: theirs::TimestampType::Creation,
            offset: index as i64,
            sequence: STAMP.base_sequence.0 + index as i32,
            timestamp: given.timestamp,
            key: given.key.as_ref().map(share),
            value: given.value.as_ref().map(share),
            headers,
        }
    }

    fn without_repeated_headers(mut given: Given) -> Given {
        given.headers.sort();
        given.headers.dedup_by(|left, right| left.0 == right.0);
        given
    }

    /// The base timestamp is the first record's with us, the smallest with them.
    fn rising(mut given: Vec<Given>) -> Vec<Given> {
        given.sort_by_key(|record| record.timestamp);
        given.into_iter().map(without_repeated_headers).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_oracle_reads_our_batches(given in vec(record(0..1_i64 << 42), 1..20).prop_map(rising)) {
            for compression in Compression::ALL {
                let batch = build(&mut BatchBuilder::new(compression), &given, &STAMP);
                let read = RecordBatchDecoder::decode(&mut batch.into_bytes()).unwrap().records;
                let expected = given.iter().enumerate().map(their_record).collect::<Vec<_>>();
                prop_assert_eq!(read, expected);
            }
        }

        #[test]
        fn we_read_the_batches_of_the_oracle(given in vec(record(0..1_i64 << 42), 1..20).prop_map(rising)) {
            for compression in Compression::ALL {
                let records = given.iter().enumerate().map(their_record).collect::<Vec<_>>();
                let options = RecordEncodeOptions { version: 2, compression: their_compression(compression) };
                let mut bytes = BytesMut::new();
                RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
                let batch = only_batch(bytes.freeze()).unwrap();
                prop_assert!(Validator::new().check(&batch, &Rules::default()).is_ok());
                prop_assert_eq!(read(&batch), &given[..]);
            }
        }

        #[test]
        fn plain_bytes_equal_those_of_the_oracle(given in vec(record(0..1_i64 << 42), 1..20).prop_map(rising)) {
            let records = given.iter().enumerate().map(their_record).collect::<Vec<_>>();
            let options = RecordEncodeOptions { version: 2, compression: theirs::Compression::None };
            let mut bytes = BytesMut::new();
            RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
            let batch = build(&mut BatchBuilder::new(Compression::None), &given, &STAMP);
            prop_assert_eq!(&batch.bytes()[..], &bytes[..]);
        }
    }
}

#[test]
fn batch_has_the_bytes_of_kafka() {
    let headers = Headers::new([(&b"h"[..], Some(&b"1"[..])), (b"h", None)]).unwrap();
    let mut builder = BatchBuilder::new(Compression::None);
    let first =
        NewRecord { timestamp: Timestamp(1000), key: Some(b"k"), value: None, headers: headers.as_ref() };
    builder.append(&first).unwrap();
    builder
        .append(&NewRecord { timestamp: Timestamp(990), value: Some(b""), ..NewRecord::default() })
        .unwrap();
    let batch = builder.seal(&ProducerStamp::NONE).unwrap();
    let golden = [
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 71, 255, 255, 255, 255, 2][..],
        &crc32c(&batch[21..]).to_be_bytes(),
        &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 0, 0, 0, 3, 232],
        &[255; 8],
        &[255; 2],
        &[255; 4],
        &[0, 0, 0, 2],
        &[28, 0, 0, 0, 2, b'k', 1, 4, 2, b'h', 2, b'1', 2, b'h', 1],
        &[12, 0, 19, 2, 1, 0, 0],
    ]
    .concat();
    assert_eq!(batch, golden);
}

#[test]
fn nothing_appended_yields_no_bytes() {
    let mut builder = BatchBuilder::new(Compression::Zstd);
    assert!(builder.seal(&ProducerStamp::NONE).unwrap().is_empty());
    builder.append(&NewRecord::default()).unwrap();
    builder.clear();
    assert!(builder.seal(&ProducerStamp::NONE).unwrap().is_empty());
}

#[test]
fn estimates_learn_from_the_batches_before() {
    let mut builder = BatchBuilder::new(Compression::Lz4);
    let value = [b'x'; 1000];
    let fill = |builder: &mut BatchBuilder| {
        for _ in 0..100 {
            builder.append(&NewRecord { value: Some(&value), ..NewRecord::default() }).unwrap();
        }
        builder.estimated_size()
    };
    let first = fill(&mut builder);
    assert!(first >= 100_000);
    for _ in 0..150 {
        builder.seal(&ProducerStamp::NONE).unwrap();
        fill(&mut builder);
    }
    assert!(builder.estimated_size() < first / 2);
}
