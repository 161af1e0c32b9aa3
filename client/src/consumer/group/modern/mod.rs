//! The task of a member of a group whose broker shares out the partitions (KIP-848): one heartbeat after the other, and
//! what their answers say.
//!
//! - [`machine`]: what the member is, and what follows from an answer.

mod machine;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use mainstem_protocol::{
    BrokerId, ErrorCode, Text, TopicId,
    messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse},
};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info};

use super::{
    super::{ConsumerConfig, GroupError, config::millis},
    Command, Ends, Event, Interest, LeaveMode,
    coordinator::is_about_the_coordinator,
};
use crate::{
    backoff::Backoff,
    caps,
    cluster::{Cluster, feature::Feature},
    transport::{BoxFuture, Lane, Node, TransportError},
};
use machine::{Departure, Machine, Profile};

/// How often a member says that it lives before the coordinator has said how often it wants to hear that
/// (`group.consumer.heartbeat.interval.ms`).
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

/// What the task waits for, one at a time.
enum Done {
    /// A heartbeat, with the coordinator that was asked.
    Beat(Result<(BrokerId, ConsumerGroupHeartbeatResponse), GroupError>),
    /// Metadata were asked for.
    Names,
}

pub(super) struct Member {
    config: Arc<ConsumerConfig>,
    cluster: Arc<Cluster>,
    group: Text,
    interest: Interest,
    ends: Ends,
    machine: Machine,
    coordinator: Option<BrokerId>,
    interval: Duration,
    backoff: Backoff,
    /// When the next heartbeat is due.
    due: Instant,
    /// When names of topics may be asked for again.
    names_due: Instant,
    /// Whether the topics were looked at before the member joins: they may have to be created.
    has_looked: bool,
}

impl Member {
    pub(super) fn new(
        config: Arc<ConsumerConfig>,
        cluster: Arc<Cluster>,
        group: Text,
        interest: Interest,
        ends: Ends,
    ) -> Self {
        // Java's clients name themselves in the same way.
        let machine = Machine::new(profile(&config, &group, &interest), TopicId::random().to_string().into());
        Self {
            config,
            cluster,
            group,
            interest,
            ends,
            machine,
            coordinator: None,
            interval: FIRST_INTERVAL,
            backoff: Backoff::new(caps::RETRY_BACKOFF, caps::RETRY_BACKOFF_MAX),
            due: Instant::now(),
            names_due: Instant::now(),
            has_looked: false,
        }
    }

    pub(super) async fn run(mut self) {
        match self.live().await {
            Ok(mode) => self.leave(mode).await,
            Err(error) => self.fail(error).await,
        }
    }

    /// Tells that the member is none any more, and has lost what it had.
    async fn fail(&mut self, error: GroupError) {
        self.lose().await;
        self.tell(Some(Event::Failed(error))).await;
    }

    async fn lose(&mut self) {
        let event = self.machine.lose();
        self.publish();
        self.tell(event).await;
    }

    /// Lives until the consumer closes, or the coordinator refuses the member for good.
    async fn live(&mut self) -> Result<LeaveMode, GroupError> {
        let mut waits_for: Option<BoxFuture<'static, Done>> = None;
        loop {
            self.reconcile().await;
            if waits_for.is_none() {
                waits_for = self.next();
            }
            let wake = self.wake();
            tokio::select! {
                command = self.ends.commands.recv() => match command {
                    Some(Command::Released(round)) => self.machine.on_released(round),
                    Some(Command::Close(mode)) => return Ok(self.finish(mode, waits_for).await),
                    None => return Ok(self.finish(LeaveMode::Default, waits_for).await),
                },
                Some(done) = finished(&mut waits_for) => {
                    waits_for = None;
                    self.on_done(done).await?;
                }
                () = sleep_until(wake), if waits_for.is_none() => {}
            }
        }
    }

