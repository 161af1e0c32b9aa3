//! The task of a member of a classic group: join, share out, say that it lives, join again.
//!
//! - [`join`]: the way into a generation.
//! - [`lead`]: what the leader does on it.
//! - [`ask`]: requests to the coordinator.
//!
//! An eager member lets everything go before it joins again. A cooperative one (KIP-429) keeps what it has, is told what
//! it has to let go by the difference between that and what it is given, lets it go, and joins again at once, so that
//! others get it.

mod ask;
mod join;
mod lead;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use mainstem_protocol::{BrokerId, ErrorCode, Text};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tracing::info;

use super::{
    super::{ConsumerConfig, GroupError},
    Command, Ends, Event, Interest, LeaveMode, MemberIdentity, Round, is_cooperative,
};
use crate::{TopicPartition, cluster::Cluster};

/// Why a member stops saying that it lives.
enum Pulse {
    /// The group changes, or should.
    Rebalance,
    /// The group went on without it.
    Lost,
    /// Another one goes by its name.
    Fenced,
    /// The consumer has let its partitions go.
    Released,
}

/// The consumer is gone, or closes; whether the member is to leave then.
struct Closed(LeaveMode);

pub(super) struct Member {
    config: Arc<ConsumerConfig>,
    cluster: Arc<Cluster>,
    group: Text,
    interest: Interest,
    /// The topics that the member says it wants.
    topics: Vec<Text>,
    ends: Ends,
    identity: MemberIdentity,
    coordinator: Option<BrokerId>,
    /// What the consumer has.
    owned: BTreeSet<TopicPartition>,
    /// What the member was given last, and in which generation; the sticky assignors want to know.
    last: Option<(Vec<TopicPartition>, i32)>,
    /// What the leader shared out: topics with the number of their partitions.
    shared_out: Option<HashMap<Text, usize>>,
    round: Round,
}

