//! DescribeConfigs, key 32: the settings of topics and of this broker, where each comes from, and what it means.

use mainstem_protocol::{
    ErrorCode, Text, TopicId,
    messages::{
        DescribeConfigsRequest, DescribeConfigsResponse,
        describe_configs::{
            DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
            DescribeConfigsSynonym,
        },
    },
};
use mainstem_storage::{
    Overrides, TopicConfig,
    config::{Kind, SETTINGS},
};

use super::{Refusal, topic_name};
use crate::{config::Listed, node::Node};

/// Kinds of resources (Kafka: `ConfigResource.Type`).
pub(crate) const TOPIC: i8 = 2;
pub(crate) const BROKER: i8 = 4;

/// Where a value comes from (Kafka: `DescribeConfigsResponse.ConfigSource`).
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

pub(crate) fn answer(node: &Node, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let wanted = Wanted { synonyms: request.include_synonyms, docs: request.include_documentation };
    let describe = |resource| respond(node, &wanted, resource);
    let results = request.resources.into_iter().map(describe).collect();
    DescribeConfigsResponse { results, ..Default::default() }
}

/// What is told beside the values.
struct Wanted {
    synonyms: bool,
    docs: bool,
}

fn respond(node: &Node, wanted: &Wanted, resource: DescribeConfigsResource) -> DescribeConfigsResult {
    let result = match resource.resource_type {
        TOPIC => topic(node, wanted, &resource.resource_name),
        BROKER => broker(node, wanted, &resource.resource_name),
        other => {
            let message = format!("settings of resource type {other} are not known");
            Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
        }
    };
    let DescribeConfigsResource { resource_type, resource_name, configuration_keys } = resource;
    let described = DescribeConfigsResult { resource_type, resource_name, ..Default::default() };
    match result {
        Ok(configs) => DescribeConfigsResult {
            configs: only(configs, configuration_keys),
            error_message: None,
            ..described
        },
        Err(refusal) => {
            DescribeConfigsResult { error_code: refusal.code, error_message: refusal.text(), ..described }
        }
    }
}

/// Null asks for all; so does an empty list (Kafka: `ConfigHelper.describeConfigs`, for version 0's sake).
fn only(
    configs: Vec<DescribeConfigsResourceResult>,
    keys: Option<Vec<Text>>,
) -> Vec<DescribeConfigsResourceResult> {
    match keys.filter(|keys| !keys.is_empty()) {
        None => configs,
        Some(keys) => configs.into_iter().filter(|config| keys.contains(&config.name)).collect(),
    }
}

fn topic(node: &Node, wanted: &Wanted, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    topic_name::check(name)?;
    let unknown =
        || Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "this server does not host this topic");
    let topic = node.topic(name, TopicId::ZERO).ok_or_else(unknown)?;
    let settings = topic_settings(&topic.config, &topic.overrides);
    Ok(settings.map(|setting| setting.describe(wanted, &node.config.topic_defaults)).collect())
}

/// A setting of a topic with its value.
pub(crate) struct TopicSetting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: i8,
    broker_name: Option<&'static str>,
    kind: Kind,
    doc: &'static str,
    read: fn(&TopicConfig) -> String,
}

/// Every setting of a topic.
pub(crate) fn topic_settings(
    config: &TopicConfig,
    overrides: &Overrides,
) -> impl Iterator<Item = TopicSetting> {
    SETTINGS.iter().map(|setting| TopicSetting {
        name: setting.name,
        value: (setting.read)(config),
        source: if overrides.contains_key(setting.name) { SOURCE_TOPIC } else { SOURCE_DEFAULT },
        broker_name: setting.broker_name,
        kind: setting.kind,
        doc: setting.doc,
        read: setting.read,
    })
}

impl TopicSetting {
    fn describe(self, wanted: &Wanted, defaults: &TopicConfig) -> DescribeConfigsResourceResult {
        let synonyms = if wanted.synonyms { self.synonyms(defaults) } else { Vec::new() };
        DescribeConfigsResourceResult {
            name: self.name.into(),
            value: Some(self.value.into()),
            config_source: self.source,
            synonyms,
            config_type: self.kind as i8,
            documentation: wanted.docs.then(|| self.doc.into()),
            ..Default::default()
        }
    }

    /// Where the value would come from, the nearest first.
    fn synonyms(&self, defaults: &TopicConfig) -> Vec<DescribeConfigsSynonym> {
        let own = DescribeConfigsSynonym {
            name: self.name.into(),
            value: Some(self.value.as_str().into()),
            source: SOURCE_TOPIC,
        };
        let default = self.broker_name.map(|name| DescribeConfigsSynonym {
            name: name.into(),
            value: Some((self.read)(defaults).into()),
            source: SOURCE_DEFAULT,
        });
        let is_own = self.source == SOURCE_TOPIC;
        is_own.then_some(own).into_iter().chain(default).collect()
    }
}

fn broker(node: &Node, wanted: &Wanted, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    // The empty name asks for what all brokers share and nobody sets here.
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name.parse() != Ok(node.id().0) {
        let message = format!("broker {name} is not this one, {}", node.id());
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
    }
    Ok(node.config.list().into_iter().map(|setting| describe_broker(setting, wanted)).collect())
}

fn describe_broker(setting: Listed, wanted: &Wanted) -> DescribeConfigsResourceResult {
    let config_source = if setting.is_default { SOURCE_DEFAULT } else { SOURCE_STATIC_BROKER };
    let (name, value) = (Text::from(setting.name), Some(Text::from(setting.value)));
    let synonym = DescribeConfigsSynonym { name: name.clone(), value: value.clone(), source: config_source };
    DescribeConfigsResourceResult {
        name,
        value,
        read_only: true,
        config_source,
        is_sensitive: false,
        synonyms: if wanted.synonyms { vec![synonym] } else { Vec::new() },
        config_type: setting.kind as i8,
        documentation: wanted.docs.then(|| setting.doc.into()),
    }
}
