//! Settings of a consumer group; it need not exist, as in Kafka.

use mainstem_protocol::ErrorCode;
use mainstem_storage::config::{Kind, Resource};

use super::{Described, SOURCE_DEFAULT, SOURCE_GROUP, Synonym};
use crate::{
    api::Refusal,
    config::{GROUP_SETTINGS, GroupSetting},
    node::Node,
};

pub(super) fn describe(node: &Node, name: &str) -> Result<Vec<Described>, Refusal> {
    if name.is_empty() {
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, "a group's name must not be empty"));
    }
    let resources = node.store.resources();
    let overrides = resources.get(&Resource::Group(name.to_owned()));
    let own = |setting: &GroupSetting| overrides.and_then(|overrides| overrides.get(setting.name).cloned());
    Ok(GROUP_SETTINGS.iter().map(|setting| described(node, setting, own(setting))).collect())
}

fn described(node: &Node, setting: &GroupSetting, own: Option<String>) -> Described {
    let default = setting.default(&node.config.fixed().groups).as_millis().to_string();
    // One alone, with the group's own name, as in Kafka (`ConfigHelper.createGroupConfigEntry`).
    let synonym = match &own {
        Some(value) => Synonym::new(setting.name, value, SOURCE_GROUP),
        None => Synonym::new(setting.name, &default, SOURCE_DEFAULT),
    };
    Described {
        name: setting.name.to_owned(),
        value: own.unwrap_or(default),
        kind: Some(Kind::Int),
        doc: setting.doc,
        is_read_only: false,
        synonyms: vec![synonym],
    }
}
