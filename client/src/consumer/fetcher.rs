//! Asks leaders for records, ahead of whoever wants them: one request at each broker at a time.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use mainstem_protocol::{
    BrokerId, ErrorCode, Offset, PartitionId, Text, Timestamp,
    messages::{
        FetchRequest, FetchResponse,
        fetch::{FetchPartition, FetchTopic, PartitionData},
    },
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tracing::debug;

use super::{
    ConsumeError, ConsumerConfig, Damage, IsolationLevel, OffsetReset,
    aborted::Aborted,
    config::{bytes, millis},
    fetch_session::{Answers, Asked, FetchSession, Turn, Unfit},
    position::{Ends, Place, Positions},
    records::Fetched,
};
use crate::{
    TopicPartition,
    backoff::Backoff,
    caps,
    cluster::{Cluster, is_stale_metadata},
    offsets::OffsetSpec,
    topic_partition::by_topic,
    transport::{Lane, Node, TransportError},
};

/// An answer.
struct Landed {
    node: BrokerId,
    asked: Asked,
    answer: Result<FetchResponse, TransportError>,
}

/// The requests under way and the answers that nobody has taken yet.
pub(super) struct Fetcher {
    config: Arc<ConsumerConfig>,
    cluster: Arc<Cluster>,
    under_way: JoinSet<Landed>,
    /// Brokers that were asked, and how many bytes they may answer.
    busy: HashMap<BrokerId, usize>,
    sessions: HashMap<BrokerId, FetchSession>,
    pub(super) ready: VecDeque<Fetched>,
    backoff: Backoff,
    not_before: Instant,
}

impl Fetcher {
    pub(super) fn new(config: Arc<ConsumerConfig>, cluster: Arc<Cluster>) -> Self {
        Self {
            config,
            cluster,
            under_way: JoinSet::new(),
            busy: HashMap::new(),
            sessions: HashMap::new(),
            ready: VecDeque::new(),
            backoff: Backoff::new(caps::RETRY_BACKOFF, caps::RETRY_BACKOFF_MAX),
            not_before: Instant::now(),
        }
    }

    /// Sends requests to all leaders that have none, for all partitions of which nothing is on its way, as long as there
    /// is room for the answers.
    pub(super) fn send(&mut self, positions: &mut Positions) {
        let room = self.room(positions);
        if room == 0 || Instant::now() < self.not_before {
            return;
        }
        let mut by_leader: HashMap<BrokerId, Asked> = HashMap::new();
        for (partition, offset, round) in positions.idle() {
            let leader = self.cluster.leader(partition);
            if let Some(leader) = leader.filter(|leader| !self.busy.contains_key(leader)) {
                by_leader.entry(leader).or_default().push((partition.clone(), round, offset));
            }
        }
        let room = room / by_leader.len().max(1);
        let hurried: HashSet<_> =
            positions.full().filter_map(|partition| self.cluster.leader(partition)).collect();
        for (node, asked) in by_leader {
            for (partition, round, _) in &asked {
                positions.current(partition, *round).into_iter().for_each(|position| position.busy = true);
            }
            // What is full is asked for again as soon as it is taken: a long poll of the others must not stand in front
            // of that.
            let wait = if hurried.contains(&node) { Duration::ZERO } else { self.config.fetch_wait };
            self.launch(node, asked, wait, room.clamp(1, self.config.fetch_bytes_max.max(1)));
        }
    }

    /// Bytes for which there is room beside those that wait, or are on their way. What waits for a partition that is
    /// paused does not count: it would stand in the way of the others.
    fn room(&self, positions: &Positions) -> usize {
        let wanted = self.ready.iter().filter(|fetched| positions.wants(&fetched.partition, fetched.round));
        let held = wanted.map(|fetched| fetched.bytes).chain(self.busy.values().copied());
        self.config.prefetch_bytes.max(1).saturating_sub(held.sum())
    }

    /// The topics of idle partitions whose leader is not known.
    pub(super) fn leaderless(&self, positions: &Positions) -> Vec<Text> {
        let idle = positions.idle().map(|(partition, ..)| partition);
        let leaderless = idle.filter(|partition| self.cluster.leader(partition).is_none());
        let topics: HashSet<_> = leaderless.map(|partition| partition.topic.clone()).collect();
        topics.into_iter().collect()
    }

