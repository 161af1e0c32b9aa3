//! CreateTopics, key 19 (Kafka: `ControllerApis.createTopics`, `ReplicationControlManager.createTopic`).
//!
//! Version 4 and later may leave the number of partitions and the replication factor to the broker, by -1. There is one
//! broker, so every replication factor but 1 and -1 is impossible.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{
    BrokerId, ErrorCode, Text, TopicId,
    messages::{
        CreateTopicsRequest, CreateTopicsResponse,
        create_topics::{
            CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
        },
    },
};
use mainstem_storage::{Overrides, Ticket, TopicConfig, caps::PARTITIONS_MAX, store::NewTopic};

use super::{
    Refusal, alteration, creation, describe_configs, describe_configs::brokers::Sources, topic_name,
};
use crate::{
    caps::{PARTITIONS_PER_REQUEST_MAX, TOPICS_PER_REQUEST_MAX},
    dispatch::Context,
    node::Node,
};

pub(crate) async fn answer(
    node: &Node,
    _context: &Context,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let duplicates = duplicates(&request.topics);
    let mut creation = Creation {
        node,
        validate_only: request.validate_only,
        left: PARTITIONS_PER_REQUEST_MAX,
        sources: Sources::of(node),
    };
    let mut begun = Vec::new();
    for (index, topic) in request.topics.iter().enumerate() {
        begun.push(match () {
            () if duplicates.contains(&topic.name) => {
                Err(Refusal::new(ErrorCode::INVALID_REQUEST, "duplicate topic name"))
            }
            () if index >= TOPICS_PER_REQUEST_MAX => {
                Err(Refusal::new(ErrorCode::POLICY_VIOLATION, "too many topics in one request"))
            }
            () => creation.begin(topic).await,
        });
    }
    let mut topics = Vec::with_capacity(begun.len());
    for (topic, begun) in request.topics.iter().zip(begun) {
        topics.push(finish(begun).await.unwrap_or_else(|refusal| failed(&topic.name, &refusal)));
    }
    CreateTopicsResponse { topics, ..Default::default() }
}

fn duplicates(topics: &[CreatableTopic]) -> BTreeSet<Text> {
    let mut seen = BTreeSet::new();
    topics.iter().filter(|topic| !seen.insert(&topic.name)).map(|topic| topic.name.clone()).collect()
}

fn failed(name: &Text, refusal: &Refusal) -> CreatableTopicResult {
    let (error_code, error_message) = (refusal.code, refusal.text());
    CreatableTopicResult { name: name.clone(), error_code, error_message, ..Default::default() }
}

/// A topic that is being made. All of a request are begun before one is waited for, so that one sync serves them.
struct Begun {
    result: CreatableTopicResult,
    /// None where nothing is to be made.
    ticket: Option<Ticket>,
}

async fn finish(begun: Result<Begun, Refusal>) -> Result<CreatableTopicResult, Refusal> {
    let Begun { result, ticket } = begun?;
    if let Some(ticket) = ticket {
        creation::durable(ticket).await?;
    }
    Ok(result)
}

/// The topics of one request on their way.
struct Creation<'a> {
    node: &'a Node,
    validate_only: bool,
    /// Partitions that this request may still create.
    left: usize,
    sources: Sources<'a>,
}

