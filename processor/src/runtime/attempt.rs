//! One attempt at a task: restore, then poll, work and commit, until something ends it. What was not committed by
//! then is dropped with it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, Producer, ProducerConfig, Record, TopicPartition, Transport,
    consumer::{OffsetReset, Polled},
    producer::Ticket,
};
use tokio::{
    sync::watch,
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{
    Job, TaskError,
    held_back::{self, HeldBack},
    life::{End, stopped},
    restore,
};
use crate::{
    Buffered, Settings, TaskId, caps,
    merge::{Merge, Room},
    state::SystemKey,
    work::Work,
};

/// A task at work.
pub(super) struct Attempt<'a> {
    pub(super) job: &'a Job,
    pub(super) id: TaskId,
    pub(super) consumer: Consumer,
    pub(super) producer: Producer,
    pub(super) work: Work,
    /// Where to go on in each input once what has been worked through is committed.
    pub(super) positions: BTreeMap<TopicPartition, Offset>,
    /// Where others see how far that is.
    pub(super) committed: &'a watch::Sender<BTreeMap<TopicPartition, Offset>>,
    /// Outputs that were sent since the last commit.
    pub(super) tickets: Vec<Ticket>,
    pub(super) sent_bytes: usize,
    /// When the next commit is due; none where there is nothing to commit.
    pub(super) commit_at: Option<Instant>,
    /// When each input last had something new; none once it is idle.
    pub(super) heard: BTreeMap<TopicPartition, Option<Instant>>,
    /// What has come in, where there are several inputs.
    pub(super) merge: Merge,
    /// Since when nothing waits of an input that is read to its end.
    pub(super) dry_since: BTreeMap<TopicPartition, Instant>,
    /// What of it was last told to wait.
    pub(super) buffered: Buffered,
    /// Records between the merge and the nodes.
    pub(super) run: Vec<Record>,
    /// Inputs that wait for transactions to end.
    pub(super) held_back: HeldBack<'a>,
}

impl<'a> Attempt<'a> {
    /// Brings the state back, and finds out where to go on.
    pub(super) async fn begin(
        job: &'a Job,
        transport: &dyn Transport,
        id: TaskId,
        committed: &'a watch::Sender<BTreeMap<TopicPartition, Offset>>,
    ) -> Result<Self, TaskError> {
        let stores = restore::stores(job, transport, id).await?;
        let mut consumer = Consumer::new(transport, consumer_config(job));
        let inputs = job.inputs(id);
        consumer.assign(inputs.iter().cloned());
        let mut positions = BTreeMap::new();
        for input in &inputs {
            if let Some(offset) = stores.first().number(&SystemKey::Position(input)) {
                consumer.seek(input, Offset(offset));
                positions.insert(input.clone(), Offset(offset));
            }
        }
        committed.send_replace(positions.clone());
        let meter = Arc::clone(&job.settings.meter);
        let mut work = Work::new(&job.topology, &job.plan, id.part, id.number, stores, meter)
            .by_clock(Arc::clone(&job.settings.clock))
            .in_pieces();
        if let Some(behind) = job.settings.clock_when_idle {
            work.rest_behind_clock(behind);
        }
        for (partition, begin) in &job.begins {
            work.time.begin_at(partition, *begin);
        }
        // What could not be read was taken to be absent: positions, time, or what a store says of itself.
        if let Some(fault) = work.stores.fault() {
            return Err(fault.clone().into());
        }
        let producer =
            Producer::new(transport, ProducerConfig { linger: PRODUCER_LINGER, ..producer_config() });
        let is_own = |input: &&TopicPartition| !job.plan.writers.contains_key(&input.topic);
        let heard = inputs.iter().filter(is_own).map(|input| (input.clone(), Some(Instant::now()))).collect();
        let merge = work.merge(inputs, room(&job.settings));
        Ok(Self {
            job,
            id,
            consumer,
            producer,
            work,
            positions,
            committed,
            tickets: Vec::new(),
            sent_bytes: 0,
            commit_at: None,
            heard,
            merge,
            dry_since: BTreeMap::new(),
            buffered: Buffered::default(),
            run: Vec::new(),
            held_back: HeldBack::new(job, id, transport),
        })
    }

