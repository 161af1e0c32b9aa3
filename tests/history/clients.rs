//! Those who use the topic, each until it is told to stop.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use mainstem_client::{
    Admin, AdminConfig, Consumer, ConsumerConfig, Offset, OffsetSpec, Producer, ProducerConfig,
    ProducerRecord, TopicPartition, TransactionalProducer, Transport,
    consumer::{GroupProtocol, IsolationLevel, OffsetReset, PartitionRecords, Polled},
    producer::{Ticket, TransactionConfig},
};
use tokio::{sync::watch, time::timeout};

use crate::{
    chance::Chance,
    history::{Fate, Partition, Process, Step, Value},
    recorder::{Open, Recorder},
};

pub(crate) const TOPIC: &str = "history";
/// What workers make of the first topic's records.
pub(crate) const RESULTS: &str = "results";
/// Of each topic.
pub(crate) const PARTITIONS: i32 = 3;
pub(crate) const READERS: &str = "readers";

/// Records of one producer that wait for their acknowledgement.
const WAITING_MAX: usize = 50;

/// How long a poll waits.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// How long a transaction reads, which holds up those who read behind it.
const GLANCE: Duration = Duration::from_millis(15);

/// What every client of a scene needs.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) recorder: Recorder,
    /// What those read who read everything.
    pub(crate) everything: Vec<TopicPartition>,
    /// True once it is to stop.
    pub(crate) stop: watch::Receiver<bool>,
}

pub(crate) fn partitions(topic: &'static str) -> Vec<TopicPartition> {
    (0..PARTITIONS).map(|id| TopicPartition::new(topic, id)).collect()
}

/// Those of the results come after those of the first topic.
pub(crate) fn partition(of: &TopicPartition) -> Partition {
    Partition(if of.topic == RESULTS { PARTITIONS + of.partition.0 } else { of.partition.0 })
}

pub(crate) fn record(to: Partition, value: Value) -> ProducerRecord {
    let topic = if to.0 < PARTITIONS { TOPIC } else { RESULTS };
    ProducerRecord::new(topic).partition(to.0 % PARTITIONS).value(value.0.to_string())
}

fn any_partition(chance: &mut Chance) -> Partition {
    Partition(chance.below(PARTITIONS as u64) as i32)
}

impl Client {
    pub(crate) fn is_over(&self) -> bool {
        *self.stop.borrow()
    }

    /// Sends one record after another, each an operation of its own, and several at a time.
    pub(crate) async fn produce(self, mut chance: Chance, config: ProducerConfig) {
        let producer = Producer::new(self.transport.as_ref(), config);
        let process = self.recorder.process();
        let mut waiting = VecDeque::new();
        while !self.is_over() {
            let to = any_partition(&mut chance);
            let (open, value) = (self.recorder.begin(process), self.recorder.value());
            match producer.send(record(to, value)).await {
                Ok(ticket) => waiting.push_back((open, to, value, ticket)),
                Err(_) => self.sent(open, to, value, Fate::Failed, None),
            }
            if waiting.len() >= WAITING_MAX {
                self.settle(waiting.pop_front()).await;
            }
        }
        while !waiting.is_empty() {
            self.settle(waiting.pop_front()).await;
        }
    }

    async fn settle(&self, sent: Option<(Open, Partition, Value, Ticket)>) {
        let Some((open, to, value, ticket)) = sent else { return };
        match ticket.await {
            Ok(receipt) => {
                let offset = (receipt.offset != Offset::NONE).then_some(receipt.offset.0);
                self.sent(open, to, value, Fate::Done, offset);
            }
            // An earlier attempt may have been stored, whatever the last one came to.
            Err(_) => self.sent(open, to, value, Fate::Unknown, None),
        }
    }

    fn sent(&self, mut open: Open, partition: Partition, value: Value, fate: Fate, offset: Option<i64>) {
        open.steps.push(Step::Send { partition, value, offset });
        self.recorder.end(open, fate);
    }

