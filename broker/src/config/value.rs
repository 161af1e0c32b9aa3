//! Types of settings: how each is written, shown, and described to somebody who wrote it wrong.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use mainstem_storage::{ConfigError, TopicConfig};

use super::ListenerAddress;
use super::{Kind, LoggerName, Shape, Unit};
use crate::group::Assignor;

/// A type that a setting may have.
pub(super) trait Value: Sized {
    /// The type that DescribeConfigs tells.
    const KIND: Kind;

    /// The value that `text` means, if it means one and `shape` allows it.
    fn read(text: &str, shape: &Shape) -> Option<Self>;

    /// As it would be written.
    fn show(&self, shape: &Shape) -> String;

    /// What may be written.
    fn expected(shape: &Shape) -> String;
}

/// The value that `text` means, or what would be right.
pub(super) fn parse<V: Value>(text: &str, shape: &Shape) -> Result<V, String> {
    V::read(text, shape).ok_or_else(|| V::expected(shape))
}

/// Sets a default for topics by the broker's name for it. Returns whether there is one of that name.
pub(super) fn write_topic_default(
    defaults: &mut TopicConfig,
    name: &str,
    value: &str,
) -> Result<bool, String> {
    defaults.set_broker_default(name, value).map_err(|error| match error {
        ConfigError::Invalid { expected, .. } => expected,
        error => error.to_string(),
    })
}

