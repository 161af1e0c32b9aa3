//! Every limit on what a client holds, waits for or tries again, where no setting says otherwise.

use std::time::Duration;

/// Bytes that a response may have at most.
///
/// ```
/// let config = mainstem_client::TcpConfig::default();
/// assert_eq!(config.response_bytes_max, mainstem_client::caps::RESPONSE_BYTES_MAX);
/// ```
pub const RESPONSE_BYTES_MAX: usize = mainstem_protocol::caps::FRAME_BYTES_MAX;

/// Requests that wait for their response on one connection at the same time.
///
/// ```
/// let config = mainstem_client::ProducerConfig::default();
/// assert!(config.in_flight_max <= mainstem_client::caps::IN_FLIGHT_MAX);
/// ```
pub const IN_FLIGHT_MAX: usize = 64;

/// The first wait before something is tried again; it doubles from attempt to attempt.
///
/// ```
/// use mainstem_client::caps::{RETRY_BACKOFF, RETRY_BACKOFF_MAX};
/// assert!(RETRY_BACKOFF * 16 < RETRY_BACKOFF_MAX);
/// ```
pub const RETRY_BACKOFF: Duration = Duration::from_millis(50);

/// The longest wait before something is tried again.
///
/// ```
/// let config = mainstem_client::ProducerConfig::default();
/// assert!(mainstem_client::caps::RETRY_BACKOFF_MAX < config.delivery_timeout);
/// ```
pub const RETRY_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Builders of batches that a producer keeps to use again.
pub(crate) const SPARE_BUILDERS_MAX: usize = 64;

/// Bytes that one compressed batch may yield.
///
/// ```
/// let config = mainstem_client::ConsumerConfig::default();
/// assert!(config.partition_bytes_max < mainstem_client::caps::DECOMPRESSED_BYTES_MAX);
/// ```
pub const DECOMPRESSED_BYTES_MAX: usize = mainstem_protocol::caps::DECOMPRESSED_BYTES_MAX;

/// Events of a group that wait for a poll.
pub(crate) const GROUP_EVENTS_MAX: usize = 4;

/// Commits that nobody waits for, and that are on their way at the same time.
pub(crate) const COMMITS_MAX: usize = 256;

/// Answers that wait for each partition of a consumer; while they do, nothing more is asked for it.
pub(crate) const READY_PER_PARTITION_MAX: usize = 2;

/// How long a consumer that closes waits for brokers to hear that its fetch sessions are over.
pub(crate) const FETCH_SESSION_CLOSE_MAX: Duration = Duration::from_secs(1);

/// The longest that a poll waits, whatever it is told: thirty years can be added to any time.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
