//! One connection: requests start in the order in which they came, replies leave in the same order.
//!
//! A Produce request counts as started once its batches have their places in the journal; the next one then starts
//! while the first waits for its sync. Any other request holds up the next one, as in Kafka.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey,
    header::RequestHeader,
    messages::{ApiVersionsRequest, RequestBody},
    wire::DecodeError,
};
use tokio::{
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};
use tracing::{debug, error, warn};

use super::{
    frame_reader::{Frame, FrameReader, Limits, ReadError},
    receiving::Receiving,
    refusals::{Refusals, UnknownRequest, printable},
    replies::{Received, ReplyError, Slot, send_in_order},
    sender::Sender,
};
use crate::{
    api::api_versions,
    caps::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_REQUESTS_MAX},
    config::NetSettings,
    dispatch::{Answer, Context, Dispatch, Started},
    metrics::Requests,
    task::Cancel,
};

/// What a connection shares with the others of its listener.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) dispatch: Dispatch,
    pub(super) settings: Arc<NetSettings>,
    pub(super) metrics: Arc<Requests>,
    pub(super) refusals: Arc<Refusals>,
    /// Bytes of all connections that may be half received.
    pub(super) receiving: Receiving,
    /// Bytes of all connections that may be in flight.
    pub(super) in_flight: Arc<Semaphore>,
    pub(super) cancel: Cancel,
}

/// The reading half of a connection.
struct Connection {
    frames: FrameReader<OwnedReadHalf>,
    slots: mpsc::Sender<Slot>,
    in_flight: Arc<Semaphore>,
    context: Context,
    /// What the client says it is, once it has said so.
    software: String,
    shared: Shared,
}

/// Why a connection reads no more requests.
#[derive(Debug, thiserror::Error)]
enum Ended {
    /// The peer closed, or nobody may ask any more.
    #[error("closed")]
    Closed,
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("request header: {0}")]
    Header(DecodeError),
    #[error("{key} version {version}: {error}")]
    Body { key: ApiKey, version: i16, error: DecodeError },
    #[error("unknown key or version")]
    Unknown(UnknownRequest),
}

impl Ended {
    /// What metrics call a request that was not taken; none where there was none.
    const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Closed => None,
            Self::Read(error) => error.reason(),
            Self::Header(_) | Self::Body { .. } => Some("malformed"),
            Self::Unknown(_) => Some("unknown"),
        }
    }
}

const fn limits(settings: &NetSettings) -> Limits {
    Limits {
        frame_bytes_max: settings.request_bytes_max,
        idle: settings.idle_max,
        frame: settings.request_receive_max,
    }
}

/// Serves a connection until it ends, and says why in the log where somebody should know.
pub(super) async fn serve(stream: TcpStream, context: Context, shared: Shared) {
    let (read, write) = stream.into_split();
    let peer = context.peer_name();
    let (ended, replied) = run(read, write, context, shared.clone()).await;
    if let Some(ended) = ended {
        log_end(&ended, &peer, &shared);
    }
    if let Err(error) = replied {
        log_reply_error(&error, &peer, &shared.refusals);
    }
}

/// Reads and replies at once. When reading ends, what was begun is still answered; when replying ends, so does all.
async fn run(
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    context: Context,
    shared: Shared,
) -> (Option<Ended>, Result<(), ReplyError>) {
    let (slots, waiting) = mpsc::channel(IN_FLIGHT_REQUESTS_MAX);
    let (settings, metrics) = (Arc::clone(&shared.settings), Arc::clone(&shared.metrics));
    let connection = Connection {
        frames: FrameReader::new(read, limits(&settings), shared.receiving.clone()),
        slots,
        in_flight: Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX)),
        context,
        software: String::new(),
        shared,
    };
    let mut replying =
        std::pin::pin!(send_in_order(Sender::new(write, settings.idle_max), waiting, &metrics));
    tokio::select! {
        ended = connection.read_requests() => (Some(ended), replying.await),
        replied = &mut replying => (None, replied),
    }
}

impl Connection {
    async fn read_requests(mut self) -> Ended {
        loop {
            if let Err(ended) = self.read_request().await {
                return ended;
            }
        }
    }

    async fn read_request(&mut self) -> Result<(), Ended> {
        let Frame { bytes: frame, held } = self.next_frame().await?;
        let (bytes, at) = (frame.len(), Instant::now());
        let in_flight = self.admit(bytes).await?;
        drop(held);
        let (header, rest) = RequestHeader::peek(frame).map_err(Ended::Header)?;
        let key = ApiKey::from_key(header.key).ok_or_else(|| self.unknown(&header))?;
        let started = self.start(key, &header, rest).await?;
        let version = reply_version(&header);
        let request = Received { key, version, correlation_id: header.correlation_id, bytes, at };
        self.slots.send(Slot { request, started, in_flight }).await.map_err(|_| Ended::Closed)
    }

