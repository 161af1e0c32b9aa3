//! Record batches: checksum, check, walk, build, compress. Run with `cargo bench -p mainstem-protocol --bench records`.

mod timing;

use bytes::Bytes;
use mainstem_protocol::{
    Offset, Timestamp,
    records::{
        Batch, BatchBuilder, Compression, Compressor, Decompressor, HeadersRef, NewRecord, ProducerStamp,
        Rules, Summary, TimestampType, Validator, crc32c,
        header::{patch_base_offset, patch_timestamp},
        only_batch,
    },
};
use timing::{copy, heading, time};

const LIMIT: usize = 1 << 30;

fn main() {
    for (record_bytes, count) in [(100, 160), (1024, 16), (1024, 1000)] {
        let values = values(record_bytes, count);
        batches(&values);
    }
    compression(&values(1024, 1000));
}

/// Values that compress to a third or so, as logs and events do.
fn values(record_bytes: usize, count: usize) -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let value = |_| {
        let mut text = String::new();
        while text.len() < record_bytes {
            text += &format!(r#"{{"user":{},"path":"/items/{}","status":200}},"#, next() % 100_000, next());
        }
        text.truncate(record_bytes);
        text.into_bytes()
    };
    (0..count).map(value).collect()
}

fn fill(builder: &mut BatchBuilder, values: &[Vec<u8>]) -> Bytes {
    for value in values {
        let record = NewRecord {
            timestamp: Timestamp(1_700_000_000_000),
            key: Some(&value[..8]),
            value: Some(value),
            headers: HeadersRef::EMPTY,
        };
        builder.append(&record).expect("room");
    }
    builder.seal(&ProducerStamp::NONE).expect("memory")
}

fn batch(compression: Compression, values: &[Vec<u8>]) -> Batch {
    only_batch(fill(&mut BatchBuilder::new(compression), values)).expect("a batch")
}

fn check(validator: &mut Validator, batch: &Batch) -> Summary {
    validator.check(batch, &Rules::default()).expect("good")
}

fn batches(values: &[Vec<u8>]) {
    let batch = batch(Compression::None, values);
    let (bytes, count) = (batch.bytes().len(), values.len());
    heading(&format!("{count} records of {} B, not compressed, {bytes} B", values[0].len()), "record");
    let copied = ("memory copy", copy(batch.bytes()));

    time(|| crc32c(batch.bytes())).report("checksum", bytes, count, copied);
    let mut validator = Validator::new();
    time(|| check(&mut validator, &batch)).report("check for the broker", bytes, count, copied);
    let open = batch.open(&mut Decompressor::new(), LIMIT).expect("open");
    time(|| open.refs().flatten().count()).report("walk, borrowed", bytes, count, copied);
    time(|| open.records().flatten().count()).report("walk, shared", bytes, count, copied);
    let mut builder = BatchBuilder::new(Compression::None);
    time(|| fill(&mut builder, values)).report("build", bytes, count, copied);

    let mut header = *batch.bytes().first_chunk().expect("a header");
    let header_copied = ("memory copy", copy(&header));
    time(|| patch_base_offset(&mut header, Offset(7))).report("give it its place", 61, 1, header_copied);
    let stamp = || patch_timestamp(&mut header, TimestampType::LogAppendTime, Timestamp(9));
    time(stamp).report("give it a log append time", 61, 1, header_copied);
}

fn compression(values: &[Vec<u8>]) {
    let plain = batch(Compression::None, values);
    let records = plain.payload();
    let (bytes, count) = (records.len(), values.len());
    let copied = ("memory copy", copy(&records));
    for compression in Compression::ALL.into_iter().skip(1) {
        let batch = batch(compression, values);
        let name = compression.name();
        let ratio = bytes as f64 / batch.payload().len() as f64;
        heading(&format!("{name}, {count} records of 1024 B, {ratio:.1} times smaller"), "record");

        let mut compressor = Compressor::new();
        let mut output = Vec::with_capacity(2 * bytes);
        let compress = time(|| {
            output.clear();
            compressor.compress(compression, &records, &mut output).expect("memory");
        });
        compress.report("compress", bytes, count, copied);
        let mut decompressor = Decompressor::new();
        let payload = batch.payload();
        let decompress = time(|| decompressor.decompress(compression, &payload, LIMIT).expect("good"));
        decompress.report("decompress", bytes, count, copied);
        let mut builder = BatchBuilder::new(compression);
        time(|| fill(&mut builder, values)).report("build", bytes, count, ("compress", compress));
        let mut validator = Validator::new();
        let checked = time(|| check(&mut validator, &batch));
        checked.report("check for the broker", bytes, count, ("decompress", decompress));
    }
}
