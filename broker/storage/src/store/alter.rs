//! Topics change: their settings, and how many partitions they have. What is on its way counts already, so that two
//! changes at once both hold.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use mainstem_protocol::{PartitionId, TopicId};

use super::{Store, Topic, TopicError, control::Control};
use crate::{
    caps::PARTITIONS_MAX,
    config::{ConfigChange, Overrides, TopicRules, apply_changes},
    journal::Entry,
    partition::{Keyed, Partition, Placing},
    state::Aborted,
    ticket::Ticket,
};

/// How the settings of a topic become others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// By these changes of what it sets of its own, one after the other.
    Changes(Vec<ConfigChange>),
    /// It sets these, and nothing else.
    Replace(Overrides),
}

impl Alteration {
    /// Whether the setting is one of those that somebody asked for.
    fn names(&self, setting: &str) -> bool {
        match self {
            Self::Changes(changes) => changes.iter().any(|change| change.name == setting),
            Self::Replace(overrides) => overrides.contains_key(setting),
        }
    }
}

/// Changes of topics that have their place and are not in the image yet.
#[derive(Debug, Default)]
pub(super) struct Changing(HashMap<TopicId, OfTopic>);

/// Those of one topic, the oldest first.
#[derive(Debug, Default)]
struct OfTopic {
    partitions: VecDeque<u32>,
    overrides: VecDeque<Overrides>,
}

impl Store {
    /// Gives a topic other settings. They hold for what gets its place behind this; with the ticket everything that has
    /// its place before is durable too (durability rule 3).
    ///
    /// # Errors
    /// Where there is no such topic or a setting cannot be.
    pub fn alter_topic(&self, id: TopicId, alteration: &Alteration) -> Result<Ticket, TopicError> {
        let mut control = self.control();
        let overrides = self.altered(&control, id, alteration)?;
        let entry = Entry::ConfigChanged { topic: id, overrides: overrides.clone() };
        let ticket = self.place_own(vec![entry], Vec::new())?;
        control.changing.of(id).overrides.push_back(overrides);
        Ok(ticket)
    }

    /// Whether a topic may have other settings.
    ///
    /// # Errors
    /// Those of [`Self::alter_topic`].
    pub fn check_alteration(&self, id: TopicId, alteration: &Alteration) -> Result<(), TopicError> {
        self.altered(&self.control(), id, alteration).map(drop)
    }

    fn altered(
        &self,
        control: &Control,
        id: TopicId,
        alteration: &Alteration,
    ) -> Result<Overrides, TopicError> {
        let topic = self.living(id);
        let overrides = match alteration {
            Alteration::Replace(overrides) => overrides.clone(),
            Alteration::Changes(changes) => {
                let present = topic.as_ref().map(|topic| control.changing.overrides(topic).clone());
                apply_changes(present.unwrap_or_default(), &TopicRules(&self.topic_defaults()), changes)?
            }
        };
        // A value that cannot be is told first, as in Kafka (`ConfigurationControlManager.validateAlterConfig`).
        self.check_config(&overrides, &|name| alteration.names(name))?;
        Ok(if topic?.keyed { overrides } else { self.with_durability(overrides) })
    }

    /// Gives a topic more partitions: so many altogether.
    ///
    /// # Errors
    /// Where there is no such topic, it has as many already, or the node has too many.
    pub fn add_partitions(&self, id: TopicId, partitions: u32) -> Result<Ticket, TopicError> {
        let mut control = self.control();
        self.check_growth(&control, id, partitions)?;
        let ticket = self.place_own(vec![Entry::PartitionsAdded { topic: id, partitions }], Vec::new())?;
        control.changing.of(id).partitions.push_back(partitions);
        Ok(ticket)
    }

    /// Whether a topic may have so many partitions altogether, with `besides` new ones of other topics.
    ///
    /// # Errors
    /// Those of [`Self::add_partitions`].
    pub fn check_added_partitions(
        &self,
        id: TopicId,
        partitions: u32,
        besides: u32,
    ) -> Result<(), TopicError> {
        let control = self.control();
        let new = self.check_growth(&control, id, partitions)?;
        self.check_partitions(&control, new.saturating_add(besides))
    }

