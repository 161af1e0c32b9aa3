//! Members of consumer groups as raw requests, over connections that each have one request or more under way.

use std::slice;

use mainstem_protocol::{
    ErrorCode, PartitionId, Text,
    formats::consumer::{Assignment, PROTOCOL_TYPE, Subscription, TopicPartitions},
    messages::{
        HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, Request, RequestBody,
        SyncGroupRequest, join_group::JoinGroupRequestProtocol, sync_group::SyncGroupRequestAssignment,
    },
};

use crate::wire::Connection;

/// The topic that everybody reads.
pub(crate) const TOPIC: &str = "orders";
const ASSIGNOR: Text = Text::from_static("range");
const GROUP: Text = Text::from_static("hundred");
/// The longest that members may be silent by default, so that none has to beat while others are made.
const SESSION_TIMEOUT_MS: i32 = 1_800_000;
/// Requests of one connection that are under way at the same time.
const IN_FLIGHT: usize = 32;

/// Sends the requests over the connections in turn and returns the answers in the same order.
pub(crate) fn ask_all<R: Request>(lanes: &mut [Connection], requests: Vec<R>) -> Vec<R::Response> {
    let requests: Vec<RequestBody> = requests.into_iter().map(Into::into).collect();
    let mut answers = Vec::with_capacity(requests.len());
    let count = lanes.len();
    for wave in requests.chunks(count * IN_FLIGHT) {
        for (index, request) in wave.iter().enumerate() {
            lanes[index % count].send(request).expect("the broker takes requests");
        }
        answers.extend((0..wave.len()).map(|index| receive::<R>(&mut lanes[index % count])));
    }
    answers
}

fn receive<R: Request>(lane: &mut Connection) -> R::Response {
    let body = lane.receive(R::KEY).expect("the broker answers");
    R::Response::try_from(body).expect("the answer is the request's")
}

/// A JoinGroup, without an id for who has none yet.
pub(crate) fn join(group: &Text, member_id: Text) -> JoinGroupRequest {
    let subscription = Subscription { topics: vec![TOPIC.into()], ..Default::default() };
    let metadata = subscription.to_bytes(1).expect("the version is known");
    JoinGroupRequest {
        group_id: group.clone(),
        session_timeout_ms: SESSION_TIMEOUT_MS,
        rebalance_timeout_ms: 60_000,
        member_id,
        protocol_type: PROTOCOL_TYPE.into(),
        protocols: vec![JoinGroupRequestProtocol { name: ASSIGNOR, metadata }],
        ..Default::default()
    }
}

/// A SyncGroup, with a partition for each of `assigned` where a leader sends it.
pub(crate) fn sync(
    group: &Text,
    member_id: &Text,
    generation_id: i32,
    assigned: &[Text],
) -> SyncGroupRequest {
    SyncGroupRequest {
        group_id: group.clone(),
        generation_id,
        member_id: member_id.clone(),
        protocol_type: Some(PROTOCOL_TYPE.into()),
        protocol_name: Some(ASSIGNOR),
        assignments: assigned.iter().zip(0..).map(assignment).collect(),
        ..Default::default()
    }
}

fn assignment((member_id, partition): (&Text, i32)) -> SyncGroupRequestAssignment {
    let given = TopicPartitions { topic: TOPIC.into(), partitions: vec![PartitionId(partition)] };
    let assignment = Assignment { assigned_partitions: vec![given], ..Default::default() };
    let assignment = assignment.to_bytes(1).expect("the version is known");
    SyncGroupRequestAssignment { member_id: member_id.clone(), assignment }
}

/// A group whose members have a connection each.
pub(crate) struct Group {
    lanes: Vec<Connection>,
    ids: Vec<Text>,
    generation: i32,
    /// Whether the last member's JoinGroup is under way.
    has_begun: bool,
}

