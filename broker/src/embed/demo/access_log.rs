//! Lines of a web server's access log, in the combined format:
//!
//! ```text
//! 203.0.113.7 - anna [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 1234 "http://referrer/" "agent/1.0"
//! ```

use jiff::fmt::strtime;
use mainstem_protocol::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

/// How times are written: day, month, year, time, offset from UTC.
const TIME_FORMAT: &str = "%d/%b/%Y:%H:%M:%S %z";

/// A request, as the server logged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccessLine<'a> {
    /// Who asked.
    pub(super) host: &'a str,
    /// When.
    pub(super) time: Timestamp,
    /// What: method, path, protocol. May be anything that somebody sent.
    pub(super) request: &'a str,
    /// With which status it was answered.
    pub(super) status: u16,
    /// With how many bytes; `-` in the log is none.
    pub(super) bytes: u64,
}

/// Why a line is none of an access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line of the access log has no {0}")]
pub(super) struct AccessLineError(&'static str);

impl<'a> AccessLine<'a> {
    /// Reads a line. What stands behind the bytes (referrer and agent) is not looked at: some clients send agents
    /// that the log's quotes do not survive.
    pub(super) fn parse(line: &'a str) -> Result<Self, AccessLineError> {
        let rest = &mut { line };
        let host = word(rest).ok_or(AccessLineError("host"))?;
        let time = between(rest, '[', ']').and_then(time).ok_or(AccessLineError("time"))?;
        let request = quoted(rest).ok_or(AccessLineError("request"))?;
        let status = word(rest).and_then(|status| status.parse().ok()).ok_or(AccessLineError("status"))?;
        let bytes = word(rest).and_then(bytes).ok_or(AccessLineError("bytes"))?;
        Ok(Self { host, time, request, status, bytes })
    }

    /// The status by its first digit: `2xx`.
    pub(super) const fn class(&self) -> &'static str {
        match self.status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "other",
        }
    }

    /// Whether the request failed.
    pub(super) const fn is_error(&self) -> bool {
        self.status >= 400
    }
}

/// What is counted of a request: `{"class":"2xx","is_error":false,"bytes":1234}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Request {
    /// The status by its first digit.
    pub(super) class: String,
    /// Whether it failed.
    pub(super) is_error: bool,
    /// With how many bytes it was answered.
    pub(super) bytes: u64,
}

impl Request {
    /// The request of a line; what is no line of an access log is left out.
    pub(super) fn of(line: &str) -> Option<Self> {
        match AccessLine::parse(line) {
            Ok(line) => {
                Some(Self { class: line.class().to_owned(), is_error: line.is_error(), bytes: line.bytes })
            }
            Err(error) => {
                warn!(%error, "this is no line of an access log; it is left out");
                None
            }
        }
    }
}

/// The next word, and the space behind it.
fn word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start_matches(' ');
    let (word, after) = text.split_once(' ').unwrap_or((text, ""));
    *rest = after;
    (!word.is_empty()).then_some(word)
}

/// What stands between the next `open` and the `close` after it.
fn between<'a>(rest: &mut &'a str, open: char, close: char) -> Option<&'a str> {
    let (_, text) = rest.split_once(open)?;
    let (inside, after) = text.split_once(close)?;
    *rest = after;
    Some(inside)
}

/// What stands between the next quotes; a backslash takes the meaning of what follows it.
fn quoted<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let (_, text) = rest.split_once('"')?;
    let mut is_escaped = false;
    let end = text.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    let (inside, after) = text.split_at(end);
    *rest = &after[1..];
    Some(inside)
}

fn time(text: &str) -> Option<Timestamp> {
    let time = strtime::parse(TIME_FORMAT, text).ok()?.to_timestamp().ok()?;
    Some(Timestamp(time.as_millisecond()))
}

fn bytes(text: &str) -> Option<u64> {
    if text == "-" { Some(0) } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_taken_apart() {
        let line = "1.2.3.4 - anna [17/May/2015:10:05:03 +0200] \"GET /a HTTP/1.1\" 404 12 \"-\" \"agent\"";
        let expected = AccessLine {
            host: "1.2.3.4",
            time: Timestamp(1_431_849_903_000),
            request: "GET /a HTTP/1.1",
            status: 404,
            bytes: 12,
        };
        assert_eq!(AccessLine::parse(line), Ok(expected));
        assert_eq!((expected.class(), expected.is_error()), ("4xx", true));
    }

    #[test]
    fn quotes_in_a_request_do_not_end_it() {
        let line = r#"h - - [17/May/2015:10:05:03 +0000] "GET /\"x\\" 200 -"#;
        let parsed = AccessLine::parse(line).unwrap();
        assert_eq!((parsed.request, parsed.status, parsed.bytes), (r#"GET /\"x\\"#, 200, 0));
    }

    #[test]
    fn agent_may_lack_its_quote() {
        let line = r#"h - - [17/May/2015:10:05:03 +0000] "GET /" 200 235 "-" "Mozilla/5.0 (compatible"#;
        assert_eq!(AccessLine::parse(line).unwrap().bytes, 235);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (line, missing) in [
            ("", "host"),
            ("h - - [yesterday] \"GET /\" 200 1", "time"),
            ("h - - [17/May/2015:10:05:03 +0000] GET", "request"),
            ("h - - [17/May/2015:10:05:03 +0000] \"GET /\" ok 1", "status"),
            ("h - - [17/May/2015:10:05:03 +0000] \"GET /\" 200", "bytes"),
        ] {
            assert_eq!(AccessLine::parse(line), Err(AccessLineError(missing)), "{line}");
        }
    }
}
