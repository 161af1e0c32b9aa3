//! One open connection. Requests leave in order; responses find whoever waits for them by correlation id.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ApiKey, CorrelationId, Text, frame,
    header::{RequestHeader, decode_response, encode_request, peek_response},
    messages::{ProduceResponse, RequestBody, ResponseBody},
    wire::{Chunk, EncodeError},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{oneshot, watch},
};
use tracing::debug;

use super::{TcpConfig, lock, write::write_chunks};
use crate::{
    metrics::TrafficMeter,
    task,
    transport::{Call, TransportError},
};

/// Bytes that are reserved for a response before any of it has come.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// Responses up to so many bytes take one system call; of larger ones, these come with the size of the frame.
const SMALL_RESPONSE_BYTES: usize = 4 * 1024;

/// Bytes of the shortest response: its correlation id.
const RESPONSE_BYTES_MIN: usize = 4;

/// The way of an answer to whoever asked.
pub(super) type Reply = oneshot::Sender<Result<ResponseBody, TransportError>>;

/// Somebody who waits for a response.
struct Waiter {
    key: ApiKey,
    version: i16,
    reply: Reply,
}

/// An open connection, until it is lost or closed. The half that requests leave by belongs to the lane's task.
pub(super) struct Link {
    address: String,
    client_id: Text,
    correlation_id: AtomicI32,
    /// `None` once the connection is gone.
    waiters: Mutex<Option<HashMap<CorrelationId, Waiter>>>,
    closed: watch::Sender<bool>,
    traffic: Arc<TrafficMeter>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Link {
    /// Takes over a connection whose versions are known; gives back the half that requests leave by.
    pub(super) fn start(
        stream: TcpStream,
        config: &TcpConfig,
        address: &str,
        traffic: Arc<TrafficMeter>,
    ) -> (Arc<Self>, OwnedWriteHalf) {
        traffic.opened();
        let (reader, writer) = stream.into_split();
        let link = Arc::new(Self {
            address: address.to_owned(),
            client_id: Text::from(config.client_id.as_str()),
            correlation_id: AtomicI32::new(0),
            waiters: Mutex::new(Some(HashMap::new())),
            closed: watch::Sender::new(false),
            traffic,
        });
        task::spawn("responses", Arc::clone(&link).receive(reader, config.response_bytes_max));
        (link, writer)
    }

    pub(super) fn is_open(&self) -> bool {
        lock(&self.waiters).is_some()
    }

    /// Whether nobody waits for a response.
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.waiters).as_ref().is_none_or(HashMap::is_empty)
    }

    /// Ends the connection; whoever waits for a response learns why there will be none.
    pub(super) fn close(&self, reason: &str) {
        let waiters = lock(&self.waiters).take();
        if waiters.is_some() {
            self.traffic.closed();
        }
        for waiter in waiters.into_iter().flatten() {
            let _ = waiter.1.reply.send(Err(self.lost(reason)));
        }
        self.closed.send_replace(true);
    }

    /// Sends a request; its answer goes to `reply`.
    pub(super) async fn send(&self, socket: &mut OwnedWriteHalf, call: Call, reply: Reply) {
        let (id, chunks) = match self.encode(&call) {
            Ok(encoded) => encoded,
            Err(error) => return drop(reply.send(Err(error.into()))),
        };
        if is_unanswered(&call.request) {
            let written = self.write(socket, chunks).await;
            let _ = reply.send(written.map(|()| ProduceResponse::default().into()));
        } else {
            self.expect(id, Waiter { key: call.request.key(), version: call.version, reply });
            // Where it fails, the connection is closed, and the waiter has learnt of it there.
            let _ = self.write(socket, chunks).await;
        }
    }

    fn encode(&self, call: &Call) -> Result<(CorrelationId, Vec<Chunk>), EncodeError> {
        let correlation_id = CorrelationId(self.correlation_id.fetch_add(1, Ordering::Relaxed));
        let header = RequestHeader {
            key: call.request.key() as i16,
            version: call.version,
            correlation_id,
            client_id: Some(self.client_id.clone()),
        };
        Ok((correlation_id, encode_request(&header, &call.request)?))
    }

    /// Notes who waits; where the connection is gone already, they learn it at once.
    fn expect(&self, id: CorrelationId, waiter: Waiter) {
        match lock(&self.waiters).as_mut() {
            Some(waiters) => drop(waiters.insert(id, waiter)),
            None => drop(waiter.reply.send(Err(self.lost("it was closed")))),
        }
    }

    async fn write(&self, socket: &mut OwnedWriteHalf, chunks: Vec<Chunk>) -> Result<(), TransportError> {
        let mut closed = self.closed.subscribe();
        self.traffic.sent(chunks.iter().map(Chunk::len).sum());
        let written = tokio::select! {
            written = write_chunks(socket, chunks) => written.map_err(|error| error.to_string()),
            _ = closed.wait_for(|closed| *closed) => Err("it was closed".to_owned()),
        };
        written.map_err(|reason| {
            self.close(&reason);
            self.lost(&reason)
        })
    }

    async fn receive(self: Arc<Self>, reader: OwnedReadHalf, limit: usize) {
        let mut reader = BufReader::with_capacity(SMALL_RESPONSE_BYTES, reader);
        let mut closed = self.closed.subscribe();
        let reason = tokio::select! {
            error = self.receive_all(&mut reader, limit) => error.to_string(),
            _ = closed.wait_for(|closed| *closed) => return,
        };
        debug!(address = self.address, reason, "connection ended");
        self.close(&reason);
    }

    async fn receive_all(&self, reader: &mut BufReader<OwnedReadHalf>, limit: usize) -> TransportError {
        loop {
            match self.receive_one(reader, limit).await {
                Ok(()) => {}
                Err(error) => return error,
            }
        }
    }

    async fn receive_one(
        &self,
        reader: &mut BufReader<OwnedReadHalf>,
        limit: usize,
    ) -> Result<(), TransportError> {
        let frame = read_frame(reader, limit, &self.address).await?;
        self.traffic.received(frame::SIZE_BYTES + frame.len());
        let (correlation_id, rest) = peek_response(frame)?;
        let waiter = lock(&self.waiters).as_mut().and_then(|waiters| waiters.remove(&correlation_id));
        let Some(waiter) = waiter else { return Err(self.lost("a response came that nobody asked for")) };
        let response = decode_response(waiter.key, waiter.version, rest);
        let _ = waiter.reply.send(response.map_err(Into::into));
        Ok(())
    }

    fn lost(&self, reason: &str) -> TransportError {
        lost(&self.address, reason)
    }
}

