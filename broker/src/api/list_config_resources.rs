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

use super::resource_type::ResourceType;
use crate::{dispatch::Context, node::Node};

pub(crate) fn answer(
    node: &Node,
    context: &Context,
    request: &ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    if let Err(error_code) = check(&request.resource_types) {
        return ListConfigResourcesResponse { error_code, ..Default::default() };
    }
    let is_wanted = |of_type: &ResourceType| match context.version {
        0 => *of_type == ResourceType::ClientMetrics,
        _ => request.resource_types.is_empty() || request.resource_types.contains(&of_type.number()),
    };
    let wanted = ResourceType::ALL.into_iter().filter(is_wanted);
    let config_resources = wanted.flat_map(|of_type| resources(node, of_type)).collect();
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}

/// A type that nobody knows makes the whole request one of a version that is not there.
fn check(types: &[i8]) -> Result<(), ErrorCode> {
    let are_known = types.iter().all(|number| ResourceType::of(*number).is_some());
    if are_known { Ok(()) } else { Err(ErrorCode::UNSUPPORTED_VERSION) }
}

fn resources(node: &Node, of_type: ResourceType) -> Vec<ConfigResource> {
    let names = match of_type {
        ResourceType::Group => groups(node),
        ResourceType::Broker | ResourceType::BrokerLogger => vec![node.id().to_string()],
        ResourceType::Topic => topics(node),
        ResourceType::ClientMetrics => Vec::new(),
    };
    let resource_type = of_type.number();
    let resource = |name: String| ConfigResource { resource_name: Text::from(&*name), resource_type };
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
