//! FindCoordinator, key 10: this broker coordinates everything. One key up to version 3, several since 4.

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{FindCoordinatorRequest, FindCoordinatorResponse, find_coordinator::Coordinator},
};

use crate::{dispatch::Context, node::Node};

/// The first version with several keys.
const BATCHED_SINCE: i16 = 4;

/// Kinds of keys.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(crate) fn answer(
    node: &Node,
    context: &Context,
    request: &FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let coordinator = |key: &Text| find(node, context, request.key_type, key);
    if context.version >= BATCHED_SINCE {
        let coordinators = request.coordinator_keys.iter().map(coordinator).collect();
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let Coordinator { key: _, node_id, host, port, error_code, error_message } = coordinator(&request.key);
    FindCoordinatorResponse { node_id, host, port, error_code, error_message, ..Default::default() }
}

fn find(node: &Node, context: &Context, key_type: i8, key: &Text) -> Coordinator {
    if !matches!(key_type, GROUP | TRANSACTION) {
        return Coordinator {
            key: key.clone(),
            node_id: mainstem_protocol::BrokerId::NONE,
            port: -1,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some(format!("key type {key_type} is not known").into()),
            ..Default::default()
        };
    }
    Coordinator {
        key: key.clone(),
        node_id: node.id(),
        host: context.advertised.host.clone(),
        port: i32::from(context.advertised.port),
        error_message: None,
        ..Default::default()
    }
}
