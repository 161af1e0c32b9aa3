//! What is not records: topics come and go, log starts move. Journal entries all of them, as are those of `alter` and
//! `producer_ids`, and always synced before they are answered (durability rule 3).

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use mainstem_protocol::{Offset, PartitionId, TopicId};

use super::{
    AppendError, Journal, Request, Store, Topic, Topics, alter::Changing, resources::ChangingResources,
    retention::NewStart,
};
use crate::{
    caps::PARTITIONS_MAX,
    checkpoint::PartitionSnapshot,
    config::{ConfigError, Overrides, Setting, TopicConfig},
    ids::Lsn,
    journal::{Entry, NewTopicEntry},
    partition::{Keyed, Partition, Placing},
    ticket::{Resolver, Ticket},
};

/// Bytes of the journal that a batch needs beside its own.
const GROUP_OVERHEAD_BYTES: u64 = 4096;

/// A topic to be created.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name; whoever asks has checked that it may be one.
    pub name: String,
    /// How many partitions.
    pub partitions: u32,
    /// What it sets of its own.
    pub overrides: Overrides,
    /// Whether the last value of each key is kept in memory, for those who start from it.
    pub keyed: bool,
}

/// Why a topic cannot be created, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// There is one of that name, or there will be in a moment.
    #[error("topic {0} exists")]
    Exists(String),
    /// There is none.
    #[error("topic {0} does not exist")]
    Unknown(TopicId),
    /// Too few partitions, or too many.
    #[error(
        "a topic cannot have {asked} partitions: from 1 to {PARTITIONS_MAX}, and always more than it has, {present}"
    )]
    Partitions {
        /// How many it should have.
        asked: u32,
        /// How many it has, with those that are on their way.
        present: u32,
    },
    /// The node has as many as it may.
    #[error(
        "{asked} more partitions are too many: all topics together have {present}, the node takes {most} \
         (max.broker.partitions)"
    )]
    TooManyPartitions {
        /// New ones.
        asked: u32,
        /// Those of all topics, and of those on their way.
        present: usize,
        /// How many there may be.
        most: u32,
    },
    /// A setting that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal does not take it; after `NoRoom` make room with an empty group first.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// What has its place and is not in the images yet.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// New topics, and how many partitions they will have.
    topics: HashMap<String, u32>,
    /// Topics that become others.
    pub(super) changing: Changing,
    /// Brokers and groups whose settings become others.
    pub(super) changing_resources: ChangingResources,
}