impl Creation<'_> {
    async fn begin(&mut self, asked: &CreatableTopic) -> Result<Begun, Refusal> {
        topic_name::check_new(&asked.name, &self.node.store.topics())?;
        let overrides = overrides(asked)?;
        alteration::check_asked(&overrides)?;
        let config = self.node.store.topic_defaults().with(&overrides);
        let config = config.map_err(|error| creation::config_refusal(&error))?;
        let partitions = self.partitions(asked)?;
        let result = |id| created(&self.sources, asked, id, partitions, (&overrides, &config));
        if self.validate_only {
            self.node.store.check_room_for(partitions).map_err(|error| creation::refusal(&error))?;
            return Ok(Begun { result: result(TopicId::ZERO), ticket: None });
        }
        let (name, overrides) = (asked.name.to_string(), overrides.clone());
        let new = NewTopic { name, partitions, overrides, keyed: false };
        let (id, ticket) = creation::begin_creation(self.node, new).await?;
        Ok(Begun { result: result(id), ticket: Some(ticket) })
    }

    fn partitions(&mut self, asked: &CreatableTopic) -> Result<u32, Refusal> {
        let count = match asked.assignments.is_empty() {
            true => self.counted(asked)?,
            false => assigned(asked, self.node.id())?,
        };
        if count > PARTITIONS_MAX {
            let message = format!("a topic may have at most {PARTITIONS_MAX} partitions");
            return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        self.take(count)?;
        Ok(count)
    }

    fn take(&mut self, count: u32) -> Result<(), Refusal> {
        let left = self.left.checked_sub(count as usize).ok_or_else(|| {
            let message = format!("one request may create at most {PARTITIONS_PER_REQUEST_MAX} partitions");
            Refusal::new(ErrorCode::POLICY_VIOLATION, message)
        })?;
        self.left = left;
        Ok(())
    }

    fn counted(&self, asked: &CreatableTopic) -> Result<u32, Refusal> {
        let wrong_factor = || {
            let message = "replication factor must be 1, or -1 for the default: there is one broker";
            Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message))
        };
        // A factor that no cluster could have counts before the partitions, one that this cluster cannot have after
        // them (Kafka: `ReplicationControlManager.createTopic`).
        if asked.replication_factor < -1 || asked.replication_factor == 0 {
            return wrong_factor();
        }
        let count = self.or_default(asked.num_partitions)?;
        if asked.replication_factor > 1 { wrong_factor() } else { Ok(count) }
    }

    fn or_default(&self, asked: i32) -> Result<u32, Refusal> {
        match asked {
            -1 => Ok(self.node.config.now().topics.partitions),
            count => u32::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
                let message = "number of partitions must be larger than 0, or -1 for the default";
                Refusal::new(ErrorCode::INVALID_PARTITIONS, message)
            }),
        }
    }
}

fn overrides(asked: &CreatableTopic) -> Result<Overrides, Refusal> {
    let with_value = |config: &mainstem_protocol::messages::create_topics::CreatableTopicConfig| {
        let name = config.name.to_string();
        let null = || Refusal::new(ErrorCode::INVALID_CONFIG, format!("topic setting {name} is null"));
        Ok((name.clone(), config.value.as_deref().ok_or_else(null)?.to_owned()))
    };
    asked.configs.iter().map(with_value).collect()
}

/// The number of partitions of a manual assignment: consecutive from 0, each on this broker alone.
fn assigned(asked: &CreatableTopic, here: BrokerId) -> Result<u32, Refusal> {
    if asked.replication_factor != -1 || asked.num_partitions != -1 {
        let message = "a manual assignment takes neither a replication factor nor a number of partitions";
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
    }
    let mut by_index = BTreeMap::new();
    for CreatableReplicaAssignment { partition_index, broker_ids } in &asked.assignments {
        let is_here = broker_ids[..] == [here];
        if !is_here || by_index.insert(partition_index.0, ()).is_some() {
            let message =
                format!("partition {partition_index} must be assigned once, and to broker {here} alone");
            return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
    }
    let is_consecutive = by_index.keys().copied().eq(0..asked.assignments.len() as i32);
    is_consecutive.then_some(asked.assignments.len() as u32).ok_or_else(|| {
        let message = "partitions should be a consecutive 0-based integer sequence";
        Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message)
    })
}

fn created(
    sources: &Sources<'_>,
    asked: &CreatableTopic,
    topic_id: TopicId,
    partitions: u32,
    (overrides, config): (&Overrides, &TopicConfig),
) -> CreatableTopicResult {
    let settings = describe_configs::topic_settings(sources, config, overrides);
    CreatableTopicResult {
        name: asked.name.clone(),
        topic_id,
        error_message: None,
        num_partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        replication_factor: 1,
        configs: Some(
            settings
                .into_iter()
                .map(|setting| CreatableTopicConfigs {
                    config_source: setting.source(),
                    name: setting.name.into(),
                    value: Some(setting.value.into()),
                    ..Default::default()
                })
                .collect(),
        ),
        ..Default::default()
    }
}
