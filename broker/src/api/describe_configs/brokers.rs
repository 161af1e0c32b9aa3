//! Settings of this broker, and those of all brokers.

use std::{collections::BTreeMap, sync::Arc};

use mainstem_protocol::ErrorCode;
use mainstem_storage::config::{Resource, Resources};

use super::{Described, SOURCE_BROKER, SOURCE_BROKERS, SOURCE_DEFAULT, SOURCE_STATIC_BROKER, Synonym};
use crate::{
    api::Refusal,
    config::{Config, Listed, is_dynamic},
    node::Node,
};

/// The empty name asks for what was set for all brokers while they ran.
pub(super) fn describe(node: &Node, name: &str) -> Result<Vec<Described>, Refusal> {
    let sources = Sources::of(node);
    if name.is_empty() {
        return Ok(sources.of_all_brokers());
    }
    check_name(node, name)?;
    let now = node.config.now();
    Ok(now.list().into_iter().map(|setting| sources.describe(setting)).collect())
}

/// Whether a broker's name is that of this one (Kafka: `ConfigAdminManager.validateResourceNameIsCurrentNodeId`).
pub(crate) fn check_name(node: &Node, name: &str) -> Result<(), Refusal> {
    if name.parse() == Ok(node.id().0) {
        return Ok(());
    }
    let message = format!("broker {name} is not this one, {}", node.id());
    Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
}

/// The places in which a broker's setting may be written.
pub(crate) struct Sources<'a> {
    node: &'a Node,
    resources: Arc<Resources>,
    /// What somebody wrote for the start.
    given: BTreeMap<&'static str, String>,
    defaults: BTreeMap<&'static str, Listed>,
}

impl<'a> Sources<'a> {
    pub(crate) fn of(node: &'a Node) -> Self {
        let by_name = |listed: Listed| (listed.name, listed);
        let given = node.config.fixed().list().into_iter().filter(|listed| !listed.is_default);
        Self {
            node,
            resources: node.store.resources(),
            given: given.map(|listed| (listed.name, listed.value)).collect(),
            defaults: Config::default().list().into_iter().map(by_name).collect(),
        }
    }

    /// Everything that says what a setting is, the nearest first.
    pub(super) fn synonyms(&self, name: &str) -> Vec<Synonym> {
        let altered = |resource: &Resource, source| {
            let value = self.resources.get(resource)?.get(name)?;
            Some(Synonym::new(name, value, source))
        };
        let all = [
            altered(&Resource::Broker(self.node.id()), SOURCE_BROKER),
            altered(&Resource::Brokers, SOURCE_BROKERS),
            self.given.get(name).map(|value| Synonym::new(name, value, SOURCE_STATIC_BROKER)),
            self.defaults.get(name).map(|listed| Synonym::new(name, &listed.value, SOURCE_DEFAULT)),
        ];
        all.into_iter().flatten().collect()
    }

    fn describe(&self, setting: Listed) -> Described {
        let Listed { name, value, kind, doc, .. } = setting;
        Described {
            name: name.to_owned(),
            value,
            kind: Some(kind),
            doc,
            is_read_only: !is_dynamic(name),
            synonyms: self.synonyms(name),
        }
    }

    fn of_all_brokers(&self) -> Vec<Described> {
        let Some(overrides) = self.resources.get(&Resource::Brokers) else { return Vec::new() };
        let describe = |(name, value): (&String, &String)| {
            let listed = self.defaults.get(name.as_str())?.clone();
            let synonyms = vec![Synonym::new(name, value, SOURCE_BROKERS)];
            Some(Described { value: value.clone(), synonyms, ..self.describe(listed) })
        };
        overrides.iter().filter_map(describe).collect()
    }
}
