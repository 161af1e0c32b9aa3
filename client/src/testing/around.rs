//! A transport around another one.

use std::{fmt, ops::RangeInclusive, sync::Arc};

use mainstem_protocol::{ApiKey, messages::ResponseBody};

use crate::metrics::Traffic;
use crate::transport::{BoxFuture, BrokerAddress, Call, Node, Transport, TransportError};

type Answer = Result<ResponseBody, TransportError>;
type Calls = dyn Fn(Arc<dyn Transport>, Call) -> BoxFuture<'static, Answer> + Send + Sync;

/// A transport on which something of a test's own happens to calls; all else is as on the one that it is around.
#[derive(Clone)]
pub struct Around {
    inner: Arc<dyn Transport>,
    calls: Arc<Calls>,
}

impl Around {
    /// A transport around `inner`, where `calls` answers each call, with the help of `inner` or without.
    pub fn new<F: Future<Output = Answer> + Send + 'static>(
        inner: Arc<dyn Transport>,
        calls: impl Fn(Arc<dyn Transport>, Call) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { inner, calls: Arc::new(move |inner, call| Box::pin(calls(inner, call))) }
    }
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Around").field(&self.inner).finish()
    }
}

impl Transport for Around {
    fn versions(
        &self,
        node: Node,
        key: ApiKey,
    ) -> BoxFuture<'_, Result<RangeInclusive<i16>, TransportError>> {
        self.inner.versions(node, key)
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Answer> {
        (self.calls)(Arc::clone(&self.inner), call)
    }

    fn learn(&self, brokers: &[BrokerAddress]) {
        self.inner.learn(brokers);
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }

    fn split(&self) -> Arc<dyn Transport> {
        Arc::new(Self { inner: self.inner.split(), calls: Arc::clone(&self.calls) })
    }
}