fn number(text: &str, shape: &Shape) -> Option<i64> {
    let (least, most) = shape.range;
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

fn numbers(shape: &Shape) -> String {
    let (least, most) = shape.range;
    format!("a whole number from {least} to {most}")
}

macro_rules! numeric {
    ($($type:ty => $kind:expr),*) => {$(
        impl Value for $type {
            const KIND: Kind = $kind;

            fn read(text: &str, shape: &Shape) -> Option<Self> {
                number(text, shape)?.try_into().ok()
            }

            fn show(&self, _: &Shape) -> String {
                self.to_string()
            }

            fn expected(shape: &Shape) -> String {
                numbers(shape)
            }
        }
    )*};
}
numeric!(u32 => Kind::Int, i32 => Kind::Int, usize => Kind::Int, u64 => Kind::Long);

impl Value for bool {
    const KIND: Kind = Kind::Boolean;

    fn read(text: &str, _: &Shape) -> Option<Self> {
        text.to_ascii_lowercase().parse().ok()
    }

    fn show(&self, _: &Shape) -> String {
        self.to_string()
    }

    fn expected(_: &Shape) -> String {
        "true or false".to_owned()
    }
}

impl Value for Duration {
    const KIND: Kind = Kind::Long;

    fn read(text: &str, shape: &Shape) -> Option<Self> {
        let count = u64::try_from(number(text, shape)?).ok()?;
        Some(match shape.unit {
            Unit::Minutes => Self::from_secs(count.checked_mul(60)?),
            Unit::Milliseconds | Unit::Bytes | Unit::None => Self::from_millis(count),
        })
    }

    fn show(&self, shape: &Shape) -> String {
        match shape.unit {
            Unit::Minutes => (self.as_secs() / 60).to_string(),
            Unit::Milliseconds | Unit::Bytes | Unit::None => self.as_millis().to_string(),
        }
    }

    fn expected(shape: &Shape) -> String {
        numbers(shape)
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged: a level, or levels by module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl Value for LogFilter {
    const KIND: Kind = Kind::String;

    fn read(text: &str, _: &Shape) -> Option<Self> {
        let is_level = |level: &str| LEVELS.contains(&level.to_lowercase().as_str());
        let is_directive = |directive: &str| match directive.split_once('=') {
            Some((module, level)) => LoggerName::read(module.trim()).is_some() && is_level(level),
            None => is_level(directive),
        };
        text.split(',').all(is_directive).then(|| Self(text.to_owned()))
    }

    fn show(&self, _: &Shape) -> String {
        self.0.clone()
    }

    fn expected(_: &Shape) -> String {
        "off, error, warn, info, debug or trace, or levels by module, such as info,mainstem::net=debug"
            .to_owned()
    }
}

impl Value for PathBuf {
    const KIND: Kind = Kind::String;

    fn read(text: &str, _: &Shape) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn show(&self, _: &Shape) -> String {
        self.display().to_string()
    }

    fn expected(_: &Shape) -> String {
        "the path of a directory".to_owned()
    }
}

impl Value for Vec<ListenerAddress> {
    const KIND: Kind = Kind::List;

    fn read(text: &str, _: &Shape) -> Option<Self> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| item.parse().ok()).collect()
    }

    fn show(&self, _: &Shape) -> String {
        let items: Vec<_> = self.iter().map(ToString::to_string).collect();
        items.join(",")
    }

    fn expected(_: &Shape) -> String {
        "[NAME://]HOST:PORT, or several of these with commas between".to_owned()
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an IP address, the latter without brackets.
    pub host: String,
    /// The port; 0 picks one.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (host, port) = text.rsplit_once(':').ok_or(())?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_valid = !host.is_empty() && !host.contains('/') && (bare.is_some() || !host.contains(':'));
        let port = port.parse().map_err(drop)?;
        is_valid.then(|| Self { host: bare.unwrap_or(host).to_owned(), port }).ok_or(())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Value for HostPort {
    const KIND: Kind = Kind::String;

    fn read(text: &str, _: &Shape) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self, _: &Shape) -> String {
        self.to_string()
    }

    fn expected(_: &Shape) -> String {
        "HOST:PORT".to_owned()
    }
}

/// A type with a few values, each with its word.
macro_rules! words {
    ($(#[doc = $about:literal])* pub enum $Words:ident { $($(#[doc = $doc:literal])* $Word:ident = $word:literal),* }) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Words {
            $($(#[doc = $doc])* $Word,)*
        }

        impl Value for $Words {
            const KIND: Kind = Kind::String;

            fn read(text: &str, _: &Shape) -> Option<Self> {
                match text {
                    $($word => Some(Self::$Word),)*
                    _ => None,
                }
            }

            fn show(&self, _: &Shape) -> String {
                match self {
                    $(Self::$Word => $word.to_owned(),)*
                }
            }

            fn expected(_: &Shape) -> String {
                [$($word),*].join(" or ")
            }
        }
    };
}

words! {
    /// How segments are appended to.
    pub enum LogAppend {
        /// By `pwritev`.
        Write = "write",
        /// Through a mapped window of the file.
        Map = "map"
    }
}

words! {
    /// Whether a group that has members may go from one group protocol to the other.
    pub enum MigrationPolicy {
        /// Either way.
        Bidirectional = "bidirectional",
        /// To the newer protocol alone.
        Upgrade = "upgrade",
        /// To the classic protocol alone.
        Downgrade = "downgrade",
        /// It may not; a group without members takes whichever comes first.
        Disabled = "disabled"
    }
}

impl MigrationPolicy {
    /// Whether a classic group may become one of the newer protocol.
    pub(crate) const fn may_upgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    /// Whether a group of the newer protocol may become a classic one.
    pub(crate) const fn may_downgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }
}

words! {
    /// How log lines look.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// A JSON object a line.
        Json = "json"
    }
}

/// Assignors of the newer group protocol, at least one, none twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignors(pub(crate) Vec<Assignor>);

impl Default for Assignors {
    fn default() -> Self {
        Self(Assignor::ALL.to_vec())
    }
}

impl Value for Assignors {
    const KIND: Kind = Kind::List;

    fn read(text: &str, _: &Shape) -> Option<Self> {
        let assignors: Vec<Assignor> =
            text.split(',').map(|name| Assignor::named(name.trim())).collect::<Option<_>>()?;
        let is_twice = |(place, assignor)| assignors[..place].contains(assignor);
        let has_double = assignors.iter().enumerate().any(is_twice);
        (!has_double).then_some(Self(assignors))
    }

    fn show(&self, _: &Shape) -> String {
        self.0.iter().map(|assignor| assignor.name()).collect::<Vec<_>>().join(",")
    }

    fn expected(_: &Shape) -> String {
        Assignor::ALL.map(Assignor::name).join(", ") + ", or both with a comma between"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_read_back_as_written() {
        for text in ["127.0.0.1:8080", "localhost:0", "[::1]:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for text in ["", "8080", "localhost", "http://localhost:8080", ":1", "::1:1", "a:65536"] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_of_listeners_may_be_empty() {
        let shape = Shape::word();
        assert_eq!(Vec::<ListenerAddress>::read("", &shape), Some(Vec::new()));
        assert_eq!(Vec::<ListenerAddress>::read("nonsense", &shape), None);
    }

    #[test]
    fn log_filters_are_levels_or_levels_by_module() {
        let is_filter = |text| LogFilter::read(text, &Shape::word()).is_some();
        assert!(["info", "off", "info,mainstem::net=debug", "a=trace"].into_iter().all(is_filter));
        assert!(!["", "loud", "info,", "mainstem=loud", "=debug", "a[b]=info"].into_iter().any(is_filter));
    }

    #[test]
    fn words_know_what_is_right() {
        assert_eq!(LogAppend::expected(&Shape::word()), "write or map");
        assert_eq!(LogAppend::read("map", &Shape::word()), Some(LogAppend::Map));
        assert_eq!(LogAppend::read("Map", &Shape::word()), None);
    }
}
