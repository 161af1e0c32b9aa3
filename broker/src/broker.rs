//! A running broker: its parts are put together here, started in order and stopped in order.
//!
//! Addresses are taken first, so that a broker which cannot have them leaves the data directory alone. The HTTP port opens
//! at once, so that a long recovery can be watched; then the log recovers; the listeners open last. On
//! the way down the listeners close first, what was begun is finished, and the log is synced and closed last.

use std::{net::SocketAddr, path::Path, sync::Arc};

use mainstem_protocol::BrokerId;
use mainstem_storage::{
    Clock, Store, SystemClock,
    disk::{Disk, RealDisk},
    segment::{Append, MapAppend},
    store::{OpenError, Options, Poisoned, Recovery, Topic},
};
use tracing::{info, warn};

use crate::{
    caps::{DRAIN_MAX, HANGING_TRANSACTION_REST},
    config::{Config, Live, LogAppend},
    dispatch::Dispatch,
    fetch_session::FetchSessions,
    group::Coordinator,
    http::{self, Http},
    metrics::{
        DiskSpace, Metrics, Snapshot, TopicSize,
        caps::{GROUP_LAGS_MAX, GROUPS_MAX},
    },
    net::{BindError, Endpoint, Listener, Net, Reserved},
    node::Node,
    observer::LogObserver,
    task::{Failures, Tasks},
    transaction,
};

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be had.
    #[error("data directory {dir}: {source}")]
    Directory {
        /// As it was configured.
        dir: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The log cannot be recovered.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The HTTP port could not be bound.
    #[error(transparent)]
    Http(#[from] http::BindError),
    /// A listener could not be bound.
    #[error(transparent)]
    Listener(#[from] BindError),
    /// There is nowhere to listen.
    #[error("there is no listener")]
    NoListener,
    /// The log of groups cannot be opened.
    #[error("consumer groups cannot be opened: {0}")]
    Groups(String),
    /// Recovery did not come to an end.
    #[error("recovery panicked: {0}")]
    Panicked(String),
}

/// A broker that serves.
#[derive(Debug)]
pub struct Broker {
    tasks: Tasks,
    net_tasks: Tasks,
    http: Option<Http>,
    net: Net,
    node: Arc<Node>,
    dispatch: Dispatch,
    listeners: Vec<(String, SocketAddr)>,
    advertised: Endpoint,
}

impl Broker {
    /// Starts a broker; it serves when this returns.
    ///
    /// # Errors
    /// Where its data cannot be recovered or a port cannot be opened.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        if config.net.listeners.is_empty() {
            return Err(StartError::NoListener);
        }
        Self::open(config, Doors::Sockets).await
    }

    /// Starts a broker without any socket: it serves those within its process
    /// ([`LocalTransport`](crate::embed::LocalTransport)) alone.
    ///
    /// # Errors
    /// Where its data cannot be recovered.
    pub async fn start_in_process(config: Config) -> Result<Self, StartError> {
        Self::open(config, Doors::InProcess).await
    }

    async fn open(config: Config, doors: Doors) -> Result<Self, StartError> {
        let tasks = Tasks::root("broker");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let metrics = Metrics::new(&*clock);
        let (http, reserved) = match doors {
            Doors::Sockets => {
                (Some(start_http(&config, &metrics, &clock, &tasks).await?), reserve(&config).await?)
            }
            Doors::InProcess => (None, Vec::new()),
        };
        let store = open(&config, &metrics, tasks.failures().clone(), Arc::clone(&clock)).await?;
        let groups = open_groups(&store, &clock, &config, &tasks).await?;
        let transactions = transactions(&store, &clock, &config, &tasks, &metrics);
        let fetch_sessions = fetch_sessions(&config, &clock, &metrics);
        let config = Arc::new(Live::new(config));
        let node = Arc::new(Node { store, clock, config, groups, transactions, fetch_sessions, metrics });
        node.follow_settings();
        node.groups.start();
        node.transactions.start();
        ask_at_scrapes(&node);
        let dispatch = Dispatch::new(Arc::clone(&node));
        let bound = reserved.into_iter().map(Reserved::listen).collect::<Result<Vec<_>, _>>()?;
        let advertised = bound.first().map_or_else(Endpoint::in_process, Listener::advertised);
        let listeners = bound.iter().map(|bound| (bound.name().to_owned(), bound.address())).collect();
        let net_tasks = tasks.child("net");
        let net = Net::new(dispatch.clone(), &node.config, &node.metrics, net_tasks.clone());
        bound.into_iter().for_each(|listener| net.serve(listener));
        if let Some(http) = &http {
            http.readiness().ready(net.why_closed());
        }
        Ok(Self { tasks, net_tasks, http, net, node, dispatch, listeners, advertised })
    }

    /// The listeners by name, with the addresses they are bound to, in the order of the configuration.
    #[must_use]
    pub fn listeners(&self) -> &[(String, SocketAddr)] {
        &self.listeners
    }

    /// The address of the HTTP port; none where it was started without sockets.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Http::address)
    }

    /// What the first listener's clients are told to dial; where there is none, an address that nobody can dial.
    #[must_use]
    pub const fn advertised(&self) -> &Endpoint {
        &self.advertised
    }

    /// The door for requests from within the process.
    #[must_use]
    pub const fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// The node behind the door.
    #[must_use]
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Connections that there are now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.net.connections()
    }

    /// The owner of every task of this broker.
    #[must_use]
    pub const fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Where it is told that the broker cannot go on.
    #[must_use]
    pub fn failures(&self) -> &Failures {
        self.tasks.failures()
    }

    /// Stops accepting, lets connections finish what they have begun, and closes the log.
    ///
    /// # Errors
    /// Where the log could not be closed as it should: the next start recovers it.
    pub async fn shutdown(self) -> Result<(), Poisoned> {
        info!("broker stops");
        if let Some(http) = &self.http {
            http.readiness().not_ready("stopping");
        }
        self.net_tasks.cancel();
        if let Err(left) = self.net_tasks.join_within(DRAIN_MAX).await {
            warn!(%left, "connections did not finish");
        }
        self.tasks.cancel();
        let store = Arc::clone(&self.node.store);
        let closing = tokio::task::spawn_blocking(move || store.shutdown());
        closing.await.unwrap_or_else(|panic| Err(Poisoned { reason: panic.to_string() }))
    }
}

