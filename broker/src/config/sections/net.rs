//! Settings of `net`.

use std::net::IpAddr;
use std::time::Duration;

use super::{Contradiction, INT_MAX, LONG_MAX};
use crate::config::{DEFAULT_LISTENER, ListenerAddress};
use crate::config::{Shape, setting::settings};

settings! {
    /// Where the broker listens, what it tells its clients to dial, and what a connection may take.
    pub struct NetSettings at net, "Network" {
        /// Where Kafka clients connect. Port 0 picks one. A listener without a name is called PLAINTEXT.
        listeners: Vec<ListenerAddress> = vec![default_listener()], "listeners",
            Shape::word().kafka("SocketServerConfigs");

        /// What clients are told to dial, by the name of the listener that they came through. A listener that is not named
        /// here tells each client the address under which the client has reached it.
        advertised: Vec<ListenerAddress> = Vec::new(), "advertised.listeners",
            Shape::word().kafka("SocketServerConfigs");

        /// The largest request. A connection that announces a larger one is closed.
        request_bytes_max: usize = 100 * 1024 * 1024, "socket.request.max.bytes",
            Shape::bytes(1024, INT_MAX).kafka("SocketServerConfigs");

        /// How long a connection may say nothing, or take nothing of what it is sent, before it is closed.
        idle_max: Duration = Duration::from_secs(600), "connections.max.idle.ms",
            Shape::milliseconds(1, LONG_MAX).kafka("SocketServerConfigs");

        /// How long a request that has begun to arrive may take, beyond a second for each 64 KiB that have come. A connection
        /// that is slower is closed.
        request_receive_max: Duration = Duration::from_secs(30), "socket.request.receive.max.ms",
            Shape::milliseconds(1, LONG_MAX);

        /// Connections in all; those above are closed at once. Kafka has no limit by default, and takes 0 as well: with it
        /// nobody could come in any more, not even to take it back.
        connections_max: usize = 10_000, "max.connections",
            Shape::count(1, INT_MAX).kafka("SocketServerConfigs").dynamic();

        /// Connections from one address; those above are closed at once. Kafka takes 0 where single addresses have
        /// limits of their own, which they cannot have here.
        connections_max_per_ip: usize = 10_000, "max.connections.per.ip",
            Shape::count(1, INT_MAX).kafka("SocketServerConfigs").dynamic();
    }
}

fn default_listener() -> ListenerAddress {
    ListenerAddress { name: DEFAULT_LISTENER.to_owned(), host: "127.0.0.1".to_owned(), port: 9092 }
}

impl NetSettings {
    /// What clients of the listener `name` are told to dial, where it is set.
    pub fn advertised_of(&self, name: &str) -> Option<&ListenerAddress> {
        self.advertised.iter().find(|advertised| advertised.name == name)
    }

    pub(in crate::config) fn check(&self) -> Result<(), Contradiction> {
        if self.listeners.is_empty() {
            return Err(wrong("listeners", "there has to be one".to_owned()));
        }
        if let Some(name) = repeated_name(&self.listeners) {
            return Err(wrong("listeners", format!("two listeners are called {name}")));
        }
        if let Some(address) = repeated_address(&self.listeners) {
            return Err(wrong("listeners", format!("two listeners have the address {address}")));
        }
        if let Some(name) = repeated_name(&self.advertised) {
            return Err(wrong("advertised.listeners", format!("two listeners are called {name}")));
        }
        if let Some(reason) = self.advertised.iter().find_map(undialable) {
            return Err(wrong("advertised.listeners", reason));
        }
        let is_known = |name: &str| self.listeners.iter().any(|listener| listener.name == name);
        match self.advertised.iter().find(|advertised| !is_known(&advertised.name)) {
            Some(stray) => {
                Err(wrong("advertised.listeners", format!("no listener is called {}", stray.name)))
            }
            None => Ok(()),
        }
    }
}

/// Why no client can dial an address; Kafka refuses these as well (`KafkaConfig.validateValues`).
fn undialable(address: &ListenerAddress) -> Option<String> {
    let is_any = address.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    match (is_any, address.port) {
        (true, _) => Some(format!("{} is no address that a client can dial", address.host)),
        (false, 0) => Some("port 0 is none that a client can dial".to_owned()),
        (false, _) => None,
    }
}

fn repeated_name(addresses: &[ListenerAddress]) -> Option<&str> {
    let repeated = |(index, address): &(usize, &ListenerAddress)| {
        addresses[..*index].iter().any(|earlier| earlier.name == address.name)
    };
    addresses.iter().enumerate().find(repeated).map(|(_, address)| address.name.as_str())
}

/// Port 0 is another one each time.
fn repeated_address(addresses: &[ListenerAddress]) -> Option<&ListenerAddress> {
    let is_same =
        |one: &ListenerAddress, other: &ListenerAddress| one.host == other.host && one.port == other.port;
    let repeated = |(index, address): &(usize, &ListenerAddress)| {
        address.port != 0 && addresses[..*index].iter().any(|earlier| is_same(earlier, address))
    };
    addresses.iter().enumerate().find(repeated).map(|(_, address)| address)
}

fn wrong(name: &'static str, reason: String) -> Contradiction {
    Contradiction { name, reason }
}