    async fn next_frame(&mut self) -> Result<Frame, Ended> {
        tokio::select! {
            biased;
            () = self.shared.cancel.cancelled() => Err(Ended::Closed),
            frame = self.frames.next() => frame?.ok_or(Ended::Closed),
        }
    }

    /// Waits until the bytes in flight, of this connection and of all, leave room for this request; the biggest fits
    /// when it is alone.
    async fn admit(&self, bytes: usize) -> Result<[OwnedSemaphorePermit; 2], Ended> {
        let permits = u32::try_from(bytes.min(IN_FLIGHT_BYTES_MAX)).unwrap_or(u32::MAX);
        let acquire = |semaphore: &Arc<Semaphore>| Arc::clone(semaphore).acquire_many_owned(permits);
        let own = acquire(&self.in_flight).await.map_err(|_| Ended::Closed)?;
        let of_all = acquire(&self.shared.in_flight).await.map_err(|_| Ended::Closed)?;
        Ok([own, of_all])
    }

    async fn start(&mut self, key: ApiKey, header: &RequestHeader, rest: Bytes) -> Result<Started, Ended> {
        if asks_no_version_of_ours(header) {
            let response = api_versions::unsupported().into();
            self.shared.metrics.made(&response);
            return Ok(Started::Answered(Answer::Response(response)));
        }
        let body = header.body(rest).map_err(|error| self.refused(key, header, error))?;
        if let RequestBody::ApiVersions(request) = &body {
            self.software = software(request);
        }
        self.context.version = header.version;
        self.context.client_id.clone_from(&header.client_id);
        self.dispatch(body).await
    }

    /// Answers unless the peer goes first: nobody waits for the answer then.
    async fn dispatch(&mut self, body: RequestBody) -> Result<Started, Ended> {
        let waits = matches!(body.key(), ApiKey::Fetch | ApiKey::JoinGroup | ApiKey::SyncGroup);
        let answering = self.shared.dispatch.start(&self.context, body);
        if !waits {
            return Ok(answering.await);
        }
        tokio::select! {
            biased;
            started = answering => Ok(started),
            () = self.frames.peer_gone() => Err(Ended::Closed),
            () = self.shared.cancel.cancelled() => Err(Ended::Closed),
        }
    }

    fn refused(&self, key: ApiKey, header: &RequestHeader, error: DecodeError) -> Ended {
        match error {
            DecodeError::UnknownApi(_) | DecodeError::UnknownVersion(_) => self.unknown(header),
            error => Ended::Body { key, version: header.version, error },
        }
    }

    fn unknown(&self, header: &RequestHeader) -> Ended {
        let &RequestHeader { key, version, ref client_id, .. } = header;
        let client_id = client_id.as_deref().unwrap_or_default();
        let software = if self.software.is_empty() { printable(client_id) } else { self.software.clone() };
        Ended::Unknown(UnknownRequest { software, key, version })
    }
}

/// Only ApiVersions may be asked in a version that there is not: the answer says which ones there are (KIP-511).
fn asks_no_version_of_ours(header: &RequestHeader) -> bool {
    header.key == ApiKey::ApiVersions as i16 && !ApiKey::ApiVersions.versions().contains(&header.version)
}

fn reply_version(header: &RequestHeader) -> i16 {
    if asks_no_version_of_ours(header) { 0 } else { header.version }
}

fn software(request: &ApiVersionsRequest) -> String {
    let name = format!("{} {}", request.client_software_name, request.client_software_version);
    printable(name.trim())
}

fn log_end(ended: &Ended, peer: &str, shared: &Shared) {
    if let Some(reason) = ended.reason() {
        shared.metrics.refused(reason);
    }
    match ended {
        Ended::Closed => debug!(peer, "connection ended"),
        Ended::Read(error @ (ReadError::Io(_) | ReadError::Idle(_))) => {
            debug!(peer, %error, "connection ended")
        }
        Ended::Unknown(request) => log_unknown(request, peer, &shared.refusals),
        Ended::Read(_) | Ended::Header(_) | Ended::Body { .. } => {
            if let Some(suppressed) = shared.refusals.line() {
                warn!(peer, reason = %ended, suppressed, "connection closed: request cannot be read");
            }
        }
    }
}

fn log_unknown(request: &UnknownRequest, peer: &str, refusals: &Refusals) {
    if refusals.is_new(request.clone()) {
        let UnknownRequest { software, key, version } = request;
        let api = ApiKey::from_key(*key).map_or("unknown", ApiKey::name);
        warn!(peer, software, key, api, version, "connection closed: unknown key or version");
    }
}

fn log_reply_error(error: &ReplyError, peer: &str, refusals: &Refusals) {
    match error {
        ReplyError::Io(error) => debug!(peer, %error, "connection lost"),
        ReplyError::Encode(error) => error!(peer, %error, "connection closed: response has no encoding"),
        ReplyError::Close(reason) => {
            if let Some(suppressed) = refusals.line() {
                warn!(peer, reason, suppressed, "connection closed");
            }
        }
    }
}
