//! The client's transport beside the log: the typed request goes to the broker's own dispatch, and shares its bytes.

use std::{
    fmt, io,
    ops::RangeInclusive,
    sync::{Arc, Weak},
};

use mainstem_client::transport::{BoxFuture, BrokerAddress, Call, Node, Transport, TransportError};
use mainstem_protocol::{
    ApiKey, BrokerId, Text,
    messages::{ProduceResponse, RequestBody, ResponseBody},
    records::Records,
    wire::EncodeError,
};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    broker::Broker,
    dispatch::{Answer, Context, Dispatch, IN_PROCESS, Started},
    net::Endpoint,
    node,
    task::Cancel,
};

/// Reaches the broker in whose process it lives. It does not keep a broker that was stopped: what holds on to a transport
/// holds no data directory.
pub struct LocalTransport {
    node: Weak<node::Node>,
    broker: BrokerId,
    advertised: Endpoint,
    client_id: Option<Text>,
    cancel: Cancel,
    /// Held while the batches of a Produce request get their places: requests start in the order of the calls. The
    /// mutex is fair.
    placing: Mutex<()>,
}

impl LocalTransport {
    /// A way to `broker` for a client of this name.
    #[must_use]
    pub fn new(broker: &Broker, client_id: impl Into<Text>) -> Self {
        Self {
            node: Arc::downgrade(broker.node()),
            broker: broker.node().id(),
            advertised: broker.advertised().clone(),
            client_id: Some(client_id.into()),
            cancel: broker.tasks().cancel_token(),
            placing: Mutex::default(),
        }
    }

    fn check(&self, node: Node) -> Result<(), TransportError> {
        match node {
            _ if self.cancel.is_cancelled() => Err(TransportError::Closed),
            Node::Id(id) if id != self.broker => Err(TransportError::UnknownNode(id)),
            Node::Id(_) | Node::Any => Ok(()),
        }
    }

    async fn answer(&self, version: i16, request: RequestBody) -> Result<ResponseBody, TransportError> {
        let context = Context::in_process(self.advertised.clone(), self.client_id.clone(), version);
        let dispatch = self.node.upgrade().map(Dispatch::new).ok_or(TransportError::Closed)?;
        match self.start(&dispatch, &context, request).await.answer().await {
            Answer::Response(body) => in_memory(body).await.map_err(|error| disconnected(&error.to_string())),
            Answer::Silence => Ok(ResponseBody::Produce(ProduceResponse::default())),
            Answer::Close(reason) => Err(disconnected(reason)),
        }
    }

    async fn start(&self, dispatch: &Dispatch, context: &Context, mut request: RequestBody) -> Started {
        // A session spares bytes on the wire and their decoding, and there is no wire here: it would only cost the broker
        // memory, and one of the slots that remote clients have use for.
        if let RequestBody::Fetch(request) = &mut request {
            request.session_epoch = -1;
        }
        let is_ordered = request.key() == ApiKey::Produce;
        let _placing = if is_ordered { Some(self.placing.lock().await) } else { None };
        dispatch.start(context, request).await
    }
}

impl Transport for LocalTransport {
    fn versions(
        &self,
        node: Node,
        key: ApiKey,
    ) -> BoxFuture<'_, Result<RangeInclusive<i16>, TransportError>> {
        let versions = self.check(node).map(|()| key.versions());
        Box::pin(std::future::ready(versions))
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<ResponseBody, TransportError>> {
        let Call { node, lane: _, version, request, timeout: limit } = call;
        let key = request.key();
        Box::pin(async move {
            self.check(node)?;
            if !key.versions().contains(&version) {
                return Err(EncodeError::UnknownVersion(version).into());
            }
            let late = |_| TransportError::TimedOut { key, timeout_ms: limit.as_millis() };
            timeout(limit, self.answer(version, request)).await.map_err(late)?
        })
    }

    /// There is one broker, and it is here.
    fn learn(&self, _brokers: &[BrokerAddress]) {}

    fn split(&self) -> Arc<dyn Transport> {
        Arc::new(Self {
            node: Weak::clone(&self.node),
            broker: self.broker,
            advertised: self.advertised.clone(),
            client_id: self.client_id.clone(),
            cancel: self.cancel.clone(),
            placing: Mutex::default(),
        })
    }
}

impl fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTransport").field("broker", &self.broker).finish_non_exhaustive()
    }
}

fn disconnected(reason: &str) -> TransportError {
    TransportError::Disconnected { address: IN_PROCESS.to_owned(), reason: reason.to_owned() }
}

/// Batches that are still in files become mapped memory, off the reactor, as a client expects them.
async fn in_memory(body: ResponseBody) -> io::Result<ResponseBody> {
    let ResponseBody::Fetch(mut response) = body else { return Ok(body) };
    let mapping = tokio::task::spawn_blocking(move || {
        let partitions = response.responses.iter_mut().flat_map(|topic| &mut topic.partitions);
        for records in partitions.filter_map(|partition| partition.records.as_mut()) {
            *records = Records::Bytes(records.bytes()?);
        }
        Ok(ResponseBody::Fetch(response))
    });
    mapping.await.map_err(io::Error::other)?
}
