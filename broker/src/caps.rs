//! Every limit of the broker in one place; those of decoding are in `mainstem_protocol::caps`, those of storage in
//! `mainstem_storage::caps`.

use std::time::Duration;

/// Requests of one connection that may wait for their answers before the next one is read. Kafka's clients keep five
/// Produce requests in flight, librdkafka without idempotence as many as it likes.
pub const IN_FLIGHT_REQUESTS_MAX: usize = 256;

/// Bytes of requests of one connection that may wait for their answers, one request excepted.
pub const IN_FLIGHT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of requests of all connections together that may wait for their answers.
pub const IN_FLIGHT_BYTES_TOTAL_MAX: usize = 768 * 1024 * 1024;

/// Bytes that requests of all connections together may take while they arrive, beyond [`READ_BYTES_FREE`] for each. One
/// request at a time may go beyond this, so that those who wait for each other come to an end.
pub const RECEIVING_BYTES_TOTAL_MAX: usize = 256 * 1024 * 1024;

/// Bytes of the buffer that every connection has while a request arrives.
pub const READ_BYTES_FREE: usize = 16 * 1024;

/// Bytes of the buffer that a request gets at once because the one before it had as many.
pub const READ_BYTES_EXPECTED_MAX: usize = 1024 * 1024;

/// A request that arrives has a second more for each so many bytes of it that have come.
pub const RECEIVED_BYTES_PER_SECOND_MIN: u64 = 64 * 1024;

/// Bytes for which there is room at least when a socket is read, unless fewer are missing.
pub const READ_BYTES_MIN: usize = 4 * 1024;

/// Bytes that are read ahead while a request is being answered.
pub const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

/// Pieces of a response that one system call sends at most; Linux takes 1,024.
pub const SEND_PIECES_MAX: usize = 256;

/// Bytes that one `sendfile` is asked for at most, so that other connections have their turn.
pub const SEND_FILE_BYTES_MAX: usize = 1024 * 1024;

/// Kinds of refused requests that are remembered, so that each is logged once.
pub const REFUSALS_REMEMBERED_MAX: usize = 1024;

/// Log lines about broken connections per second; what is above is counted and told with the next line.
pub const REFUSAL_LINES_PER_SECOND: u32 = 10;

/// Connections that the kernel keeps for a listener until they are accepted.
pub const LISTEN_BACKLOG: u32 = 1024;

/// How long the accept loop rests after an error such as "too many open files".
pub const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How long connections may take to finish what they have begun when the broker stops.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Characters that a client's name for itself may have in a log line.
pub const LOGGED_NAME_CHARS_MAX: usize = 64;

/// Bytes that a batch may have in order to be checked on the reactor: a tenth of a millisecond, for checksum and records.
pub const INLINE_BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that a batch may yield when it is decompressed on the reactor.
pub const INLINE_DECOMPRESSED_BYTES_MAX: usize = 256 * 1024;

/// Batches that are decompressed or compressed anew on blocking threads at the same time; each may need as much memory
/// as `mainstem_protocol::caps::DECOMPRESSED_BYTES_MAX` allows.
pub const BLOCKING_CHECKS_MAX: usize = 4;

/// How often offsets are looked at anew before they are deleted, because somebody has committed meanwhile.
pub const TOMBSTONES_TRIED_MAX: usize = 100;

/// Topics that one request may name that creates, changes or deletes them.
pub const TOPICS_PER_REQUEST_MAX: usize = 10_000;

/// Partitions that one request may create or add, as in Kafka (`QuorumController.MAX_RECORDS_PER_USER_OP`).
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// Partitions that one request may name to move them or to elect their leaders; each is answered in about 100 bytes. A
/// broker of 50,000 partitions has room.
pub const PARTITIONS_NAMED_MAX: usize = 100_000;

/// Bytes of the words with which a request is refused.
pub const REFUSAL_BYTES_MAX: usize = 2048;

/// Topics that Metadata creates by itself in one request.
pub const AUTO_CREATED_PER_REQUEST_MAX: usize = 100;

