//! DescribeLogDirs, key 35: how much of the disk each partition takes, and how much is left (Kafka:
//! `ReplicaManager.describeLogDirs`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use mainstem_protocol::{
    ErrorCode, PartitionId, Text,
    messages::{
        DescribeLogDirsRequest, DescribeLogDirsResponse,
        describe_log_dirs::{
            DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
        },
    },
};
use mainstem_storage::{Partition, disk::Space, store::Topic};
use tracing::warn;

use crate::node::Node;

/// The partitions that are asked for, by topic.
type Asked = BTreeMap<Text, BTreeSet<PartitionId>>;

/// The one directory of this broker. What does not exist is left out, without an error.
pub(crate) async fn answer(node: &Node, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let asked = request.topics.map(asked);
    let topics = node.store.topics();
    let result = match space(node).await {
        Ok(space) => DescribeLogDirsResult {
            topics: topics.iter().filter_map(|topic| describe(topic, asked.as_ref())).collect(),
            total_bytes: signed(space.total),
            usable_bytes: signed(space.usable),
            ..Default::default()
        },
        Err(error) => {
            warn!(%error, "data directory cannot be described");
            DescribeLogDirsResult { error_code: ErrorCode::KAFKA_STORAGE_ERROR, ..Default::default() }
        }
    };
    let results = vec![DescribeLogDirsResult { log_dir: log_dir(node), ..result }];
    DescribeLogDirsResponse { results, ..Default::default() }
}

fn asked(topics: Vec<DescribableLogDirTopic>) -> Asked {
    let mut asked = Asked::new();
    for DescribableLogDirTopic { topic, partitions } in topics {
        asked.entry(topic).or_default().extend(partitions);
    }
    asked
}

/// Asks the file system, which may be slow.
async fn space(node: &Node) -> io::Result<Space> {
    if let Some(why) = node.store.poisoned() {
        return Err(io::Error::other(why.to_string()));
    }
    let store = std::sync::Arc::clone(&node.store);
    tokio::task::spawn_blocking(move || store.space()).await.map_err(io::Error::other)?
}

/// A topic with those of its partitions that are asked for; none where none of them is.
fn describe(topic: &Topic, asked: Option<&Asked>) -> Option<DescribeLogDirsTopic> {
    let wanted = match asked {
        Some(asked) => Some(asked.get(&*topic.name)?),
        None => None,
    };
    let is_wanted = |partition: &Partition| wanted.is_none_or(|wanted| wanted.contains(&partition.id()));
    let found = topic.partitions.iter().filter(|partition| is_wanted(partition));
    let partitions: Vec<_> = found.map(|partition| describe_partition(partition)).collect();
    (!partitions.is_empty()).then(|| DescribeLogDirsTopic { name: topic.name.as_str().into(), partitions })
}

/// There are no replicas that could lag, and none that move to another directory.
fn describe_partition(partition: &Partition) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: partition.id(),
        partition_size: signed(partition.bytes()),
        offset_lag: 0,
        is_future_key: false,
    }
}

fn log_dir(node: &Node) -> Text {
    let dir = &node.config.fixed().storage.dir;
    std::path::absolute(dir).as_ref().unwrap_or(dir).to_string_lossy().as_ref().into()
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
