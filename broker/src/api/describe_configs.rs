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

use super::Refusal;
use crate::node::Node;

pub(crate) use topics::topic_settings;

/// Kinds of resources (Kafka: `ConfigResource.Type`).
pub(crate) const TOPIC: i8 = 2;
pub(crate) const BROKER: i8 = 4;
pub(crate) const BROKER_LOGGER: i8 = 8;
pub(crate) const CLIENT_METRICS: i8 = 16;
pub(crate) const GROUP: i8 = 32;

/// Where a value comes from (Kafka: `DescribeConfigsResponse.ConfigSource`).
const SOURCE_TOPIC: i8 = 1;
const SOURCE_BROKER: i8 = 2;
const SOURCE_BROKERS: i8 = 3;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;
const SOURCE_LOGGER: i8 = 6;
const SOURCE_GROUP: i8 = 8;

pub(crate) fn answer(node: &Node, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let wanted = Wanted { synonyms: request.include_synonyms, docs: request.include_documentation };
    let stranger = request.resources.iter().map(|resource| resource.resource_type).find(|it| !is_known(*it));
    let describe = |resource| match stranger {
        Some(stranger) => refused(named(&resource), &unknown(stranger)),
        None => respond(node, &wanted, resource),
    };
    let results = request.resources.into_iter().map(describe).collect();
    DescribeConfigsResponse { results, ..Default::default() }
}

/// Where one type of resource is not known, the whole request is refused (Kafka: `ConfigHelper.handleDescribeConfigsRequest`).
const fn is_known(resource_type: i8) -> bool {
    matches!(resource_type, TOPIC | BROKER | BROKER_LOGGER | CLIENT_METRICS | GROUP)
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

fn respond(node: &Node, wanted: &Wanted, resource: DescribeConfigsResource) -> DescribeConfigsResult {
    let name = &*resource.resource_name;
    let result = match resource.resource_type {
        TOPIC => topics::describe(node, name),
        BROKER => brokers::describe(node, name),
        BROKER_LOGGER => loggers::describe(node, name),
        CLIENT_METRICS => client_metrics::describe(name),
        GROUP => groups::describe(node, name),
        other => Err(unknown(other)),
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