impl Group {
    /// A member for each connection.
    pub(crate) fn of(mut lanes: Vec<Connection>) -> Self {
        let requests = vec![join(&GROUP, Text::new()); lanes.len()];
        let ids = ask_all(&mut lanes, requests).into_iter().map(|answer| answer.member_id).collect();
        let mut group = Self { lanes, ids, generation: 0, has_begun: false };
        group.settle();
        group
    }

    /// One more has sent its JoinGroup, and a heartbeat has told all others.
    pub(crate) fn begin_join(&mut self, mut lane: Connection) {
        let id = ask_all(slice::from_mut(&mut lane), vec![join(&GROUP, Text::new())]).remove(0).member_id;
        lane.send(&join(&GROUP, id.clone()).into()).expect("the broker takes requests");
        self.hear_of_rebalance();
        self.lanes.push(lane);
        self.ids.push(id);
        self.has_begun = true;
    }

    /// Everybody joins and takes its assignment, once more where a rebalance came between. Returns how many requests
    /// each has sent.
    pub(crate) fn settle(&mut self) -> u32 {
        for turn in 1.. {
            let joined = self.rejoin();
            if self.take_assignments(&joined) {
                return 2 * turn;
            }
        }
        unreachable!("turns do not end")
    }

    /// The first members beat, and nothing is afoot.
    pub(crate) fn beat(&mut self, members: usize) {
        let told = self.beats(members);
        assert!(told.iter().all(|error| error.is_none()), "the group is not stable");
    }

    /// The last one leaves, and the others settle.
    pub(crate) fn last_leaves(&mut self) {
        let lane = self.lanes.pop().into_iter();
        for (mut lane, member_id) in lane.zip(self.ids.pop()) {
            let leave = LeaveGroupRequest { group_id: GROUP, member_id, ..Default::default() };
            let left = ask_all(slice::from_mut(&mut lane), vec![leave]);
            assert_eq!(left[0].error_code, ErrorCode::NONE);
        }
        self.hear_of_rebalance();
        self.settle();
    }

    fn hear_of_rebalance(&mut self) {
        let is_told = |error: &ErrorCode| *error == ErrorCode::REBALANCE_IN_PROGRESS;
        while !self.beats(self.lanes.len()).iter().all(is_told) {}
    }

    fn beats(&mut self, members: usize) -> Vec<ErrorCode> {
        let beat = |id: &Text| HeartbeatRequest {
            group_id: GROUP,
            generation_id: self.generation,
            member_id: id.clone(),
            ..Default::default()
        };
        let beats = self.ids[..members].iter().map(beat).collect();
        ask_all(&mut self.lanes[..members], beats).into_iter().map(|answer| answer.error_code).collect()
    }

    fn rejoin(&mut self) -> Vec<JoinGroupResponse> {
        let joining = self.lanes.len() - usize::from(std::mem::take(&mut self.has_begun));
        for (lane, id) in self.lanes.iter_mut().zip(&self.ids).take(joining) {
            lane.send(&join(&GROUP, id.clone()).into()).expect("the broker takes requests");
        }
        let joined: Vec<_> = self.lanes.iter_mut().map(receive::<JoinGroupRequest>).collect();
        assert!(joined.iter().all(|answer| answer.error_code.is_none()), "somebody could not join");
        self.generation = joined[0].generation_id;
        joined
    }

    /// Whether all have theirs, rather than being sent to join again.
    fn take_assignments(&mut self, joined: &[JoinGroupResponse]) -> bool {
        let request = |(id, answer): (&Text, &JoinGroupResponse)| {
            let assigned = if answer.leader == *id { self.ids.as_slice() } else { &[] };
            sync(&GROUP, id, answer.generation_id, assigned)
        };
        let requests = self.ids.iter().zip(joined).map(request).collect();
        let synced = ask_all(&mut self.lanes, requests);
        assert!(synced.iter().all(|answer| {
            [ErrorCode::NONE, ErrorCode::REBALANCE_IN_PROGRESS].contains(&answer.error_code)
        }));
        synced.iter().all(|answer| answer.error_code.is_none() && !answer.assignment.is_empty())
    }
}
