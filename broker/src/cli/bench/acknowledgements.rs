//! What becomes of each record: acknowledgements come in order for each partition, and in no order among them.

use std::collections::HashMap;
use std::sync::Arc;

use mainstem_client::PartitionId;
use mainstem_client::producer::{ProduceError, Ticket};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::tally::Tally;
use crate::cli::Error;

/// Records of one partition whose acknowledgement is waited for; the producer's buffer is full before that, unless records
/// are tiny.
const WAITING_MAX: usize = 1 << 20;

/// A record on its way.
pub(super) struct Sent {
    pub(super) ticket: Ticket,
    pub(super) due: Instant,
    pub(super) bytes: usize,
    pub(super) is_measured: bool,
}

/// Those who wait for acknowledgements, one for each partition.
#[derive(Default)]
pub(super) struct Acknowledgements {
    waiting: HashMap<PartitionId, mpsc::Sender<Sent>>,
    tallies: JoinSet<Result<Tally, Error>>,
    failed: Arc<Notify>,
}

impl Acknowledgements {
    /// Told once a record has failed: what [`Self::all`] says is then known.
    pub(super) fn failed(&self) -> Arc<Notify> {
        Arc::clone(&self.failed)
    }

    pub(super) async fn wait_for(&mut self, sent: Sent) {
        let Self { tallies, failed, .. } = self;
        let partition = self.waiting.entry(sent.ticket.partition().partition).or_insert_with(|| {
            let (sender, mailbox) = mpsc::channel(WAITING_MAX);
            tallies.spawn(tally(mailbox, Arc::clone(failed)));
            sender
        });
        // It has stopped because a record failed, which whoever sends is told.
        let _ = partition.send(sent).await;
    }

    /// Waits for all of them, or for the first that failed.
    pub(super) async fn all(self) -> Result<Tally, Error> {
        let Self { waiting, mut tallies, failed: _ } = self;
        drop(waiting);
        let mut all = Tally::new()?;
        while let Some(tally) = tallies.join_next().await {
            all.merge(&tally.map_err(Error::new)??)?;
        }
        Ok(all)
    }
}

async fn tally(mailbox: mpsc::Receiver<Sent>, failed: Arc<Notify>) -> Result<Tally, Error> {
    let tally = all_acknowledged(mailbox).await;
    if tally.is_err() {
        failed.notify_one();
    }
    tally
}

async fn all_acknowledged(mut mailbox: mpsc::Receiver<Sent>) -> Result<Tally, Error> {
    let mut tally = Tally::new()?;
    while let Some(Sent { ticket, due, bytes, is_measured }) = mailbox.recv().await {
        ticket.await.map_err(|error| lost(&error))?;
        if is_measured {
            tally.add(bytes, due, Instant::now());
        }
    }
    Ok(tally)
}

fn lost(error: &ProduceError) -> Error {
    Error::new(error).advise("what was measured before is not told: a benchmark with failures says little")
}
