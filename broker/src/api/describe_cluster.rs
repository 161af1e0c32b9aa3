//! DescribeCluster, key 60: the cluster's id and its one broker.

use mainstem_protocol::{
    ErrorCode,
    messages::{DescribeClusterRequest, DescribeClusterResponse, describe_cluster::DescribeClusterBroker},
};

use super::CLUSTER_OPERATIONS;
use crate::{dispatch::Context, node::Node};

/// Brokers are asked for; controllers (2) are not to be reached here.
const BROKERS: i8 = 1;

pub(crate) fn answer(
    node: &Node,
    context: &Context,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        return mismatched(request.endpoint_type);
    }
    let mut response = DescribeClusterResponse {
        cluster_id: node.cluster_id(),
        controller_id: node.id(),
        brokers: vec![DescribeClusterBroker {
            broker_id: node.id(),
            host: context.advertised.host.clone(),
            port: i32::from(context.advertised.port),
            ..Default::default()
        }],
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

fn mismatched(endpoint_type: i8) -> DescribeClusterResponse {
    // Kafka keeps the word "mismatched" for a type that exists, but elsewhere.
    let error_code = match endpoint_type {
        2 => ErrorCode::MISMATCHED_ENDPOINT_TYPE,
        _ => ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
    };
    let error_message = Some(format!("endpoint type {endpoint_type} is not served here").into());
    DescribeClusterResponse { error_code, error_message, ..Default::default() }
}
