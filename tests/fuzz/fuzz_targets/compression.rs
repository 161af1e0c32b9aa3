//! Any bytes as compressed data, any bytes compressed and back, and compressed bytes that were damaged on their way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstem_protocol::records::{Compression, Compressor, Decompressor};

const LIMIT: usize = 1 << 18;

fuzz_target!(|data: &[u8]| {
    let [codec, at, mask, data @ ..] = data else { return };
    let compression = Compression::ALL[usize::from(codec % 5)];
    let mut decompressor = Decompressor::new();
    if let Ok(output) = decompressor.decompress(compression, data, LIMIT) {
        assert!(output.len() <= LIMIT);
    }

    // Repeated, so that there is something to refer back to.
    let input = data.repeat(1 + usize::from(codec / 5));
    let mut compressed = Vec::new();
    Compressor::new().compress(compression, &input, &mut compressed).expect("memory");
    let output =
        decompressor.decompress(compression, &compressed, input.len()).expect("what was written can be read");
    assert_eq!(output, input);

    for (index, byte) in compressed.iter_mut().enumerate() {
        if index % 64 == usize::from(at % 64) {
            *byte ^= mask;
        }
    }
    let _ = decompressor.decompress(compression, &compressed, LIMIT);
});
