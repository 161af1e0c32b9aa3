//! Listeners: they take an address, listen, accept, and count.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, lookup_host},
    sync::Semaphore,
};
use tracing::{debug, warn};

use super::{
    connection::{self, Shared},
    endpoint::Endpoint,
    limits::{Admission, ConnectionLimits},
    receiving::Receiving,
    refusals::Refusals,
};
use crate::{
    caps::{ACCEPT_REST, IN_FLIGHT_BYTES_TOTAL_MAX, LISTEN_BACKLOG, RECEIVING_BYTES_TOTAL_MAX},
    config::{ListenerAddress, Live},
    dispatch::{Context, Dispatch},
    metrics::{Connections, Metrics},
    task::{OnFailure, Tasks},
};

/// A socket that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// As it was configured.
    pub address: ListenerAddress,
    /// What the system says.
    pub source: io::Error,
}

/// An address that nobody else can take any more. Connections are refused until it listens, so that a broker that will not
/// come up has touched nothing, and one that does come up is not dialled before it can answer.
#[derive(Debug)]
pub struct Reserved {
    configured: ListenerAddress,
    socket: TcpSocket,
    advertised: Option<Endpoint>,
}

impl Reserved {
    /// Takes the first address of the host that can be had.
    ///
    /// # Errors
    /// Where the address is unknown, taken or forbidden.
    pub async fn new(address: ListenerAddress, advertised: Option<Endpoint>) -> Result<Self, BindError> {
        match reserve(&address).await {
            Ok(socket) => Ok(Self { configured: address, socket, advertised }),
            Err(source) => Err(BindError { address, source }),
        }
    }

    /// Listens. Connections wait in the kernel until [`Net::serve`].
    ///
    /// # Errors
    /// Where somebody else has begun to listen at the same moment.
    pub fn listen(self) -> Result<Listener, BindError> {
        let Self { configured, socket, advertised } = self;
        let listening = socket.listen(LISTEN_BACKLOG).and_then(|socket| Ok((socket.local_addr()?, socket)));
        match listening {
            Ok((address, socket)) => {
                Ok(Listener { name: configured.name.as_str().into(), socket, address, advertised })
            }
            Err(source) => Err(BindError { address: configured, source }),
        }
    }
}

async fn reserve(address: &ListenerAddress) -> io::Result<TcpSocket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((address.host.as_str(), address.port)).await? {
        match bind(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of the broker before this one may still be fading away; one that listens is no such thing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A socket that listens and does not accept yet.
#[derive(Debug)]
pub struct Listener {
    name: Arc<str>,
    socket: TcpListener,
    address: SocketAddr,
    advertised: Option<Endpoint>,
}

impl Listener {
    /// The listener's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is bound; the port is the one picked.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients of this listener are told, unless they see it under another local address.
    #[must_use]
    pub fn advertised(&self) -> Endpoint {
        self.advertised.clone().unwrap_or_else(|| self.address.into())
    }
}

/// Everything that is served over sockets.
#[derive(Debug)]
pub struct Net {
    tasks: Tasks,
    limits: Arc<ConnectionLimits>,
    metrics: Arc<Connections>,
    shared: Shared,
}

impl Net {
    /// Ready to serve, with `tasks` as the owner of listeners and connections.
    #[must_use]
    pub fn new(dispatch: Dispatch, config: &Arc<Live>, metrics: &Metrics, tasks: Tasks) -> Self {
        let limits = ConnectionLimits::new(Arc::clone(config));
        let shared = Shared {
            dispatch,
            settings: Arc::new(config.fixed().net.clone()),
            metrics: Arc::clone(&metrics.requests),
            refusals: Arc::new(Refusals::default()),
            receiving: Receiving::new(RECEIVING_BYTES_TOTAL_MAX),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_BYTES_TOTAL_MAX)),
            cancel: tasks.cancel_token(),
        };
        Self { tasks, limits: Arc::new(limits), metrics: Arc::clone(&metrics.connections), shared }
    }

    /// Accepts connections of the listener until the owner of the tasks is cancelled.
    pub fn serve(&self, listener: Listener) {
        let acceptor = Acceptor {
            tasks: self.tasks.clone(),
            limits: Arc::clone(&self.limits),
            metrics: Arc::clone(&self.metrics),
            shared: self.shared.clone(),
            listener,
        };
        self.tasks.spawn("listener", OnFailure::Stop, acceptor.run());
    }

    /// Why nobody is let in at this moment.
    pub(crate) fn why_closed(&self) -> impl Fn() -> Option<&'static str> + Send + Sync + use<> {
        let limits = Arc::clone(&self.limits);
        move || limits.are_used_up().then_some("there are as many connections as max.connections allows")
    }

    /// Connections that there are now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.limits.total()
    }
}

struct Acceptor {
    tasks: Tasks,
    limits: Arc<ConnectionLimits>,
    metrics: Arc<Connections>,
    shared: Shared,
    listener: Listener,
}

impl Acceptor {
    async fn run(self) {
        let mut cancel = self.shared.cancel.clone();
        tokio::select! {
            () = cancel.cancelled() => {}
            () = self.accept_all() => {}
        }
    }

    async fn accept_all(&self) {
        loop {
            match self.listener.socket.accept().await {
                Ok((stream, peer)) => self.accept(stream, peer),
                Err(error) => {
                    warn!(listener = %self.listener.name, %error, "connection was not accepted");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    fn accept(&self, stream: TcpStream, peer: SocketAddr) {
        match self.limits.admit(peer.ip().to_canonical()) {
            Ok(admission) => self.spawn(stream, peer, admission),
            Err(reason) => {
                self.metrics.refused();
                if let Some(suppressed) = self.shared.refusals.line() {
                    warn!(%peer, %reason, suppressed, "connection refused");
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr, admission: Admission) {
        let context = match self.context(&stream, peer) {
            Ok(context) => context,
            Err(error) => return debug!(%peer, %error, "connection was gone at once"),
        };
        let (shared, open) = (self.shared.clone(), Open::new(&self.metrics));
        self.tasks.spawn("connection", OnFailure::Log, async move {
            connection::serve(stream, context, shared).await;
            drop((admission, open));
        });
    }

    fn context(&self, stream: &TcpStream, peer: SocketAddr) -> io::Result<Context> {
        stream.set_nodelay(true)?;
        // A peer that has gone without a word is noticed, even while it waits for an answer.
        rustix::net::sockopt::set_socket_keepalive(stream, true)?;
        let local = stream.local_addr()?;
        let advertised = self.listener.advertised.clone().unwrap_or_else(|| local.into());
        Ok(Context::of_socket(Arc::clone(&self.listener.name), advertised, peer))
    }
}

/// Counts as an open connection until it is dropped.
struct Open(Arc<Connections>);

impl Open {
    fn new(metrics: &Arc<Connections>) -> Self {
        metrics.opened();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}
