//! Classic groups: one member or two join, share partitions out, commit, leave; strangers and old generations are refused.

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, Offset, PartitionId, Text,
    messages::{
        HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
        join_group::JoinGroupRequestProtocol,
        leave_group::MemberIdentity,
        offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        sync_group::SyncGroupRequestAssignment,
    },
};

use super::{offsets, topics};
use crate::{
    plan::Plan,
    side::{Member, Name, Side},
    step::{Step, Wait},
};

const GROUP: &str = "g";

pub(crate) fn scene(plan: &mut Plan) {
    topics::make(plan, Name::Own("a"), 2, &[]);
    // From version 4 on a member is given its id first, and joins with it (KIP-394).
    join(plan, 0, false);
    join(plan, 0, false);
    sync(plan, 0, &[0]);
    if plan.chance.once_in(2) {
        second_member(plan);
    }
    for _ in 0..plan.chance.between(8, 16) {
        match plan.chance.below(12) {
            0 => odd_join(plan),
            1..=2 => heartbeat(plan),
            3..=4 => commit(plan),
            5 => {
                let member = plan.chance.below(2);
                sync(plan, member, &[0]);
            }
            6 => leave(plan),
            _ => offsets::any(plan),
        }
    }
}

#[derive(Clone)]
struct Joining {
    slot: usize,
    version: i16,
    member: Identity,
    instance: Option<&'static str>,
    session_ms: i32,
    protocol_type: &'static str,
    protocols: &'static [&'static str],
}

/// Which member's id a request bears.
#[derive(Clone, Copy, Debug)]
enum Identity {
    Of(usize),
    Nobody,
    Stranger,
}

impl Identity {
    fn of(self, side: &Side) -> Member {
        match self {
            Self::Of(slot) => side.member(slot),
            Self::Nobody => Member { generation: -1, ..Member::default() },
            Self::Stranger => Member { id: Text::from_static("stranger"), generation: 1 },
        }
    }
}

fn joining(joining: Joining) -> Step {
    let Joining { slot, version, .. } = joining;
    let mut step = Step::new(version, move |side: &Side| {
        let Joining { member, instance, session_ms, protocol_type, protocols, .. } = joining;
        let protocol = |name: &&'static str| JoinGroupRequestProtocol {
            name: Text::from_static(name),
            metadata: Bytes::from_static(b"\0\x01\0\0\0\x01\0\x01a\xff\xff\xff\xff"),
        };
        JoinGroupRequest {
            group_id: side.name(Name::Own(GROUP)),
            session_timeout_ms: session_ms,
            rebalance_timeout_ms: 60_000,
            member_id: member.of(side).id,
            group_instance_id: instance.map(Text::from_static).filter(|_| version >= 5),
            protocol_type: Text::from_static(protocol_type),
            protocols: protocols.iter().map(protocol).collect(),
            reason: None,
        }
    });
    (step.client, step.slot) = (slot, slot);
    step
}

fn usual(plan: &mut Plan, slot: usize) -> Joining {
    Joining {
        slot,
        version: plan.version(ApiKey::JoinGroup),
        member: Identity::Of(slot),
        instance: None,
        session_ms: 30_000,
        protocol_type: "consumer",
        protocols: &["range", "roundrobin"],
    }
}

fn join(plan: &mut Plan, slot: usize, waits: bool) {
    let joining_as = usual(plan, slot);
    let mut step = joining(joining_as);
    if waits {
        step.wait = Wait::UntilOthersJoin(GROUP);
    }
    plan.push(step);
}

/// The second joins and waits; the first hears of it, joins again, and both share the partitions out.
fn second_member(plan: &mut Plan) {
    // In this version a member is told its id and must come again, so that the next request is sure to wait.
    let mut first = usual(plan, 1);
    first.version = plan.version_since(ApiKey::JoinGroup, 4);
    let mut second = first.clone();
    second.version = plan.version_since(ApiKey::JoinGroup, 4);
    plan.push(joining(first));
    let mut step = joining(second);
    step.wait = Wait::UntilOthersJoin(GROUP);
    plan.push(step);
    heartbeat_of(plan, Identity::Of(0), 0);
    if plan.chance.once_in(3) {
        commit(plan);
    }
    join(plan, 0, false);
    heartbeat_of(plan, Identity::Of(1), 0);
    // Where the leader was refused, the other one would wait for it until the group has given it up.
    let leader = Syncing { slot: 0, more: 0, protocol: "range", identity: Identity::Of(0) };
    sync_as(plan, leader, &[0, 1]);
    sync(plan, 1, &[]);
}

