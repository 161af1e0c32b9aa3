//! What clients are told to dial.

use std::{fmt, net::SocketAddr};

use mainstem_protocol::Text;

use crate::config::ListenerAddress;

/// What a client dials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name or an IP address.
    pub host: Text,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// What stands for the address of a broker that has none.
    pub(crate) const fn in_process() -> Self {
        Self { host: Text::from_static("in-process"), port: 0 }
    }
}

impl From<SocketAddr> for Endpoint {
    /// A client that came over IPv4 to a socket for both is told its own kind of address.
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_canonical().to_string().into(), port: address.port() }
    }
}

impl From<&ListenerAddress> for Endpoint {
    fn from(address: &ListenerAddress) -> Self {
        Self { host: address.host.as_str().into(), port: address.port }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_told_as_the_client_knows_them() {
        let address: SocketAddr = "[::ffff:10.0.0.1]:9092".parse().unwrap();
        assert_eq!(Endpoint::from(address).to_string(), "10.0.0.1:9092");
    }
}