impl Store {
    /// Creates a topic. The image shows it when the ticket resolves.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn create_topic(&self, new: NewTopic) -> Result<(TopicId, Ticket), TopicError> {
        let NewTopic { name, partitions, overrides, keyed } = new;
        if !(1..=PARTITIONS_MAX).contains(&partitions) {
            return Err(TopicError::Partitions { asked: partitions, present: 0 });
        }
        self.check_config(&overrides, &|name| overrides.contains_key(name))?;
        let overrides = if keyed { overrides } else { self.with_durability(overrides) };
        let mut control = self.control();
        if self.topics().named(&name).is_some() || control.topics.contains_key(&name) {
            return Err(TopicError::Exists(name));
        }
        // The topics that the broker keeps for itself are few, and it does not start without them.
        if !keyed {
            self.check_partitions(&control, partitions)?;
        }
        let id = self.fresh_topic_id();
        let entry = NewTopicEntry { id, name: name.clone(), keyed, partitions, overrides };
        let ticket = self.place_own(vec![Entry::TopicCreated(entry)], Vec::new())?;
        control.topics.insert(name, partitions);
        Ok((id, ticket))
    }

    /// Whether the node takes so many partitions more.
    ///
    /// # Errors
    /// [`TopicError::TooManyPartitions`] where it does not.
    pub fn check_room_for(&self, partitions: u32) -> Result<(), TopicError> {
        self.check_partitions(&self.control(), partitions)
    }

    pub(super) fn check_partitions(&self, control: &Control, asked: u32) -> Result<(), TopicError> {
        let (topics, most) = (self.topics(), self.options.partitions_max);
        let of_topic = |topic: &Arc<Topic>| control.changing.partitions(topic) as usize;
        let new: usize = control.topics.values().map(|partitions| *partitions as usize).sum();
        let present = topics.iter().map(of_topic).sum::<usize>() + new;
        if present + asked as usize <= most as usize {
            return Ok(());
        }
        Err(TopicError::TooManyPartitions { asked, present, most })
    }

    /// A topic keeps the durability that it was made with: another default of the broker is for new topics, and what was
    /// promised for the records that there are must not change behind anybody's back. Topics of the broker itself follow
    /// its default (durability rule 3).
    pub(super) fn with_durability(&self, mut overrides: Overrides) -> Overrides {
        for name in ["flush.messages", "flush.ms"] {
            let default = Setting::of_topic(name).map(|setting| (setting.read)(&self.topic_defaults()));
            if let (false, Some(value)) = (overrides.contains_key(name), default) {
                overrides.insert(name.to_owned(), value);
            }
        }
        overrides
    }

    fn fresh_topic_id(&self) -> TopicId {
        let is_free = |id: &TopicId| !id.is_reserved() && self.topics().get(*id).is_none();
        std::iter::repeat_with(self.options.topic_id).find(is_free).unwrap_or_default()
    }

    /// Deletes a topic: nothing is appended behind this, and its files go once the deletion is durable.
    ///
    /// # Errors
    /// Where there is none.
    pub fn delete_topic(&self, id: TopicId) -> Result<Ticket, TopicError> {
        let _control = self.control();
        let topic = self.topics().get(id).cloned().ok_or(TopicError::Unknown(id))?;
        let mut guards: Vec<_> = topic.partitions.iter().map(|partition| partition.placing()).collect();
        if guards.iter().any(|placing| placing.is_deleted) {
            return Err(TopicError::Unknown(id));
        }
        let ticket = self.place_own(vec![Entry::TopicDeleted { topic: id }], Vec::new())?;
        guards.iter_mut().for_each(|placing| placing.is_deleted = true);
        Ok(ticket)
    }

    /// Moves a partition's log start forward, not beyond what is shown; what lies before it is deleted.
    ///
    /// # Errors
    /// Where there is no such partition or the offset is not within its log.
    pub fn move_log_start(
        &self,
        topic: TopicId,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<Ticket, AppendError> {
        let unknown = AppendError::UnknownPartition { topic, partition };
        let found = self.partition(topic, partition).ok_or(unknown)?;
        let (log_start, high_watermark) = (found.log_start(), found.high_watermark());
        if !(log_start..=high_watermark).contains(&offset) {
            return Err(AppendError::OffsetOutOfRange { offset, log_start, high_watermark });
        }
        // Behind a deletion in the journal nobody may name the topic.
        let mut placing = found.placing();
        if placing.is_deleted {
            return Err(AppendError::UnknownPartition { topic, partition });
        }
        // Where nothing stays, the segment that is written to goes too.
        let seals =
            offset == placing.state().end && !placing.has_in_flight() && !placing.state().segments.is_empty();
        self.place_log_start(&found, &mut placing, NewStart { offset, seals })
    }

    /// Places entries of the store itself. The callers hold what gives them their order.
    pub(super) fn place_own(
        &self,
        entries: Vec<Entry>,
        partitions: Vec<Arc<Partition>>,
    ) -> Result<Ticket, AppendError> {
        let (lsn, resolver) = self.request_own(entries, partitions)?;
        Ok(resolver.ticket(lsn, Vec::new()))
    }

    pub(super) fn request_own(
        &self,
        entries: Vec<Entry>,
        partitions: Vec<Arc<Partition>>,
    ) -> Result<(Lsn, Resolver), AppendError> {
        self.queue.place(Request { entries, partitions, is_synced: true, ahead: None, is_own: true })
    }

    /// A largest batch that the full journal could not take is refused, with both figures (rule 11).
    pub(super) fn check_config(
        &self,
        overrides: &Overrides,
        is_altered: &dyn Fn(&str) -> bool,
    ) -> Result<TopicConfig, ConfigError> {
        let config = self.topic_defaults().with_altered(overrides, is_altered)?;
        let most = self.batch_bytes_max();
        if config.max_message_bytes > most && overrides.contains_key("max.message.bytes") {
            let value = config.max_message_bytes.to_string();
            let expected = format!("the journal takes batches of up to {most} bytes");
            return Err(ConfigError::Invalid { name: "max.message.bytes".to_owned(), value, expected });
        }
        Ok(config)
    }

    /// Bytes that the largest batch may have, whatever a topic says.
    fn batch_bytes_max(&self) -> u64 {
        self.group_bytes_max() - GROUP_OVERHEAD_BYTES
    }

    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fold_topic_created(&self, new: &NewTopicEntry) {
        let topic = self.new_topic(new, |_| Default::default());
        let mut control = self.control();
        self.change_topics(|topics| topics.insert(topic.clone()));
        control.topics.remove(&new.name);
    }

    /// A topic's image; `partition` says what a fold left of each of its partitions.
    pub(super) fn new_topic(
        &self,
        new: &NewTopicEntry,
        partition: impl FnMut(u32) -> (PartitionSnapshot, Vec<Arc<crate::segment::Segment>>),
    ) -> Topic {
        let mut partition = partition;
        let mut build = |number: u32| {
            let (PartitionSnapshot { state, keyed, aborted }, segments) = partition(number);
            let keyed = new.keyed.then(|| Keyed::new(keyed));
            let (id, placing) = (PartitionId(number as i32), Placing::new(state));
            Arc::new(Partition::new(new.id, id, placing, segments, keyed, aborted))
        };
        Topic {
            id: new.id,
            name: new.name.clone(),
            keyed: new.keyed,
            overrides: new.overrides.clone(),
            config: Arc::new(self.effective_config(&new.overrides)),
            partitions: (0..new.partitions).map(&mut build).collect(),
        }
    }

    /// What was checked once holds; a setting that a later version refuses is passed over and said.
    pub(super) fn effective_config(&self, overrides: &Overrides) -> TopicConfig {
        let mut config = TopicConfig::clone(&self.topic_defaults());
        for (name, value) in overrides {
            if let Err(error) = config.set(name, value) {
                tracing::warn!(%error, "a topic's setting is passed over");
            }
        }
        config.max_message_bytes = config.max_message_bytes.min(self.batch_bytes_max());
        config
    }

    pub(super) fn fold_topic_deleted(&self, journal: &mut Journal, id: TopicId) {
        let mut gone = None;
        let mut control = self.control();
        self.change_topics(|topics| gone = topics.remove(id));
        control.changing.forget(id);
        drop(control);
        let Some(topic) = gone else { return };
        journal.dirty.retain(|(topic, ..), _| *topic != id);
        topic.partitions.iter().for_each(|partition| partition.wake());
        self.upkeep.remove_topic_later(&topic);
    }

    /// One thread alone, the journal's, changes the image.
    pub(super) fn change_topics(&self, change: impl FnOnce(&mut Topics)) {
        let mut topics = Topics::clone(&self.topics());
        change(&mut topics);
        self.topics.store(Arc::new(topics));
    }

    /// A group of the store itself that was taken back.
    pub(super) fn take_back_own(&self, entries: &[Entry]) {
        for entry in entries {
            match entry {
                Entry::TopicCreated(topic) => drop(self.control().topics.remove(&topic.name)),
                Entry::PartitionsAdded { topic, .. } => self.control().changing.take_back_partitions(*topic),
                Entry::ConfigChanged { topic, .. } => self.control().changing.take_back_overrides(*topic),
                Entry::SettingsChanged { resource, .. } => self.take_back_settings(resource),
                Entry::TopicDeleted { topic } => self.undelete(*topic),
                Entry::ProducerIdsAllocated { .. } => self.producer_ids().take_back(),
                _ => {}
            }
        }
    }

    fn undelete(&self, topic: TopicId) {
        let topics = self.topics();
        let partitions = topics.get(topic).into_iter().flat_map(|topic| &topic.partitions);
        partitions.for_each(|partition| partition.placing().is_deleted = false);
    }
}
