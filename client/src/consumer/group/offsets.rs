//! Commits offsets of a group, and looks up what was committed.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use mainstem_protocol::{
    ErrorCode, LeaderEpoch, Offset, Text,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics},
    },
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};

use super::{
    super::{CommitError, CommittedError},
    MemberIdentity,
    coordinator::Coordinator,
};
use crate::{TopicPartition, caps, task, topic_partition::by_topic};

/// An offset to go on at, with what is said beside it.
///
/// ```
/// use mainstem_client::{LeaderEpoch, Offset, consumer::OffsetAndMetadata};
///
/// let plain = OffsetAndMetadata::from(Offset(7));
/// assert_eq!((plain.leader_epoch, &*plain.metadata), (LeaderEpoch::NONE, ""));
/// let told = OffsetAndMetadata { metadata: "by worker 3".into(), ..plain };
/// # assert_eq!(told.offset, Offset(7));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetAndMetadata {
    /// The offset of the record to be read next.
    pub offset: Offset,
    /// The epoch of the leader from which the record in front of it came; none where that is not known.
    pub leader_epoch: LeaderEpoch,
    /// What the program likes to say; a broker takes 4096 bytes unless it is told otherwise.
    pub metadata: Text,
}

impl From<Offset> for OffsetAndMetadata {
    fn from(offset: Offset) -> Self {
        Self { offset, leader_epoch: LeaderEpoch::NONE, metadata: Text::new() }
    }
}

/// Offsets to be committed, and by whom.
#[derive(Debug)]
pub(in crate::consumer) struct Commit {
    pub(in crate::consumer) coordinator: Arc<Coordinator>,
    pub(in crate::consumer) group: Text,
    /// The name of a static member.
    pub(in crate::consumer) instance: Option<Text>,
    /// The member, as it is at the time; none for somebody outside of the group.
    pub(in crate::consumer) member: Option<watch::Receiver<MemberIdentity>>,
    /// Whether partitions are kept through a rebalance, so that its end can be waited for.
    pub(in crate::consumer) waits_for_rebalance: bool,
    pub(in crate::consumer) offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
    /// When it is given up. Fixed where the commit begins, whatever stands in front of it.
    pub(in crate::consumer) deadline: Instant,
}

impl Commit {
    /// Commits; tried again until the time is over.
    pub(in crate::consumer) async fn run(mut self) -> Result<(), CommitError> {
        if self.offsets.is_empty() {
            return Ok(());
        }
        let mut retry = self.coordinator.retry(self.time_left());
        loop {
            let member = self.member()?;
            match self.once(&member).await {
                Err(CommitError::NotMember { code, .. })
                    if self.waits_for_rebalance && is_behind(code) && self.moved_on(&member).await => {}
                Err(error) if error.is_retriable() && retry.pause().await => {}
                result => return result,
            }
        }
    }

    /// What its turn is worth no attempt for, since those in front of it took all its time.
    fn overdue(&self) -> Option<CommitError> {
        let is_overdue = self.time_left().is_zero();
        is_overdue.then(|| CommitError::Overdue { group: self.group.clone() })
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// As whom to commit. Whoever has lost its membership must not commit as an outsider once the group is empty.
    fn member(&self) -> Result<MemberIdentity, CommitError> {
        let Some(member) = &self.member else { return Ok(MemberIdentity::OUTSIDER) };
        let member = member.borrow().clone();
        if member == MemberIdentity::OUTSIDER {
            return Err(self.not_member(ErrorCode::UNKNOWN_MEMBER_ID));
        }
        Ok(member)
    }

    /// Waits until the member is in another generation than the one it committed in.
    async fn moved_on(&mut self, before: &MemberIdentity) -> bool {
        let deadline = self.deadline;
        let Some(member) = &mut self.member else { return false };
        let moved = member.wait_for(|member| member != before);
        matches!(timeout_at(deadline, moved).await, Ok(Ok(_)))
    }

    async fn once(&self, member: &MemberIdentity) -> Result<(), CommitError> {
        let request = self.request(member);
        let answer = self.coordinator.ask(&self.group, |_| request, self.time_left()).await?;
        let answer = answer.map_err(|source| CommitError::Transport { group: self.group.clone(), source })?;
        self.check(answer)
    }

    /// The broker says for each partition whether it was committed; the first that was not speaks for all.
    fn check(&self, answer: OffsetCommitResponse) -> Result<(), CommitError> {
        for topic in answer.topics {
            for partition in topic.partitions {
                let code = partition.error_code;
                self.coordinator.heed(code);
                let partition =
                    TopicPartition { topic: topic.name.clone(), partition: partition.partition_index };
                match code {
                    ErrorCode::NONE => {}
                    ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_INSTANCE_ID => {
                        return Err(self.not_member(code));
                    }
                    code if is_behind(code) => return Err(self.not_member(code)),
                    code => return Err(CommitError::Refused { partition, code }),
                }
            }
        }
        Ok(())
    }

    fn not_member(&self, code: ErrorCode) -> CommitError {
        CommitError::NotMember { group: self.group.clone(), code }
    }

    fn request(&self, member: &MemberIdentity) -> OffsetCommitRequest {
        OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: member.generation,
            member_id: member.id.clone(),
            group_instance_id: self.instance.clone().filter(|_| *member != MemberIdentity::OUTSIDER),
            topics: commit_topics(&self.offsets),
            ..OffsetCommitRequest::default()
        }
    }
}

