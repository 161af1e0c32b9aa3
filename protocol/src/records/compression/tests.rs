use std::io::Write;

use proptest::prelude::*;

use super::*;

fn compressed(compression: Compression, input: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    Compressor::new().compress(compression, input, &mut output).unwrap();
    output
}

fn decompressed(compression: Compression, input: &[u8], limit: usize) -> Result<Bytes, DecompressError> {
    Decompressor::new().decompress(compression, input, limit)
}

fn reads_as(compression: Compression, input: &[u8], expected: &[u8]) {
    assert_eq!(decompressed(compression, input, 1 << 20).unwrap(), expected, "{}", compression.name());
}

#[test]
fn every_codec_reads_what_it_writes() {
    let megabyte = (0..1_000_000_u32).map(|n| (n / 7 % 251) as u8).collect::<Vec<_>>();
    for compression in Compression::ALL {
        for input in [&b""[..], b"x", b"hello hello hello hello", &megabyte] {
            reads_as(compression, &compressed(compression, input), input);
        }
    }
}

#[test]
fn buffers_are_as_good_as_new_after_an_error() {
    let (mut compressor, mut decompressor) = (Compressor::new(), Decompressor::new());
    for compression in Compression::ALL.into_iter().skip(1).chain(Compression::ALL) {
        let mut output = b"kept".to_vec();
        compressor.compress(compression, &[7; 100_000], &mut output).unwrap();
        let data = output.strip_prefix(b"kept").unwrap();
        let half = decompressor.decompress(compression, &data[..data.len() / 2], 1 << 20);
        assert_ne!(half.as_deref().ok(), Some(&[7; 100_000][..]));
        assert_eq!(decompressor.decompress(compression, data, 1 << 20).unwrap(), [7; 100_000][..]);
    }
}

#[test]
fn bombs_are_refused() {
    let zeros = vec![0; 10_000_000];
    for compression in Compression::ALL {
        let bomb = compressed(compression, &zeros);
        let limit = zeros.len() - 1;
        let expected = Err(DecompressError::TooLarge { limit });
        assert_eq!(decompressed(compression, &bomb, limit), expected, "{}", compression.name());
        assert!(decompressed(compression, &bomb, limit + 1).is_ok());
    }
}

#[test]
fn promises_of_snappy_are_not_believed() {
    // 2^30 bytes are promised, and one literal follows.
    let lie = [0x80, 0x80, 0x80, 0x80, 0x04, 0x00, b'x'];
    assert_eq!(decompressed(Compression::Snappy, &lie, 1000), Err(DecompressError::TooLarge { limit: 1000 }));
    let lie = decompressed(Compression::Snappy, &lie, usize::MAX);
    assert!(matches!(lie, Err(DecompressError::Malformed { .. })));
}

#[test]
fn bare_snappy_of_librdkafka_is_read() {
    let bare = snap::raw::Encoder::new().compress_vec(b"hello hello hello").unwrap();
    reads_as(Compression::Snappy, &bare, b"hello hello hello");
}

#[test]
fn snappy_is_framed_as_java_frames_it() {
    let golden = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x05\x03\x08abc";
    assert_eq!(compressed(Compression::Snappy, b"abc"), golden);
    let long = compressed(Compression::Snappy, &[9; 32 * 1024 + 1]);
    assert!(long.ends_with(&[0, 0, 0, 3, 1, 0, 9]), "the last byte has a block of its own");
}

#[test]
fn streams_in_a_row_are_read_as_one() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Zstd] {
        let twice = [compressed(compression, b"one "), compressed(compression, b"two")].concat();
        reads_as(compression, &twice, b"one two");
    }
}

#[test]
fn lz4_is_framed_as_java_can_read_it() {
    let frame = compressed(Compression::Lz4, b"abc");
    assert_eq!(frame[..4], [0x04, 0x22, 0x4d, 0x18]);
    assert_eq!(frame[4], 0b0110_0000, "version 1, independent blocks, no checksums, no size, no dictionary");
    assert_eq!(frame[5], 0x40, "blocks of 64 KiB");
}

#[test]
fn lz4_with_linked_blocks_and_checksums_is_read() {
    let input = (0..300_000_u32).map(|n| (n % 1000 / 9) as u8).collect::<Vec<_>>();
    let info = FrameInfo::new()
        .block_mode(BlockMode::Linked)
        .block_size(BlockSize::Max64KB)
        .block_checksums(true)
        .content_checksum(true)
        .content_size(Some(input.len() as u64));
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&input).unwrap();
    let mut frame = encoder.finish().unwrap();
    reads_as(Compression::Lz4, &frame, &input);
    *frame.last_mut().unwrap() ^= 1;
    assert!(decompressed(Compression::Lz4, &frame, 1 << 20).is_err(), "the content checksum is looked at");
}

#[test]
fn zstd_without_content_size_is_read() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(b"hello hello").unwrap();
    reads_as(Compression::Zstd, &encoder.finish().unwrap(), b"hello hello");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_come_back(input: Vec<u8>, repeat in 1_usize..400) {
        let input = input.repeat(repeat);
        for compression in Compression::ALL {
            let output = compressed(compression, &input);
            prop_assert_eq!(decompressed(compression, &output, input.len()).unwrap(), &input[..]);
        }
    }

    #[test]
    fn no_bytes_make_a_codec_panic(input: Vec<u8>, flips: Vec<(usize, u8)>) {
        for compression in Compression::ALL {
            let mut damaged = compressed(compression, &input.repeat(3));
            for (at, mask) in &flips {
                let at = at % damaged.len().max(1);
                damaged.get_mut(at).into_iter().for_each(|byte| *byte ^= mask);
            }
            let _ = decompressed(compression, &damaged, 1 << 16);
            let _ = decompressed(compression, &input, 1 << 16);
        }
    }
}