    fn launch(&mut self, node: BrokerId, asked: Asked, wait: Duration, bytes_max: usize) {
        self.busy.insert(node, bytes_max);
        let turn = self.sessions.entry(node).or_default().turn(&asked);
        let request = request(&self.config, turn, wait, bytes_max);
        let timeout = self.config.fetch_wait + self.config.request_timeout;
        let cluster = Arc::clone(&self.cluster);
        self.under_way.spawn(async move {
            let answer = cluster.call(Node::Id(node), Lane::Fetch, request, timeout).await;
            Landed { node, asked, answer }
        });
    }

    /// Waits for the next answer, or until requests may be sent again after a failure; for ever where there is
    /// nothing to wait for. May be given up at any time.
    pub(super) async fn landed(&mut self, positions: &mut Positions) -> Result<(), ConsumeError> {
        let paused = self.not_before > Instant::now();
        tokio::select! {
            Some(landed) = self.under_way.join_next() => match landed {
                Ok(landed) => self.on_landed(landed, positions),
                // Requests are never cancelled, and do not panic.
                Err(_) => Ok(()),
            },
            () = sleep_until(self.not_before), if paused => Ok(()),
            else => std::future::pending().await,
        }
    }

    fn on_landed(&mut self, landed: Landed, positions: &mut Positions) -> Result<(), ConsumeError> {
        let Landed { node, asked, answer } = landed;
        self.busy.remove(&node);
        let session = self.sessions.entry(node).or_default();
        let mut answers = match answer {
            Ok(answer) => {
                let FetchResponse { error_code, session_id, .. } = answer;
                let answers = by_partition(answer);
                if let Err(unfit) = session.answered(error_code, session_id, &asked, &answers) {
                    self.on_unfit(&asked, unfit, positions);
                    return Ok(());
                }
                answers
            }
            Err(error) => {
                session.renew();
                self.on_failure(&asked, &error.to_string(), positions);
                // What no repetition cures is told; the next poll tries again all the same.
                return if error.is_retriable() { Ok(()) } else { Err(error.into()) };
            }
        };
        let mut first_error = Ok(());
        for (partition, round, offset) in asked {
            let Some(position) = positions.current(&partition, round) else { continue };
            position.busy = false;
            let Some(data) = answers.remove(&partition) else {
                let session = self.sessions.get(&node);
                let known = session.and_then(|session| session.ends(&partition));
                known.into_iter().for_each(|known| position.hear(known));
                continue;
            };
            position.hear(Ends::told(&data));
            let taken = self.on_partition(partition, round, offset, data, positions);
            first_error = first_error.and(taken);
        }
        first_error
    }

