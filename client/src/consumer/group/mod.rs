//! Membership of a classic group: a task of its own joins, says that it lives, and joins again when the group
//! changes. It talks with the consumer by events and commands, so that the consumer can finish its work before
//! partitions go to others, and so that heartbeats do not depend on how often somebody polls.
//!
//! - [`member`]: the task.
//! - [`assignor`]: how the leader shares out partitions.
//! - [`offsets`]: commits, and what was committed.

mod assignor;
mod member;
pub(super) mod offsets;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use mainstem_protocol::Text;
use tokio::sync::mpsc;

use super::{ConsumerConfig, GroupError};
use crate::{TopicPartition, caps, cluster::Cluster, task};

/// Who commits: a member of a generation, or somebody outside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemberIdentity {
    pub(super) id: Text,
    pub(super) generation: i32,
}

impl MemberIdentity {
    /// Whoever is not a member: the group must have none then.
    pub(super) const OUTSIDER: Self = Self { id: Text::from_static(""), generation: -1 };
}

/// What happens to a member.
#[derive(Debug)]
pub(super) enum Event {
    /// It has these partitions, and no others.
    Assigned { member: MemberIdentity, partitions: Vec<TopicPartition> },
    /// The group changes; the partitions can still be worked on until the next command.
    Revoking,
    /// The group went on without the member.
    Lost,
    /// The member cannot join at all; its task has ended.
    Failed(GroupError),
}

/// What a consumer wants of its membership.
#[derive(Debug)]
pub(super) enum Command {
    /// The partitions have been let go: join again.
    Rejoin,
}

/// A membership. The member leaves when this is dropped, or closed to wait for that.
#[derive(Debug)]
pub(super) struct Membership {
    events: mpsc::Receiver<Event>,
    commands: mpsc::Sender<Command>,
    /// How often the consumer has shown that it is alive.
    polls: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Membership {
    /// Begins to join.
    pub(super) fn start(
        config: Arc<ConsumerConfig>,
        cluster: Arc<Cluster>,
        group: Text,
        topics: Vec<Text>,
    ) -> Self {
        let (events_in, events) = mpsc::channel(caps::GROUP_EVENTS_MAX);
        let (commands, commands_out) = mpsc::channel(caps::GROUP_EVENTS_MAX);
        let polls = Arc::default();
        let member = member::Member::new(config, cluster, group, topics, Arc::clone(&polls));
        let task = task::spawn("group member", member.run(events_in, commands_out));
        Self { events, commands, polls, task }
    }

    /// Notes that the consumer is alive.
    pub(super) fn polled(&self) {
        // Looking at a clock here would cost more than the record that is taken.
        self.polls.fetch_add(1, Ordering::Relaxed);
    }

    /// The next event; `None` after the task has ended.
    pub(super) async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Lets the partitions go.
    pub(super) async fn rejoin(&self) {
        // The task is gone only after a failure that was reported.
        let _ = self.commands.send(Command::Rejoin).await;
    }

    /// Leaves the group, and waits until the group knows.
    pub(super) async fn leave(self) {
        let Self { commands, task, .. } = self;
        drop(commands);
        let _ = task.await;
    }
}
