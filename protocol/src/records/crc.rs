//! CRC-32C (Castagnoli), the checksum of record batches.

use crc_fast::CrcAlgorithm::Crc32Iscsi;

/// The checksum of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(Crc32Iscsi, bytes) as u32
}

/// The checksum of a first part followed by a second one of `second_bytes`, from the checksums of both.
#[must_use]
pub fn crc32c_combine(first: u32, second: u32, second_bytes: usize) -> u32 {
    crc_fast::checksum_combine(Crc32Iscsi, u64::from(first), u64::from(second), second_bytes as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_castagnoli() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn parts_combine_to_the_whole() {
        assert_eq!(crc32c_combine(crc32c(b"1234"), crc32c(b"56789"), 5), 0xE306_9283);
        assert_eq!(crc32c_combine(crc32c(b"123456789"), crc32c(b""), 0), 0xE306_9283);
    }
}
