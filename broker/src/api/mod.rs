//! One file per API key: what a request means, and the mapping from what went wrong to the codes of the wire.
//!
//! A handler takes the node, the context and the request, and answers with the response; nothing here knows of sockets.

pub(crate) mod add_offsets_to_txn;
pub(crate) mod add_partitions_to_txn;
pub(crate) mod alter_client_quotas;
pub(crate) mod alter_configs;
pub(crate) mod alter_partition_reassignments;
pub(crate) mod alteration;
pub(crate) mod api_versions;
pub(crate) mod create_acls;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod creation;
pub(crate) mod delete_acls;
pub(crate) mod delete_records;
pub(crate) mod delete_topics;
pub(crate) mod describe_acls;
pub(crate) mod describe_client_quotas;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod describe_log_dirs;
pub(crate) mod describe_producers;
pub(crate) mod describe_quorum;
pub(crate) mod describe_topic_partitions;
pub(crate) mod describe_transactions;
pub(crate) mod describe_user_scram_credentials;
pub(crate) mod elect_leaders;
pub(crate) mod end_txn;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod groups;
pub(crate) mod incremental_alter_configs;
pub(crate) mod init_producer_id;
pub(crate) mod list_config_resources;
pub(crate) mod list_offsets;
pub(crate) mod list_partition_reassignments;
pub(crate) mod list_transactions;
pub(crate) mod loggers;
pub(crate) mod metadata;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod produce;
pub(crate) mod resource_type;
pub(crate) mod topic_name;
pub(crate) mod txn_offset_commit;
pub(crate) mod write_txn_markers;

use mainstem_protocol::{ErrorCode, LeaderEpoch, Text};
use mainstem_storage::{Isolation, Partition};

use crate::caps::REFUSAL_BYTES_MAX;

/// The code for a producer that is fenced, as requests before version `since` know it (KIP-588).
pub(crate) fn fenced_since(since: i16, version: i16, error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::PRODUCER_FENCED if version < since => ErrorCode::INVALID_PRODUCER_EPOCH,
        error => error,
    }
}

/// Why a request, or a part of it, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code on the wire.
    pub(crate) code: ErrorCode,
    /// For people.
    pub(crate) message: String,
}

impl Refusal {
    /// A message that repeats what a client sent may be longer than an answer can say: it is cut.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        let end = (0..=message.len().min(REFUSAL_BYTES_MAX)).rev().find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or(0));
        Self { code, message }
    }

    /// The code and the words for a result that is nothing but done or refused.
    pub(crate) fn told(result: &Result<(), Self>) -> (ErrorCode, Option<Text>) {
        match result {
            Ok(()) => (ErrorCode::NONE, None),
            Err(refusal) => (refusal.code, refusal.text()),
        }
    }

    pub(crate) fn text(&self) -> Option<Text> {
        Some(self.message.as_str().into())
    }
}

/// Every operation that Kafka knows for topics, for groups and for the cluster, as bits: nothing is forbidden to anybody
/// (Kafka: `AclEntry.supportedOperations`).
pub(crate) const TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
pub(crate) const GROUP_OPERATIONS: i32 = bits(&[3, 6, 8, 10, 11]);
pub(crate) const CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);

const fn bits(operations: &[u8]) -> i32 {
    let (mut bits, mut index) = (0, 0);
    while index < operations.len() {
        bits |= 1 << operations[index];
        index += 1;
    }
    bits
}

/// The isolation level that a request names (Kafka: `IsolationLevel`). A reader of a level that there is not gets what is
/// committed, which is never too much.
pub(crate) const fn isolation(level: i8) -> Isolation {
    match level {
        0 => Isolation::Uncommitted,
        _ => Isolation::Committed,
    }
}

/// Whether a client's idea of the partition's leadership is ours (KIP-320); clients that have none are believed.
pub(crate) fn check_leader_epoch(partition: &Partition, theirs: LeaderEpoch) -> Result<(), ErrorCode> {
    if theirs == LeaderEpoch::NONE {
        return Ok(());
    }
    let ours = partition.leader_epoch();
    match theirs {
        theirs if theirs < ours => Err(ErrorCode::FENCED_LEADER_EPOCH),
        theirs if theirs > ours => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Ok(()),
    }
}