/// A broker that is dropped instead of stopped: its tasks end, and the next start recovers the log.
impl Drop for Broker {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

/// What a broker is reached through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doors {
    /// Its listeners and its HTTP port.
    Sockets,
    /// Its dispatch alone.
    InProcess,
}

async fn start_http(
    config: &Config,
    metrics: &Metrics,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
) -> Result<Http, http::BindError> {
    let (metrics, clock) = (metrics.clone(), Arc::clone(clock));
    Http::start(&config.http.listener, metrics, clock, &tasks.child("http")).await
}

/// Recovers the log, off the reactor.
async fn open(
    config: &Config,
    metrics: &Metrics,
    failures: Failures,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Store>, StartError> {
    let dir = config.storage.dir.clone();
    let observer = Arc::new(LogObserver::new(Arc::clone(&metrics.journal), failures));
    let options = Options {
        node_id: BrokerId(config.storage.node_id),
        append: append(config.storage.append),
        journal_bytes: config.storage.journal_bytes,
        topic_defaults: config.topic_defaults.clone(),
        retention_check_interval: config.storage.retention_check_interval,
        producer_expiration: config.storage.producer_id_expiration,
        producers_max: config.storage.producers_per_partition,
        partitions_max: config.storage.partitions,
        cleaner: config.storage.cleaner(),
        observer,
        ..Options::default()
    };
    let opening = tokio::task::spawn_blocking(move || {
        let failed = |source| StartError::Directory { dir: dir.display().to_string(), source };
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(dir.clone()));
        disk.create_dir_all(Path::new("")).map_err(failed)?;
        let (store, recovery) = Store::open(options, disk, clock)?;
        tell(&dir, &recovery);
        Ok(store)
    });
    opening.await.unwrap_or_else(|panic| Err(StartError::Panicked(panic.to_string())))
}

fn tell(dir: &Path, recovery: &Recovery) {
    let (dir, Recovery { is_new, was_clean, groups, bytes, epochs_raised, files_removed }) =
        (dir.display(), recovery);
    match (is_new, was_clean) {
        (true, _) => info!(%dir, "new data directory"),
        (false, true) => info!(%dir, "data directory opened; its broker was stopped in order"),
        (false, false) => info!(
            %dir, groups, bytes, epochs_raised, files_removed,
            "data directory recovered; its broker was not stopped in order"
        ),
    }
}

