//! The task that takes batches to the brokers.
//!
//! - `follow`: what transactions have it do.
//! - `wire`: requests, and what their answers say.

mod follow;
mod wire;

use std::{collections::HashMap, collections::HashSet, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use mainstem_protocol::{
    ApiKey, BrokerId, ErrorCode, Offset, ProducerEpoch, ProducerId, Text, Timestamp,
    messages::{
        InitProducerIdRequest, InitProducerIdResponse, ProduceResponse, produce::PartitionProduceResponse,
    },
};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    Acks, ProduceError, ProducerConfig,
    accumulator::{Accumulator, OpenBatch},
    outcome::Outcome,
    partition::{Author, PartitionState, SealedBatch, Verdict},
    transaction::{Enlisted, Transactions},
};
use crate::{
    TopicPartition,
    alarm::Alarm,
    backoff::Backoff,
    caps,
    cluster::{Cluster, MetadataError, is_stale_metadata},
    metrics::Meter,
    transport::{BoxFuture, Lane, Node, TransportError},
};
use wire::{by_partition, request, said};

/// How long to sleep where nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// Something that was waited for.
enum Landed {
    Produced { node: BrokerId, batches: Vec<SealedBatch>, answer: Result<ProduceResponse, TransportError> },
    Refreshed(Result<(), MetadataError>),
    Identified(Result<InitProducerIdResponse, TransportError>),
    Enlisted(Enlisted),
}

/// Who the producer is.
#[derive(Debug)]
enum Identity {
    NotNeeded,
    Wanted {
        not_before: Instant,
    },
    Asked,
    Known(ProducerId, ProducerEpoch),
    Denied(String),
    /// Transactions have their own; the number that their sequences last began anew with.
    OfTransactions(u64),
}

struct Sender {
    config: Arc<ProducerConfig>,
    cluster: Arc<Cluster>,
    accumulator: Arc<Accumulator>,
    transactions: Option<Arc<Transactions>>,
    identity: Identity,
    partitions: HashMap<TopicPartition, PartitionState>,
    in_flight: HashMap<BrokerId, usize>,
    /// Topics whose leaders are not known or not where they were.
    stale: HashSet<Text>,
    refreshing: bool,
    refresh_not_before: Instant,
    /// When what is known of leaders and partitions is too old.
    aged_at: Instant,
    backoff: Backoff,
    /// Why nothing can be sent to anybody, where that is so.
    trouble: Option<String>,
    flights: FuturesUnordered<BoxFuture<'static, Landed>>,
}

/// The sender's life; it ends when it is dropped.
pub(super) async fn start(
    config: Arc<ProducerConfig>,
    cluster: Arc<Cluster>,
    accumulator: Arc<Accumulator>,
    transactions: Option<Arc<Transactions>>,
) {
    let now = Instant::now();
    let identity = match (&transactions, config.is_idempotent()) {
        (Some(_), _) => Identity::OfTransactions(0),
        (None, true) => Identity::Wanted { not_before: now },
        (None, false) => Identity::NotNeeded,
    };
    let sender = Sender {
        aged_at: now + config.metadata_age_max,
        config,
        cluster,
        accumulator,
        transactions,
        identity,
        partitions: HashMap::new(),
        in_flight: HashMap::new(),
        stale: HashSet::new(),
        refreshing: false,
        refresh_not_before: now,
        backoff: Backoff::new(caps::RETRY_BACKOFF, caps::RETRY_BACKOFF_MAX),
        trouble: None,
        flights: FuturesUnordered::new(),
    };
    sender.run().await;
}

impl Sender {
    async fn run(mut self) {
        let mut alarm = Alarm::new();
        loop {
            let now = Instant::now();
            self.expire(now);
            self.identify(now);
            self.dispatch(now);
            self.enlist(now);
            self.refresh(now);
            let wake = self.next_event(now);
            tokio::select! {
                Some(landed) = self.flights.next() => self.on_landed(landed),
                () = self.accumulator.changed.notified() => {}
                () = alarm.wait(now, wake) => {}
            }
        }
    }

    fn next_event(&self, now: Instant) -> Instant {
        let partitions = self.partitions.values().filter_map(|partition| partition.next_event(now));
        let batches = self.accumulator.next_event(now, self.config.delivery_timeout);
        let refresh = (!self.stale.is_empty() && !self.refreshing).then_some(self.refresh_not_before);
        let aged = (!self.partitions.is_empty() && !self.refreshing).then_some(self.aged_at);
        let identity = match self.identity {
            Identity::Wanted { not_before } => Some(not_before),
            _ => None,
        };
        let enlisting = self.transactions.as_ref().and_then(|transactions| transactions.next_enlisting());
        let events = partitions.chain(batches).chain(refresh).chain(aged).chain(identity).chain(enlisting);
        events.filter(|event| *event > now).min().unwrap_or(now + IDLE)
    }

