//! What may go wrong between a request and its response.

use std::{io, sync::Arc};

use mainstem_protocol::{
    ApiKey, BrokerId,
    frame::FrameError,
    wire::{DecodeError, EncodeError},
};

use super::Stranger;

/// Why there is no response.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Admin, AdminConfig, TcpConfig, TcpTransport};
///
/// // Nobody listens at port 1.
/// let config = TcpConfig { bootstrap_timeout: Duration::from_millis(50), ..TcpConfig::bootstrap("127.0.0.1:1") };
/// let admin = Admin::new(&TcpTransport::new(config), AdminConfig::default());
/// let error = admin.list_topics().await.unwrap_err().to_string();
/// assert!(error.starts_with("no broker at 127.0.0.1:1 within "), "{error}");
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection came about.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// What was dialled.
        address: String,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The connection ended before the response came.
    #[error("connection to {address} was lost: {reason}")]
    Disconnected {
        /// The other end.
        address: String,
        /// What ended it.
        reason: String,
    },
    /// None of the brokers to begin with was there, for longer than the client is told to wait for the first one.
    #[error(
        "no broker at {addresses} within {waited_ms} ms: {last}; check that one is running and that the address is its own"
    )]
    Unreachable {
        /// The brokers to begin with.
        addresses: String,
        /// How long they were tried.
        waited_ms: u64,
        /// What went wrong last.
        last: Box<Self>,
    },
    /// What answers is no broker.
    #[error("{address} does not speak the Kafka protocol: {stranger}")]
    NotKafka {
        /// What was dialled.
        address: String,
        /// What answers there.
        stranger: Stranger,
    },
    /// The response took too long.
    #[error("no response to {key} within {timeout_ms} ms")]
    TimedOut {
        /// The API that was asked.
        key: ApiKey,
        /// How long was waited.
        timeout_ms: u128,
    },
    /// No broker of that id was learnt of.
    #[error("broker {0} is not known")]
    UnknownNode(BrokerId),
    /// The broker does not offer the API, or no version of it that this client speaks.
    #[error(
        "the broker does not support {key} in a version that this client speaks ({} to {}): use a broker of Kafka {} or newer, or a newer client",
        .key.versions().start(), .key.versions().end(), first_release(*.key)
    )]
    Unsupported {
        /// The API that was asked.
        key: ApiKey,
    },
    /// The broker offers the API, and not the version of it from which on it can do what was asked.
    #[error(
        "the broker is too old for {feature}: it speaks {key} up to version {version}, and {needed} is needed; use a broker of Kafka {release} or newer"
    )]
    TooOld {
        /// What was asked for.
        feature: &'static str,
        /// The API that would be asked.
        key: ApiKey,
        /// The first version of the API that can do it.
        needed: i16,
        /// The newest version that both ends speak.
        version: i16,
        /// The first release of Kafka whose brokers can do it.
        release: &'static str,
    },
    /// The request has no encoding in the version.
    #[error("request cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// The response is not one.
    #[error("response cannot be read: {0}; check that the other end is a broker, and which version it has")]
    Decode(#[from] DecodeError),
    /// The response's size is impossible.
    #[error("response cannot be read: {0}")]
    Frame(#[from] FrameError),
    /// The response belongs to another API.
    #[error("{asked} was answered with {answered}")]
    WrongResponse {
        /// The API that was asked.
        asked: ApiKey,
        /// The API that answered.
        answered: ApiKey,
    },
    /// The transport or the broker behind it was shut down.
    #[error("the transport is closed")]
    Closed,
}

impl TransportError {
    /// Whether the same request may succeed later, perhaps at another broker.
    ///
    /// ```
    /// use mainstem_client::{BrokerId, TransportError};
    ///
    /// assert!(TransportError::UnknownNode(BrokerId(3)).is_retriable());
    /// assert!(!TransportError::Closed.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Disconnected { .. } | Self::TimedOut { .. } | Self::UnknownNode(_)
        )
    }

    /// Whether the request certainly did not take place.
    ///
    /// ```
    /// use mainstem_client::{BrokerId, TransportError};
    ///
    /// let lost = TransportError::Disconnected { address: "one:9092".to_owned(), reason: "reset".to_owned() };
    /// assert!(!lost.has_no_side_effects());
    /// assert!(TransportError::UnknownNode(BrokerId(3)).has_no_side_effects());
    /// ```
    #[must_use]
    pub const fn has_no_side_effects(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::Unreachable { .. }
                | Self::NotKafka { .. }
                | Self::UnknownNode(_)
                | Self::Unsupported { .. }
                | Self::TooOld { .. }
                | Self::Encode(_)
        )
    }
}

/// The first release of Kafka whose brokers offer an API in a version that this client speaks.
const fn first_release(key: ApiKey) -> &'static str {
    match key {
        ApiKey::IncrementalAlterConfigs => "2.3",
        ApiKey::OffsetDelete => "2.4",
        ApiKey::DescribeCluster | ApiKey::DescribeProducers => "2.8",
        ApiKey::DescribeTransactions | ApiKey::ListTransactions => "3.0",
        ApiKey::DescribeTopicPartitions => "3.7",
        ApiKey::ListConfigResources => "3.7",
        ApiKey::WriteTxnMarkers => "2.8",
        ApiKey::ConsumerGroupHeartbeat | ApiKey::ConsumerGroupDescribe => "4.0",
        _ => "2.1",
    }
}
