//! Several fake brokers on sockets, with the same topics and groups behind them.

use std::{collections::BTreeMap, io, time::Duration};

use mainstem_protocol::BrokerId;

use super::{FakeBroker, Served, server};
use crate::transport::{TcpConfig, TcpTransport};

/// The newest ApiVersions that the nodes know.
const API_VERSIONS_MAX: i16 = 4;

/// A cluster on loopback sockets. Partition i begins at the i-th node, groups at the first one; a node that is asked for
/// what another one leads or coordinates says so, as Kafka's do.
///
/// ```
/// # mainstem_client::testing::example(async |_| {
/// use mainstem_client::{
///     Admin, AdminConfig, OffsetSpec, TopicPartition, testing::{FakeCluster, Mishap}, protocol::ApiKey,
/// };
///
/// let cluster = FakeCluster::start(3).await?;
/// cluster.broker().create_topic("orders", 3);
/// let admin = Admin::new(&cluster.transport(), AdminConfig::default());
/// let first = (TopicPartition::new("orders", 0), OffsetSpec::Latest);
/// admin.list_offsets(&[first.clone()]).await?;
/// // The leader moves, and the node that is asked next closes the connection.
/// cluster.broker().move_leader("orders", 0, cluster.node(2));
/// cluster.broker().mishap(ApiKey::ListOffsets, Mishap::CloseBefore);
/// admin.list_offsets(&[first]).await?;
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct FakeCluster {
    broker: FakeBroker,
    nodes: BTreeMap<BrokerId, Served>,
}

impl FakeCluster {
    /// Starts as many nodes, with ids from 1 on.
    ///
    /// # Errors
    /// Where a port cannot be had.
    pub async fn start(nodes: i32) -> io::Result<Self> {
        let broker = FakeBroker::new();
        broker.forget_node(super::NODE);
        let mut cluster = Self { broker, nodes: BTreeMap::new() };
        for id in 1..=nodes {
            cluster.start_node(BrokerId(id)).await?;
        }
        Ok(cluster)
    }

    /// Starts a node, or starts it again: on another port.
    ///
    /// # Errors
    /// Where a port cannot be had.
    pub async fn start_node(&mut self, id: BrokerId) -> io::Result<()> {
        let served = server::serve_node(&self.broker, id, API_VERSIONS_MAX).await?;
        self.nodes.insert(id, served);
        Ok(())
    }

    /// Ends a node and its connections. What it led stays with it; the others still name it.
    pub fn stop_node(&mut self, id: BrokerId) {
        if let Some(served) = self.nodes.remove(&id) {
            served.disconnect_all();
        }
    }

    /// The topics and groups behind the nodes, and what happens to requests.
    #[must_use]
    pub const fn broker(&self) -> &FakeBroker {
        &self.broker
    }

    /// The id of the i-th node, from 0 on.
    #[must_use]
    pub fn node(&self, index: usize) -> BrokerId {
        self.nodes.keys().nth(index).copied().unwrap_or(BrokerId::NONE)
    }

    /// Where a node listens, where it runs.
    #[must_use]
    pub fn address(&self, id: BrokerId) -> Option<&str> {
        self.nodes.get(&id).map(|served| served.address.as_str())
    }

    /// `HOST:PORT` of each node that runs, with commas between.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        let addresses: Vec<_> = self.nodes.values().map(|served| served.address.as_str()).collect();
        addresses.join(",")
    }

    /// A way to the cluster as it is now, that gives up a dead address soon.
    #[must_use]
    pub fn transport(&self) -> TcpTransport {
        TcpTransport::new(TcpConfig {
            connect_timeout: Duration::from_secs(2),
            reconnect_backoff: Duration::from_millis(5),
            reconnect_backoff_max: Duration::from_millis(50),
            ..TcpConfig::bootstrap(&self.bootstrap_servers())
        })
    }
}
