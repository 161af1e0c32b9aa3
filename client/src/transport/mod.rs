//! The seam between a client and brokers: typed requests go in, typed responses come out.
//!
//! - [`TransportError`]: what may go wrong on the way, and what the caller may do about it.
//! - [`Stranger`]: who may answer where a broker should.
//! - [`TcpTransport`]: the form over TCP.
//!
//! Everything above this seam is the same over TCP and beside the log in one process: idempotence, groups and
//! fencing exist once.

mod error;
mod stranger;
mod tcp;
#[cfg(test)]
mod tests;

use std::{fmt, future::Future, ops::RangeInclusive, pin::Pin, sync::Arc, time::Duration};

use mainstem_protocol::{
    ApiKey, BrokerId,
    messages::{RequestBody, ResponseBody},
};

use crate::metrics::Traffic;
pub use error::TransportError;
pub use stranger::Stranger;
pub use tcp::{TcpConfig, TcpTransport};

/// A future behind a pointer, so that the trait can be an object.
///
/// ```
/// let answer: mainstem_client::transport::BoxFuture<'_, i32> = Box::pin(async { 42 });
/// # drop(answer);
/// ```
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which broker a request goes to.
///
/// ```
/// use mainstem_client::{BrokerId, Node};
///
/// assert_ne!(Node::Any, Node::Id(BrokerId(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// Whichever can be reached: a bootstrap server, or any broker that was learnt of since.
    Any,
    /// The broker of that id; its address was learnt by [`Transport::learn`].
    Id(BrokerId),
}

/// Which of the ways to a broker a request takes. A broker works through the requests of one connection in order,
/// so what may wait there (a long poll, a rebalance) must not stand before anything else.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Node, Transport, transport::{Call, Lane}};
/// use mainstem_client::protocol::messages::MetadataRequest;
///
/// let request = MetadataRequest::default().into();
/// let call = Call { node: Node::Any, lane: Lane::General, version: 9, request, timeout: Duration::from_secs(5) };
/// transport.call(call).await?;
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Everything that is answered at once; produce requests, which are pipelined.
    General,
    /// Fetches.
    Fetch,
    /// Membership of a group, and what goes with it.
    Group,
}

/// Where a broker is.
///
/// ```
/// use mainstem_client::{BrokerId, transport::BrokerAddress};
///
/// let address = BrokerAddress { id: BrokerId(1), host: "::1".to_owned(), port: 9092 };
/// assert_eq!(address.to_string(), "[::1]:9092");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// The broker's node id.
    pub id: BrokerId,
    /// A name or an address, as the broker advertises it.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for BrokerAddress {
    /// As it is dialled: an IPv6 address stands in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A request on its way.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Node, Transport, transport::{Call, Lane}};
/// use mainstem_client::protocol::messages::{MetadataRequest, ResponseBody};
///
/// let request = MetadataRequest::default().into();
/// let call = Call { node: Node::Any, lane: Lane::General, version: 9, request, timeout: Duration::from_secs(5) };
/// let ResponseBody::Metadata(answer) = transport.call(call).await? else { panic!("another answer") };
/// println!("{} brokers", answer.brokers.len());
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Call {
    /// The broker that it goes to.
    pub node: Node,
    /// The way that it takes there.
    pub lane: Lane,
    /// The version it is sent in, one of [`Transport::versions`].
    pub version: i16,
    /// The request.
    pub request: RequestBody,
    /// How long the answer may take, everything included.
    pub timeout: Duration,
}

/// A way to the brokers of one cluster.
///
/// Calls of one node and lane reach the broker in the order in which their futures are first polled, and are
/// answered in any order. A call whose future is dropped may or may not take place.
///
/// A `Produce` with `acks = 0` has no answer on the wire; its future resolves to an empty response once the request
/// is on its way.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::sync::Arc;
/// use mainstem_client::{Admin, AdminConfig, TcpConfig, TcpTransport, Transport};
///
/// # let served = mainstem_client::testing::serve(&transport, 4).await?;
/// # let address = served.address.as_str();
/// // The same client, whichever way its requests go.
/// let ways: [Arc<dyn Transport>; 2] = [Arc::new(TcpTransport::new(TcpConfig::bootstrap(address))), Arc::new(transport)];
/// for way in ways {
///     assert_eq!(Admin::new(way.as_ref(), AdminConfig::default()).list_topics().await?.len(), 1);
/// }
/// # Ok(())
/// # });
/// ```
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// The versions of an API that both this end and the broker speak. May take as long as opening a connection does:
    /// whoever asks gives up when it has waited enough.
    fn versions(&self, node: Node, key: ApiKey)
    -> BoxFuture<'_, Result<RangeInclusive<i16>, TransportError>>;

    /// Sends a request and waits for its response.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<ResponseBody, TransportError>>;

    /// Takes note of where the brokers of the cluster are; those that are not named any more are forgotten. Where none is
    /// named, the way begins anew at whom it began with.
    fn learn(&self, brokers: &[BrokerAddress]);

    /// What has gone over its connections; nothing where it has none.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    /// Another way to the same brokers, with connections of its own: what waits there holds up nothing here.
    fn split(&self) -> Arc<dyn Transport>;
}
