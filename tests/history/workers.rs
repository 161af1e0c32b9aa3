//! Workers: members of a group who read records, make others of them, and commit where they are, all in one transaction. They
//! are killed, held up, and go on when another one has their place.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, TopicPartition, TransactionalProducer, Transport,
    consumer::GroupProtocol,
    producer::{TransactionConfig, TransactionError},
    protocol::messages::ResponseBody,
    testing::Around,
    transport::Call,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    chance::Chance,
    clients::{Client, PARTITIONS, POLL, TOPIC, member, partition, polled, record},
    history::{Fate, Partition, Process, Step, Value},
    recorder::Open,
    scene::producer,
};

pub(crate) const WORKERS: &str = "workers";

/// After this time without a sign a worker has lost its partitions.
const SESSION: Duration = Duration::from_millis(1500);

/// Settings under which a broker lets them be lost so soon.
pub(crate) const SETTINGS: &[&str] = &[
    "group.min.session.timeout.ms=500",
    "group.initial.rebalance.delay.ms=0",
    "group.consumer.min.heartbeat.interval.ms=100",
    "group.consumer.heartbeat.interval.ms=300",
    "group.consumer.min.session.timeout.ms=500",
    "group.consumer.session.timeout.ms=1500",
];

/// What becomes of a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mishap {
    None,
    /// The worker changes its mind.
    Abort,
    /// It is gone after that time, wherever it is.
    Killed(Duration),
    /// Nothing of it reaches the broker for that time, before it sends its offsets or behind that.
    HeldUp(Duration, bool),
    /// It goes on when another one has its transactional id.
    Fenced,
}

impl Mishap {
    fn any(chance: &mut Chance) -> Self {
        match chance.below(100) {
            0..8 => Self::Abort,
            8..16 => Self::Killed(Duration::from_millis(chance.below(40))),
            16..20 => Self::HeldUp(Duration::from_millis(200 + chance.below(2500)), chance.happens(50)),
            20..26 => Self::Fenced,
            _ => Self::None,
        }
    }
}

struct Worker<'a> {
    client: &'a Client,
    process: Process,
    config: TransactionConfig,
    producer: TransactionalProducer,
    consumer: Consumer,
    is_first_generation: bool,
    /// Shut while the worker is held up.
    gate: watch::Sender<bool>,
}

impl Client {
    /// Works at a place of its own until it is told to stop; whenever it has met with something, somebody else takes the
    /// place.
    pub(crate) async fn work(self, mut chance: Chance, protocol: GroupProtocol, place: u64, first: bool) {
        while !self.is_over() {
            let gate = watch::Sender::new(true);
            let transport = gated(Arc::clone(&self.transport), gate.subscribe());
            let transport = if first { of_first_generation(transport) } else { transport };
            let name = format!("worker-{place}");
            let timeout = Duration::from_secs(10);
            let config = TransactionConfig { timeout, ..TransactionConfig::new(name.as_str()) };
            let producer = TransactionalProducer::new(transport.as_ref(), producer(), config.clone());
            if producer.init_transactions().await.is_err() {
                continue;
            }
            let mut consumer = Consumer::new(transport.as_ref(), working(protocol));
            consumer.subscribe([TOPIC]).unwrap();
            let (client, process) = (&self, self.recorder.process());
            let is_first_generation = first;
            let mut worker =
                Worker { client, process, config, producer, consumer, is_first_generation, gate };
            while !self.is_over() && worker.turn(Mishap::any(&mut chance)).await {}
            if self.is_over() {
                worker.producer.close().await;
                worker.consumer.close().await;
            }
        }
    }

    /// Waits until the workers are past everything that there is to read.
    pub(crate) async fn drained(&self) {
        let last = self.last_offsets(self.read_all().await);
        let process = self.recorder.process();
        loop {
            let committed: BTreeMap<_, _> = self.committed(process, WORKERS).await.into_iter().collect();
            let is_past = |(id, offset): (&Partition, &i64)| committed.get(id).is_some_and(|at| at > offset);
            if last.iter().filter(|(id, _)| id.0 < PARTITIONS).all(is_past) {
                return;
            }
            // Workers go on meanwhile; they tell nobody when they are through.
            sleep(POLL).await;
        }
    }

    fn last_offsets(&self, reader: Process) -> BTreeMap<Partition, i64> {
        let mut last = BTreeMap::new();
        let history = self.recorder.history(reader);
        for (id, partition, offset, _) in history.polled() {
            if history.operation(id).process == reader {
                last.insert(partition, offset);
            }
        }
        last
    }
}

