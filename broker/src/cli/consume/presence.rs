//! Whether the broker and the topic are still there: a consumer goes on trying in silence, and somebody who waits should know for what.

use mainstem_client::cluster::MetadataError;
use mainstem_client::transport::Transport;
use mainstem_client::{Cluster, ErrorCode, TcpTransport, Text};
use tokio::time::{Duration, Instant};

use crate::cli::error::{self, Error};

/// How long nothing may come before the broker is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(5);

/// How long its answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// What is known of the broker.
pub(super) struct Presence {
    cluster: Cluster,
    /// Without these there is nothing to wait for; none where others may come.
    topics: Vec<Text>,
    heard: Instant,
    is_away: bool,
    /// Whether it is waited for until it is back.
    is_awaited: bool,
}

impl Presence {
    pub(super) fn new(transport: &TcpTransport, topics: Vec<Text>, is_awaited: bool) -> Self {
        let cluster = Cluster::new(transport.split(), ANSWER);
        Self { cluster, topics, heard: Instant::now(), is_away: false, is_awaited }
    }

    /// Something came from it.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
        if std::mem::take(&mut self.is_away) {
            error::note("the broker is back");
        }
    }

    /// Whether it is waited for, which was told.
    pub(super) const fn is_away(&self) -> bool {
        self.is_away
    }

    /// Nothing came. Where that is so for long, the broker is asked; one that is away ends a command which has an end to
    /// come to, and is waited for by one that follows. A topic that is no more ends both.
    pub(super) async fn silent(&mut self) -> Result<(), Error> {
        if self.heard.elapsed() < SILENCE {
            return Ok(());
        }
        match self.ask().await {
            Err(MetadataError::Topic { topic, code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION }) => {
                let advice = "what was printed is all that came; `mainstem topic list` shows what there is";
                return Err(Error::new(format_args!("topic {topic} has been deleted")).advise(advice));
            }
            Ok(()) | Err(MetadataError::Topic { .. }) => self.heard(),
            Err(error) if !self.is_awaited => {
                let advice = "is the broker still running? what was printed is all that came";
                return Err(Error::new(error).advise(advice));
            }
            Err(error) => {
                self.heard = Instant::now();
                if !std::mem::replace(&mut self.is_away, true) {
                    error::note(format_args!("{error}; waiting for it to come back"));
                }
            }
        }
        Ok(())
    }

    async fn ask(&self) -> Result<(), MetadataError> {
        if self.topics.is_empty() {
            return self.cluster.refresh_all().await;
        }
        for topic in &self.topics {
            self.cluster.forget(topic);
            self.cluster.topic(topic, false, Duration::ZERO).await?;
        }
        Ok(())
    }
}
