//! ListConfigResources, key 74: what has settings (Kafka: `KafkaApis.handleListConfigResources`).
//!
//! Version 0 asks for the subscriptions to client metrics alone, of which there are none here.

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        ListConfigResourcesRequest, ListConfigResourcesResponse, list_config_resources::ConfigResource,
    },
};
use mainstem_storage::config::Resource;

use super::describe_configs::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use crate::{dispatch::Context, node::Node};

/// Every kind, in the order in which they are told.
const KINDS: [i8; 5] = [GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC];

pub(crate) fn answer(
    node: &Node,
    context: &Context,
    request: &ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    if let Err(error_code) = check(&request.resource_types) {
        return ListConfigResourcesResponse { error_code, ..Default::default() };
    }
    let is_wanted = |kind: &i8| match context.version {
        0 => *kind == CLIENT_METRICS,
        _ => request.resource_types.is_empty() || request.resource_types.contains(kind),
    };
    let config_resources =
        KINDS.into_iter().filter(is_wanted).flat_map(|kind| resources(node, kind)).collect();
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}

/// A kind that nobody knows makes the whole request one of a version that is not there.
fn check(kinds: &[i8]) -> Result<(), ErrorCode> {
    if kinds.iter().all(|kind| KINDS.contains(kind)) { Ok(()) } else { Err(ErrorCode::UNSUPPORTED_VERSION) }
}

fn resources(node: &Node, kind: i8) -> Vec<ConfigResource> {
    let names = match kind {
        GROUP => groups(node),
        BROKER | BROKER_LOGGER => vec![node.id().to_string()],
        TOPIC => topics(node),
        _ => Vec::new(),
    };
    let resource = |name: String| ConfigResource { resource_name: Text::from(&*name), resource_type: kind };
    names.into_iter().map(resource).collect()
}

/// Those that have settings of their own.
fn groups(node: &Node) -> Vec<String> {
    let group = |resource: &Resource| match resource {
        Resource::Group(name) => Some(name.clone()),
        Resource::Broker(_) | Resource::Brokers => None,
    };
    node.store.resources().keys().filter_map(group).collect()
}

fn topics(node: &Node) -> Vec<String> {
    let mut names: Vec<_> = node.store.topics().iter().map(|topic| topic.name.clone()).collect();
    names.sort_unstable();
    names
}