fn odd_join(plan: &mut Plan) {
    let joining_as = usual(plan, 2);
    let mut odd = joining_as;
    // None of these gets into the group, so nobody has to wait for anybody.
    match plan.chance.below(7) {
        0 => odd.member = Identity::Stranger,
        1 => odd.session_ms = plan.chance.one_of(&[1, 0, -1, i32::MAX]),
        2 => odd.protocol_type = "connect",
        3 => odd.protocols = &["other"],
        4 => odd.protocols = &[],
        5 => odd.protocol_type = "",
        _ => (odd.member, odd.instance) = (Identity::Stranger, Some("static")),
    }
    plan.push(joining(odd));
}

fn sync(plan: &mut Plan, slot: usize, assigned: &'static [usize]) {
    let more = plan.chance.mostly(&[0], 12, &[1, -1]);
    let protocol = plan.chance.mostly(&["range"], 15, &["other"]);
    let identity = plan.chance.mostly(&[Identity::Of(slot)], 15, &[Identity::Stranger, Identity::Nobody]);
    sync_as(plan, Syncing { slot, more, protocol, identity }, assigned);
}

/// Who asks for its share, and in what way.
struct Syncing {
    slot: usize,
    /// Added to the generation.
    more: i32,
    protocol: &'static str,
    identity: Identity,
}

fn sync_as(plan: &mut Plan, syncing: Syncing, assigned: &'static [usize]) {
    let Syncing { slot, more, protocol, identity } = syncing;
    let version = plan.version(ApiKey::SyncGroup);
    let step = plan.add(version, move |side| {
        let Member { id, generation } = identity.of(side);
        let assignment = |slot: &usize| SyncGroupRequestAssignment {
            member_id: side.member(*slot).id,
            assignment: Bytes::from(format!("share of {slot}")),
        };
        SyncGroupRequest {
            group_id: side.name(Name::Own(GROUP)),
            generation_id: generation + more,
            member_id: id,
            protocol_type: Some(Text::from_static("consumer")),
            protocol_name: Some(Text::from_static(protocol)),
            assignments: assigned.iter().map(assignment).collect(),
            ..Default::default()
        }
    });
    step.client = slot;
}

fn heartbeat(plan: &mut Plan) {
    let identity =
        plan.chance.mostly(&[Identity::Of(0), Identity::Of(1)], 5, &[Identity::Stranger, Identity::Nobody]);
    let more = plan.chance.mostly(&[0], 6, &[1, -1, 100]);
    heartbeat_of(plan, identity, more);
}

fn heartbeat_of(plan: &mut Plan, identity: Identity, more: i32) {
    let version = plan.version(ApiKey::Heartbeat);
    let step = plan.add(version, move |side| {
        let Member { id, generation } = identity.of(side);
        HeartbeatRequest {
            group_id: side.name(Name::Own(GROUP)),
            generation_id: generation + more,
            member_id: id,
            ..Default::default()
        }
    });
    step.client = 3;
}

fn commit(plan: &mut Plan) {
    let version = plan.version(ApiKey::OffsetCommit);
    let identity =
        plan.chance.mostly(&[Identity::Of(0), Identity::Of(1)], 5, &[Identity::Stranger, Identity::Nobody]);
    let more = plan.chance.mostly(&[0], 6, &[1, -1]);
    let (topic, partition) = (plan.topic(), plan.partition());
    let step = plan.add(version, move |side| {
        let Member { id, generation } = identity.of(side);
        OffsetCommitRequest {
            group_id: side.name(Name::Own(GROUP)),
            generation_id_or_member_epoch: generation + more,
            member_id: id,
            topics: vec![OffsetCommitRequestTopic {
                name: side.name(topic),
                topic_id: side.topic_id(topic),
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: PartitionId(partition),
                    committed_offset: Offset(3),
                    ..Default::default()
                }],
            }],
            ..Default::default()
        }
    });
    step.client = 3;
}

fn leave(plan: &mut Plan) {
    let version = plan.version(ApiKey::LeaveGroup);
    let identity =
        plan.chance.mostly(&[Identity::Of(0), Identity::Of(1)], 3, &[Identity::Stranger, Identity::Nobody]);
    let instance = plan.chance.mostly(&[None], 6, &[Some("static")]);
    let step = plan.add(version, move |side| {
        let id = identity.of(side).id;
        LeaveGroupRequest {
            group_id: side.name(Name::Own(GROUP)),
            member_id: id.clone(),
            members: vec![MemberIdentity {
                member_id: id,
                group_instance_id: instance.map(Text::from_static),
                reason: None,
            }],
        }
    });
    step.client = 3;
}