    /// Hears the answer that is on its way, for a little while: the member may have joined by it.
    async fn finish(&mut self, mode: LeaveMode, waits_for: Option<BoxFuture<'static, Done>>) -> LeaveMode {
        if let Some(waits_for) = waits_for
            && let Ok(Done::Beat(Ok((coordinator, answer)))) =
                timeout(caps::RETRY_BACKOFF_MAX, waits_for).await
        {
            self.coordinator = Some(coordinator);
            // What a member that leaves is refused does not matter any more.
            let _ = self.machine.on_answer(answer);
        }
        mode
    }

    /// What is to be asked now.
    fn next(&mut self) -> Option<BoxFuture<'static, Done>> {
        let now = Instant::now();
        let is_nameless = !self.has_looked || self.machine.has_nameless();
        if is_nameless && now >= self.names_due {
            self.names_due = now + caps::RETRY_BACKOFF_MAX;
            return Some(self.ask_for_names());
        }
        let is_due = now >= self.due;
        (self.machine.beats() && is_due).then(|| self.beat())
    }

    /// When there is something to ask again.
    fn wake(&self) -> Instant {
        let now = Instant::now();
        // Before the consumer has heard that everything was lost, nobody is to hear of the member.
        let due = if self.machine.beats() { self.due } else { now + self.interval };
        let names = self.machine.has_nameless().then_some(self.names_due);
        names.map_or(due, |names| names.min(due)).max(now)
    }

    fn beat(&mut self) -> BoxFuture<'static, Done> {
        self.due = Instant::now() + self.interval;
        let asked = ask(
            Arc::clone(&self.cluster),
            Arc::clone(&self.config),
            self.group.clone(),
            self.coordinator,
            self.machine.heartbeat(),
        );
        Box::pin(async move { Done::Beat(asked.await) })
    }

    /// Asks what the topics of ids are called, and creates topics that are not there where that is wanted.
    fn ask_for_names(&mut self) -> BoxFuture<'static, Done> {
        let (cluster, config) = (Arc::clone(&self.cluster), Arc::clone(&self.config));
        let interest = self.interest.clone();
        Box::pin(async move {
            let refreshed = match interest {
                Interest::Topics(topics) => cluster.refresh(&topics, config.creates_topics).await,
                Interest::Pattern(_) => cluster.refresh_all().await,
            };
            if let Err(error) = refreshed {
                debug!(%error, "names of topics are not known yet");
            }
            Done::Names
        })
    }

    async fn on_done(&mut self, done: Done) -> Result<(), GroupError> {
        match done {
            Done::Names => {
                self.has_looked = true;
                self.learn_names();
                Ok(())
            }
            Done::Beat(Ok((coordinator, answer))) => {
                self.coordinator = Some(coordinator);
                self.on_answer(answer).await
            }
            Done::Beat(Err(error)) => {
                debug!(group = %self.group, %error, "heartbeat failed");
                self.coordinator = None;
                self.machine.on_silence();
                self.try_again();
                if error.is_retriable() { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn on_answer(&mut self, answer: ConsumerGroupHeartbeatResponse) -> Result<(), GroupError> {
        if is_about_the_coordinator(answer.error_code) {
            self.coordinator = None;
        }
        if answer.error_code.is_none() {
            self.backoff.reset();
            self.interval = interval(answer.heartbeat_interval_ms).unwrap_or(self.interval);
            self.due = Instant::now() + self.interval;
        } else {
            self.try_again();
        }
        let said = answer.error_message.clone();
        match self.machine.on_answer(answer) {
            Ok(event) => {
                self.learn_names();
                self.publish();
                self.tell(event).await;
                Ok(())
            }
            Err(code) => Err(self.refused(code, said)),
        }
    }

    fn try_again(&mut self) {
        self.due = Instant::now() + self.backoff.next();
        self.cluster.meter().tried_again();
    }

    /// Goes on towards the assignment, once the consumer has heard of everything that was before.
    async fn reconcile(&mut self) {
        if self.ends.polls.is_stuck() && self.machine.beats() && self.machine.is_member() {
            info!(group = %self.group, "leaving the group: nobody polled for too long");
            self.leave(LeaveMode::Default).await;
            self.lose().await;
        }
        if self.ends.events.capacity() == self.ends.events.max_capacity() {
            let event = self.machine.reconcile();
            self.tell(event).await;
        }
        if self.machine.is_in_a_hurry() && self.backoff.is_fresh() {
            self.due = Instant::now();
        }
    }

    async fn tell(&self, event: Option<Event>) {
        if let Some(event) = event {
            // A consumer that is gone is noticed by its commands.
            let _ = self.ends.events.send(event).await;
        }
    }

    fn publish(&self) {
        self.ends.identity.send_replace(self.machine.identity());
    }

    fn learn_names(&mut self) {
        let metadata = self.cluster.metadata();
        let names: HashMap<_, _> = metadata.topics().map(|topic| (topic.id, topic.name.clone())).collect();
        self.machine.on_names(|id| names.get(&id).cloned());
    }

    /// Leaves. A static member that is to stay says that it will be back.
    async fn leave(&self, mode: LeaveMode) {
        let departure = match (mode, &self.config.group_instance_id) {
            (LeaveMode::Default, None) | (LeaveMode::Leave, _) => Departure::Final,
            (_, Some(_)) => Departure::Temporary,
            (LeaveMode::Remain, None) => return,
        };
        let (Some(request), Some(coordinator)) = (self.machine.leave(departure), self.coordinator) else {
            return;
        };
        let (cluster, config) = (Arc::clone(&self.cluster), Arc::clone(&self.config));
        if let Err(error) = ask(cluster, config, self.group.clone(), Some(coordinator), request).await {
            debug!(group = %self.group, %error, "left without the group hearing of it");
        }
    }

    fn refused(&self, code: ErrorCode, said: Option<Text>) -> GroupError {
        let group = self.group.clone();
        match (code, &self.config.group_instance_id) {
            (ErrorCode::UNSUPPORTED_VERSION, _) => GroupError::NoSuchProtocol { group },
            (ErrorCode::FENCED_INSTANCE_ID, Some(instance)) => {
                GroupError::Fenced { group, instance: instance.clone() }
            }
            (ErrorCode::INVALID_REGULAR_EXPRESSION, _) => GroupError::Pattern {
                pattern: self.interest.pattern().unwrap_or_default(),
                reason: said.unwrap_or_default().to_string(),
            },
            _ => GroupError::Refused { group, code, message: said.filter(|said| !said.is_empty()) },
        }
    }
}

fn profile(config: &ConsumerConfig, group: &Text, interest: &Interest) -> Profile {
    let mut topics = match interest {
        Interest::Topics(topics) => topics.clone(),
        Interest::Pattern(_) => Vec::new(),
    };
    topics.sort();
    topics.dedup();
    Profile {
        group: group.clone(),
        instance: config.group_instance_id.clone(),
        rebalance_timeout_ms: millis(config.poll_interval_max),
        topics,
        pattern: interest.pattern(),
        assignor: config.server_assignor.clone(),
    }
}

/// One heartbeat, to the coordinator, which may have to be found first.
async fn ask(
    cluster: Arc<Cluster>,
    config: Arc<ConsumerConfig>,
    group: Text,
    coordinator: Option<BrokerId>,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<(BrokerId, ConsumerGroupHeartbeatResponse), GroupError> {
    let coordinator = match coordinator {
        Some(coordinator) => coordinator,
        None => cluster.coordinator(&group, config.timeout).await?,
    };
    let in_version = |version| {
        if request.subscribed_topic_regex.is_some() {
            Feature::SUBSCRIPTIONS_BY_PATTERN.require(version)?;
        }
        Ok(request)
    };
    let answer = cluster.call_if(Node::Id(coordinator), Lane::Group, in_version, config.request_timeout);
    match answer.await {
        Ok(answer) => Ok((coordinator, answer)),
        Err(TransportError::Unsupported { .. }) => Err(GroupError::NoSuchProtocol { group }),
        Err(source) => Err(GroupError::Transport { group, source }),
    }
}

async fn finished(waits_for: &mut Option<BoxFuture<'static, Done>>) -> Option<Done> {
    match waits_for {
        Some(done) => Some(done.await),
        None => None,
    }
}

/// How often the coordinator wants to hear of the member.
fn interval(millis: i32) -> Option<Duration> {
    u64::try_from(millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis)
}
