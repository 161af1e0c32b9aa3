//! Connections of Kafka clients.

use prometheus::{IntCounter, IntGauge};

use super::register::{Registry, counter, gauge};

/// Connections of Kafka clients.
#[derive(Debug)]
pub struct Connections {
    current: IntGauge,
    accepted: IntCounter,
    refused: IntCounter,
}

impl Connections {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            current: gauge(registry, "mainstem_connections", "Connections of Kafka clients now"),
            accepted: counter(
                registry,
                "mainstem_connections_accepted_total",
                "Connections of Kafka clients that were accepted",
            ),
            refused: counter(
                registry,
                "mainstem_connections_refused_total",
                "Connections of Kafka clients that were above a limit",
            ),
        }
    }

    /// A connection was accepted.
    pub fn opened(&self) {
        self.current.inc();
        self.accepted.inc();
    }

    /// An accepted connection has ended.
    pub fn closed(&self) {
        self.current.dec();
    }

    /// A connection was above a limit.
    pub fn refused(&self) {
        self.refused.inc();
    }
}
