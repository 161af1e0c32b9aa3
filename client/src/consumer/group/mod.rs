//! Membership of a group: a task of its own joins, says that it lives, and follows what the group does. It talks with the
//! consumer by events and commands, so that the consumer can finish its work before partitions go to others, and so that
//! heartbeats do not depend on how often somebody polls.
//!
//! - [`classic`]: groups whose members share out partitions among themselves.
//! - [`assignor`]: how the leader of such a group does that.
//! - [`modern`]: groups whose partitions the broker shares out (KIP-848).
//! - [`Interest`]: what a member wants to read.
//! - [`offsets`]: commits, and what was committed.
//! - [`coordinator`]: the broker that those go to.

pub(super) mod assignor;
mod classic;
pub(super) mod coordinator;
mod interest;
mod modern;
pub(super) mod offsets;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use mainstem_protocol::Text;
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Instant},
};

use super::{ConsumerConfig, GroupError, GroupProtocol};
use crate::{TopicPartition, caps, cluster::Cluster, task};
use assignor::Assignor;
pub(super) use interest::{Interest, Pattern};

/// Who commits: a member in a generation, or in an epoch of its own (KIP-848), or somebody outside of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemberIdentity {
    pub(super) id: Text,
    pub(super) generation: i32,
}

impl MemberIdentity {
    /// Whoever is not a member: the group must have none then.
    pub(super) const OUTSIDER: Self = Self { id: Text::from_static(""), generation: -1 };
}

/// Numbers the times that a member has to let partitions go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Round(u64);

impl Round {
    const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What happens to a member.
#[derive(Debug)]
pub(super) enum Event {
    /// It has these partitions, and no others.
    Assigned(Vec<TopicPartition>),
    /// These partitions go to others; they can still be worked on until they are released.
    Revoking(Round, Vec<TopicPartition>),
    /// The group went on without the member, and nothing is its own any more. It joins again once that is heard.
    Lost(Round),
    /// The member cannot join at all; its task has ended.
    Failed(GroupError),
}

/// What a consumer wants of its membership.
#[derive(Debug)]
pub(super) enum Command {
    /// What was to be let go in that round is let go.
    Released(Round),
    /// The consumer ends.
    Close(LeaveMode),
}

/// What becomes of the membership when a consumer is closed (KIP-1092).
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Consumer, ConsumerConfig, consumer::LeaveMode};
///
/// let config = ConsumerConfig { group_instance_id: Some("first".into()), ..ConsumerConfig::group("readers") };
/// for (mode, members) in [(LeaveMode::Default, 1), (LeaveMode::Leave, 0)] {
///     let mut consumer = Consumer::new(&transport, config.clone());
///     consumer.subscribe(["greetings"])?;
///     consumer.poll(Duration::from_secs(30)).await?;
///     consumer.close_with(mode).await;
///     assert_eq!(transport.members("readers"), members);
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaveMode {
    /// A static member stays until its session is over, any other one leaves.
    #[default]
    Default,
    /// The member leaves, and the group shares out its partitions at once.
    Leave,
    /// The member stays until its session is over.
    Remain,
}

/// Whether members keep partitions through a rebalance: in a classic group only where every assignor that may be chosen sees
/// to it that none is handed out before it was let go (Kafka: `ConsumerCoordinator`).
pub(super) fn is_cooperative(config: &ConsumerConfig) -> bool {
    match config.group_protocol {
        GroupProtocol::Classic => {
            config.assignors.iter().all(|assignor| *assignor == Assignor::CooperativeSticky)
        }
        GroupProtocol::Consumer => true,
    }
}

impl LeaveMode {
    const fn leaves(self, config: &ConsumerConfig) -> bool {
        match self {
            Self::Default => config.group_instance_id.is_none(),
            Self::Leave => true,
            Self::Remain => false,
        }
    }
}

/// A membership. The member leaves when this is dropped, or closed to wait for that.
#[derive(Debug)]
pub(super) struct Membership {
    events: mpsc::Receiver<Event>,
    commands: mpsc::Sender<Command>,
    identity: watch::Receiver<MemberIdentity>,
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
        interest: Interest,
    ) -> Self {
        let (events_in, events) = mpsc::channel(caps::GROUP_EVENTS_MAX);
        let (commands, commands_out) = mpsc::channel(caps::GROUP_EVENTS_MAX);
        let (identity_in, identity) = watch::channel(MemberIdentity::OUTSIDER);
        let polls = Arc::default();
        let watch = PollWatch::new(Arc::clone(&polls), config.poll_interval_max);
        let ends = Ends { events: events_in, commands: commands_out, identity: identity_in, polls: watch };
        let task = match config.group_protocol {
            GroupProtocol::Classic => {
                let member = classic::Member::new(config, cluster, group, interest, ends);
                task::spawn("group member", member.run())
            }
            GroupProtocol::Consumer => {
                let member = modern::Member::new(config, cluster, group, interest, ends);
                task::spawn("group member", member.run())
            }
        };
        Self { events, commands, identity, polls, task }
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

    /// As whom offsets are committed; changes with each generation, whether the consumer has heard of it or not.
    pub(super) fn identity(&self) -> watch::Receiver<MemberIdentity> {
        self.identity.clone()
    }

    /// Whether the group has gone on without the member.
    pub(super) fn is_lost(&self) -> bool {
        *self.identity.borrow() == MemberIdentity::OUTSIDER
    }

    /// Lets partitions go.
    pub(super) async fn released(&self, round: Round) {
        // The task is gone only after a failure that was reported.
        let _ = self.commands.send(Command::Released(round)).await;
    }

    /// Ends the membership, and waits until the group knows.
    pub(super) async fn close(self, mode: LeaveMode) {
        let Self { events, commands, task, .. } = self;
        // Nobody listens any more: a task that waits to tell something goes on.
        drop(events);
        let _ = commands.send(Command::Close(mode)).await;
        drop(commands);
        let _ = task.await;
    }
}

/// The member's ends of what connects it with the consumer.
struct Ends {
    events: mpsc::Sender<Event>,
    commands: mpsc::Receiver<Command>,
    identity: watch::Sender<MemberIdentity>,
    polls: PollWatch,
}

/// Watches whether somebody polls (`max.poll.interval.ms`). Looks no more often than it is asked.
struct PollWatch {
    polls: Arc<AtomicU64>,
    longest: Duration,
    /// How many polls were last seen, and when that was news.
    seen: (u64, Instant),
}

impl PollWatch {
    fn new(polls: Arc<AtomicU64>, longest: Duration) -> Self {
        Self { polls, longest, seen: (0, Instant::now()) }
    }

    /// Whether nobody has polled for too long.
    fn is_stuck(&mut self) -> bool {
        let polls = self.polls.load(Ordering::Relaxed);
        if polls != self.seen.0 {
            self.seen = (polls, Instant::now());
        }
        self.seen.1.elapsed() > self.longest
    }
}
