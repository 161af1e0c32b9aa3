//! Commands that talk to a broker: where it is, and what to say when it is not there.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mainstem_client::transport::Transport;
use mainstem_client::{Admin, AdminConfig, Cluster, Node, TcpConfig, TcpTransport, TransportError};
use mainstem_protocol::ApiKey;

use super::{Error, arguments};
use crate::config;

/// How long somebody waits for a sign of a broker.
const CONNECT: Duration = Duration::from_secs(5);

/// How long somebody waits for what a command is about, while a broker is there.
pub(super) const PATIENCE: AdminConfig =
    AdminConfig { request_timeout: Duration::from_secs(20), timeout: Duration::from_secs(20) };

/// Where the broker is.
#[derive(Debug, clap::Args)]
pub(super) struct RemoteArgs {
    /// A broker to begin with; several with commas between
    #[arg(short, long, value_name = "HOST:PORT", env = "MAINSTEM_BOOTSTRAP_SERVER")]
    #[arg(hide_env_values = true)]
    #[arg(default_value = "127.0.0.1:9092", value_parser = arguments::servers)]
    bootstrap_server: String,
}

impl RemoteArgs {
    /// A way to the broker, tried once: a command fails at once when nobody is there, where a client would go on trying.
    pub(super) async fn connect(&self) -> Result<TcpTransport, Error> {
        config::check_environment(config::variables())?;
        let config = TcpConfig { connect_timeout: CONNECT, ..TcpConfig::bootstrap(&self.bootstrap_server) };
        let transport = TcpTransport::new(config);
        let answered = transport.versions(Node::Any, ApiKey::Metadata).await;
        answered.map_err(|error| self.unreachable(&error))?;
        self.check_addresses(&transport).await?;
        Ok(transport)
    }

    /// A broker tells its clients where the brokers are, and may be wrong about it; a client would go on trying there.
    async fn check_addresses(&self, transport: &TcpTransport) -> Result<(), Error> {
        let transport = transport.split();
        let cluster = Cluster::new(Arc::clone(&transport), PATIENCE.request_timeout);
        cluster.refresh(&[], false).await.map_err(Error::new)?;
        let mut unreachable = None;
        for broker in cluster.metadata().brokers() {
            match transport.versions(Node::Id(broker.id), ApiKey::Metadata).await {
                Ok(_) => return Ok(()),
                Err(error) => unreachable = Some(error),
            }
        }
        unreachable.map_or(Ok(()), |error| Err(self.misled(&error)))
    }

    /// The same, for what changes and describes a cluster.
    pub(super) async fn admin(&self) -> Result<Admin, Error> {
        Ok(Admin::new(&self.connect().await?, PATIENCE))
    }

    fn unreachable(&self, error: &TransportError) -> Error {
        let server = &self.bootstrap_server;
        match error {
            TransportError::Connect { .. } => Error::new(error).advise(format!(
                "is a broker running there? start one with `mainstem serve`, or name another with -b instead of {server}"
            )),
            TransportError::Unsupported { .. } => Error::new(error).advise(format!(
                "the broker at {server} is too old or too new for this version of mainstem; name another with -b"
            )),
            _ => Error::new(error).advise(format!(
                "is that a Kafka broker at {server}, 2.1 or newer, without TLS? name another with -b"
            )),
        }
    }

    fn misled(&self, error: &TransportError) -> Error {
        Error::new(error).advise(format!(
            "the broker at {} names that address to its clients: set advertised.listeners there to one that they reach",
            self.bootstrap_server
        ))
    }
}

/// Runs a command's future on this thread. Connections and heartbeats have a thread beside it, so that a reader of standard
/// output may take its time.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(Error::new)?.block_on(future)
}