    /// Gives up what could not be delivered in time.
    fn expire(&mut self, now: Instant) {
        let late = now.checked_sub(self.config.delivery_timeout);
        for batch in late.map(|late| self.accumulator.take_older(late)).into_iter().flatten() {
            let error = self.timed_out(&batch.outcome.partition, self.never_sent());
            self.lose(&batch.outcome, error);
        }
        let late: Vec<_> = self.partitions.values_mut().flat_map(|partition| partition.expire(now)).collect();
        for (outcome, last) in late {
            let last = last.as_deref().unwrap_or("it was never answered");
            let error = self.timed_out(&outcome.partition, last);
            self.lose(&outcome, error);
        }
    }

    fn never_sent(&self) -> String {
        let trouble = self.trouble.as_ref().map(|trouble| format!(": {trouble}"));
        format!("it was never sent{}", trouble.unwrap_or_default())
    }

    fn timed_out(&self, partition: &TopicPartition, last: impl ToString) -> ProduceError {
        let limit = self.config.delivery_timeout;
        ProduceError::TimedOut { partition: partition.clone(), limit, last: last.to_string() }
    }

    /// Asks for a producer id, once there is something to send.
    fn identify(&mut self, now: Instant) {
        self.follow_transactions(now);
        match &self.identity {
            Identity::Wanted { not_before } if *not_before <= now && self.accumulator.has_waiting() => {
                self.identity = Identity::Asked;
                let cluster = Arc::clone(&self.cluster);
                let request = InitProducerIdRequest {
                    transactional_id: None,
                    transaction_timeout_ms: i32::MAX,
                    ..InitProducerIdRequest::default()
                };
                let ask = async move { Landed::Identified(cluster.ask(Node::Any, request).await) };
                self.flights.push(Box::pin(ask));
            }
            Identity::Denied(reason) => {
                for batch in self.accumulator.take_older(now) {
                    let error = ProduceError::NoProducerId(reason.clone());
                    self.accumulator.resolve(&batch.outcome, Err(error));
                }
            }
            _ => {}
        }
    }

    /// As whom batches are written now; the inner one is none where they carry no sequences.
    fn author(&self) -> Option<Option<Author>> {
        match self.identity {
            Identity::Known(id, epoch) => Some(Some(Author { id, epoch, transactional: false })),
            Identity::NotNeeded => Some(None),
            Identity::OfTransactions(_) => {
                let (author, _) = self.transactions.as_ref()?.author()?;
                Some(Some(author))
            }
            Identity::Wanted { .. } | Identity::Asked | Identity::Denied(_) => None,
        }
    }

    fn on_identified(&mut self, answer: Result<InitProducerIdResponse, TransportError>) {
        let (again, reason) = match answer {
            Ok(answer) if answer.error_code.is_none() => {
                self.identity = Identity::Known(answer.producer_id, answer.producer_epoch);
                self.trouble = None;
                return self.backoff.reset();
            }
            Ok(answer) => (answer.error_code.is_retriable(), answer.error_code.to_string()),
            Err(error) => (error.is_retriable(), error.to_string()),
        };
        debug!(reason, "no producer id");
        self.trouble = Some(format!("no producer id: {reason}"));
        self.identity = match again {
            true => Identity::Wanted { not_before: Instant::now() + self.backoff.next() },
            false => Identity::Denied(reason),
        };
    }

    /// Sends whatever may be sent, as many rounds as brokers take.
    fn dispatch(&mut self, now: Instant) {
        loop {
            let batches = self.collect(now);
            if batches.is_empty() {
                return;
            }
            for (node, batches) in batches {
                self.launch(node, batches);
            }
        }
    }

    /// At most one batch of each partition, by leader: first those that are sent again.
    fn collect(&mut self, now: Instant) -> HashMap<BrokerId, Vec<SealedBatch>> {
        let mut collected: HashMap<BrokerId, Vec<SealedBatch>> = HashMap::new();
        let Some(author) = self.author() else { return collected };
        for (partition, node) in self.due_again(now) {
            let batch = self.partitions.get_mut(&partition).and_then(PartitionState::take_again);
            batch.iter().for_each(|_| self.cluster.meter().retried());
            collected.entry(node).or_default().extend(batch);
        }
        for (batch, node) in self.take_new(now) {
            let state = self.partitions.entry(batch.outcome.partition.clone());
            let state = state.or_insert_with(|| PartitionState::new(author));
            match seal(batch, state, &self.config, &self.accumulator, self.cluster.meter()) {
                Ok(sealed) => collected.entry(node).or_default().push(sealed),
                Err((outcome, error)) => self.lose(&outcome, error),
            }
        }
        collected
    }

