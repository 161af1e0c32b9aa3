//! Produce, key 0.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, LeaderEpoch, Offset, Text, Timestamp, TopicId, records::Records};

message! {
    /// Appends one record batch per partition.
    ProduceRequest [3..=13, flexible 9..] {
        transactional_id: Option<Text>,
        acks: i16,
        timeout_ms: i32,
        topic_data: Vec<TopicProduceData>,
    }
}

structure! {
    TopicProduceData {
        name: Text [3..=12],
        topic_id: TopicId [13..],
        partition_data: Vec<PartitionProduceData>,
    }
    PartitionProduceData {
        index: i32,
        records: Option<Records>,
    }
}

message! {
    /// Where each batch went, or why not.
    ProduceResponse [3..=13, flexible 9..] {
        responses: Vec<TopicProduceResponse>,
        throttle_time_ms: i32,
        node_endpoints: Vec<NodeEndpoint> [10.., tag 0],
    }
}

structure! {
    TopicProduceResponse {
        name: Text [3..=12],
        topic_id: TopicId [13..],
        partition_responses: Vec<PartitionProduceResponse>,
    }
    NodeEndpoint {
        node_id: BrokerId [10..],
        host: Text [10..],
        port: i32 [10..],
        rack: Option<Text> [10..],
    }
    PartitionProduceResponse {
        index: i32,
        error_code: ErrorCode,
        base_offset: Offset,
        log_append_time_ms: Timestamp [3.., default Timestamp::NONE],
        log_start_offset: Offset [5.., default Offset::NONE],
        record_errors: Vec<BatchIndexAndErrorMessage> [8..],
        error_message: Option<Text> [8..],
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }
    BatchIndexAndErrorMessage {
        batch_index: i32 [8..],
        batch_index_error_message: Option<Text> [8..],
    }
    LeaderIdAndEpoch {
        leader_id: BrokerId [10.., default BrokerId::NONE],
        leader_epoch: LeaderEpoch [10.., default LeaderEpoch::NONE],
    }
}
