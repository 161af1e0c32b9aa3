//! How an embedded broker is to be.

use std::path::PathBuf;

use super::{Data, EmbeddedBroker, EmbeddedStartError};
use crate::{
    caps::EMBEDDED_JOURNAL_BYTES,
    config::{Assignment, Config, DEFAULT_LISTENER, HostPort, ListenerAddress, flags},
};

/// How an [`EmbeddedBroker`] is to be.
///
/// ```
/// use mainstem::embed::EmbeddedBroker;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = EmbeddedBroker::builder().set("num.partitions", "3").listening().start().await?;
/// println!("Kafka clients dial {}", broker.bootstrap().unwrap_or_default());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EmbeddedBrokerBuilder {
    config: Config,
    assignments: Vec<Assignment>,
    directory: Option<PathBuf>,
    listens: bool,
}

impl Default for EmbeddedBrokerBuilder {
    fn default() -> Self {
        Self { config: config(), assignments: Vec::new(), directory: None, listens: false }
    }
}

impl EmbeddedBrokerBuilder {
    /// Keeps the data here, and leaves it. The directory is made where there is none; one broker uses it at a time.
    #[must_use]
    pub fn directory(self, path: impl Into<PathBuf>) -> Self {
        Self { directory: Some(path.into()), ..self }
    }

    /// Gives a setting a value, by its name: those of `docs/settings.md`, which are Kafka's where Kafka has the setting. Whether
    /// there is such a setting, and the value is one, is said by [`Self::start`].
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.assignments.push(flags::flag("EmbeddedBrokerBuilder::set", name, value));
        self
    }

    /// Changes settings by their types.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Listens, for Kafka clients and for HTTP, on free ports of 127.0.0.1 unless settings say otherwise. Without it the
    /// settings of listeners are not looked at.
    #[must_use]
    pub const fn listening(mut self) -> Self {
        self.listens = true;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// Where a setting is wrong, the directory cannot be made or used, or an address not be listened on.
    pub async fn start(self) -> Result<EmbeddedBroker, EmbeddedStartError> {
        let Self { config, assignments, directory, listens } = self;
        let mut config = config.assigned(assignments)?;
        let data = match directory {
            Some(path) => Data::Kept(path),
            None => Data::temporary().map_err(EmbeddedStartError::Directory)?,
        };
        config.storage.dir = data.path().to_owned();
        EmbeddedBroker::open(config, listens, data).await
    }
}

fn config() -> Config {
    let mut config = Config::default();
    let host = || "127.0.0.1".to_owned();
    config.storage.journal_bytes = EMBEDDED_JOURNAL_BYTES;
    config.net.listeners = vec![ListenerAddress { name: DEFAULT_LISTENER.to_owned(), host: host(), port: 0 }];
    config.http.listener = HostPort { host: host(), port: 0 };
    config
}
