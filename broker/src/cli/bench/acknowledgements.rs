//! What becomes of each record: acknowledgements come in order for each partition, and in no order among them.

use std::collections::HashMap;

use mainstem_client::PartitionId;
use mainstem_client::producer::{ProduceError, Ticket};
use tokio::sync::mpsc;
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
}

impl Acknowledgements {
    pub(super) async fn wait_for(&mut self, sent: Sent) {
        let tallies = &mut self.tallies;
        let partition = self.waiting.entry(sent.ticket.partition().partition).or_insert_with(|| {
            let (sender, mailbox) = mpsc::channel(WAITING_MAX);
            tallies.spawn(tally(mailbox));
            sender
        });
        // It has stopped because a record failed, which is told at the end.
        let _ = partition.send(sent).await;
    }

    /// Waits for all of them.
    pub(super) async fn all(self) -> Result<Tally, Error> {
        let Self { waiting, mut tallies } = self;
        drop(waiting);
        let mut all = Tally::new()?;
        while let Some(tally) = tallies.join_next().await {
            all.merge(&tally.map_err(Error::new)??)?;
        }
        Ok(all)
    }
}

async fn tally(mut mailbox: mpsc::Receiver<Sent>) -> Result<Tally, Error> {
    let mut tally = Tally::new()?;
    while let Some(Sent { ticket, due, bytes, is_measured }) = mailbox.recv().await {
        ticket.await.map_err(|error| failed(&error))?;
        if is_measured {
            tally.add(bytes, due, Instant::now());
        }
    }
    Ok(tally)
}

fn failed(error: &ProduceError) -> Error {
    Error::new(error).advise("what was measured before is not told: a benchmark with failures says little")
}
