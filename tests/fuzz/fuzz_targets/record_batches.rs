//! Any bytes as record batches, as they are and with a header that fits them, so that the checksum is no wall.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mainstem_protocol::{
    Timestamp,
    records::{
        Batch, BatchHeader, Compression, Compressor, ControlType, Decompressor, EndTxnMarker, Filter,
        Filtered, Horizon, OpenBatch, RecordRef, Rules, Tail, ValidateError, Validator, batches,
        builder::write_header, header, only_batch,
    },
};

const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    for batch in batches(Bytes::copy_from_slice(data), Tail::Report).flatten() {
        check(&batch);
    }
    sealed(data.to_vec());
    recompressed(data);
});

/// The header stays as it is but for its length and its checksum.
fn sealed(mut bytes: Vec<u8>) {
    if bytes.len() < header::HEADER_BYTES {
        return;
    }
    bytes[16] = header::MAGIC;
    bytes[8..12].fill(0);
    bytes[11] = 49;
    let header = BatchHeader::parse(&bytes).expect("magic and length are right");
    write_header(&mut bytes, &header);
    let batch = Batch::split_from(&mut bytes.into()).expect("length is right");
    assert!(batch.is_intact());
    check(&batch);
}

/// The first byte says how the records are compressed, the second how many there are.
fn recompressed(data: &[u8]) {
    let [codec, count, records @ ..] = data else { return };
    let compression = Compression::ALL[usize::from(codec % 5)];
    let mut bytes = BatchHeader::parse(&empty_batch()).expect("a header").encode().to_vec();
    Compressor::new().compress(compression, records, &mut bytes).expect("memory");
    let mut header = BatchHeader::parse(&bytes).expect("a header");
    header.attributes = mainstem_protocol::records::Attributes::new(compression);
    header.record_count = i32::from(*count);
    header.last_offset_delta = header.record_count - 1;
    write_header(&mut bytes, &header);
    check(&Batch::split_from(&mut bytes.into()).expect("length is right"));
}

fn empty_batch() -> Vec<u8> {
    let mut bytes = vec![0; header::HEADER_BYTES];
    (bytes[11], bytes[16]) = (49, header::MAGIC);
    bytes
}

/// The validator and the reader must agree on what is a record.
fn check(batch: &Batch) {
    let rules = Rules { decompressed_bytes_max: LIMIT, ..Rules::default() };
    let verdict = Validator::new().check(batch, &rules);
    let Ok(open) = batch.open(&mut Decompressor::new(), LIMIT) else {
        assert!(verdict.is_err());
        return;
    };
    let mut error = None;
    for (lent, owned) in open.refs().zip(open.records()) {
        match (lent, owned) {
            (Ok(lent), Ok(owned)) => {
                assert_eq!((lent.key, lent.value), (owned.key.as_deref(), owned.value.as_deref()));
                assert_eq!(lent.headers.iter().count(), lent.headers.len());
                assert_eq!(owned.headers.iter().count(), lent.headers.len());
                let _ = ControlType::from_key(lent.key);
                let _ = EndTxnMarker::parse(lent.key, lent.value);
            }
            (lent, owned) => error = lent.err().or(owned.err()),
        }
    }
    match verdict {
        Ok(summary) => {
            assert_eq!(error, None);
            assert_eq!(summary.record_count as usize, open.refs().count());
        }
        Err(ValidateError::Record { error: found, .. }) => assert_eq!(error, Some(found)),
        Err(_) => {}
    }
    if error.is_none() {
        filtered(batch);
    }
}

/// What compaction leaves must be whole, and in its place.
fn filtered(batch: &Batch) {
    let keep = |_: &OpenBatch, record: &RecordRef<'_>| record.offset_delta % 2 == 0;
    let is_noted = batch.header().record_count % 3 == 0;
    let horizon = if is_noted { Horizon::Batch(Timestamp(7)) } else { Horizon::Unset };
    let Ok(Filtered::Rewritten(bytes)) = Filter::new().filter(batch, horizon, keep) else { return };
    let left = only_batch(bytes).expect("a batch");
    assert!(left.is_intact());
    assert_eq!(left.header().next_offset(), batch.header().next_offset());
    let open = left.open(&mut Decompressor::new(), 2 * LIMIT).expect("what was written can be read");
    let kept = open.refs().map(|record| record.expect("what was written can be read"));
    assert!(kept.filter(|record| keep(&open, record)).count() == left.header().record_count as usize);
}
