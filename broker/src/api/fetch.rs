//! Fetch, key 1: batches from given offsets on; waits until there are enough of them (Kafka: `ReplicaManager.fetchMessages`).
//!
//! What a request leaves out because its session has it (KIP-227) is put in by `fetch_session` first. The cut of what is visible is
//! taken once for all partitions of a request, and anew when a parked one wakes (durability 5). A reader of what is
//! committed sees nothing behind the last stable offset, and is told which of the transactions in what it gets were
//! aborted: their records come along, and it is the client that passes over them (KIP-98). Of the first
//! partition that has anything at least one batch is returned, however big (KIP-74). Versions up to 12 name topics, later
//! ones give ids.

use std::{sync::Arc, time::Duration};

use mainstem_protocol::{
    ErrorCode, LeaderEpoch, Offset, TopicId,
    messages::{
        FetchRequest, FetchResponse,
        fetch::{
            AbortedTransaction, EpochEndOffset, FetchPartition, FetchTopic, FetchableTopicResponse,
            PartitionData,
        },
    },
    records::{Compression, Records},
};
use mainstem_storage::{Isolation, Partition, Visible, config::CompressionType, store::Topic};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{check_leader_epoch, isolation};
use crate::{
    caps::{FETCH_BYTES_MAX, FETCH_WAIT_MAX},
    dispatch::Context,
    node::Node,
    partition::read,
};

/// The first version in which zstd may be returned (KIP-110).
const ZSTD_SINCE: i16 = 10;

/// The first version with topic ids instead of names.
const IDS_SINCE: i16 = 13;

pub(crate) async fn answer(node: &Node, context: &Context, mut request: FetchRequest) -> FetchResponse {
    let part = match node.fetch_sessions.begin(context.version, &mut request) {
        Ok(part) => part,
        Err(error_code) => return FetchResponse { error_code, ..Default::default() },
    };
    let deadline = Instant::now() + wait_max(&request);
    loop {
        // Whoever asks to be told before looking misses nothing in between. Each look has a waiter of its own, so that
        // the partitions that did not tell the last one forget it.
        let changed = Arc::new(Notify::new());
        let fetch = Fetch::resolve(node, context, &request);
        fetch.subscribe(&changed);
        let found = fetch.read(node).await;
        if found.is_enough(&request) || timeout_at(deadline, changed.notified()).await.is_err() {
            fetch.count(node, &found);
            return node.fetch_sessions.finish(part, request, |request| found.respond(request));
        }
    }
}

fn wait_max(request: &FetchRequest) -> Duration {
    Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(FETCH_WAIT_MAX)
}

/// A request whose topics and partitions were looked up.
struct Fetch<'a> {
    request: &'a FetchRequest,
    /// In the order of the request, the partitions of all topics one after the other.
    partitions: Vec<(&'a FetchPartition, Result<Arc<Partition>, ErrorCode>)>,
}

impl<'a> Fetch<'a> {
    fn resolve(node: &Node, context: &Context, request: &'a FetchRequest) -> Self {
        let partitions = request.topics.iter().flat_map(|asked| {
            let topic = find_topic(node, context.version, asked);
            asked.partitions.iter().map(move |partition| (partition, find(&topic, partition)))
        });
        Self { request, partitions: partitions.collect() }
    }

    fn subscribe(&self, changed: &Arc<Notify>) {
        let found = self.partitions.iter().filter_map(|(_, partition)| partition.as_ref().ok());
        found.for_each(|partition| partition.subscribe(changed));
    }

    async fn read(&self, node: &Node) -> Found {
        let views = self.views(node);
        let isolation = isolation(self.request.isolation_level);
        let mut found = Found { partitions: Vec::with_capacity(views.len()), bytes: 0, has_error: false };
        let bytes_max = usize::try_from(self.request.max_bytes).unwrap_or(0).min(FETCH_BYTES_MAX);
        for ((asked, partition), view) in self.partitions.iter().zip(views) {
            let data = match (partition, view) {
                (Ok(partition), Some(view)) => {
                    let reading = Reading { asked, partition, view, isolation };
                    reading.read(bytes_max.saturating_sub(found.bytes), found.bytes == 0).await
                }
                (partition, _) => {
                    Err(partition.as_ref().err().copied().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR))
                }
            };
            found.push(data.unwrap_or_else(|code| failed(asked, code)));
        }
        found
    }

    fn count(&self, node: &Node, found: &Found) {
        for ((_, partition), data) in self.partitions.iter().zip(&found.partitions) {
            let (Ok(partition), Some(records)) = (partition, &data.records) else { continue };
            if let (false, Some(topic)) = (records.is_empty(), node.topic_of_id(partition.topic())) {
                let count = read::count(records);
                node.metrics.topics.of(&topic.name).fetched(count, records.len() as u64);
            }
        }
    }

    /// What is visible of each partition, by one cut.
    fn views(&self, node: &Node) -> Vec<Option<Visible>> {
        let cut = node.store.cut();
        let view = |(_, partition): &(_, Result<Arc<Partition>, _>)| {
            partition.as_ref().ok().map(|partition| partition.visible(&cut))
        };
        self.partitions.iter().map(view).collect()
    }
}

