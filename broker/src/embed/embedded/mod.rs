//! A broker within a test.
//!
//! - [`EmbeddedBroker`]: the broker, from its start to its end.
//! - `builder`: how one is to be.
//! - `records`: records in and out.
//! - `data`: where it keeps them.
//! - `error`: what may be wrong.

mod builder;
mod data;
mod error;
mod records;

use std::{
    path::Path,
    sync::{Arc, Weak},
};

use mainstem_client::{
    Admin, AdminConfig, NewTopic, Transport,
    admin::{AdminError, CreatedTopic},
};
use mainstem_processor::{Handle, Settings, StartError, Topology};
use mainstem_storage::{Store, store::Poisoned};

use super::LocalTransport;
use crate::{broker::Broker, config::Config};

pub use builder::EmbeddedBrokerBuilder;
use data::Data;
pub use error::{EmbeddedStartError, ReadError, RestartError, WriteError};

/// What its own client calls itself.
const CLIENT: &str = "embedded-broker";

/// A whole broker in the process of a test, with a log on the disk: what runs against it runs against any other.
///
/// Unless the [builder](Self::builder) is told otherwise, it keeps its data in a temporary directory that goes with it, opens
/// no socket, and has a small journal (16 MiB). All else is as in any broker: acknowledgements wait for the disk, and
/// settings have their defaults. Tests can run side by side, each with a broker of its own; a broker has a few threads.
///
/// Within the process it is reached by [`Self::transport`], which every client takes ([`Admin`], `Producer`, `Consumer`,
/// `runtime::run`). [`Self::create_topic`], [`Self::produce`], [`Self::run`] and [`Self::read`] are what most tests need
/// of them. For clients of another kind it [listens](EmbeddedBrokerBuilder::listening) on a free port.
///
/// ```
/// use mainstem::embed::EmbeddedBroker;
/// use mainstem_client::{NewTopic, Text};
/// use mainstem_processor::{Settings, StreamBuilder, TestRecord};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = EmbeddedBroker::start().await?;
/// broker.create_topic(NewTopic::new("words", 2)).await?;
/// broker.produce("words", &[TestRecord::new((), "to", 10), TestRecord::new((), "be", 20)]).await?;
///
/// let builder = StreamBuilder::new("upper-case");
/// builder.stream::<(), Text>("words").map_values(|word| word.to_uppercase()).to("loud-words");
/// let processor = broker.run(builder.build()?, Settings::default()).await?;
///
/// let mut loud: Vec<_> = broker.wait_for::<(), String>("loud-words", 2).await?;
/// loud.sort_by_key(|record| record.timestamp);
/// assert_eq!(loud[0].value, "TO");
/// assert_eq!(loud[1].value, "BE");
///
/// // What was there is there after a restart.
/// processor.stop().await?;
/// let broker = broker.restart().await?;
/// assert_eq!(broker.read::<(), String>("words").await?.len(), 2);
/// broker.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EmbeddedBroker {
    // Fields go in this order: threads end, and the broker lets go of its directory, before that goes.
    threads: Threads,
    broker: Broker,
    transport: Arc<dyn Transport>,
    config: Config,
    listens: bool,
    data: Data,
}

impl EmbeddedBroker {
    /// Starts a broker on a temporary directory, without sockets.
    ///
    /// # Errors
    /// Where the directory cannot be made or used.
    pub async fn start() -> Result<Self, EmbeddedStartError> {
        Self::builder().start().await
    }

    /// A broker that is to be otherwise.
    #[must_use]
    pub fn builder() -> EmbeddedBrokerBuilder {
        EmbeddedBrokerBuilder::default()
    }

    async fn open(config: Config, listens: bool, data: Data) -> Result<Self, EmbeddedStartError> {
        let broker = match listens {
            true => Broker::start(config.clone()).await?,
            false => Broker::start_in_process(config.clone()).await?,
        };
        let threads = Threads(Arc::downgrade(&broker.node().store));
        let transport = Arc::new(LocalTransport::new(&broker, CLIENT));
        Ok(Self { threads, broker, transport, config, listens, data })
    }

    /// The broker itself: addresses of its listeners, its metrics, its failures.
    #[must_use]
    pub const fn broker(&self) -> &Broker {
        &self.broker
    }

    /// A way to it for clients within the process.
    #[must_use]
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport)
    }

    /// What clients elsewhere dial, as `HOST:PORT`; none where it does not listen.
    #[must_use]
    pub fn bootstrap(&self) -> Option<String> {
        self.broker.listeners().first().map(|(_, address)| address.to_string())
    }

    /// Where its data is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.data.path()
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// Where there is one of that name, or it cannot be as it is to be.
    pub async fn create_topic(&self, topic: NewTopic) -> Result<CreatedTopic, AdminError> {
        Admin::new(self.transport.as_ref(), AdminConfig::default()).create_topic(topic).await
    }

    /// Runs a topology beside the log, as [`embed::run`](super::run) does. It is to be stopped before the broker is stopped or
    /// started again; a processor goes on with a restarted broker when it is run anew.
    ///
    /// # Errors
    /// Where the topics cannot be had or created, or do not fit the topology.
    pub async fn run(&self, topology: Topology, settings: Settings) -> Result<Handle, StartError> {
        super::run(&self.broker, topology, settings).await
    }

    /// Stops the broker in order, and starts another one on the same data with the same settings. One that listens has other
    /// ports then. What was given out by [`Self::transport`] before is closed.
    ///
    /// # Errors
    /// Where the log could not be closed, or not be opened again.
    pub async fn restart(self) -> Result<Self, RestartError> {
        self.restart_after(|_| {}).await
    }

    /// As [`Self::restart`]; between the two brokers `change` may do something to the data, on a thread that may block.
    ///
    /// # Errors
    /// As [`Self::restart`], and where `change` panics.
    pub async fn restart_after(
        self,
        change: impl FnOnce(&Path) + Send + 'static,
    ) -> Result<Self, RestartError> {
        let Self { threads: _threads, broker, transport: _, config, listens, data } = self;
        broker.shutdown().await?;
        let path = data.path().to_owned();
        let changing = tokio::task::spawn_blocking(move || change(&path));
        changing.await.map_err(|panic| RestartError::Change(panic.to_string()))?;
        Ok(Self::open(config, listens, data).await?)
    }

    /// Stops the broker in order. A temporary directory goes; dropping the broker lets it go as well, but leaves the log as a
    /// crash would.
    ///
    /// # Errors
    /// Where the log could not be closed as it should.
    pub async fn shutdown(self) -> Result<(), Poisoned> {
        let Self { broker, data, .. } = self;
        let stopped = broker.shutdown().await;
        // Where the runtime is ending already, the directory goes with the closure.
        let _ = tokio::task::spawn_blocking(move || drop(data)).await;
        stopped
    }
}

/// The threads of a log. A broker that is dropped instead of stopped leaves them, as its process would end with them.
#[derive(Debug)]
struct Threads(Weak<Store>);

impl Drop for Threads {
    /// Once the broker was stopped there are none.
    fn drop(&mut self) {
        if let Some(store) = self.0.upgrade() {
            store.close();
        }
    }
}