    fn due_again(&mut self, now: Instant) -> Vec<(TopicPartition, BrokerId)> {
        let waiting = self.partitions.iter().filter(|(_, state)| state.has_again(now));
        let waiting: Vec<_> = waiting.map(|(partition, _)| partition.clone()).collect();
        let leaders = waiting.into_iter().map(|partition| (self.free_leader(&partition), partition));
        leaders.filter_map(|(leader, partition)| Some((partition, leader?))).collect()
    }

    fn take_new(&mut self, now: Instant) -> Vec<(OpenBatch, BrokerId)> {
        let accumulator = Arc::clone(&self.accumulator);
        let mut leaders = HashMap::new();
        let transactions = self.transactions.clone();
        let admits = |partition: &_| transactions.as_ref().is_none_or(|known| known.admits(partition));
        let batches = accumulator.take(now, |partition| {
            if !admits(partition) {
                return false;
            }
            let takes_new = self.partitions.get(partition).is_none_or(PartitionState::takes_new);
            let leader = takes_new.then(|| self.free_leader(partition)).flatten();
            leader.map(|leader| leaders.insert(partition.clone(), leader)).is_some()
        });
        let leader = |batch: &OpenBatch| leaders.get(&batch.outcome.partition).copied();
        batches.into_iter().filter_map(|batch| leader(&batch).map(|leader| (batch, leader))).collect()
    }

    /// The leader of a partition, where it is known and takes another request.
    fn free_leader(&mut self, partition: &TopicPartition) -> Option<BrokerId> {
        if self.stale.contains(&partition.topic) {
            return None;
        }
        let Some(leader) = self.cluster.leader(partition) else {
            self.stale.insert(partition.topic.clone());
            return None;
        };
        let in_flight = self.in_flight.get(&leader).copied().unwrap_or(0);
        (in_flight < self.config.in_flight()).then_some(leader)
    }

    /// Sends batches to their leader: in one request, or in more where one would be too large.
    fn launch(&mut self, node: BrokerId, batches: Vec<SealedBatch>) {
        let mut request = Vec::new();
        let mut bytes = 0;
        for mut batch in batches {
            if !request.is_empty() && bytes + batch.bytes.len() > self.config.request_bytes_max {
                self.send(node, std::mem::take(&mut request));
                bytes = 0;
            }
            bytes += batch.bytes.len();
            if let Some(state) = self.partitions.get_mut(&batch.outcome.partition) {
                state.sent(&mut batch);
            }
            request.push(batch);
        }
        self.send(node, request);
    }

    /// The request has its full time, whatever its batches have left ([`Self::expire`]): one that is given up takes the
    /// connection with it, and every batch under way there would have to be sent again.
    fn send(&mut self, node: BrokerId, batches: Vec<SealedBatch>) {
        *self.in_flight.entry(node).or_default() += 1;
        let timeout = self.config.request_timeout;
        let mut request = request(&self.config, &batches);
        let mut newest = i16::MAX;
        if let Some(transactions) = &self.transactions {
            transactions.sending();
            request.transactional_id = Some(transactions.id().clone());
            newest = transactions.newest(ApiKey::Produce);
        }
        let cluster = Arc::clone(&self.cluster);
        self.flights.push(Box::pin(async move {
            let call = cluster.call_up_to(newest, Node::Id(node), Lane::General, |_| Ok(request), timeout);
            let answer = call.await;
            Landed::Produced { node, batches, answer }
        }));
    }

    fn on_landed(&mut self, landed: Landed) {
        match landed {
            Landed::Produced { node, batches, answer } => self.on_produced(node, batches, answer),
            Landed::Refreshed(result) => self.on_refreshed(result),
            Landed::Identified(answer) => self.on_identified(answer),
            Landed::Enlisted(enlisted) => self.on_enlisted(enlisted),
        }
    }

    fn on_produced(
        &mut self,
        node: BrokerId,
        batches: Vec<SealedBatch>,
        answer: Result<ProduceResponse, TransportError>,
    ) {
        if let Some(in_flight) = self.in_flight.get_mut(&node) {
            *in_flight -= 1;
        }
        match answer {
            Err(error) => batches.into_iter().for_each(|batch| self.on_lost(batch, &error)),
            Ok(_) if self.config.acks == Acks::None => {
                for batch in batches {
                    self.on_stored(&batch, Offset::NONE, Timestamp::NONE);
                }
            }
            Ok(answer) => {
                let mut answers = by_partition(answer);
                for batch in batches {
                    let answer = answers.remove(&batch.outcome.partition);
                    self.on_answer(batch, answer);
                }
            }
        }
    }