/// Bytes that one Fetch returns at most (Kafka: `fetch.max.bytes` of the broker, 55 MiB).
pub const FETCH_BYTES_MAX: usize = 55 * 1024 * 1024;

/// Bytes of memory that the partitions of one fetch session take at most; what is larger is no session.
pub const FETCH_SESSION_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes of memory that the partitions of all fetch sessions take at most.
pub const FETCH_SESSIONS_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How long a fetch session is safe from one that has more partitions, and how long it may lie unused until any other one
/// takes its place (Kafka: `MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`).
pub const FETCH_SESSION_LIFE_MIN: Duration = Duration::from_secs(120);

/// How long one Fetch waits at most, whatever it asks for.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(300);

/// How long beyond the longest time of a transaction its producer must have written nothing for it to count as hanging
/// (Kafka: `LATE_TRANSACTION_BUFFER_MS`).
pub const HANGING_TRANSACTION_REST: Duration = Duration::from_secs(5 * 60);

/// Consumer groups that are kept in memory.
pub const GROUPS_MAX: usize = 100_000;

/// Different topic patterns that the members of a group may have.
pub const GROUP_PATTERNS_MAX: usize = 1000;

/// Bytes that the compiled form of a member's topic pattern may take.
pub const TOPIC_PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Transactional ids that are kept in memory; where none of them can be let go, another one is told to come again.
pub const TRANSACTIONAL_IDS_MAX: usize = 100_000;

/// Offsets that one transaction may commit in one partition of `__consumer_offsets`; each takes about 500 bytes of memory
/// until the transaction ends, metadata aside. One group of 50,000 partitions has room. Beyond it the client is told to
/// abort: TRANSACTION_ABORTABLE, or INVALID_TXN_STATE where it does not know that.
pub const TRANSACTION_OFFSETS_MAX: usize = 100_000;

/// Producers that one answer tells of: no further partition is told behind so many, so that it has these and those of one
/// partition at most, in about 50 bytes each.
pub const PRODUCERS_DESCRIBED_MAX: usize = 100_000;

/// Bytes that the compiled form of a pattern of transactional ids may take.
pub const TRANSACTIONAL_ID_PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// How long the timer of groups sleeps at most, so that a clock that jumps is noticed.
pub const GROUP_TIMER_SLEEP_MAX: Duration = Duration::from_secs(1);

/// Loggers that have levels of their own.
pub const LOGGERS_MAX: usize = 256;

/// Bytes that the name of a logger may have.
pub const LOGGER_NAME_BYTES_MAX: usize = 256;

/// Connections of the HTTP port: Prometheus, health checks and people who look at the page need a few.
pub const HTTP_CONNECTIONS_MAX: usize = 256;

/// How long the head of an HTTP request may take to arrive, from the connection or from the answer before it on, so that
/// it is also how long a connection may be idle.
pub const HTTP_HEAD_WAIT_MAX: Duration = Duration::from_secs(20);

/// How long an HTTP connection lives; a client that wants more comes again.
pub const HTTP_CONNECTION_LIFE_MAX: Duration = Duration::from_secs(300);

/// How long an HTTP request may take to come to its end when the broker stops.
pub const HTTP_DRAIN_MAX: Duration = Duration::from_secs(1);

/// Bytes of an HTTP connection's buffer, and so of a request's head.
pub const HTTP_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Seconds that the charts of the page at `/` go back; a second of them takes about 100 bytes.
pub const PAGE_HISTORY_SECONDS: usize = 300;

/// Seconds over which the page's rates and percentiles are taken.
pub const PAGE_RATE_SECONDS: usize = 5;

/// Pixels that a chart of the page may be wide.
pub const PAGE_CHART_WIDTH_MAX: u32 = 2000;

/// Bytes of the journal of a broker within a test, where no setting says otherwise.
pub const EMBEDDED_JOURNAL_BYTES: u64 = 16 * 1024 * 1024;

/// How long a broker within a test waits for records.
pub const EMBEDDED_PATIENCE: Duration = Duration::from_secs(30);

/// Records that a broker within a test hands out at once.
pub const EMBEDDED_READ_RECORDS_MAX: usize = 1_000_000;