impl Member {
    pub(super) fn new(
        config: Arc<ConsumerConfig>,
        cluster: Arc<Cluster>,
        group: Text,
        interest: Interest,
        ends: Ends,
    ) -> Self {
        Self {
            config,
            cluster,
            group,
            interest,
            topics: Vec::new(),
            ends,
            identity: MemberIdentity::OUTSIDER,
            coordinator: None,
            owned: BTreeSet::new(),
            last: None,
            shared_out: None,
            round: Round::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let Closed(mode) = loop {
            match self.live().await {
                Ok(()) => {}
                Err(Ending::Closed(closed)) => break closed,
                Err(Ending::Failed(error)) => return self.fail(error).await,
            }
        };
        if mode.leaves(&self.config) {
            self.leave().await;
        }
    }

    /// One generation: in, through it, and out.
    async fn live(&mut self) -> Result<(), Ending> {
        let Some(assigned) = self.enter().await? else { return Ok(()) };
        let gone: BTreeSet<_> = self.owned.difference(&assigned).cloned().collect();
        let must_rejoin = is_cooperative(&self.config) && !gone.is_empty();
        if must_rejoin && !self.let_go(gone).await? {
            return Ok(());
        }
        self.owned.clone_from(&assigned);
        self.tell(Event::Assigned(assigned.into_iter().collect())).await?;
        if must_rejoin { Ok(()) } else { self.stay().await }
    }

    /// Joins, unless the consumer closes; `None` where what it had was lost over that, and the consumer knows.
    async fn enter(&mut self) -> Result<Option<BTreeSet<TopicPartition>>, Ending> {
        match self.join_unless_closed().await? {
            Way::In(assigned) => Ok(Some(assigned)),
            Way::Unwanted(partitions) => self.let_go(partitions).await.map(|_| None),
            Way::Lost => self.lose().await.map(|()| None),
        }
    }

    async fn join_unless_closed(&mut self) -> Result<Way, Ending> {
        // The commands are waited for beside, so they must not be borrowed with the rest.
        let (_, none) = mpsc::channel(1);
        let mut commands = std::mem::replace(&mut self.ends.commands, none);
        let joined = tokio::select! {
            joined = self.join() => joined.map_err(Ending::Failed),
            mode = closing(&mut commands) => Err(Ending::Closed(Closed(mode))),
        };
        self.ends.commands = commands;
        joined
    }

    /// Says that it lives until the group changes, and lets go what has to be.
    async fn stay(&mut self) -> Result<(), Ending> {
        match self.pulse(None).await? {
            Pulse::Lost => self.lose().await,
            Pulse::Fenced => self.fenced().await,
            Pulse::Rebalance if is_cooperative(&self.config) => Ok(()),
            Pulse::Rebalance | Pulse::Released => self.let_go(self.owned.clone()).await.map(|_| ()),
        }
    }

    /// Waits until the consumer has let partitions go; `false` where they were lost over that.
    async fn let_go(&mut self, partitions: BTreeSet<TopicPartition>) -> Result<bool, Ending> {
        self.round = self.round.next();
        self.tell(Event::Revoking(self.round, partitions.iter().cloned().collect())).await?;
        loop {
            match self.pulse(Some(self.round)).await? {
                Pulse::Released => {
                    self.owned.retain(|owned| !partitions.contains(owned));
                    return Ok(true);
                }
                Pulse::Lost => return self.lose().await.map(|()| false),
                Pulse::Fenced => return self.fenced().await.map(|()| false),
                // The group changes anyway once the partitions are let go.
                Pulse::Rebalance => {}
            }
        }
    }

    /// Tells that everything is lost, and waits until that was heard.
    async fn lose(&mut self) -> Result<(), Ending> {
        self.round = self.round.next();
        self.owned.clear();
        self.tell(Event::Lost(self.round)).await?;
        while !matches!(self.command().await?, Command::Released(round) if round == self.round) {}
        Ok(())
    }

    async fn fenced(&mut self) -> Result<(), Ending> {
        self.lose().await?;
        Err(Ending::Failed(self.refused(ErrorCode::FENCED_INSTANCE_ID)))
    }

    /// Tells that the member is none any more: nothing may be committed as one.
    async fn fail(mut self, error: GroupError) {
        self.become_outsider();
        // A consumer that is gone does not want to know.
        let _ = self.ends.events.send(Event::Failed(error)).await;
    }

    async fn tell(&mut self, event: Event) -> Result<(), Ending> {
        if self.ends.events.send(event).await.is_ok() {
            return Ok(());
        }
        // Nobody listens any more: the consumer closes, and is about to say how, or it is gone.
        Err(Ending::Closed(Closed(closing(&mut self.ends.commands).await)))
    }

    async fn command(&mut self) -> Result<Command, Ending> {
        match self.ends.commands.recv().await {
            Some(Command::Close(mode)) => Err(Ending::Closed(Closed(mode))),
            Some(command) => Ok(command),
            None => Err(Ending::Closed(Closed(LeaveMode::Default))),
        }
    }

    /// One heartbeat after the other. While the consumer finishes its work in a round, that the group changes is no news.
    async fn pulse(&mut self, releasing: Option<Round>) -> Result<Pulse, Ending> {
        let mut looked = Instant::now();
        let interval = self.config.heartbeat_interval;
        loop {
            tokio::select! {
                command = self.command() => match command? {
                    Command::Released(round) if Some(round) == releasing => return Ok(Pulse::Released),
                    _ => continue,
                },
                () = sleep(interval) => {}
            }
            if self.ends.polls.is_stuck() {
                info!(group = %self.group, "leaving the group: nobody polled for too long");
                return Ok(self.give_up().await);
            }
            match self.beat().await {
                ErrorCode::REBALANCE_IN_PROGRESS if releasing.is_none() => return Ok(Pulse::Rebalance),
                ErrorCode::FENCED_INSTANCE_ID => {
                    self.become_outsider();
                    return Ok(Pulse::Fenced);
                }
                // Another generation is at work without this member, so its partitions are others' as well.
                code @ (ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION) => {
                    self.fall_behind(code);
                    return Ok(Pulse::Lost);
                }
                _ => {}
            }
            if releasing.is_none() && looked.elapsed() >= self.config.metadata_age_max {
                looked = Instant::now();
                if self.topics_changed().await || self.partitions_changed().await {
                    return Ok(Pulse::Rebalance);
                }
            }
        }
    }

    /// Leaves since nobody polls. A static member is only not heard of any more.
    async fn give_up(&mut self) -> Pulse {
        if LeaveMode::Default.leaves(&self.config) {
            self.leave().await;
        }
        self.become_outsider();
        Pulse::Lost
    }

    fn become_outsider(&mut self) {
        self.identify(MemberIdentity::OUTSIDER);
    }

    /// The group has gone on without this member. It joins again under its id, where the group still knows that.
    fn fall_behind(&mut self, code: ErrorCode) {
        let id = if code == ErrorCode::ILLEGAL_GENERATION { self.identity.id.clone() } else { Text::new() };
        self.become_outsider();
        self.identity.id = id;
    }

    fn identify(&mut self, identity: MemberIdentity) {
        self.identity = identity.clone();
        self.ends.identity.send_replace(identity);
    }

    /// Whether other topics match than before.
    async fn topics_changed(&self) -> bool {
        let Interest::Pattern(pattern) = &self.interest else { return false };
        self.cluster.refresh_all().await.is_ok() && pattern.matching(&self.cluster.metadata()) != self.topics
    }
}

/// Where an attempt to join has led.
enum Way {
    /// Into a generation, with these partitions.
    In(BTreeSet<TopicPartition>),
    /// The group has gone on without the member, and what it had is lost.
    Lost,
    /// These partitions have to be let go first: they are of topics that the member does not want any more.
    Unwanted(BTreeSet<TopicPartition>),
}

/// Why a member's task ends.
enum Ending {
    Closed(Closed),
    Failed(GroupError),
}

/// Waits until the consumer closes or is gone.
async fn closing(commands: &mut mpsc::Receiver<Command>) -> LeaveMode {
    loop {
        match commands.recv().await {
            Some(Command::Close(mode)) => return mode,
            // What was lost was told before, so nothing is to be released here.
            Some(Command::Released(_)) => {}
            None => return LeaveMode::Default,
        }
    }
}
