//! The loop that sends records when they are due.

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use mainstem_client::producer::SendError;
use mainstem_client::{Producer, ProducerRecord, Text};
use tokio::time::Instant;

use super::acknowledgements::{Acknowledgements, Sent};
use super::client::Client;
use super::load::{Amount, LoadArgs};
use super::pace::Pace;
use super::payload::{Payloads, Stamp};
use super::progress::Progress;
use super::tally::Tally;
use crate::cli::Error;

/// How often progress is told, in records.
const PROGRESS_RECORDS: u64 = 1024;

/// What a run is made of.
pub(super) struct Run<'a> {
    pub(super) load: &'a LoadArgs,
    pub(super) rate: Option<NonZeroU64>,
    /// What is put on each record, where its way to a reader is measured.
    pub(super) stamp: Option<u64>,
    /// Made before the run begins: large ones take a while.
    pub(super) payloads: Payloads,
}

/// What was sent.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    /// From the end of the warm-up to the last acknowledgement.
    pub(super) took: Duration,
    pub(super) client: Client,
}

impl Run<'_> {
    /// Sends until it is enough, or until somebody interrupts, and waits for what was sent. The first record that fails
    /// ends it at once.
    pub(super) async fn send(&self, producer: Producer, pace: Pace) -> Result<Outcome, Error> {
        let measured_from = pace.start() + self.load.warm_up;
        let mut acknowledgements = Acknowledgements::default();
        let failed = acknowledgements.failed();
        let sending = async {
            let interrupted = tokio::signal::ctrl_c();
            let sent = tokio::select! {
                sent = self.send_all(&producer, pace, measured_from, &mut acknowledgements) => sent,
                _ = interrupted => Ok(()),
            };
            producer.flush().await;
            sent
        };
        let sent = tokio::select! {
            sent = sending => sent,
            () = failed.notified() => Ok(()),
        };
        let tally = acknowledgements.all().await?;
        sent.map_err(Error::new)?;
        let took = tally.ended.map_or(Duration::ZERO, |ended| ended.saturating_duration_since(measured_from));
        Ok(Outcome { tally, took, client: Client::producer(&producer.metrics()) })
    }

    async fn send_all(
        &self,
        producer: &Producer,
        mut pace: Pace,
        measured_from: Instant,
        acknowledgements: &mut Acknowledgements,
    ) -> Result<(), SendError> {
        let topic = Text::from(self.load.topic.as_str());
        let (amount, start) = (self.load.amount(), pace.start());
        let progress = Progress::new(amount);
        let mut measured = 0;
        for number in 0.. {
            let due = pace.due(number).await;
            let is_measured = due >= measured_from;
            if is_measured && is_enough(amount, measured, due.saturating_duration_since(measured_from)) {
                break;
            }
            let value = self.value(self.payloads.of(number), due.saturating_duration_since(start));
            let bytes = value.len();
            let ticket = producer.send(ProducerRecord::new(topic.clone()).value(value)).await?;
            acknowledgements.wait_for(Sent { ticket, due, bytes, is_measured }).await;
            measured += u64::from(is_measured);
            if number % PROGRESS_RECORDS == 0 {
                progress.at(measured, due.saturating_duration_since(measured_from));
                // A task that never has to wait would keep its thread from everybody else.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn value(&self, payload: Bytes, due: Duration) -> Bytes {
        match self.stamp {
            Some(run) => Stamp { run, due }.put_on(&payload),
            None => payload,
        }
    }
}

fn is_enough(amount: Amount, records: u64, elapsed: Duration) -> bool {
    match amount {
        Amount::Records(wanted) => records >= wanted,
        Amount::Time(time) => elapsed >= time,
    }
}
