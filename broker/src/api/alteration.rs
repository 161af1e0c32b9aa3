//! The settings of resources are altered, by AlterConfigs or by IncrementalAlterConfigs (Kafka: `ConfigAdminManager`,
//! `ConfigurationControlManager`, `ControllerConfigurationValidator`).

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{ErrorCode, Text, TopicId};
use mainstem_storage::{
    ConfigChange, ConfigError, Ticket,
    config::{self, Resource, Rules},
    store::{Alteration, TopicError},
};

use super::{Refusal, creation, describe_configs::brokers, loggers, resource_type::ResourceType, topic_name};
use crate::{
    caps::TOPICS_PER_REQUEST_MAX,
    config::{BrokerRules, GroupRules},
    node::Node,
};

/// A resource, and what shall become of it.
pub(crate) struct Asked {
    pub(crate) resource_type: i8,
    pub(crate) name: Text,
    /// The settings that are named.
    pub(crate) settings: Vec<Text>,
    pub(crate) alteration: Result<Alteration, Refusal>,
}

/// A resource, and what became of it.
pub(crate) struct Altered {
    pub(crate) resource_type: i8,
    pub(crate) name: Text,
    pub(crate) error_code: ErrorCode,
    pub(crate) error_message: Option<Text>,
}

/// Alters all resources, or says whether that could be done; each stands for itself.
pub(crate) async fn alter(node: &Node, asked: Vec<Asked>, validate_only: bool) -> Vec<Altered> {
    let counts = counts(&asked);
    let mut begun = Vec::with_capacity(asked.len());
    for (index, asked) in asked.into_iter().enumerate() {
        let Asked { resource_type, name, settings, alteration } = asked;
        let times = counts.get(&(resource_type, name.clone())).copied().unwrap_or(1);
        let ticket = match check(node, index, times, resource_type, &name, &settings) {
            Ok(of_type) => begin(node, of_type, &name, alteration, validate_only).await,
            Err(refusal) => Err(refusal),
        };
        begun.push((resource_type, name, ticket));
    }
    let mut altered = Vec::with_capacity(begun.len());
    for (resource_type, name, begun) in begun {
        altered.push(respond(resource_type, name, creation::finish(begun).await));
    }
    // Those that are answered hold.
    node.follow_settings();
    altered
}

fn counts(asked: &[Asked]) -> BTreeMap<(i8, Text), usize> {
    let mut counts = BTreeMap::new();
    for asked in asked {
        *counts.entry((asked.resource_type, asked.name.clone())).or_default() += 1;
    }
    counts
}

fn check(
    node: &Node,
    index: usize,
    times: usize,
    resource_type: i8,
    name: &str,
    settings: &[Text],
) -> Result<ResourceType, Refusal> {
    if times > 1 {
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, "each resource must appear at most once"));
    }
    if index >= TOPICS_PER_REQUEST_MAX {
        return Err(Refusal::new(ErrorCode::POLICY_VIOLATION, "too many resources in one request"));
    }
    if settings.iter().collect::<BTreeSet<_>>().len() < settings.len() {
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, "a setting is named more than once"));
    }
    let unknown =
        || Refusal::new(ErrorCode::INVALID_REQUEST, format!("unknown resource type {resource_type}"));
    let of_type = ResourceType::of(resource_type).ok_or_else(unknown)?;
    check_name(node, of_type, name).map(|()| of_type)
}

fn check_name(node: &Node, of_type: ResourceType, name: &str) -> Result<(), Refusal> {
    match of_type {
        ResourceType::Topic if name.is_empty() => {
            Err(Refusal::new(ErrorCode::INVALID_REQUEST, "there are no settings for all topics together"))
        }
        ResourceType::Topic => topic_name::check(name),
        ResourceType::Broker if name.is_empty() => Ok(()),
        ResourceType::Broker | ResourceType::BrokerLogger => brokers::check_name(node, name),
        ResourceType::Group if name.is_empty() => {
            Err(Refusal::new(ErrorCode::INVALID_REQUEST, "there are no settings for all groups together"))
        }
        ResourceType::Group => Ok(()),
        ResourceType::ClientMetrics => {
            Err(Refusal::new(ErrorCode::INVALID_REQUEST, "metrics of clients are not collected here"))
        }
    }
}

