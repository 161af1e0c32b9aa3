//! The transport over TCP: one connection per broker and lane, opened when it is needed.
//!
//! - [`dial`]: how a socket is opened, wherever a name leads.
//! - [`link`]: one open connection: requests out, responses in, whoever waits for them.
//! - [`handshake`]: how the versions of a new connection are found.
//! - [`lane`]: the task that keeps the connection of one lane alive.

mod dial;
mod handshake;
mod lane;
mod link;
mod write;

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstem_protocol::{ApiKey, BrokerId, messages::ResponseBody};
use tokio::time::Instant;

use crate::metrics::{Traffic, TrafficMeter};

use super::{BoxFuture, BrokerAddress, Call, Lane, Node, Transport, TransportError};
use lane::LaneHandle;

/// How brokers are reached.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::TcpConfig;
///
/// let config = TcpConfig {
///     client_id: "billing".to_owned(),
///     bootstrap_timeout: Duration::from_secs(30),
///     ..TcpConfig::bootstrap("one:9092,two:9092")
/// };
/// # assert_eq!(config.bootstrap_servers.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// `HOST:PORT` of brokers to begin with; any of them leads to the others.
    pub bootstrap_servers: Vec<String>,
    /// What the client calls itself; brokers show it in logs and metrics.
    pub client_id: String,
    /// How long opening one connection may take, the negotiation of versions included.
    pub connect_timeout: Duration,
    /// How long the first contact with the cluster is tried, before whoever asks learns that nobody is there. Later on,
    /// lost connections are tried again as long as those who ask have time.
    pub bootstrap_timeout: Duration,
    /// The first wait after a connection failed; it doubles from failure to failure.
    pub reconnect_backoff: Duration,
    /// The longest wait between two attempts to connect.
    pub reconnect_backoff_max: Duration,
    /// How long a connection may be idle before it is closed (Kafka: `connections.max.idle.ms`): less than the ten minutes
    /// after which brokers close it.
    pub connections_max_idle: Duration,
    /// Bytes that a response may have at most.
    pub response_bytes_max: usize,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            bootstrap_servers: vec!["127.0.0.1:9092".to_owned()],
            client_id: "mainstem".to_owned(),
            connect_timeout: Duration::from_secs(10),
            bootstrap_timeout: Duration::from_secs(5),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            connections_max_idle: Duration::from_secs(9 * 60),
            response_bytes_max: crate::caps::RESPONSE_BYTES_MAX,
        }
    }
}

impl TcpConfig {
    /// The defaults, for a list of `HOST:PORT` separated by commas.
    ///
    /// ```
    /// let config = mainstem_client::transport::TcpConfig::bootstrap("one:9092, two:9092");
    /// assert_eq!(config.bootstrap_servers, ["one:9092", "two:9092"]);
    /// ```
    #[must_use]
    pub fn bootstrap(servers: &str) -> Self {
        let servers = servers.split(',').map(str::trim).filter(|server| !server.is_empty());
        Self { bootstrap_servers: servers.map(str::to_owned).collect(), ..Self::default() }
    }
}

/// A transport over TCP. Connects when the first request is sent.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, TcpConfig, TcpTransport};
///
/// # let served = mainstem_client::testing::serve(&transport, 4).await?;
/// # let bootstrap_servers = served.address.as_str();
/// let transport = TcpTransport::new(TcpConfig::bootstrap(bootstrap_servers));
/// let admin = Admin::new(&transport, AdminConfig::default());
/// println!("{} topics", admin.list_topics().await?.len());
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct TcpTransport {
    shared: Arc<Shared>,
    lanes: Mutex<HashMap<(Node, Lane), LaneHandle>>,
}

/// What all connections of a transport know.
#[derive(Debug)]
struct Shared {
    config: TcpConfig,
    addresses: Mutex<HashMap<BrokerId, String>>,
    contact: Mutex<Contact>,
    traffic: Arc<TrafficMeter>,
}

/// Whether the cluster was ever reached.
#[derive(Clone, Copy, Debug, Default)]
enum Contact {
    /// Nobody has tried.
    #[default]
    None,
    /// Not since the first attempt at that time.
    Tried(Instant),
    /// Some broker has answered.
    Made,
}