impl Worker<'_> {
    /// Reads once, and makes a transaction of it; whether the worker can go on.
    async fn turn(&mut self, mishap: Mishap) -> bool {
        let mut open = self.client.recorder.begin(self.process);
        let positions = polled(&mut self.consumer, POLL, &mut open.steps).await;
        if positions.is_empty() {
            if !open.steps.is_empty() {
                self.client.recorder.end(open, Fate::Done);
            }
            return true;
        }
        let read = read_in(&open.steps);
        let life = if let Mishap::Killed(life) = mishap { life } else { Duration::MAX };
        let ended = timeout(life, self.transaction(mishap, &mut open, &positions)).await;
        let fate = match (&ended, open.deciding) {
            // Before it is asked to commit nothing can be, nor when another one has finished what it had begun.
            _ if matches!(mishap, Mishap::Abort) => Fate::Failed,
            (Ok(Ok(true)), _) => Fate::Done,
            (_, None) => Fate::Failed,
            _ if mishap == Mishap::Fenced => Fate::Failed,
            _ => Fate::Unknown,
        };
        self.client.recorder.end(open, fate);
        match mishap {
            Mishap::Abort if matches!(ended, Ok(Ok(true))) => {
                self.go_back(&read);
                true
            }
            _ => fate == Fate::Done,
        }
    }

    /// Whether it came to the end that it was to have.
    async fn transaction(
        &self,
        mishap: Mishap,
        open: &mut Open,
        positions: &[(TopicPartition, Offset)],
    ) -> Result<bool, TransactionError> {
        self.producer.begin()?;
        for (from, _, value) in read_in(&open.steps) {
            let (to, made) = (Partition(PARTITIONS + from.0), self.client.recorder.value());
            open.steps.push(Step::Made { from: value, value: made });
            open.steps.push(Step::Send { partition: to, value: made, offset: None });
            drop(self.producer.send(record(to, made)).await?);
        }
        self.meet(mishap, false).await;
        let commits = positions.iter();
        open.steps
            .extend(commits.map(|(id, offset)| Step::Commit { partition: partition(id), offset: offset.0 }));
        if let Some(group) = self.consumer.group_metadata() {
            let offsets: Vec<_> =
                positions.iter().map(|(id, offset)| (id.clone(), (*offset).into())).collect();
            self.producer.send_offsets_to_transaction(&offsets, &group).await?;
        } else {
            // Its partitions are others' by now.
            return Ok(false);
        }
        self.meet(mishap, true).await;
        self.decide(mishap, open).await.map(|()| true)
    }

    async fn decide(&self, mishap: Mishap, open: &mut Open) -> Result<(), TransactionError> {
        self.producer.flush().await;
        open.deciding = Some(self.client.recorder.now());
        if mishap == Mishap::Abort {
            return self.producer.abort().await;
        }
        self.producer.commit().await?;
        // The first generation alone names the partitions before it writes there.
        let names = self.producer.metrics().requests.contains_key("AddPartitionsToTxn");
        assert_eq!(names, self.is_first_generation);
        Ok(())
    }

    /// What comes between, before the offsets are sent or behind that.
    async fn meet(&self, mishap: Mishap, is_behind: bool) {
        match mishap {
            Mishap::HeldUp(time, behind) if behind == is_behind => {
                self.gate.send_replace(false);
                // The length of the pause is the mishap.
                sleep(time).await;
                self.gate.send_replace(true);
            }
            Mishap::Fenced if is_behind => {
                let transport = self.client.transport.as_ref();
                let other = TransactionalProducer::new(transport, producer(), self.config.clone());
                while other.init_transactions().await.is_err() {}
            }
            _ => {}
        }
    }

    /// Reads again what the last poll has brought.
    fn go_back(&mut self, read: &[(Partition, i64, Value)]) {
        let mut open = self.client.recorder.begin(self.process);
        for (id, offset, _) in read.iter().rev() {
            self.consumer.seek(&TopicPartition::new(TOPIC, id.0), Offset(*offset));
            open.steps.push(Step::Seek { partition: *id });
        }
        self.client.recorder.end(open, Fate::Done);
    }
}

fn read_in(steps: &[Step]) -> Vec<(Partition, i64, Value)> {
    let polls = steps.iter().filter_map(|step| match step {
        Step::Poll { partition, records } => Some((*partition, records)),
        _ => None,
    });
    polls.flat_map(|(id, records)| records.iter().map(move |(offset, value)| (id, *offset, *value))).collect()
}

fn working(protocol: GroupProtocol) -> ConsumerConfig {
    ConsumerConfig { session_timeout: SESSION, ..member(WORKERS, protocol) }
}

/// Lets nothing through while the gate is shut.
fn gated(transport: Arc<dyn Transport>, gate: watch::Receiver<bool>) -> Arc<dyn Transport> {
    Arc::new(Around::new(transport, move |inner, call: Call| {
        let mut gate = gate.clone();
        async move {
            // Where nobody can shut it any more, it is open.
            let _ = gate.wait_for(|is_open| *is_open).await;
            inner.call(call).await
        }
    }))
}

/// Hides that the broker has the second generation of transactions.
fn of_first_generation(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    Arc::new(Around::new(transport, |inner, call: Call| async move {
        let mut answer = inner.call(call).await;
        if let Ok(ResponseBody::ApiVersions(response)) = &mut answer {
            response.finalized_features.retain(|feature| feature.name != "transaction.version");
        }
        answer
    }))
}
