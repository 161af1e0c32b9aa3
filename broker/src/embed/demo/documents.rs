//! The JSON documents in the topic of results: who a count is about, and the counts.

use jiff::Timestamp as Time;
use mainstem_processor::Window;
use serde::{Deserialize, Serialize};

/// Key of a result: `{"minute":"2015-05-17T10:05:00Z","class":"2xx"}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
pub(super) struct MinuteAndClass {
    pub(super) minute: String,
    pub(super) class: String,
}

/// Value of a result: `{"requests":9,"errors":0,"bytes":1234}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) bytes: u64,
}

impl MinuteAndClass {
    pub(super) fn new(window: Window, class: &str) -> Result<Self, jiff::Error> {
        let minute = Time::from_millisecond(window.start.0)?.to_string();
        Ok(Self { minute, class: class.to_owned() })
    }
}

impl Counts {
    /// With one more request.
    pub(super) fn add(self, is_error: bool, bytes: u64) -> Self {
        Self {
            requests: self.requests + 1,
            errors: self.errors + u64::from(is_error),
            bytes: self.bytes + bytes,
        }
    }

    /// Together with others.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            errors: self.errors + other.errors,
            bytes: self.bytes + other.bytes,
        }
    }

    /// As they are kept while their window is open: three numbers of eight bytes.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        [self.requests, self.errors, self.bytes].map(u64::to_be_bytes).concat()
    }

    /// As they were kept; none, if that was something else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[requests, errors, count], []) = bytes.as_chunks::<8>() else { return None };
        let [requests, errors, bytes] = [requests, errors, count].map(u64::from_be_bytes);
        Some(Self { requests, errors, bytes })
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::Timestamp;

    use super::*;

    #[test]
    fn documents_look_as_promised() {
        let window = Window { start: Timestamp(1_431_857_100_000), end: Timestamp(1_431_857_160_000) };
        let key = MinuteAndClass::new(window, "2xx").unwrap();
        let value = Counts::default().add(true, 5);
        assert_eq!(
            serde_json::to_string(&key).unwrap(),
            r#"{"minute":"2015-05-17T10:05:00Z","class":"2xx"}"#
        );
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"requests":1,"errors":1,"bytes":5}"#);
    }

    #[test]
    fn counts_come_back_as_they_were_kept() {
        let counts = Counts { requests: 1, errors: 2, bytes: u64::MAX };
        assert_eq!(Counts::from_bytes(&counts.to_bytes()), Some(counts));
        assert_eq!(Counts::from_bytes(b"something else"), None);
    }
}
