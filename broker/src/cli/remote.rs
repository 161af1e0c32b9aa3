//! Commands that talk to a broker: where it is, and what to say when it is not there.

use std::future::Future;

use mainstem_client::transport::Transport;
use mainstem_client::{Admin, AdminConfig, Node, TcpConfig, TcpTransport, TransportError};
use mainstem_protocol::ApiKey;

use super::{Error, arguments};

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
        let transport = TcpTransport::new(TcpConfig::bootstrap(&self.bootstrap_server));
        match transport.versions(Node::Any, ApiKey::Metadata).await {
            Ok(_) => Ok(transport),
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    /// The same, for what changes and describes a cluster.
    pub(super) async fn admin(&self) -> Result<Admin, Error> {
        Ok(Admin::new(&self.connect().await?, AdminConfig::default()))
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
            _ => Error::new(error).advise(format!("is that a Kafka broker at {server}? name another with -b")),
        }
    }
}

/// Runs a command's future on this thread. Connections and heartbeats have a thread beside it, so that a reader of standard
/// output may take its time.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(Error::new)?.block_on(future)
}
