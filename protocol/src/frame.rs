//! A frame is a size of four bytes and that many bytes of request or response.

/// Bytes of the size in front of a frame.
pub const SIZE_BYTES: usize = 4;

/// The shortest request: key, version, correlation id.
pub const REQUEST_BYTES_MIN: usize = 8;

/// Why a frame is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Below what a header takes, or negative: this is no Kafka client, or it speaks TLS.
    #[error("frame size {0} is impossible")]
    Impossible(i32),
    /// Larger than the listener allows.
    #[error("frame of {size} bytes is above the limit of {limit}")]
    TooLarge {
        /// The size that the frame claims.
        size: usize,
        /// The largest that is read.
        limit: usize,
    },
}

/// The size of a frame from its first four bytes.
///
/// # Errors
/// Where the size is below `smallest` or above `limit`.
pub fn size(prefix: [u8; SIZE_BYTES], smallest: usize, limit: usize) -> Result<usize, FrameError> {
    let claimed = i32::from_be_bytes(prefix);
    match usize::try_from(claimed) {
        Ok(size) if size > limit => Err(FrameError::TooLarge { size, limit }),
        Ok(size) if size >= smallest => Ok(size),
        _ => Err(FrameError::Impossible(claimed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_refused_below_a_header_and_above_the_limit() {
        assert_eq!(size([0, 0, 0, 8], REQUEST_BYTES_MIN, 100), Ok(8));
        assert_eq!(size([0, 0, 0, 7], REQUEST_BYTES_MIN, 100), Err(FrameError::Impossible(7)));
        assert_eq!(size([0xff; 4], REQUEST_BYTES_MIN, 100), Err(FrameError::Impossible(-1)));
        assert_eq!(
            size([0, 0, 0, 101], REQUEST_BYTES_MIN, 100),
            Err(FrameError::TooLarge { size: 101, limit: 100 })
        );
    }
}