    fn on_answer(&mut self, batch: SealedBatch, answer: Option<PartitionProduceResponse>) {
        let Some(answer) = answer else {
            let reason = "the answer says nothing about the partition".to_owned();
            let address = batch.outcome.partition.to_string();
            return self.on_lost(batch, &TransportError::Disconnected { address, reason });
        };
        match answer.error_code {
            ErrorCode::NONE => self.on_stored(&batch, answer.base_offset, answer.log_append_time_ms),
            code => self.on_refused(batch, code, answer),
        }
    }

    fn on_stored(&mut self, batch: &SealedBatch, offset: Offset, time: Timestamp) {
        if let Some(state) = self.partitions.get_mut(&batch.outcome.partition) {
            state.stored(batch);
        }
        self.cluster.meter().stored(batch.count);
        self.accumulator.resolve(&batch.outcome, Ok((offset, time)));
    }

    fn on_lost(&mut self, batch: SealedBatch, error: &TransportError) {
        let partition = batch.outcome.partition.clone();
        self.stale.insert(partition.topic.clone());
        let verdict = if error.is_retriable() { Verdict::Again } else { Verdict::GiveUp };
        self.on_failed(batch, verdict, ProduceError::Transport { partition, source: error.clone() });
    }

    fn on_refused(&mut self, batch: SealedBatch, code: ErrorCode, answer: PartitionProduceResponse) {
        let partition = batch.outcome.partition.clone();
        if is_stale_metadata(code) {
            self.stale.insert(partition.topic.clone());
        }
        let state = self.partitions.get(&partition);
        let verdict = state.map_or(Verdict::GiveUp, |state| state.judge(code, batch.alone));
        let (record, message) = said(answer);
        self.on_failed(batch, verdict, ProduceError::Refused { partition, code, message, record });
    }

    fn on_failed(&mut self, mut batch: SealedBatch, verdict: Verdict, error: ProduceError) {
        let now = Instant::now();
        debug!(%error, ?verdict, "batch was not stored");
        match (verdict, self.partitions.get_mut(&batch.outcome.partition)) {
            (Verdict::Stored, _) => self.on_stored(&batch, Offset::NONE, Timestamp::NONE),
            (Verdict::Again | Verdict::Renumber, Some(state)) if now < batch.deadline => {
                batch.last = Some(error.cause());
                state.failed(batch, verdict, now);
            }
            (_, state) => {
                state.into_iter().for_each(|state| state.settled(&batch));
                let error = match verdict {
                    Verdict::GiveUp => error,
                    _ => self.timed_out(&batch.outcome.partition, error.cause()),
                };
                self.cluster.meter().lost(batch.count);
                self.lose(&batch.outcome, error);
            }
        }
    }

    /// Asks anew who leads what: where that has changed, and now and then where it may have, since partitions may have been
    /// added. The latter holds up nothing.
    fn refresh(&mut self, now: Instant) {
        let is_aged = now >= self.aged_at && !self.partitions.is_empty();
        if self.refreshing || now < self.refresh_not_before || (self.stale.is_empty() && !is_aged) {
            return;
        }
        self.refreshing = true;
        let cluster = Arc::clone(&self.cluster);
        let mut topics = self.stale.clone();
        if is_aged {
            topics.extend(self.partitions.keys().map(|partition| partition.topic.clone()));
            self.aged_at = now + self.config.metadata_age_max;
        }
        let topics: Vec<_> = topics.into_iter().collect();
        self.flights.push(Box::pin(async move { Landed::Refreshed(cluster.refresh(&topics, false).await) }));
    }

    fn on_refreshed(&mut self, result: Result<(), MetadataError>) {
        self.refreshing = false;
        self.refresh_not_before = Instant::now() + self.backoff.next();
        match result {
            Err(error) => {
                warn!(%error, "no broker says who leads");
                self.trouble = Some(error.to_string());
            }
            Ok(()) => {
                self.trouble = None;
                self.backoff.reset();
                self.stale.clear();
            }
        }
    }
}

/// Ends a batch: from here on it has its numbers.
fn seal(
    batch: OpenBatch,
    state: &mut PartitionState,
    config: &ProducerConfig,
    accumulator: &Accumulator,
    meter: &Meter,
) -> Result<SealedBatch, (Arc<Outcome>, ProduceError)> {
    let OpenBatch { mut builder, outcome, created, room } = batch;
    let count = builder.len() as i32;
    let stamp = state.stamp(count);
    let uncompressed = builder.uncompressed_size();
    let sealed = builder.seal(&stamp);
    accumulator.recycle(builder);
    let partition = outcome.partition.clone();
    let bytes = match sealed {
        Ok(bytes) => bytes,
        Err(source) => return Err((outcome, ProduceError::Compress { partition, source })),
    };
    meter.sealed(created.elapsed(), uncompressed, bytes.len());
    let deadline = created + config.delivery_timeout;
    Ok(SealedBatch {
        bytes,
        outcome,
        deadline,
        count,
        order: state.order(),
        alone: false,
        last: None,
        _room: room,
    })
}