    fn on_partition(
        &mut self,
        partition: TopicPartition,
        round: u64,
        offset: Offset,
        data: PartitionData,
        positions: &mut Positions,
    ) -> Result<(), ConsumeError> {
        match data.error_code {
            ErrorCode::NONE => {
                self.backoff.reset();
                self.keep(partition, round, offset, data, positions);
                Ok(())
            }
            // Records wait that were there before the log was cut; they are taken first.
            ErrorCode::OFFSET_OUT_OF_RANGE if is_ahead(&partition, offset, positions) => {
                self.wait();
                Ok(())
            }
            // The broker has found its own copy to be damaged; asking again brings nothing else (Kafka: `FetchCollector`).
            ErrorCode::CORRUPT_MESSAGE => {
                Err(ConsumeError::Damaged { partition, offset, damage: Damage::AtBroker })
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => self.out_of_range(partition, offset, positions),
            code if code.is_retriable() => {
                if is_stale_metadata(code) {
                    self.cluster.forget(&partition.topic);
                }
                debug!(%partition, %code, "no records for now");
                self.wait();
                Ok(())
            }
            code => Err(ConsumeError::Refused { partition, code }),
        }
    }

    fn keep(
        &mut self,
        partition: TopicPartition,
        round: u64,
        offset: Offset,
        data: PartitionData,
        positions: &mut Positions,
    ) {
        let bytes = data.records.map(|records| records.bytes());
        match bytes {
            Some(Ok(bytes)) if !bytes.is_empty() => {
                let Some(position) = positions.current(&partition, round) else { return };
                let aborted = Aborted::new(match self.config.isolation {
                    IsolationLevel::ReadCommitted => data.aborted_transactions.unwrap_or_default(),
                    IsolationLevel::ReadUncommitted => Vec::new(),
                });
                let fetched = Fetched::new(partition, round, offset, data.high_watermark, bytes, aborted);
                position.ready += 1;
                position.ahead = fetched.end();
                self.ready.push_back(fetched);
            }
            Some(Err(error)) => {
                debug!(%partition, %error, "no records for now");
                self.wait();
            }
            _ => {}
        }
    }

    /// The offset is gone, by retention or with the topic.
    fn out_of_range(
        &self,
        partition: TopicPartition,
        offset: Offset,
        positions: &mut Positions,
    ) -> Result<(), ConsumeError> {
        let Some(spec) = reset_spec(&self.config) else {
            return Err(ConsumeError::OutOfRange { partition, offset });
        };
        debug!(%partition, %offset, "offset is out of range");
        positions.put(partition, Place::Reset(spec));
        Ok(())
    }

    fn on_unfit(&mut self, asked: &Asked, unfit: Unfit, positions: &mut Positions) {
        match unfit {
            // Nothing is wrong with the partitions: they are asked for again at once.
            Unfit::Over(code) => {
                debug!(%code, "fetch session is over");
                idle(asked, positions);
            }
            Unfit::Refused(_) | Unfit::Stray => self.on_failure(asked, &unfit.to_string(), positions),
        }
    }

    fn on_failure(&mut self, asked: &Asked, reason: &str, positions: &mut Positions) {
        debug!(reason, "fetch failed");
        idle(asked, positions);
        asked.iter().for_each(|(partition, ..)| self.cluster.forget(&partition.topic));
        self.wait();
    }

    /// Closes the sessions, so that the brokers have room for others. Whether they hear of it does not matter: sessions that
    /// nobody uses go after some time.
    pub(super) async fn close(&mut self) {
        let closing = std::mem::take(&mut self.sessions).into_iter();
        let closing = closing.filter_map(|(node, session)| Some((node, session.close()?)));
        let closing = closing.map(|(node, (session_id, session_epoch))| {
            let request = FetchRequest { session_id, session_epoch, ..FetchRequest::default() };
            // Not behind a long poll.
            self.cluster.call(Node::Id(node), Lane::General, request, caps::FETCH_SESSION_CLOSE_MAX)
        });
        drop(join_all(closing).await);
    }

    /// Sends nothing for a while.
    pub(super) fn wait(&mut self) {
        self.not_before = Instant::now() + self.backoff.next();
    }
}

/// Nothing is on its way any more.
fn idle(asked: &Asked, positions: &mut Positions) {
    for (partition, round, _) in asked {
        positions.current(partition, *round).into_iter().for_each(|position| position.busy = false);
    }
}

/// Whether an offset lies behind the next one to be taken.
fn is_ahead(partition: &TopicPartition, offset: Offset, positions: &Positions) -> bool {
    positions.get(partition).is_some_and(|position| position.place != Place::At(offset))
}

/// Where the settings say to begin.
pub(super) fn reset_spec(config: &ConsumerConfig) -> Option<OffsetSpec> {
    match config.offset_reset {
        OffsetReset::Earliest => Some(OffsetSpec::Earliest),
        OffsetReset::Latest => Some(OffsetSpec::Latest),
        OffsetReset::Timestamp(timestamp) => Some(OffsetSpec::Timestamp(timestamp)),
        OffsetReset::Duration(before) => {
            let before = i64::try_from(before.as_millis()).unwrap_or(i64::MAX);
            Some(OffsetSpec::Timestamp(Timestamp(config.clock.now().0.saturating_sub(before).max(0))))
        }
        OffsetReset::Fail => None,
    }
}

fn request(config: &ConsumerConfig, turn: Turn<'_>, wait: Duration, bytes_max: usize) -> FetchRequest {
    let Turn { id, epoch, named, forgotten } = turn;
    let partitions = named.into_iter().map(|(TopicPartition { topic, partition }, _, offset)| {
        let partition = FetchPartition {
            partition: *partition,
            fetch_offset: *offset,
            partition_max_bytes: bytes(config.partition_bytes_max),
            ..FetchPartition::default()
        };
        (topic, partition)
    });
    let topics = by_topic(partitions).into_iter();
    FetchRequest {
        max_wait_ms: millis(wait),
        min_bytes: bytes(config.fetch_bytes_min),
        max_bytes: bytes(bytes_max),
        isolation_level: config.isolation.id(),
        session_id: id,
        session_epoch: epoch,
        topics: topics
            .map(|(topic, partitions)| FetchTopic { topic, partitions, ..FetchTopic::default() })
            .collect(),
        forgotten_topics_data: forgotten,
        ..FetchRequest::default()
    }
}

fn by_partition(answer: FetchResponse) -> Answers {
    let topics = answer.responses.into_iter();
    let partitions = topics.flat_map(|topic| {
        let name = topic.topic;
        let named = move |partition: PartitionId| TopicPartition { topic: name.clone(), partition };
        topic.partitions.into_iter().map(move |data| (named(data.partition_index), data))
    });
    partitions.collect()
}