fn find_topic(node: &Node, version: i16, asked: &FetchTopic) -> Result<Arc<Topic>, ErrorCode> {
    let (found, unknown) = match version {
        IDS_SINCE.. => (node.topic_of_id(asked.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
        _ => (node.topic(&asked.topic, TopicId::ZERO), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    };
    let topic = found.ok_or(unknown)?;
    // What lies in the log is not looked at: only the setting says that all of it is zstd.
    let is_zstd = topic.config.compression_type == CompressionType::Fixed(Compression::Zstd);
    if is_zstd && version < ZSTD_SINCE {
        return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    }
    Ok(topic)
}

fn find(topic: &Result<Arc<Topic>, ErrorCode>, asked: &FetchPartition) -> Result<Arc<Partition>, ErrorCode> {
    let topic = topic.as_ref().map_err(|code| *code)?;
    let partition = topic.partition(asked.partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    // Any epoch below zero is none (Kafka: `FetchRequest.optionalEpoch`).
    check_leader_epoch(partition, asked.current_leader_epoch.max(LeaderEpoch::NONE))?;
    Ok(Arc::clone(partition))
}

/// One partition that is about to be read.
struct Reading<'a> {
    asked: &'a FetchPartition,
    partition: &'a Arc<Partition>,
    view: Visible,
    isolation: Isolation,
}

impl Reading<'_> {
    async fn read(&self, bytes_left: usize, at_least_one: bool) -> Result<PartitionData, ErrorCode> {
        if let Some(diverging_epoch) = self.diverging()? {
            return Ok(PartitionData { diverging_epoch, ..self.data(Records::EMPTY)? });
        }
        let bytes_max = usize::try_from(self.asked.partition_max_bytes).unwrap_or(0).min(bytes_left);
        let limit = (bytes_max, at_least_one);
        let reading = read::read(self.partition, self.view, self.asked.fetch_offset, self.isolation, limit);
        self.data(reading.await?)
    }

    /// Where the log parted from what the reader has, by the epoch of its last record (KIP-595).
    fn diverging(&self) -> Result<Option<EpochEndOffset>, ErrorCode> {
        let theirs = self.asked.last_fetched_epoch;
        if theirs <= LeaderEpoch::NONE {
            return Ok(None);
        }
        let (epoch, end_offset) = self.partition.end_offset_for_epoch(theirs);
        if end_offset == Offset::NONE {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        let is_diverging = epoch < theirs || end_offset < self.asked.fetch_offset;
        Ok(is_diverging.then_some(EpochEndOffset { epoch, end_offset }))
    }

    fn data(&self, records: Records) -> Result<PartitionData, ErrorCode> {
        Ok(PartitionData {
            partition_index: self.asked.partition,
            high_watermark: self.view.high_watermark,
            last_stable_offset: self.view.last_stable,
            log_start_offset: self.view.log_start,
            aborted_transactions: self.aborted(&records)?,
            records: Some(records),
            ..Default::default()
        })
    }

    /// Those with records in what was read, for a reader who asks for what is committed. The log may have lost its first
    /// records since the cut, and with them what is known of their transactions.
    fn aborted(&self, records: &Records) -> Result<Option<Vec<AbortedTransaction>>, ErrorCode> {
        match (self.isolation, read::end(records)) {
            (Isolation::Uncommitted, _) => Ok(None),
            (Isolation::Committed, None) => Ok(Some(Vec::new())),
            (Isolation::Committed, Some(end)) => {
                let found = self.partition.aborted_transactions(self.asked.fetch_offset, end);
                let found = found.ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
                Ok(Some(found.into_iter().map(told).collect()))
            }
        }
    }
}

fn told(aborted: mainstem_storage::AbortedTransaction) -> AbortedTransaction {
    let mainstem_storage::AbortedTransaction { producer_id, first_offset, .. } = aborted;
    AbortedTransaction { producer_id, first_offset }
}

fn failed(asked: &FetchPartition, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index: asked.partition,
        error_code,
        high_watermark: Offset::NONE,
        records: Some(Records::EMPTY),
        ..Default::default()
    }
}

/// What was read, in the order of the request.
struct Found {
    partitions: Vec<PartitionData>,
    bytes: usize,
    has_error: bool,
}

impl Found {
    fn push(&mut self, data: PartitionData) {
        self.bytes += data.records.as_ref().map_or(0, Records::len);
        self.has_error |= !data.error_code.is_none() || data.diverging_epoch != EpochEndOffset::default();
        self.partitions.push(data);
    }

    /// Whether nobody need wait for more.
    fn is_enough(&self, request: &FetchRequest) -> bool {
        let is_enough = usize::try_from(request.min_bytes).map_or(true, |bytes_min| self.bytes >= bytes_min);
        is_enough || self.has_error || request.max_wait_ms <= 0 || self.partitions.is_empty()
    }

    fn respond(self, request: FetchRequest) -> FetchResponse {
        let mut found = self.partitions.into_iter();
        let responses = request.topics.into_iter().map(|asked| FetchableTopicResponse {
            topic: asked.topic,
            topic_id: asked.topic_id,
            partitions: found.by_ref().take(asked.partitions.len()).collect(),
        });
        FetchResponse { responses: responses.collect(), ..Default::default() }
    }
}