    /// Works until the input ends, the task is stopped, or something fails.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<End, TaskError> {
        self.start().await?;
        loop {
            if self.is_finished().await? {
                self.finish().await?;
                return Ok(End::Finished);
            }
            let wake_at = self.wake_at();
            let polled = tokio::select! {
                polled = self.consumer.poll(self.poll_limit()) => polled?,
                () = sleep_until(wake_at) => Polled::Nothing,
                () = self.held_back.told() => Polled::Nothing,
                () = stopped(&mut stop) => {
                    self.commit().await?;
                    return Ok(End::Stopped);
                }
            };
            if let Polled::Records(batches) = polled {
                self.on_records(batches).await?;
            }
            self.work_through().await?;
            self.look_for_idle_inputs().await?;
            self.rest().await?;
            self.held_back.look(&self.consumer);
            self.look_at_the_clock().await?;
            if self.is_commit_due() {
                self.commit().await?;
            }
            // The turn of the next task on this thread.
            yield_now().await;
        }
    }

    /// Lets the nodes begin.
    async fn start(&mut self) -> Result<(), TaskError> {
        let before = self.work.stores.uncommitted_bytes();
        self.work.start()?;
        if !self.work.emitted.is_empty() || self.work.stores.uncommitted_bytes() != before {
            self.has_worked().await?;
        }
        Ok(())
    }

    /// Lets the timers go off that the clock has reached.
    async fn look_at_the_clock(&mut self) -> Result<(), TaskError> {
        if self.work.on_wall_clock()? {
            self.has_worked().await?;
        }
        Ok(())
    }

    /// There is something to commit: soon, or at once if it is much.
    pub(super) async fn has_worked(&mut self) -> Result<(), TaskError> {
        self.commit_at.get_or_insert_with(|| Instant::now() + self.job.settings.commit_interval);
        self.send_outputs().await?;
        if self.uncommitted_bytes() >= self.job.settings.uncommitted_bytes_max {
            self.commit().await?;
        }
        Ok(())
    }

    /// When there is something to do even if nothing comes in.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let look_at = held_back::look_at(now);
        let commit_at = self.commit_at.map_or(look_at, |commit_at| commit_at.min(look_at));
        // The clock may be set meanwhile.
        let timer = self.work.wall.wait().map(|wait| now + wait.min(caps::WALL_CLOCK_LOOK_INTERVAL));
        let look = self.work.time.rests_by_clock().then(|| now + caps::WALL_CLOCK_LOOK_INTERVAL);
        timer.into_iter().chain(look).fold(commit_at, Instant::min)
    }

    async fn finish(&mut self) -> Result<(), TaskError> {
        for input in self.consumer.assignment() {
            if let Some(end) = self.end_of_run(&input) {
                self.positions.insert(input, end);
            }
        }
        self.commit().await
    }

    fn is_commit_due(&self) -> bool {
        self.commit_at.is_some_and(|commit_at| commit_at <= Instant::now())
    }

    pub(super) fn uncommitted_bytes(&self) -> usize {
        self.sent_bytes + self.work.stores.uncommitted_bytes()
    }
}

const fn room(settings: &Settings) -> Room {
    let Settings { buffered_records_per_partition: records, buffered_bytes_per_partition: bytes, .. } =
        settings;
    Room { records: *records, bytes: *bytes }
}

/// Batches are cut by commits, which flush; until then they may fill.
const PRODUCER_LINGER: Duration = Duration::from_millis(50);

/// Room for the changes of one commit in one batch: a batch is stored as a whole or not at all.
pub(super) fn producer_config() -> ProducerConfig {
    ProducerConfig {
        batch_bytes: caps::CHANGELOG_BATCH_BYTES,
        request_bytes_max: caps::CHANGELOG_BATCH_BYTES,
        ..ProducerConfig::default()
    }
}

fn consumer_config(job: &Job) -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some(job.topology.name().clone()),
        offset_reset: OffsetReset::Earliest,
        poll_records: caps::BATCH_RECORDS,
        isolation: job.settings.isolation_level,
        ..ConsumerConfig::default()
    }
}
