//! Settings of a topic.

use mainstem_protocol::{ErrorCode, TopicId};
use mainstem_storage::{
    Overrides, TopicConfig,
    config::{SETTINGS, Setting},
};

use super::{Described, SOURCE_TOPIC, Synonym, brokers::Sources};
use crate::{
    api::{Refusal, topic_name},
    node::Node,
};

pub(super) fn describe(node: &Node, name: &str) -> Result<Vec<Described>, Refusal> {
    topic_name::check(name)?;
    let unknown =
        || Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "this server does not host this topic");
    let topic = node.topic(name, TopicId::ZERO).ok_or_else(unknown)?;
    Ok(topic_settings(&Sources::of(node), &topic.config, &topic.overrides))
}

/// Every setting of a topic that has `config`, of which it sets `overrides` itself.
pub(crate) fn topic_settings(
    sources: &Sources<'_>,
    config: &TopicConfig,
    overrides: &Overrides,
) -> Vec<Described> {
    SETTINGS.iter().map(|setting| described(setting, config, overrides, sources)).collect()
}

fn described(
    setting: &Setting,
    config: &TopicConfig,
    overrides: &Overrides,
    sources: &Sources<'_>,
) -> Described {
    let value = (setting.read)(config);
    let is_own = overrides.contains_key(setting.name);
    let own = is_own.then(|| Synonym::new(setting.name, &value, SOURCE_TOPIC));
    let of_broker = setting.broker_name.map(|name| sources.synonyms(name)).unwrap_or_default();
    Described {
        name: setting.name.to_owned(),
        value,
        kind: Some(setting.kind),
        doc: setting.doc,
        is_read_only: false,
        synonyms: own.into_iter().chain(of_broker).collect(),
    }
}
