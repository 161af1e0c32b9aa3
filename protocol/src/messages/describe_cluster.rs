//! DescribeCluster, key 60.

use super::describe::{self, message, structure};
use crate::{BrokerId, ErrorCode, Text};

message! {
    /// Asks for the cluster id and the brokers.
    DescribeClusterRequest [0..=2, flexible 0..] {
        include_cluster_authorized_operations: bool,
        endpoint_type: i8 [1.., default 1],
        include_fenced_brokers: bool [2..],
    }
}

message! {
    /// The cluster id, the controller and the brokers.
    DescribeClusterResponse [0..=2, flexible 0..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<Text>,
        endpoint_type: i8 [1.., default 1],
        cluster_id: Text,
        controller_id: BrokerId [0.., default BrokerId::NONE],
        brokers: Vec<DescribeClusterBroker>,
        cluster_authorized_operations: i32 [0.., default -2147483648],
    }
}

structure! {
    DescribeClusterBroker {
        broker_id: BrokerId,
        host: Text,
        port: i32,
        rack: Option<Text>,
        is_fenced: bool [2..],
    }
}