    /// Writes transactions of a few records in any of the partitions, reads in them what others have committed, commits most
    /// of them, and takes its own place after each failure.
    pub(crate) async fn transact(self, mut chance: Chance, config: ProducerConfig) {
        let (process, mut consumer) = (self.recorder.process(), self.assigned());
        let id = format!("writer-{}", process.0);
        while !self.is_over() {
            let id = TransactionConfig::new(id.as_str());
            let producer = TransactionalProducer::new(self.transport.as_ref(), config.clone(), id);
            // It is asked for as long as that may help; then somebody new does.
            let mut is_well = producer.init_transactions().await.is_ok();
            while is_well && !self.is_over() {
                is_well = self.transaction(process, &producer, &mut consumer, &mut chance).await;
            }
            producer.close().await;
        }
    }

    /// One transaction; whether the producer can go on.
    async fn transaction(
        &self,
        process: Process,
        producer: &TransactionalProducer,
        consumer: &mut Consumer,
        chance: &mut Chance,
    ) -> bool {
        let mut open = self.recorder.begin(process);
        let mut tickets = Vec::new();
        if producer.begin().is_err() {
            return false;
        }
        for _ in 0..1 + chance.below(6) {
            let (to, value) = (any_partition(chance), self.recorder.value());
            let ticket = producer.send(record(to, value)).await.ok();
            tickets.push((to, value, ticket));
        }
        let is_kept = chance.happens(80) && tickets.iter().all(|(_, _, ticket)| ticket.is_some());
        // What was not sent yet when it is aborted never gets into the log.
        producer.flush().await;
        let reads = async {
            loop {
                polled(consumer, GLANCE, &mut open.steps).await;
            }
        };
        let _ = timeout(GLANCE, reads).await;
        open.deciding = Some(self.recorder.now());
        let ended = match is_kept {
            true => producer.commit().await,
            false => producer.abort().await,
        };
        let fate = match (&ended, is_kept) {
            (Ok(()), true) => Fate::Done,
            (Ok(()), false) => Fate::Failed,
            // Whoever takes its place finishes what was begun, in either way.
            (Err(_), _) => Fate::Unknown,
        };
        for (partition, value, ticket) in tickets {
            let receipt = match ticket {
                Some(ticket) => ticket.await.ok(),
                None => continue,
            };
            let offset = receipt.map(|receipt| receipt.offset.0).filter(|offset| *offset >= 0);
            open.steps.push(Step::Send { partition, value, offset });
        }
        self.recorder.end(open, fate);
        ended.is_ok()
    }

    /// Reads all partitions from their first records on.
    pub(crate) async fn read(self) {
        let (process, mut consumer) = (self.recorder.process(), self.assigned());
        while !self.is_over() {
            self.poll(process, &mut consumer).await;
        }
    }

    fn assigned(&self) -> Consumer {
        let mut consumer = Consumer::new(self.transport.as_ref(), reading());
        consumer.assign(self.everything.clone());
        consumer
    }

    /// Reads everything that there is, from the first records to the ends as they are now.
    pub(crate) async fn read_all(&self) -> Process {
        let admin = Admin::new(self.transport.as_ref(), AdminConfig::default());
        let wanted: Vec<_> = self.everything.iter().map(|id| (id.clone(), OffsetSpec::Latest)).collect();
        let ends = admin.list_offsets(&wanted).await.unwrap();
        let (process, mut consumer) = (self.recorder.process(), self.assigned());
        let is_behind = |consumer: &Consumer| {
            let mut ends = ends.iter();
            ends.any(|(id, end)| consumer.position(id).unwrap_or(Offset::ZERO) < end.offset)
        };
        while is_behind(&consumer) {
            self.poll(process, &mut consumer).await;
        }
        process
    }

    async fn poll(&self, process: Process, consumer: &mut Consumer) -> Vec<(TopicPartition, Offset)> {
        let mut open = self.recorder.begin(process);
        let positions = polled(consumer, POLL, &mut open.steps).await;
        if !open.steps.is_empty() {
            self.recorder.end(open, Fate::Done);
        }
        positions
    }

