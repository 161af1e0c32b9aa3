//! The replies of one connection: they leave in the order of the requests, however these were answered.

use std::io;

use mainstem_protocol::{
    ApiKey, CorrelationId, header::encode_response, messages::ResponseBody, wire::EncodeError,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};

use super::sender::Sender;
use crate::{
    dispatch::{Answer, Started},
    metrics::Requests,
};

/// The place of one reply in the order.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) request: Received,
    pub(super) started: Started,
    /// The request's bytes count as in flight until the reply has left.
    pub(super) in_flight: [OwnedSemaphorePermit; 2],
}

/// What is known of a request when its reply leaves.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) key: ApiKey,
    /// The version of the reply.
    pub(super) version: i16,
    pub(super) correlation_id: CorrelationId,
    pub(super) bytes: usize,
    pub(super) at: Instant,
}

/// Why no more replies leave.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplyError {
    /// The request asks for the connection to be closed: it failed, and its client wants no answer.
    #[error("{0}")]
    Close(&'static str),
    /// The response cannot be said in the version of the request.
    #[error("the response has no encoding")]
    Encode(#[from] EncodeError),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Sends replies in the order of their slots, until there are no more.
///
/// # Errors
/// Where the connection is of no more use.
pub(super) async fn send_in_order(
    sender: Sender,
    mut slots: mpsc::Receiver<Slot>,
    metrics: &Requests,
) -> Result<(), ReplyError> {
    while let Some(slot) = slots.recv().await {
        let Slot { request, started, in_flight } = slot;
        let sent = match started.answer().await {
            Answer::Response(body) => send(&sender, &request, &body).await?,
            Answer::Silence => 0,
            Answer::Close(reason) => return Err(ReplyError::Close(reason)),
        };
        metrics.of(request.key).answered(request.at.elapsed(), request.bytes, sent);
        drop(in_flight);
    }
    Ok(())
}

async fn send(sender: &Sender, request: &Received, body: &ResponseBody) -> Result<usize, ReplyError> {
    let frame = encode_response(request.correlation_id, request.version, body)?;
    Ok(sender.send(frame).await?)
}
