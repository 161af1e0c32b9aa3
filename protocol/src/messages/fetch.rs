//! Fetch, key 1.

use super::describe::{self, message, structure};
use crate::{
    BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerId, Text, TopicId, records::Records,
};

message! {
    /// Asks for record batches from given offsets on; waits until there are enough bytes.
    FetchRequest [4..=17, flexible 12..] {
        cluster_id: Option<Text> [12.., tag 0],
        replica_id: BrokerId [4..=14, default BrokerId::NONE],
        replica_state: ReplicaState [15.., tag 1],
        max_wait_ms: i32,
        min_bytes: i32,
        max_bytes: i32 [4.., default i32::MAX],
        isolation_level: i8,
        session_id: i32 [7..],
        session_epoch: i32 [7.., default -1],
        topics: Vec<FetchTopic>,
        forgotten_topics_data: Vec<ForgottenTopic> [7..],
        rack_id: Text [11..],
    }
}

structure! {
    ReplicaState {
        replica_id: BrokerId [15.., default BrokerId::NONE],
        replica_epoch: i64 [15.., default -1],
    }
    FetchTopic {
        topic: Text [4..=12],
        topic_id: TopicId [13..],
        partitions: Vec<FetchPartition>,
    }
    ForgottenTopic {
        topic: Text [7..=12],
        topic_id: TopicId [13..],
        partitions: Vec<PartitionId> [7..],
    }
    FetchPartition {
        partition: PartitionId,
        current_leader_epoch: LeaderEpoch [9.., default LeaderEpoch::NONE],
        fetch_offset: Offset,
        last_fetched_epoch: LeaderEpoch [12.., default LeaderEpoch::NONE],
        log_start_offset: Offset [5.., default Offset::NONE],
        partition_max_bytes: i32,
        replica_directory_id: TopicId [17.., tag 0],
    }
}

message! {
    /// Whole record batches per partition.
    FetchResponse [4..=17, flexible 12..] {
        throttle_time_ms: i32,
        error_code: ErrorCode [7..],
        session_id: i32 [7..],
        responses: Vec<FetchableTopicResponse>,
        node_endpoints: Vec<NodeEndpoint> [16.., tag 0],
    }
}

structure! {
    FetchableTopicResponse {
        topic: Text [4..=12],
        topic_id: TopicId [13..],
        partitions: Vec<PartitionData>,
    }
    NodeEndpoint {
        node_id: BrokerId [16..],
        host: Text [16..],
        port: i32 [16..],
        rack: Option<Text> [16..],
    }
    PartitionData {
        partition_index: PartitionId,
        error_code: ErrorCode,
        high_watermark: Offset,
        last_stable_offset: Offset [4.., default Offset::NONE],
        log_start_offset: Offset [5.., default Offset::NONE],
        diverging_epoch: EpochEndOffset [12.., tag 0],
        current_leader: LeaderIdAndEpoch [12.., tag 1],
        snapshot_id: SnapshotId [12.., tag 2],
        aborted_transactions: Option<Vec<AbortedTransaction>> [4.., default Some(Default::default())],
        preferred_read_replica: BrokerId [11.., default BrokerId::NONE],
        records: Option<Records>,
    }
    EpochEndOffset {
        epoch: LeaderEpoch [12.., default LeaderEpoch::NONE],
        end_offset: Offset [12.., default Offset::NONE],
    }
    LeaderIdAndEpoch {
        leader_id: BrokerId [12.., default BrokerId::NONE],
        leader_epoch: LeaderEpoch [12.., default LeaderEpoch::NONE],
    }
    SnapshotId {
        end_offset: Offset [4.., default Offset::NONE],
        epoch: LeaderEpoch [4.., default LeaderEpoch::NONE],
    }
    AbortedTransaction {
        producer_id: ProducerId,
        first_offset: Offset,
    }
}