/// Offsets to be committed, as a request has them.
pub(crate) fn commit_topics(
    offsets: &[(TopicPartition, OffsetAndMetadata)],
) -> Vec<OffsetCommitRequestTopic> {
    let partitions = offsets.iter().map(|(TopicPartition { topic, partition }, committed)| {
        let partition = OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch,
            committed_metadata: Some(committed.metadata.clone()),
        };
        (topic, partition)
    });
    let topics = by_topic(partitions).into_iter();
    topics
        .map(|(name, partitions)| OffsetCommitRequestTopic { name, partitions, ..Default::default() })
        .collect()
}

/// Whether the group is in another generation than the member, or about to be.
const fn is_behind(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ILLEGAL_GENERATION | ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::STALE_MEMBER_EPOCH
    )
}

/// The commits that nobody waits for, one after the other.
#[derive(Debug, Default)]
pub(in crate::consumer) struct Commits {
    queue: Option<mpsc::Sender<Queued>>,
}

#[derive(Debug)]
struct Queued {
    /// None asks only when it is its turn.
    commit: Option<Commit>,
    done: oneshot::Sender<Result<(), CommitError>>,
}

impl Commits {
    /// Puts a commit behind those that are on their way.
    pub(in crate::consumer) fn begin(&mut self, commit: Commit) -> Committing {
        let queue = self.queue.get_or_insert_with(|| {
            let (queue, queued) = mpsc::channel(caps::COMMITS_MAX);
            drop(task::spawn("commits", work_off(queued)));
            queue
        });
        let (done, fate) = oneshot::channel();
        match queue.try_send(Queued { commit: Some(commit), done }) {
            Ok(()) => Committing(Fate::Waits(fate)),
            Err(_) => Committing::failed(CommitError::Busy(caps::COMMITS_MAX)),
        }
    }

    /// Waits until none is on its way.
    pub(in crate::consumer) async fn settled(&self) {
        let Some(queue) = &self.queue else { return };
        let (done, fate) = oneshot::channel();
        if queue.send(Queued { commit: None, done }).await.is_ok() {
            // The task ends only behind the last commit.
            let _ = fate.await;
        }
    }
}

async fn work_off(mut queued: mpsc::Receiver<Queued>) {
    while let Some(Queued { commit, done }) = queued.recv().await {
        let result = match commit {
            Some(commit) => match commit.overdue() {
                Some(overdue) => Err(overdue),
                None => commit.run().await,
            },
            None => Ok(()),
        };
        // Whoever does not want to know has dropped the other end.
        let _ = done.send(result);
    }
}

/// The promise of a commit's fate. It goes on whether this is awaited or dropped.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Consumer, ConsumerConfig, Offset, TopicPartition, consumer::Committing};
///
/// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
/// let committing: Committing = consumer.commit_async(&[(TopicPartition::new("greetings", 0), Offset(1))]);
/// committing.await?;
/// assert_eq!(transport.committed("readers", "greetings", 0), Some(1));
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct Committing(Fate);

#[derive(Debug)]
enum Fate {
    Waits(oneshot::Receiver<Result<(), CommitError>>),
    /// It did not even begin.
    Failed(CommitError),
}

impl Committing {
    pub(in crate::consumer) const fn failed(error: CommitError) -> Self {
        Self(Fate::Failed(error))
    }
}

impl Future for Committing {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Fate::Failed(error) => Poll::Ready(Err(error.clone())),
            // Only a runtime that shuts down drops the task.
            Fate::Waits(fate) => {
                Pin::new(fate).poll(context).map(|fate| fate.unwrap_or(Err(CommitError::Busy(0))))
            }
        }
    }
}

/// From this version on a look-up says who asks (KIP-848).
const ASKED_BY_MEMBER_SINCE: i16 = 9;

