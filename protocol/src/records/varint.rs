//! Zig-zag varints, as records have them (the rest of the wire has fixed numbers and unsigned varints).

use bytes::BufMut;

/// Bytes that a varint of 64 bits has at most.
pub(super) const VARLONG_BYTES_MAX: usize = 10;

/// Bytes that a varint of 32 bits has at most.
pub(super) const VARINT_BYTES_MAX: usize = 5;

/// Why bytes do not begin with a varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VarintError {
    Truncated,
    TooLong,
}

/// Takes a number of 32 bits off the front of `bytes`.
///
/// Bits beyond the 32nd are dropped, as Kafka's `ByteUtils.readVarint` does.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Result<i32, VarintError> {
    let unsigned = take_unsigned::<VARINT_BYTES_MAX>(bytes)? as u32;
    Ok((unsigned >> 1) as i32 ^ -((unsigned & 1) as i32))
}

/// Takes a number of 64 bits off the front of `bytes`.
pub(super) fn take_varlong(bytes: &mut &[u8]) -> Result<i64, VarintError> {
    let unsigned = take_unsigned::<VARLONG_BYTES_MAX>(bytes)?;
    Ok((unsigned >> 1) as i64 ^ -((unsigned & 1) as i64))
}

fn take_unsigned<const BYTES_MAX: usize>(bytes: &mut &[u8]) -> Result<u64, VarintError> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            return Ok(value);
        }
    }
    Err(if bytes.len() < BYTES_MAX { VarintError::Truncated } else { VarintError::TooLong })
}

pub(super) fn put_varint(buffer: &mut impl BufMut, value: i32) {
    put_unsigned(buffer, u64::from(zigzag(value)));
}

pub(super) fn put_varlong(buffer: &mut impl BufMut, value: i64) {
    put_unsigned(buffer, zigzag_long(value));
}

/// The bytes go in together: a buffer looks for room each time that something is put.
fn put_unsigned(buffer: &mut impl BufMut, mut value: u64) {
    let mut bytes = [0; VARLONG_BYTES_MAX];
    let mut size = 0;
    for byte in &mut bytes {
        *byte = value as u8 | 0x80;
        size += 1;
        value >>= 7;
        if value == 0 {
            *byte &= 0x7f;
            break;
        }
    }
    buffer.put_slice(&bytes[..size]);
}

/// Bytes of a number of 32 bits.
pub(super) const fn varint_size(value: i32) -> usize {
    unsigned_size(zigzag(value) as u64)
}

/// Bytes of a number of 64 bits.
pub(super) const fn varlong_size(value: i64) -> usize {
    unsigned_size(zigzag_long(value))
}

const fn unsigned_size(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

const fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

const fn zigzag_long(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_those_of_kafka() {
        let bytes = |value| {
            let mut buffer = Vec::new();
            put_varlong(&mut buffer, value);
            buffer
        };
        assert_eq!(bytes(0), [0]);
        assert_eq!(bytes(-1), [1]);
        assert_eq!(bytes(63), [126]);
        assert_eq!(bytes(-65), [0x81, 0x01]);
        assert_eq!(bytes(i64::MIN), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    }

    #[test]
    fn varints_that_do_not_end_are_refused() {
        assert_eq!(take_varint(&mut &[0x80, 0x80][..]), Err(VarintError::Truncated));
        assert_eq!(take_varint(&mut &[0x80; 5][..]), Err(VarintError::TooLong));
        assert_eq!(take_varlong(&mut &[0x80; 9][..]), Err(VarintError::Truncated));
        assert_eq!(take_varlong(&mut &[0x80; 11][..]), Err(VarintError::TooLong));
        assert_eq!(take_varint(&mut &[][..]), Err(VarintError::Truncated));
    }

    #[test]
    fn bits_beyond_the_last_are_dropped() {
        assert_eq!(take_varint(&mut &[0xff, 0xff, 0xff, 0xff, 0x7f][..]), Ok(i32::MIN));
    }

    proptest! {
        #[test]
        fn varints_read_back(value: i32) {
            let mut buffer = Vec::new();
            put_varint(&mut buffer, value);
            prop_assert_eq!(buffer.len(), varint_size(value));
            let mut rest = &buffer[..];
            prop_assert_eq!(take_varint(&mut rest), Ok(value));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn varlongs_read_back(value: i64) {
            let mut buffer = Vec::new();
            put_varlong(&mut buffer, value);
            prop_assert_eq!(buffer.len(), varlong_size(value));
            let mut rest = &buffer[..];
            prop_assert_eq!(take_varlong(&mut rest), Ok(value));
            prop_assert!(rest.is_empty());
        }
    }
}