    /// Returns how many are new.
    fn check_growth(&self, control: &Control, id: TopicId, partitions: u32) -> Result<u32, TopicError> {
        let topic = self.living(id)?;
        let present = control.changing.partitions(&topic);
        if partitions <= present || partitions > PARTITIONS_MAX {
            return Err(TopicError::Partitions { asked: partitions, present });
        }
        self.check_partitions(control, partitions - present)?;
        Ok(partitions - present)
    }

    /// A topic that nobody deletes: what is behind a deletion in the journal may not name it. The caller holds `control`.
    fn living(&self, id: TopicId) -> Result<Arc<Topic>, TopicError> {
        let topic = self.topics().get(id).cloned();
        topic.filter(|topic| !topic.is_going()).ok_or(TopicError::Unknown(id))
    }

    pub(super) fn fold_config(&self, id: TopicId, overrides: &Overrides) {
        let config = Arc::new(self.effective_config(overrides));
        let mut control = self.control();
        control.changing.change(id, |changes| drop(changes.overrides.pop_front()));
        self.change_topic(id, |topic| {
            topic.overrides = overrides.clone();
            topic.config = config;
        });
    }

    pub(super) fn fold_partitions_added(&self, id: TopicId, partitions: u32) {
        let mut control = self.control();
        control.changing.change(id, |changes| {
            changes.partitions.pop_front();
        });
        self.change_topic(id, |topic| {
            let (keyed, is_deleted) = (topic.keyed, topic.is_going());
            let new = |number: u32| {
                let mut placing = Placing::default();
                placing.is_deleted = is_deleted;
                let keyed = keyed.then(Keyed::default);
                Arc::new(Partition::new(
                    id,
                    PartitionId(number as i32),
                    placing,
                    Vec::new(),
                    keyed,
                    Aborted::default(),
                ))
            };
            topic.partitions.extend((topic.partitions.len() as u32..partitions).map(new));
        });
    }

    fn change_topic(&self, id: TopicId, change: impl FnOnce(&mut Topic)) {
        self.change_topics(|topics| {
            let Some(mut topic) = topics.get(id).map(|topic| Topic::clone(topic)) else { return };
            change(&mut topic);
            topics.insert(topic);
        });
    }
}

impl Topic {
    /// Whether a deletion has its place.
    fn is_going(&self) -> bool {
        self.partitions.first().is_some_and(|partition| partition.placing().is_deleted)
    }
}

impl Changing {
    fn of(&mut self, id: TopicId) -> &mut OfTopic {
        self.0.entry(id).or_default()
    }

    fn change(&mut self, id: TopicId, change: impl FnOnce(&mut OfTopic)) {
        let Some(changes) = self.0.get_mut(&id) else { return };
        change(changes);
        if changes.partitions.is_empty() && changes.overrides.is_empty() {
            self.0.remove(&id);
        }
    }

    /// How many partitions the topic will have.
    pub(super) fn partitions(&self, topic: &Topic) -> u32 {
        let last = self.0.get(&topic.id).and_then(|changes| changes.partitions.back());
        last.copied().unwrap_or(topic.partitions.len() as u32)
    }

    /// What the topic will set.
    fn overrides<'a>(&'a self, topic: &'a Topic) -> &'a Overrides {
        let last = self.0.get(&topic.id).and_then(|changes| changes.overrides.back());
        last.unwrap_or(&topic.overrides)
    }

    pub(super) fn forget(&mut self, id: TopicId) {
        self.0.remove(&id);
    }

    /// The newest change of the number of partitions was taken back.
    pub(super) fn take_back_partitions(&mut self, id: TopicId) {
        self.change(id, |changes| {
            changes.partitions.pop_back();
        });
    }

    /// The newest change of settings was taken back.
    pub(super) fn take_back_overrides(&mut self, id: TopicId) {
        self.change(id, |changes| drop(changes.overrides.pop_back()));
    }
}