/// How bytes get into segments.
fn append(how: LogAppend) -> Option<Box<dyn Append>> {
    match how {
        LogAppend::Write => None,
        LogAppend::Map => Some(Box::new(MapAppend)),
    }
}

/// Opens the log of groups, off the reactor.
async fn open_groups(
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
    config: &Config,
    tasks: &Tasks,
) -> Result<Coordinator, StartError> {
    let (store, clock) = (Arc::clone(store), Arc::clone(clock));
    let (settings, tasks) = (config.groups.clone(), tasks.child("group"));
    let opening = tokio::task::spawn_blocking(move || Coordinator::open(store, clock, settings, tasks));
    let opened = opening.await.unwrap_or_else(|panic| Err(panic.to_string()));
    opened.map_err(StartError::Groups)
}

fn transactions(
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
    config: &Config,
    tasks: &Tasks,
    metrics: &Metrics,
) -> transaction::Coordinator {
    let (store, clock) = (Arc::clone(store), Arc::clone(clock));
    let (settings, tasks) = (config.transactions.clone(), tasks.child("transaction"));
    transaction::Coordinator::new(store, clock, settings, tasks, Arc::clone(&metrics.transactions))
}

fn fetch_sessions(config: &Config, clock: &Arc<dyn Clock>, metrics: &Metrics) -> FetchSessions {
    let counters = Arc::clone(&metrics.fetch_sessions);
    FetchSessions::new(config.fetch.sessions_max, Arc::clone(clock), counters)
}

async fn reserve(config: &Config) -> Result<Vec<Reserved>, BindError> {
    let mut reserved = Vec::with_capacity(config.net.listeners.len());
    for address in &config.net.listeners {
        let told = config.net.advertised_of(&address.name).map(Endpoint::from);
        reserved.push(Reserved::new(address.clone(), told).await?);
    }
    Ok(reserved)
}

fn ask_at_scrapes(node: &Arc<Node>) {
    let asked = Arc::downgrade(node);
    node.metrics.ask(move || asked.upgrade().map_or_else(Snapshot::default, |node| snapshot(&node)));
}

fn snapshot(node: &Node) -> Snapshot {
    let stats = node.store.stats();
    let (fetch_sessions, fetch_session_partitions) = node.fetch_sessions.count();
    let (open_transactions, hanging_transactions) = count_transactions(node);
    Snapshot {
        topics: stats.topics as u64,
        partitions: stats.partitions as u64,
        open_transactions,
        hanging_transactions,
        topic_sizes: node.store.topics().iter().map(|topic| topic_size(topic)).collect(),
        journal_bytes_used: stats.journal_used_bytes,
        journal_bytes_max: stats.journal_bytes_max,
        cleaner: node.store.cleaner_stats(),
        disk: node.store.space().ok().map(|space| DiskSpace { total: space.total, free: space.usable }),
        fetch_sessions: fetch_sessions as u64,
        fetch_session_partitions: fetch_session_partitions as u64,
        transactions: node.transactions.by_state(),
        groups: node.groups.sizes(GROUPS_MAX),
        group_lags: node.groups.lags(GROUP_LAGS_MAX),
    }
}

/// Transactions that are open in partitions, and those of them that hang.
fn count_transactions(node: &Node) -> (u64, u64) {
    let age = node.config.now().transactions.timeout_max.saturating_add(HANGING_TRANSACTION_REST);
    let oldest = node.clock.now().0.saturating_sub_unsigned(age.as_millis() as u64);
    let topics = node.store.topics();
    let partitions = topics.iter().flat_map(|topic| &topic.partitions);
    let open = partitions.flat_map(|partition| partition.open_transactions());
    open.fold((0, 0), |(open, hanging), producer| {
        (open + 1, hanging + u64::from(producer.last_timestamp.0 < oldest))
    })
}

fn topic_size(topic: &Topic) -> TopicSize {
    TopicSize {
        topic: topic.name.to_string(),
        partitions: topic.partitions.len() as u64,
        bytes: topic.partitions.iter().map(|partition| partition.bytes()).sum(),
    }
}