/// All resources of a request are begun before one is waited for, so that one sync serves them. No ticket where nothing
/// is to be done.
async fn begin(
    node: &Node,
    of_type: ResourceType,
    name: &str,
    alteration: Result<Alteration, Refusal>,
    validate_only: bool,
) -> Result<Option<Ticket>, Refusal> {
    let alteration = alteration?;
    match of_type {
        ResourceType::Broker => {
            let resource = if name.is_empty() { Resource::Brokers } else { Resource::Broker(node.id()) };
            let rules = BrokerRules { start: node.config.fixed(), broker: node.id(), of: &resource };
            let begun = begin_of_resource(node, &resource, &alteration, &rules, validate_only).await;
            begun.map_err(|error| broker_refusal(&error))
        }
        ResourceType::Group => {
            let resource = Resource::Group(name.to_owned());
            let rules = GroupRules(&node.config.fixed().groups);
            let begun = begin_of_resource(node, &resource, &alteration, &rules, validate_only).await;
            begun.map_err(|error| creation::refusal(&error))
        }
        ResourceType::BrokerLogger => loggers::alter(&alteration, validate_only).map(|()| None),
        ResourceType::Topic => begin_of_topic(node, name, &alteration, validate_only).await,
        // Refused with its name.
        ResourceType::ClientMetrics => Ok(None),
    }
}

async fn begin_of_topic(
    node: &Node,
    name: &str,
    alteration: &Alteration,
    validate_only: bool,
) -> Result<Option<Ticket>, Refusal> {
    check_alteration(alteration)?;
    // No topic has the id zero.
    let id = node.topic(name, TopicId::ZERO).map_or(TopicId::ZERO, |topic| topic.id);
    if validate_only {
        let checked = node.store.check_alteration(id, alteration);
        return checked.map(|()| None).map_err(|error| creation::refusal(&error));
    }
    creation::begin_alteration(node, id, alteration).await.map(Some)
}

async fn begin_of_resource(
    node: &Node,
    resource: &Resource,
    alteration: &Alteration,
    rules: &(dyn Rules + Sync),
    validate_only: bool,
) -> Result<Option<Ticket>, TopicError> {
    if validate_only {
        return node.store.check_resource(resource, alteration, rules).map(|()| None);
    }
    creation::with_room(node, || node.store.alter_resource(resource, alteration, rules)).await.map(Some)
}

/// What a broker may not have is INVALID_REQUEST in Kafka (`ConfigAdminManager.validateBrokerConfigChange`), other than
/// for topics and groups.
fn broker_refusal(error: &TopicError) -> Refusal {
    match error {
        TopicError::Config(ConfigError::Refused(reason)) => Refusal::new(ErrorCode::INVALID_REQUEST, reason),
        error => creation::refusal(error),
    }
}

fn respond(resource_type: i8, name: Text, result: Result<(), Refusal>) -> Altered {
    let (error_code, error_message) = Refusal::told(&result);
    Altered { resource_type, name, error_code, error_message }
}

/// Whether somebody may ask for these values.
pub(crate) fn check_asked<'a>(
    values: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Result<(), Refusal> {
    let mut values = values.into_iter();
    let checked = values.try_for_each(|(name, value)| config::check_asked(name, value));
    checked.map_err(|error| creation::config_refusal(&error))
}

fn check_alteration(alteration: &Alteration) -> Result<(), Refusal> {
    match alteration {
        Alteration::Replace(overrides) => check_asked(overrides),
        Alteration::Changes(changes) => check_asked(changes.iter().filter_map(ConfigChange::set)),
    }
}

/// The refusal of settings without a value.
pub(crate) fn null_values(names: &[&str]) -> Refusal {
    let message = format!("a null value is not possible for {}", names.join(", "));
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
}
