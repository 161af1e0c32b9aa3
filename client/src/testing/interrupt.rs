//! Futures that are dropped before they are done, and a transport on which there is something to wait for.

use std::{ops::RangeInclusive, pin::pin, sync::Arc, task::Poll};

use mainstem_protocol::{ApiKey, messages::ResponseBody};
use tokio::task::yield_now;

use crate::transport::{BoxFuture, BrokerAddress, Call, Node, Transport, TransportError};

/// Polls a future at most so many times and then drops it; `None` where it was not done by then. With 1, 2, 3 ... it is
/// dropped at each of its awaits.
pub async fn interrupted<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// A transport that lets others go first, before and behind each call.
#[derive(Clone, Debug)]
pub struct Hesitant(pub Arc<dyn Transport>);

impl Transport for Hesitant {
    fn versions(
        &self,
        node: Node,
        key: ApiKey,
    ) -> BoxFuture<'_, Result<RangeInclusive<i16>, TransportError>> {
        Box::pin(async move {
            yield_now().await;
            self.0.versions(node, key).await
        })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<ResponseBody, TransportError>> {
        Box::pin(async move {
            yield_now().await;
            let answer = self.0.call(call).await;
            yield_now().await;
            answer
        })
    }

    fn learn(&self, brokers: &[BrokerAddress]) {
        self.0.learn(brokers);
    }

    fn split(&self) -> Arc<dyn Transport> {
        Arc::new(Self(self.0.split()))
    }
}
