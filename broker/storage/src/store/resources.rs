//! Settings of what is no topic: of brokers and of groups. Journal entries like those of topics, and like them in force when
//! their ticket resolves. What is on its way counts already, so that two changes at once both hold.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{Alteration, Store, TopicError, control::Control};
use crate::{
    caps::RESOURCES_MAX,
    config::{
        ConfigError, Overrides, Present, Resource, Resources, Rules, TopicConfig, apply_changes,
        store_resource,
    },
    journal::Entry,
    ticket::Ticket,
};

/// Settings of resources that have their place and are not in force yet, the oldest first.
#[derive(Debug, Default)]
pub(super) struct ChangingResources(HashMap<Resource, VecDeque<Overrides>>);

impl Store {
    /// What all resources but topics set.
    #[must_use]
    pub fn resources(&self) -> Arc<Resources> {
        self.resources.load_full()
    }

    /// What topics have that set nothing of their own, as the settings of this broker make it.
    #[must_use]
    pub fn topic_defaults(&self) -> Arc<TopicConfig> {
        self.topic_defaults.load_full()
    }

    /// Gives a resource other settings. They hold when the ticket resolves, and after every start.
    ///
    /// # Errors
    /// Where `rules` say that a setting cannot be, or there are too many resources with settings.
    pub fn alter_resource(
        &self,
        resource: &Resource,
        alteration: &Alteration,
        rules: &dyn Rules,
    ) -> Result<Ticket, TopicError> {
        let mut control = self.control();
        let overrides = self.altered_resource(&control, resource, alteration, rules)?;
        let entry = Entry::SettingsChanged { resource: resource.clone(), overrides: overrides.clone() };
        let ticket = self.place_own(vec![entry], Vec::new())?;
        control.changing_resources.0.entry(resource.clone()).or_default().push_back(overrides);
        Ok(ticket)
    }

    /// Whether a resource may have other settings.
    ///
    /// # Errors
    /// Those of [`Self::alter_resource`].
    pub fn check_resource(
        &self,
        resource: &Resource,
        alteration: &Alteration,
        rules: &dyn Rules,
    ) -> Result<(), TopicError> {
        self.altered_resource(&self.control(), resource, alteration, rules)?;
        Ok(())
    }

    fn altered_resource(
        &self,
        control: &Control,
        resource: &Resource,
        alteration: &Alteration,
        rules: &dyn Rules,
    ) -> Result<Overrides, ConfigError> {
        let resources = self.resources();
        let present: Present<'_> =
            &|resource| control.changing_resources.last(resource).or_else(|| resources.get(resource));
        let overrides = match alteration {
            Alteration::Replace(overrides) => overrides.clone(),
            Alteration::Changes(changes) => {
                apply_changes(present(resource).cloned().unwrap_or_default(), rules, changes)?
            }
        };
        rules.check(&overrides, present)?;
        let is_new = !resources.contains_key(resource) && !overrides.is_empty();
        if is_new && resources.len() + control.changing_resources.0.len() >= RESOURCES_MAX {
            return Err(ConfigError::TooManyResources { most: RESOURCES_MAX });
        }
        Ok(overrides)
    }

    pub(super) fn fold_settings(&self, resource: &Resource, overrides: &Overrides) {
        // What leaves the changes on their way is among those in force before anybody looks at either.
        let mut control = self.control();
        control.changing_resources.settle(resource, VecDeque::pop_front);
        let mut resources = Resources::clone(&self.resources());
        store_resource(&mut resources, resource, overrides);
        let defaults = self.options.topic_defaults.of_broker(&resources, self.identity.node_id);
        self.resources.store(Arc::new(resources));
        drop(control);
        if defaults != *self.topic_defaults() {
            self.topic_defaults.store(Arc::new(defaults));
            self.follow_defaults();
        }
    }

    /// Topics that set nothing of their own have the new defaults.
    fn follow_defaults(&self) {
        self.change_topics(|topics| {
            for topic in topics.sorted() {
                let config = self.effective_config(&topic.overrides);
                if config != *topic.config {
                    let mut topic = super::Topic::clone(&topic);
                    topic.config = Arc::new(config);
                    topics.insert(topic);
                }
            }
        });
    }

    /// The newest change of a resource's settings was taken back.
    pub(super) fn take_back_settings(&self, resource: &Resource) {
        self.control().changing_resources.settle(resource, VecDeque::pop_back);
    }
}

impl ChangingResources {
    fn last(&self, resource: &Resource) -> Option<&Overrides> {
        self.0.get(resource)?.back()
    }

    fn settle(&mut self, resource: &Resource, take: fn(&mut VecDeque<Overrides>) -> Option<Overrides>) {
        let Some(changes) = self.0.get_mut(resource) else { return };
        take(changes);
        if changes.is_empty() {
            self.0.remove(resource);
        }
    }
}
