//! What people may ask for, where that is less than what the log can do.

use super::ConfigError;

/// The least that `segment.bytes` may be (KIP-1030). Logs with smaller segments are read and written, but nobody makes
/// them any more.
const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;

/// Whether somebody may give a setting this value, beyond its being one. `name` is the topic's or the broker's.
///
/// # Errors
/// Where a smaller or a larger one would be right.
pub fn check_asked(name: &str, value: &str) -> Result<(), ConfigError> {
    let is_segment = matches!(name, "segment.bytes" | "log.segment.bytes");
    match value.trim().parse::<u64>() {
        Ok(bytes) if is_segment && bytes < SEGMENT_BYTES_MIN => Err(ConfigError::Invalid {
            name: name.to_owned(),
            value: value.to_owned(),
            expected: format!("a whole number from {SEGMENT_BYTES_MIN} to {}", i32::MAX),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_below_a_mebibyte_are_not_asked_for() {
        assert!(check_asked("segment.bytes", "1048576").is_ok());
        assert!(check_asked("retention.bytes", "1").is_ok());
        let error = check_asked("log.segment.bytes", "1048575").unwrap_err();
        assert_eq!(
            error.to_string(),
            "topic setting log.segment.bytes cannot be 1048575: a whole number from 1048576 to 2147483647"
        );
    }
}