/// Brokers answer every request but one (Kafka: `RequestChannel`, `acks = 0`).
const fn is_unanswered(request: &RequestBody) -> bool {
    matches!(request, RequestBody::Produce(produce) if produce.acks == 0)
}

/// Reads one frame, without its size.
async fn read_frame(
    reader: &mut (impl AsyncRead + Unpin),
    limit: usize,
    address: &str,
) -> Result<Bytes, TransportError> {
    let mut prefix = [0; frame::SIZE_BYTES];
    let ended = |error: io::Error| lost(address, &error.to_string());
    reader.read_exact(&mut prefix).await.map_err(ended)?;
    read_frame_after(prefix, reader, limit, address).await
}

/// Reads what follows the size of a frame. Memory is taken as the bytes arrive, not as the size claims.
pub(super) async fn read_frame_after(
    prefix: [u8; frame::SIZE_BYTES],
    reader: &mut (impl AsyncRead + Unpin),
    limit: usize,
    address: &str,
) -> Result<Bytes, TransportError> {
    let ended = |error: io::Error| lost(address, &error.to_string());
    let size = frame::size(prefix, RESPONSE_BYTES_MIN, limit)?;
    let mut bytes = BytesMut::with_capacity(size.min(READ_AHEAD_BYTES));
    let mut body = reader.take(size as u64);
    while bytes.len() < size {
        if body.read_buf(&mut bytes).await.map_err(ended)? == 0 {
            return Err(lost(address, "it ended inside a response"));
        }
    }
    Ok(bytes.freeze())
}

pub(super) fn lost(address: &str, reason: &str) -> TransportError {
    TransportError::Disconnected { address: address.to_owned(), reason: reason.to_owned() }
}
