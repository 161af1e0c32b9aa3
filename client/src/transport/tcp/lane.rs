//! One lane to one broker: a task that owns the connection, opens it when there is something to send, and again when
//! it was lost.

use std::{
    ops::RangeInclusive,
    sync::{Arc, OnceLock},
    time::Duration,
};

use mainstem_protocol::{ApiKey, messages::ResponseBody};
use tokio::{
    net::tcp::OwnedWriteHalf,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tracing::debug;

use super::{
    Shared,
    dial::dial,
    handshake::{self, Versions},
    link::{Link, Reply},
};
use crate::{
    backoff::Backoff,
    caps, task,
    transport::{Call, Node, TransportError},
};

type VersionsReply = oneshot::Sender<Result<RangeInclusive<i16>, TransportError>>;

/// What a lane is asked for.
enum Message {
    Versions { key: ApiKey, reply: VersionsReply },
    Call { call: Box<Call>, link: Arc<OnceLock<Arc<Link>>>, reply: Reply },
}

/// The way to a lane's task. The task ends with the last handle.
#[derive(Clone, Debug)]
pub(super) struct LaneHandle {
    messages: mpsc::Sender<Message>,
}

impl LaneHandle {
    pub(super) async fn versions(&self, key: ApiKey) -> Result<RangeInclusive<i16>, TransportError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Versions { key, reply }).await?;
        answer.await.map_err(|_| TransportError::Closed)?
    }

    pub(super) async fn call(&self, call: Call) -> Result<ResponseBody, TransportError> {
        let (key, limit) = (call.request.key(), call.timeout);
        let link = Arc::default();
        let answer = timeout(limit, self.answer(call, Arc::clone(&link))).await;
        answer.unwrap_or_else(|_| {
            close_stuck(&link);
            Err(TransportError::TimedOut { key, timeout_ms: limit.as_millis() })
        })
    }

    async fn answer(
        &self,
        call: Call,
        link: Arc<OnceLock<Arc<Link>>>,
    ) -> Result<ResponseBody, TransportError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Call { call: Box::new(call), link, reply }).await?;
        answer.await.map_err(|_| TransportError::Closed)?
    }

    async fn send(&self, message: Message) -> Result<(), TransportError> {
        self.messages.send(message).await.map_err(|_| TransportError::Closed)
    }
}

/// A broker answers the requests of a connection in order, so behind one that got no answer nothing else will
/// (Kafka: `NetworkClient.handleTimedOutRequests`).
fn close_stuck(link: &OnceLock<Arc<Link>>) {
    if let Some(link) = link.get() {
        link.close("a request timed out");
    }
}

/// Starts the task of a lane.
pub(super) fn start(shared: Arc<Shared>, node: Node) -> LaneHandle {
    let (messages, mailbox) = mpsc::channel(caps::IN_FLIGHT_MAX);
    let backoff = Backoff::new(shared.config.reconnect_backoff, shared.config.reconnect_backoff_max);
    let lane = LaneTask { shared, node, open: None, backoff, not_before: None };
    task::spawn("connection", lane.run(mailbox));
    LaneHandle { messages }
}

/// A connection in use.
struct Open {
    link: Arc<Link>,
    socket: OwnedWriteHalf,
    versions: Versions,
}

struct LaneTask {
    shared: Arc<Shared>,
    node: Node,
    open: Option<Open>,
    backoff: Backoff,
    not_before: Option<Instant>,
}

impl LaneTask {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Message>) {
        loop {
            match timeout(self.shared.config.connections_max_idle, mailbox.recv()).await {
                Ok(Some(Message::Versions { key, reply })) => self.on_versions(key, reply).await,
                Ok(Some(Message::Call { call, link, reply })) => self.on_call(*call, &link, reply).await,
                Ok(None) => break,
                Err(_) => self.on_idle(),
            }
        }
        if let Some(open) = self.open {
            open.link.close("the client is done with it");
        }
    }

    /// Nothing was sent for long. Brokers close such connections before long, and what is sent just then is lost; a
    /// request that waits for its answer keeps the connection.
    fn on_idle(&mut self) {
        if let Some(open) = self.open.take_if(|open| open.link.is_idle()) {
            open.link.close("it was idle");
        }
    }

    async fn on_versions(&mut self, key: ApiKey, reply: VersionsReply) {
        // Where nobody is there, each attempt takes long: none is made for somebody who has given up.
        if reply.is_closed() {
            return;
        }
        let versions = match self.connected().await {
            Ok(open) => open.versions.common(key).ok_or(TransportError::Unsupported { key }),
            Err(error) => Err(error),
        };
        // Whoever asked may have given up since.
        let _ = reply.send(versions);
    }

    async fn on_call(&mut self, call: Call, noted: &OnceLock<Arc<Link>>, reply: Reply) {
        if reply.is_closed() {
            return;
        }
        match self.connected().await {
            Ok(Open { link, socket, .. }) => {
                let _ = noted.set(Arc::clone(link));
                link.send(socket, call, reply).await;
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    /// The open connection; a lost one is replaced.
    async fn connected(&mut self) -> Result<&mut Open, TransportError> {
        let open = match self.open.take().filter(|open| open.link.is_open()) {
            Some(open) => open,
            None => self.connect().await?,
        };
        Ok(self.open.insert(open))
    }

    async fn connect(&mut self) -> Result<Open, TransportError> {
        if let Some(not_before) = self.not_before.take() {
            sleep_until(not_before).await;
        }
        self.shared.trying();
        match self.connect_to_any().await {
            Ok(open) => {
                self.shared.reached();
                self.backoff.reset();
                Ok(open)
            }
            Err(error) => {
                debug!(%error, "no connection");
                self.shared.traffic.failed();
                self.not_before = Some(Instant::now() + self.backoff.next());
                Err(self.shared.failure(error))
            }
        }
    }

    async fn connect_to_any(&self) -> Result<Open, TransportError> {
        let mut last = super::unknown(self.node);
        for address in self.shared.addresses(self.node)? {
            match self.open(&address).await {
                Ok(open) => return Ok(open),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn open(&self, address: &str) -> Result<Open, TransportError> {
        let config = &self.shared.config;
        let limit = self.shared.dial_timeout();
        let dial = async {
            let mut stream = dial(address, limit).await.map_err(|error| refused(address, error))?;
            let versions = handshake::versions(&mut stream, config, address).await?;
            let (link, socket) = Link::start(stream, config, address, Arc::clone(&self.shared.traffic));
            Ok(Open { link, socket, versions })
        };
        timeout(limit, dial).await.unwrap_or_else(|_| Err(too_slow(address, limit)))
    }
}

fn refused(address: &str, source: std::io::Error) -> TransportError {
    TransportError::Connect { address: address.to_owned(), source: Arc::new(source) }
}

fn too_slow(address: &str, limit: Duration) -> TransportError {
    let reason = format!("no broker answered within {} ms", limit.as_millis());
    refused(address, std::io::Error::new(std::io::ErrorKind::TimedOut, reason))
}