/// A look-up of what a group has committed.
pub(in crate::consumer) struct Lookup<'a> {
    pub(in crate::consumer) coordinator: &'a Coordinator,
    pub(in crate::consumer) group: &'a Text,
    /// The member, as it is at the time, of a group in which each has an epoch of its own; none for anybody else.
    pub(in crate::consumer) member: Option<watch::Receiver<MemberIdentity>>,
    pub(in crate::consumer) partitions: &'a [TopicPartition],
    /// How long it may take.
    pub(in crate::consumer) limit: Duration,
}

impl Lookup<'_> {
    /// What the group has committed; partitions for which it has nothing are left out. Tried again until the time is over;
    /// in each try as the member that it is by then.
    pub(in crate::consumer) async fn run(
        self,
    ) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, CommittedError> {
        let mut retry = self.coordinator.retry(self.limit);
        loop {
            match self.once().await {
                Err(error) if (error.is_retriable() || is_out_of_date(&error)) && retry.pause().await => {}
                result => return result,
            }
        }
    }

    async fn once(&self) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, CommittedError> {
        let Self { coordinator, group, partitions, limit, member: _ } = *self;
        let asked = |version| self.asked_by_member(request(group, Some(partitions), version), version);
        let answer = coordinator.ask(group, asked, limit).await?;
        let found = answer.map_err(|source| CommittedError::Transport { group: group.clone(), source })?;
        let (code, offsets) = found_in(found);
        let failed = offsets.iter().map(|(_, _, code)| *code).chain([code]).find(|code| !code.is_none());
        if let Some(code) = failed {
            coordinator.heed(code);
            return Err(CommittedError::Refused { group: group.clone(), code });
        }
        let found = offsets.into_iter().filter(|(_, committed, _)| committed.offset.0 >= 0);
        Ok(found.map(|(partition, committed, _)| (partition, committed)).collect())
    }

    /// The same request by the member, so that the broker can refuse one that is in an older epoch than it believes.
    fn asked_by_member(&self, mut request: OffsetFetchRequest, version: i16) -> OffsetFetchRequest {
        let member = self.member.as_ref().map(|member| member.borrow().clone());
        let Some(member) = member.filter(|member| *member != MemberIdentity::OUTSIDER) else {
            return request;
        };
        if version >= ASKED_BY_MEMBER_SINCE {
            for group in &mut request.groups {
                group.member_id = Some(member.id.clone());
                group.member_epoch = member.generation;
            }
        }
        request
    }
}

/// Whether the member has another epoch by now, or is none any more: it will know with its next heartbeat.
const fn is_out_of_date(error: &CommittedError) -> bool {
    let CommittedError::Refused { code, .. } = error else { return false };
    matches!(*code, ErrorCode::STALE_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID)
}

/// What asks how far a group has read; with no partitions given, everywhere. From version 8 on, several groups may be
/// asked about at once.
pub(crate) fn request(
    group: &Text,
    partitions: Option<&[TopicPartition]>,
    version: i16,
) -> OffsetFetchRequest {
    let topics = partitions.map(|partitions| {
        by_topic(partitions.iter().map(|TopicPartition { topic, partition }| (topic, *partition)))
    });
    if version < 8 {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes };
        let topics = topics.map(|topics| topics.into_iter().map(topic).collect());
        return OffsetFetchRequest {
            group_id: group.clone(),
            topics,
            require_stable: true,
            ..Default::default()
        };
    }
    let topic = |(name, partition_indexes)| OffsetFetchRequestTopics {
        name,
        partition_indexes,
        ..Default::default()
    };
    let topics = topics.map(|topics| topics.into_iter().map(topic).collect());
    let wanted = OffsetFetchRequestGroup { group_id: group.clone(), topics, ..Default::default() };
    OffsetFetchRequest { groups: vec![wanted], require_stable: true, ..OffsetFetchRequest::default() }
}

/// What was committed for a partition, or why that is not known.
pub(crate) type Found = (TopicPartition, OffsetAndMetadata, ErrorCode);

/// The answer, in whichever of the two places it stands.
pub(crate) fn found_in(answer: OffsetFetchResponse) -> (ErrorCode, Vec<Found>) {
    macro_rules! found {
        ($topics:expr) => {
            $topics.into_iter().flat_map(|topic| {
                let name = topic.name;
                topic.partitions.into_iter().map(move |found| {
                    let committed = OffsetAndMetadata {
                        offset: found.committed_offset,
                        leader_epoch: found.committed_leader_epoch,
                        metadata: found.metadata.unwrap_or_default(),
                    };
                    let partition = TopicPartition { topic: name.clone(), partition: found.partition_index };
                    (partition, committed, found.error_code)
                })
            })
        };
    }
    match answer.groups.into_iter().next() {
        Some(group) => (group.error_code, found!(group.topics).collect()),
        None => (answer.error_code, found!(answer.topics).collect()),
    }
}
