//! Groups of KIP-848: a member joins, keeps its place, changes what it reads, leaves; strangers and old epochs are refused.

use mainstem_protocol::{
    ApiKey, PartitionId, Text,
    messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest,
        consumer_group_heartbeat::TopicPartitions,
    },
};

use super::{offsets, topics};
use crate::{
    plan::Plan,
    side::{Name, Side},
    step::Step,
};

const GROUP: Name = Name::Own("g");

pub(crate) fn scene(plan: &mut Plan) {
    topics::make(plan, Name::Own("a"), 2, &[]);
    plan.push(join(1, "alone"));
    for _ in 0..plan.chance.between(8, 14) {
        match plan.chance.below(10) {
            0..=2 => keep(plan),
            3 => odd_join(plan),
            4 => leave(plan),
            5 | 6 => describe(plan),
            7 => {
                let step = join(1, plan.chance.one_of(&["alone", "another"]));
                plan.push(step);
            }
            _ => offsets::any(plan),
        }
    }
}

fn heartbeat(
    version: i16,
    build: impl Fn(&Side, ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatRequest + 'static,
) -> Step {
    Step::new(version, move |side: &Side| {
        let usual = ConsumerGroupHeartbeatRequest {
            group_id: side.name(GROUP),
            member_id: side.member(0).id,
            member_epoch: side.member(0).generation,
            ..Default::default()
        };
        build(side, usual)
    })
}

fn join(version: i16, member: &'static str) -> Step {
    heartbeat(version, move |side, usual| ConsumerGroupHeartbeatRequest {
        member_id: Text::from_static(member),
        member_epoch: 0,
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec![side.name(Name::Own("a"))]),
        topic_partitions: Some(Vec::new()),
        ..usual
    })
}

/// A heartbeat of the member, as it should be or with an old epoch, or partitions that it does not have.
fn keep(plan: &mut Plan) {
    let version = plan.version(ApiKey::ConsumerGroupHeartbeat);
    let more = plan.chance.mostly(&[0], 5, &[1, -1, 100]);
    let owned: Option<&[i32]> =
        plan.chance.one_of(&[None, Some(&[][..]), Some(&[0, 1]), Some(&[0]), Some(&[7])]);
    let names: Option<&[Name]> =
        plan.chance.mostly(&[None], 4, &[Some(&[Name::Own("a"), Name::Own("b")][..]), Some(&[])]);
    let assignor = plan.chance.mostly(&[None], 8, &[Some("range"), Some("uniform"), Some("nonsense")]);
    let mut step = heartbeat(version, move |side, usual| {
        let topic_id = side.topic_id(Name::Own("a"));
        let owned = owned.map(|owned| {
            let partitions = owned.iter().copied().map(PartitionId).collect();
            vec![TopicPartitions { topic_id, partitions }]
        });
        ConsumerGroupHeartbeatRequest {
            member_epoch: usual.member_epoch + more,
            topic_partitions: owned,
            subscribed_topic_names: names.map(|names| names.iter().map(|name| side.name(*name)).collect()),
            server_assignor: assignor.map(Text::from_static),
            ..usual
        }
    });
    step.slot = if more == 0 { 0 } else { 9 };
    plan.push(step);
}

fn odd_join(plan: &mut Plan) {
    let what = plan.chance.below(9);
    let mut step = heartbeat(1, move |side, usual| {
        let good = ConsumerGroupHeartbeatRequest {
            member_id: Text::from_static("odd"),
            member_epoch: 0,
            rebalance_timeout_ms: 60_000,
            subscribed_topic_names: Some(vec![side.name(Name::Own("a"))]),
            topic_partitions: Some(Vec::new()),
            ..usual
        };
        match what {
            0 => ConsumerGroupHeartbeatRequest { member_id: Text::default(), ..good },
            1 => ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, ..good },
            2 => ConsumerGroupHeartbeatRequest { topic_partitions: None, ..good },
            3 => ConsumerGroupHeartbeatRequest { subscribed_topic_names: None, ..good },
            4 => {
                ConsumerGroupHeartbeatRequest { server_assignor: Some(Text::from_static("nonsense")), ..good }
            }
            5 => ConsumerGroupHeartbeatRequest { group_id: Text::default(), ..good },
            6 => ConsumerGroupHeartbeatRequest {
                subscribed_topic_names: None,
                subscribed_topic_regex: Some(Text::from_static("(")),
                ..good
            },
            7 => ConsumerGroupHeartbeatRequest { instance_id: Some(Text::default()), ..good },
            _ => ConsumerGroupHeartbeatRequest { member_epoch: 5, ..good },
        }
    });
    step.slot = 9;
    plan.push(step);
}

fn leave(plan: &mut Plan) {
    let epoch = plan.chance.one_of(&[-1, -1, -2, -3]);
    let is_stranger = plan.chance.once_in(3);
    let mut step = heartbeat(1, move |_, usual| ConsumerGroupHeartbeatRequest {
        member_id: if is_stranger { Text::from_static("stranger") } else { usual.member_id },
        member_epoch: epoch,
        ..usual
    });
    step.slot = 9;
    plan.push(step);
}

fn describe(plan: &mut Plan) {
    let version = plan.version(ApiKey::ConsumerGroupDescribe);
    let groups =
        plan.chance.mostly(&[&[GROUP][..]], 4, &[&[Name::Plain("")][..], &[GROUP, Name::Own("h")], &[]]);
    let include_authorized_operations = plan.chance.once_in(2);
    plan.add(version, move |side| ConsumerGroupDescribeRequest {
        group_ids: groups.iter().map(|group| side.name(*group)).collect(),
        include_authorized_operations,
    });
}
