//! Topologies beside the log.

use std::sync::Arc;

use mainstem_processor::{Handle, Meters, Settings, StartError, Topology, runtime};

use super::{BrokerMeter, LocalTransport};
use crate::broker::Broker;

/// Runs a topology beside the log of a broker, as [`runtime::run`] does anywhere: what it asks of the broker goes there
/// without a socket, and what goes through it is counted among the broker's metrics, besides the meter of `settings`. Stop it
/// before the broker, so that it commits what it has done.
///
/// # Errors
/// As [`runtime::run`].
pub async fn run(broker: &Broker, topology: Topology, settings: Settings) -> Result<Handle, StartError> {
    let name = topology.name().clone();
    let counts = broker.node().metrics.processors.of(&name);
    let shown = BrokerMeter::new(counts, Arc::clone(&broker.node().clock));
    let meter = Arc::new(Meters(vec![Arc::new(shown), Arc::clone(&settings.meter)]));
    let transport = Arc::new(LocalTransport::new(broker, name));
    runtime::run(topology, Settings { meter, ..settings }, transport).await
}
