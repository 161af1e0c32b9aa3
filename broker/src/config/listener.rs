//! Where a listener is bound, and what clients are told to dial.

use std::{fmt, str::FromStr};

/// The name of a listener that was given none (Kafka's name for a socket without encryption).
pub const DEFAULT_LISTENER: &str = "PLAINTEXT";

/// Where to listen: `[NAME://]HOST:PORT`, as in Kafka's `listeners` and `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListenerAddress {
    /// The listener's name; unique within a broker.
    pub name: String,
    /// A name or an IP address, the latter without brackets.
    pub host: String,
    /// The port; 0 picks one.
    pub port: u16,
}

/// Text that is no listener.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("listener {text} is not of the form [NAME://]HOST:PORT")]
pub struct ListenerAddressError {
    /// As it was given.
    pub text: String,
}

impl FromStr for ListenerAddress {
    type Err = ListenerAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ListenerAddressError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<ListenerAddress> {
    let (name, address) = text.split_once("://").unwrap_or((DEFAULT_LISTENER, text));
    let (host, port) = address.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_valid = !name.is_empty() && !host.is_empty() && (bare.is_some() || !host.contains(':'));
    is_valid.then_some(())?;
    Some(ListenerAddress {
        name: name.to_owned(),
        host: bare.unwrap_or(host).to_owned(),
        port: port.parse().ok()?,
    })
}

impl fmt::Display for ListenerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "{}://[{}]:{}", self.name, self.host, self.port),
            false => write!(f, "{}://{}:{}", self.name, self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_read_back_as_written() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<ListenerAddress>().unwrap().to_string(), expected);
        };
        check("127.0.0.1:9092", "PLAINTEXT://127.0.0.1:9092");
        check("OUTSIDE://broker.example:0", "OUTSIDE://broker.example:0");
        check("[::1]:9092", "PLAINTEXT://[::1]:9092");
    }

    #[test]
    fn text_that_is_no_listener_is_refused() {
        for text in ["", "9092", "host", "host:", "host:65536", "://host:1", "::1:9092", ":9092"] {
            assert!(text.parse::<ListenerAddress>().is_err(), "{text}");
        }
    }
}
