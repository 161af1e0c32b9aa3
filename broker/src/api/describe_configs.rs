//! DescribeConfigs, key 32: the settings of topics, brokers and groups, where each comes from, and what it means (Kafka:
//! `ConfigHelper`).

pub(crate) mod brokers;
mod client_metrics;
mod groups;
mod loggers;
mod topics;

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        DescribeConfigsRequest, DescribeConfigsResponse,
        describe_configs::{
            DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
            DescribeConfigsSynonym,
        },
    },
};
use mainstem_storage::config::Kind;

use super::{Refusal, resource_type::ResourceType};
use crate::node::Node;

pub(crate) use topics::topic_settings;

/// Where a value comes from (Kafka: `DescribeConfigsResponse.ConfigSource`).
const SOURCE_TOPIC: i8 = 1;
const SOURCE_BROKER: i8 = 2;
const SOURCE_BROKERS: i8 = 3;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;
const SOURCE_LOGGER: i8 = 6;
const SOURCE_GROUP: i8 = 8;

/// Where one type of resource is not known, the whole request is refused (Kafka: `ConfigHelper.handleDescribeConfigsRequest`).
pub(crate) fn answer(node: &Node, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let wanted = Wanted { synonyms: request.include_synonyms, docs: request.include_documentation };
    let resources = request.resources;
    let results = match resources.iter().map(of_type).collect::<Result<Vec<_>, _>>() {
        Ok(types) => {
            let describe = |(of_type, resource)| respond(node, &wanted, of_type, resource);
            types.into_iter().zip(resources).map(describe).collect()
        }
        Err(refusal) => resources.iter().map(|resource| refused(named(resource), &refusal)).collect(),
    };
    DescribeConfigsResponse { results, ..Default::default() }
}

fn of_type(resource: &DescribeConfigsResource) -> Result<ResourceType, Refusal> {
    ResourceType::of(resource.resource_type).ok_or_else(|| unknown(resource.resource_type))
}

fn unknown(resource_type: i8) -> Refusal {
    Refusal::new(
        ErrorCode::INVALID_REQUEST,
        format!("settings of resource type {resource_type} are not known"),
    )
}

fn named(resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    let DescribeConfigsResource { resource_type, ref resource_name, .. } = *resource;
    DescribeConfigsResult { resource_type, resource_name: resource_name.clone(), ..Default::default() }
}

fn refused(described: DescribeConfigsResult, refusal: &Refusal) -> DescribeConfigsResult {
    DescribeConfigsResult { error_code: refusal.code, error_message: refusal.text(), ..described }
}

/// What is told beside the values.
struct Wanted {
    synonyms: bool,
    docs: bool,
}

fn respond(
    node: &Node,
    wanted: &Wanted,
    of_type: ResourceType,
    resource: DescribeConfigsResource,
) -> DescribeConfigsResult {
    let name = &*resource.resource_name;
    let result = match of_type {
        ResourceType::Topic => topics::describe(node, name),
        ResourceType::Broker => brokers::describe(node, name),
        ResourceType::BrokerLogger => loggers::describe(node, name),
        ResourceType::ClientMetrics => client_metrics::describe(name),
        ResourceType::Group => groups::describe(node, name),
    };
    let (described, configuration_keys) = (named(&resource), resource.configuration_keys);
    match result {
        Ok(settings) => DescribeConfigsResult {
            configs: only(settings, configuration_keys).map(|setting| setting.told(wanted)).collect(),
            error_message: None,
            ..described
        },
        Err(refusal) => refused(described, &refusal),
    }
}

/// Null asks for all; so does an empty list (Kafka: `ConfigHelper.describeConfigs`, for version 0's sake).
fn only(settings: Vec<Described>, keys: Option<Vec<Text>>) -> impl Iterator<Item = Described> {
    let keys = keys.unwrap_or_default();
    let is_asked_for =
        move |setting: &Described| keys.is_empty() || keys.iter().any(|key| **key == *setting.name);
    settings.into_iter().filter(is_asked_for)
}

/// A setting of a resource.
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) value: String,
    kind: Option<Kind>,
    doc: &'static str,
    is_read_only: bool,
    /// Where the value would come from, the nearest first.
    synonyms: Vec<Synonym>,
}

/// One of the places that a value could come from.
struct Synonym {
    name: String,
    value: String,
    source: i8,
}

impl Described {
    /// Where the value comes from.
    pub(crate) fn source(&self) -> i8 {
        self.synonyms.first().map_or(SOURCE_DEFAULT, |synonym| synonym.source)
    }

    fn told(self, wanted: &Wanted) -> DescribeConfigsResourceResult {
        let config_source = self.source();
        let Self { name, value, kind, doc, is_read_only, synonyms } = self;
        DescribeConfigsResourceResult {
            name: name.into(),
            value: Some(value.into()),
            read_only: is_read_only,
            config_source,
            // No setting is a secret.
            is_sensitive: false,
            synonyms: synonyms.into_iter().filter(|_| wanted.synonyms).map(Synonym::told).collect(),
            config_type: kind.map_or(0, |kind| kind as i8),
            documentation: wanted.docs.then(|| doc.into()),
        }
    }
}

impl Synonym {
    fn new(name: impl Into<String>, value: impl Into<String>, source: i8) -> Self {
        Self { name: name.into(), value: value.into(), source }
    }

    fn told(self) -> DescribeConfigsSynonym {
        let Self { name, value, source } = self;
        DescribeConfigsSynonym { name: name.into(), value: Some(value.into()), source }
    }
}
