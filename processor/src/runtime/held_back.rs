//! Inputs of which only committed records are read, and which go no further because a transaction is open: how long that
//! has been so, how many records wait behind it, and, once it has been so for a while, whose transaction it is.

use std::{collections::BTreeMap, future::pending, sync::Arc};

use mainstem_client::{
    Admin, AdminConfig, Consumer, Offset, Text, TopicPartition, Transport,
    admin::{AdminError, TransactionFilter},
    consumer::IsolationLevel,
    protocol::ProducerId,
    transport::BoxFuture,
};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Job;
use crate::{HeldInput, TaskId, caps};

/// The inputs of a task that are held back.
pub(super) struct HeldBack<'a> {
    job: &'a Job,
    id: TaskId,
    transport: Arc<dyn Transport>,
    inputs: Vec<TopicPartition>,
    held: BTreeMap<TopicPartition, Held>,
    /// A question to the brokers that is under way.
    asking: Option<BoxFuture<'static, Answer>>,
}

/// An input that is held back.
struct Held {
    at: Offset,
    records: u64,
    since: Instant,
    /// When the brokers were last asked whose doing it is.
    asked: Option<Instant>,
    by: Option<Text>,
}

/// Whose transaction holds back an input, and where.
struct Answer {
    input: TopicPartition,
    at: Offset,
    found: Result<Option<Holder>, AdminError>,
}

struct Holder {
    producer: ProducerId,
    /// None where no coordinator knows the producer: nobody will end its transaction.
    transactional_id: Option<Text>,
}

impl<'a> HeldBack<'a> {
    pub(super) fn new(job: &'a Job, id: TaskId, transport: &dyn Transport) -> Self {
        let (transport, inputs) = (transport.split(), job.inputs(id));
        Self { job, id, transport, inputs, held: BTreeMap::new(), asking: None }
    }

    /// Looks which inputs are held back now, and lets others know.
    pub(super) fn look(&mut self, consumer: &Consumer) {
        if self.job.settings.isolation_level == IsolationLevel::ReadUncommitted {
            return;
        }
        let were_any = !self.held.is_empty();
        for input in &self.inputs {
            match held_at(consumer, input) {
                Some((at, records)) => note(&mut self.held, input, at, records),
                None => drop(self.held.remove(input)),
            }
        }
        if were_any || !self.held.is_empty() {
            self.report();
            self.ask();
        }
    }

    fn report(&self) {
        let inputs = self.held.iter().map(|(input, held)| HeldInput {
            input: input.clone(),
            at: held.at,
            records: held.records,
            held_for: held.since.elapsed(),
            by: held.by.clone(),
        });
        self.job.settings.meter.held_back(self.id, &inputs.collect::<Vec<_>>());
    }

    /// Asks whose doing it is, of one input after the other.
    fn ask(&mut self) {
        if self.asking.is_some() {
            return;
        }
        let Some((input, held)) = self.held.iter_mut().find(|(_, held)| held.is_to_be_asked()) else {
            return;
        };
        held.asked = Some(Instant::now());
        let (input, at, transport) = (input.clone(), held.at, Arc::clone(&self.transport));
        self.asking = Some(Box::pin(async move {
            let found = holder(transport.as_ref(), &input).await;
            Answer { input, at, found }
        }));
    }

    /// Waits for what brokers say, for ever where nothing was asked, and tells it. Dropped, it can be called again.
    pub(super) async fn told(&mut self) {
        let Some(asking) = &mut self.asking else { return pending().await };
        let answer = asking.await;
        self.asking = None;
        self.tell(answer);
    }

    fn tell(&mut self, answer: Answer) {
        let Answer { input, at, found } = answer;
        let Some(held) = self.held.get_mut(&input).filter(|held| held.at == at) else { return };
        let (processor, task, held_for) = (self.job.topology.name(), self.id, held.since.elapsed());
        match found {
            Ok(Some(Holder { producer, transactional_id: Some(id) })) => {
                warn!(%processor, %task, %input, %at, ?held_for, %producer, transactional_id = %id, "input is held back by an open transaction");
                held.by = Some(id);
            }
            Ok(Some(Holder { producer, transactional_id: None })) => {
                warn!(%processor, %task, %input, %at, ?held_for, %producer, "input is held back by a transaction that nobody will end: no coordinator knows its producer");
            }
            Ok(None) => {
                info!(%processor, %task, %input, %at, ?held_for, "transaction that has held back an input has ended");
            }
            Err(error) => {
                warn!(%processor, %task, %input, %at, ?held_for, %error, "input is held back by an open transaction, and brokers do not say by whose");
            }
        }
        self.report();
    }
}

impl Drop for HeldBack<'_> {
    /// Nothing waits where nothing is read.
    fn drop(&mut self) {
        if !self.held.is_empty() {
            self.job.settings.meter.held_back(self.id, &[]);
        }
    }
}

impl Held {
    fn is_to_be_asked(&self) -> bool {
        match self.asked {
            None => self.since.elapsed() >= caps::HELD_BACK_PATIENCE,
            Some(asked) => asked.elapsed() >= caps::HELD_BACK_ASK_INTERVAL,
        }
    }
}

/// When to look at the latest. Nothing says so where an input stops going on.
pub(super) fn look_at(now: Instant) -> Instant {
    now + caps::HELD_BACK_LOOK_INTERVAL
}

/// Where an open transaction begins which is all that a consumer waits for, and how many offsets there are from there on.
fn held_at(consumer: &Consumer, input: &TopicPartition) -> Option<(Offset, u64)> {
    let stable = consumer.last_stable_offset(input)?;
    let (position, end) = (consumer.position(input)?, consumer.high_watermark(input)?);
    let waiting = u64::try_from(end.0 - stable.0).ok().filter(|waiting| *waiting > 0)?;
    (position >= stable).then_some((stable, waiting))
}

/// Another transaction is waited for anew.
fn note(held: &mut BTreeMap<TopicPartition, Held>, input: &TopicPartition, at: Offset, records: u64) {
    match held.get_mut(input).filter(|held| held.at == at) {
        Some(held) => held.records = records,
        None => {
            let since = Instant::now();
            held.insert(input.clone(), Held { at, records, since, asked: None, by: None });
        }
    }
}

/// The producer whose open transaction is the first one of a partition.
async fn holder(transport: &dyn Transport, input: &TopicPartition) -> Result<Option<Holder>, AdminError> {
    let admin = Admin::new(transport, AdminConfig::default());
    let producers = admin.describe_producers(input).await?.into_iter();
    let open = producers.filter_map(|producer| Some((producer.transaction_start?, producer.producer_id)));
    let Some((_, producer)) = open.min() else { return Ok(None) };
    let filter = TransactionFilter { producer_ids: vec![producer], ..TransactionFilter::default() };
    let known = admin.list_transactions(&filter).await?.into_iter().next();
    Ok(Some(Holder { producer, transactional_id: known.map(|known| known.id) }))
}