    /// A member of the group: commits what each poll brings, and goes and comes back as somebody else now and then.
    pub(crate) async fn belong(self, mut chance: Chance, protocol: GroupProtocol) {
        while !self.is_over() {
            let process = self.recorder.process();
            let mut consumer = Consumer::new(self.transport.as_ref(), member(READERS, protocol));
            consumer.subscribe([TOPIC]).unwrap();
            let mut polls = 20 + chance.below(200);
            while !self.is_over() && polls > 0 {
                polls -= 1;
                let positions = self.poll(process, &mut consumer).await;
                if !positions.is_empty() {
                    self.commit(process, &mut consumer, &positions).await;
                }
            }
            consumer.close().await;
        }
    }

    async fn commit(
        &self,
        process: Process,
        consumer: &mut Consumer,
        positions: &[(TopicPartition, Offset)],
    ) {
        let mut open = self.recorder.begin(process);
        let step = |(id, offset): &(_, Offset)| Step::Commit { partition: partition(id), offset: offset.0 };
        open.steps = positions.iter().map(step).collect();
        let fate = consumer.commit(positions).await.map_or(Fate::Unknown, |()| Fate::Done);
        self.recorder.end(open, fate);
    }

    /// Asks again and again how far the group has read.
    pub(crate) async fn watch(self, group: &'static str) {
        let process = self.recorder.process();
        while !self.is_over() {
            self.committed(process, group).await;
            tokio::task::yield_now().await;
        }
    }

    /// How far a group has read the first topic, where that is told.
    pub(crate) async fn committed(&self, process: Process, group: &'static str) -> Vec<(Partition, i64)> {
        let consumer = Consumer::new(self.transport.as_ref(), member(group, GroupProtocol::Classic));
        let (partitions, mut open) = (partitions(TOPIC), self.recorder.begin(process));
        let Ok(found) = consumer.committed(&partitions).await else { return Vec::new() };
        let offset = |id: &TopicPartition| found.get(id).map(|offset| offset.0);
        let step = |id: &TopicPartition| Step::Committed { partition: partition(id), offset: offset(id) };
        open.steps = partitions.iter().map(step).collect();
        self.recorder.end(open, Fate::Done);
        partitions.iter().filter_map(|id| Some((partition(id), offset(id)?))).collect()
    }
}

/// Polls once, adds what that brings to the steps, and yields where to go on. Whatever goes wrong is tried again by the next
/// poll.
pub(crate) async fn polled(
    consumer: &mut Consumer,
    limit: Duration,
    steps: &mut Vec<Step>,
) -> Vec<(TopicPartition, Offset)> {
    match consumer.poll(limit).await {
        Ok(Polled::Records(records)) => {
            steps.extend(records.iter().map(polled_from));
            records.into_iter().map(|records| (records.partition, records.next_offset)).collect()
        }
        Ok(Polled::Assigned(given)) => {
            steps.extend(given.iter().map(|id| Step::Seek { partition: partition(id) }));
            Vec::new()
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

fn polled_from(records: &PartitionRecords) -> Step {
    // What does not say a number was sent by nobody.
    let value = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    let each = records.records.iter().map(|record| {
        let value = record.value.as_deref().and_then(value).unwrap_or(u64::MAX);
        (record.offset.0, Value(value))
    });
    Step::Poll { partition: partition(&records.partition), records: each.collect() }
}

/// What is read is what is committed.
fn reading() -> ConsumerConfig {
    ConsumerConfig {
        isolation: IsolationLevel::ReadCommitted,
        offset_reset: OffsetReset::Earliest,
        ..ConsumerConfig::default()
    }
}

pub(crate) fn member(group: &'static str, protocol: GroupProtocol) -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some(group.into()),
        group_protocol: protocol,
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_millis(300),
        timeout: Duration::from_secs(20),
        ..reading()
    }
}
