//! The hash by which Java producers choose partitions (`org.apache.kafka.common.utils.Utils.murmur2`): MurmurHash2
//! with Kafka's own seed, over little-endian words.

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

/// The hash of a key.
///
/// ```
/// assert_eq!(mainstem_client::producer::murmur2(b"foobar").cast_signed(), -790332482);
/// ```
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    let (words, tail) = data.as_chunks::<4>();
    let start = SEED ^ data.len() as u32;
    let hash = words.iter().fold(start, |hash, word| mix(hash, u32::from_le_bytes(*word)));
    finish(mix_tail(hash, tail))
}

const fn mix(hash: u32, word: u32) -> u32 {
    let mut k = word.wrapping_mul(M);
    k ^= k >> R;
    hash.wrapping_mul(M) ^ k.wrapping_mul(M)
}

fn mix_tail(hash: u32, tail: &[u8]) -> u32 {
    if tail.is_empty() {
        return hash;
    }
    let word = tail.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    (hash ^ word).wrapping_mul(M)
}

const fn finish(mut hash: u32) -> u32 {
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_java_client() {
        let cases: [(&str, i32); 6] = [
            ("21", -973932308),
            ("foobar", -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
            ("abc", 479470107),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }
}
