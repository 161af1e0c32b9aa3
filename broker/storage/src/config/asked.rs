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
    let range = SEGMENT_BYTES_MIN..=i32::MAX as u64;
    let is_within = |bytes: &u64| range.contains(bytes);
    if !is_segment || value.trim().parse().is_ok_and(|bytes| is_within(&bytes)) {
        return Ok(());
    }
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    Err(ConfigError::Invalid { name: name.to_owned(), value: value.to_owned(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_asked_for_from_a_mebibyte_on_and_one_range_is_told() {
        assert!(check_asked("segment.bytes", "1048576").is_ok());
        assert!(check_asked("retention.bytes", "1").is_ok());
        for value in ["1048575", "2147483648", "many"] {
            let error = check_asked("log.segment.bytes", value).unwrap_err().to_string();
            let range = "a whole number from 1048576 to 2147483647";
            assert_eq!(error, format!("topic setting log.segment.bytes cannot be {value}: {range}"));
        }
    }
}