impl TcpTransport {
    /// A transport that begins at the bootstrap servers.
    ///
    /// ```
    /// use mainstem_client::{TcpConfig, TcpTransport};
    ///
    /// // Connects when the first request is sent, so that this may be anywhere.
    /// let transport = TcpTransport::new(TcpConfig::bootstrap("127.0.0.1:9092"));
    /// ```
    #[must_use]
    pub fn new(config: TcpConfig) -> Self {
        let (addresses, contact) = (Mutex::default(), Mutex::default());
        Self::with(Shared { config, addresses, contact, traffic: Arc::default() })
    }

    fn with(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), lanes: Mutex::default() }
    }

    /// The lane's task is started with its first request, so that a transport can be made outside of a runtime.
    fn lane(&self, node: Node, lane: Lane) -> LaneHandle {
        let mut lanes = lock(&self.lanes);
        lanes.entry((node, lane)).or_insert_with(|| lane::start(Arc::clone(&self.shared), node)).clone()
    }
}

impl Transport for TcpTransport {
    fn versions(
        &self,
        node: Node,
        key: ApiKey,
    ) -> BoxFuture<'_, Result<RangeInclusive<i16>, TransportError>> {
        Box::pin(async move { self.lane(node, Lane::General).versions(key).await })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<ResponseBody, TransportError>> {
        Box::pin(async move { self.lane(call.node, call.lane).call(call).await })
    }

    fn learn(&self, brokers: &[BrokerAddress]) {
        let known = brokers.iter().map(|broker| (broker.id, broker.to_string()));
        let known: HashMap<_, _> = known.collect();
        let before = std::mem::replace(&mut *lock(&self.shared.addresses), known.clone());
        // A broker that moved is dialled anew; requests under way keep the old connection until they are answered. Where
        // nobody is left, the bootstrap servers are asked again.
        lock(&self.lanes).retain(|(node, _), _| match node {
            Node::Any => !known.is_empty(),
            Node::Id(id) => before.get(id) == known.get(id),
        });
    }

    fn traffic(&self) -> Traffic {
        self.shared.traffic.snapshot()
    }

    fn split(&self) -> Arc<dyn Transport> {
        let addresses = Mutex::new(lock(&self.shared.addresses).clone());
        let contact = Mutex::new(*lock(&self.shared.contact));
        let (config, traffic) = (self.shared.config.clone(), Arc::default());
        Arc::new(Self::with(Shared { config, addresses, contact, traffic }))
    }
}

impl Shared {
    /// What to dial for a node, in the order in which to try.
    fn addresses(&self, node: Node) -> Result<Vec<String>, TransportError> {
        let known = lock(&self.addresses);
        match node {
            Node::Id(id) => known.get(&id).map(|address| vec![address.clone()]),
            Node::Any => {
                let bootstrap = self.config.bootstrap_servers.iter();
                Some(bootstrap.chain(known.values()).cloned().collect())
            }
        }
        .ok_or_else(|| unknown(node))
    }

    /// How long one attempt to connect may take: no longer than the first contact, while that is not made.
    fn dial_timeout(&self) -> Duration {
        match *lock(&self.contact) {
            Contact::Made => self.config.connect_timeout,
            Contact::None | Contact::Tried(_) => {
                self.config.connect_timeout.min(self.config.bootstrap_timeout)
            }
        }
    }

    /// Notes that somebody tries to reach the cluster.
    fn trying(&self) {
        let mut contact = lock(&self.contact);
        if let Contact::None = *contact {
            *contact = Contact::Tried(Instant::now());
        }
    }

    fn reached(&self) {
        *lock(&self.contact) = Contact::Made;
    }

    /// What a failure means: while the cluster was never reached, that nobody is there, once that has lasted.
    fn failure(&self, error: TransportError) -> TransportError {
        let Contact::Tried(since) = *lock(&self.contact) else { return error };
        let waited = since.elapsed();
        if waited < self.config.bootstrap_timeout || !error.is_retriable() {
            return error;
        }
        let addresses = self.config.bootstrap_servers.join(", ");
        TransportError::Unreachable { addresses, waited_ms: waited.as_millis() as u64, last: Box::new(error) }
    }
}

fn unknown(node: Node) -> TransportError {
    match node {
        Node::Id(id) => TransportError::UnknownNode(id),
        Node::Any => TransportError::UnknownNode(BrokerId::NONE),
    }
}

/// Locks are held for a few instructions that cannot panic, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
