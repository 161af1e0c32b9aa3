//! WriteTxnMarkers, key 27: from a transaction's coordinator to the leaders of its partitions, and from an administrator
//! who aborts a hanging one. Version 2 says which generation of transactions the marker belongs to (KIP-1228).

use super::describe::{self, message, structure};
use crate::{ErrorCode, PartitionId, ProducerEpoch, ProducerId, Text};

message! {
    /// Ends transactions in partitions.
    WriteTxnMarkersRequest [1..=2, flexible 1..] {
        markers: Vec<WritableTxnMarker>,
    }
}

structure! {
    WritableTxnMarker {
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        transaction_result: bool,
        topics: Vec<WritableTxnMarkerTopic>,
        coordinator_epoch: i32,
        transaction_version: i8 [2..],
    }
    WritableTxnMarkerTopic {
        name: Text,
        partition_indexes: Vec<PartitionId>,
    }
}

message! {
    /// What became of each marker.
    WriteTxnMarkersResponse [1..=2, flexible 1..] {
        markers: Vec<WritableTxnMarkerResult>,
    }
}

structure! {
    WritableTxnMarkerResult {
        producer_id: ProducerId,
        topics: Vec<WritableTxnMarkerTopicResult>,
    }
    WritableTxnMarkerTopicResult {
        name: Text,
        partitions: Vec<WritableTxnMarkerPartitionResult>,
    }
    WritableTxnMarkerPartitionResult {
        partition_index: PartitionId,
        error_code: ErrorCode,
    }
}
