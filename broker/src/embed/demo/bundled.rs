//! The access log that comes with the binary: 10,000 lines of a real web server's, of four days in May 2015.

use std::io::{self, Read};

use flate2::read::GzDecoder;

/// The log, as it lies in the repository; source and licence stand beside it.
const LOG: &[u8] = include_bytes!("../../../../tests/data/apache_access.log.gz");

/// Lines in the log.
pub(super) const LINES: u64 = 10_000;

/// Bytes of the log, unpacked: more is not read.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The log as one text.
pub(super) fn unpack() -> io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(LOG).take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{access_log::AccessLine, counter::GRACE},
        *,
    };

    #[test]
    fn every_line_can_be_read() {
        let text = unpack().unwrap();
        assert!(text.lines().all(|line| AccessLine::parse(line).is_ok()));
        assert_eq!(text.lines().count() as u64, LINES);
    }

    /// The log is out of order by up to 59 seconds.
    #[test]
    fn no_line_is_later_than_the_grace() {
        let text = unpack().unwrap();
        let times = text.lines().map(|line| AccessLine::parse(line).unwrap().time.0);
        let mut latest = i64::MIN;
        let behind = times.map(|time| {
            latest = latest.max(time);
            latest - time
        });
        let behind = behind.max().unwrap();
        assert_eq!(behind, 59_000);
        assert!(behind <= GRACE.as_millis() as i64);
    }
}
