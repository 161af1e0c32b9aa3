//! The JSON documents in the topic of results: who a count is about, and the counts.

use jiff::Timestamp as Time;
use mainstem_processor::Window;
use serde::{Deserialize, Serialize};

use super::access_log::Request;

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
    /// A time that no calendar has stays a number.
    pub(super) fn new(window: Window, class: &str) -> Self {
        let start = window.start.0;
        let minute =
            Time::from_millisecond(start).map_or_else(|_| start.to_string(), |time| time.to_string());
        Self { minute, class: class.to_owned() }
    }
}

impl Counts {
    /// With one more request.
    pub(super) fn add(self, request: &Request) -> Self {
        let errors = u64::from(request.is_error);
        self.plus(Self { requests: 1, errors, bytes: request.bytes })
    }

    /// Together with others.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            errors: self.errors + other.errors,
            bytes: self.bytes + other.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::Timestamp;

    use super::*;

    #[test]
    fn documents_look_as_promised() {
        let window = Window { start: Timestamp(1_431_857_100_000), end: Timestamp(1_431_857_160_000) };
        let key = MinuteAndClass::new(window, "2xx");
        let value = Counts::default().add(&Request { class: "5xx".into(), is_error: true, bytes: 5 });
        assert_eq!(
            serde_json::to_string(&key).unwrap(),
            r#"{"minute":"2015-05-17T10:05:00Z","class":"2xx"}"#
        );
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"requests":1,"errors":1,"bytes":5}"#);
    }
}
