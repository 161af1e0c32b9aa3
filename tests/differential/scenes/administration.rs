//! What tools of administrators ask for and a single node without security answers in few words: rules of access, quotas,
//! passwords, replicas that move, the quorum.

use mainstem_protocol::{
    ApiKey, BrokerId, PartitionId, Text,
    messages::{
        AlterClientQuotasRequest, AlterPartitionReassignmentsRequest, CreateAclsRequest, DeleteAclsRequest,
        DescribeAclsRequest, DescribeClientQuotasRequest, DescribeQuorumRequest,
        DescribeUserScramCredentialsRequest, ListPartitionReassignmentsRequest,
        alter_client_quotas::{EntityData, EntryRequest, OpData},
        alter_partition_reassignments::{ReassignablePartition, ReassignableTopic},
        create_acls::AclCreation,
        delete_acls::DeleteAclsFilter,
        describe_client_quotas::ComponentData,
        describe_quorum::{PartitionRequest, TopicRequest},
        describe_user_scram_credentials::UserName,
        list_partition_reassignments::ListPartitionReassignmentsTopics,
    },
};

use crate::{plan::Plan, side::Name};

/// Some of these requests.
pub(crate) fn some(plan: &mut Plan) {
    for _ in 0..plan.chance.between(5, 9) {
        match plan.chance.below(10) {
            0 => describe_acls(plan),
            1 => change_acls(plan),
            2 | 3 => describe_quotas(plan),
            4 | 5 => alter_quotas(plan),
            6 => passwords(plan),
            7 | 8 => reassignments(plan),
            _ => quorum(plan),
        }
    }
}

/// Kinds of resources, of patterns, of operations and of permissions begin at 2 for what a rule may say; 1 is any.
fn describe_acls(plan: &mut Plan) {
    let version = plan.version(ApiKey::DescribeAcls);
    let resource = plan.chance.one_of(&[1, 2, 3]);
    plan.add(version, move |_| DescribeAclsRequest {
        resource_type_filter: resource,
        resource_name_filter: None,
        pattern_type_filter: 3,
        principal_filter: None,
        host_filter: None,
        operation: 1,
        permission_type: 1,
    });
}

fn change_acls(plan: &mut Plan) {
    let count = plan.chance.one_of(&[1, 2, 0]);
    if plan.chance.once_in(2) {
        let version = plan.version(ApiKey::CreateAcls);
        let creation = AclCreation {
            resource_type: 2,
            resource_name: Text::from_static("a"),
            resource_pattern_type: 3,
            principal: Text::from_static("User:alice"),
            host: Text::from_static("*"),
            operation: 3,
            permission_type: 3,
        };
        plan.add(version, move |_| CreateAclsRequest { creations: vec![creation.clone(); count] });
    } else {
        let version = plan.version(ApiKey::DeleteAcls);
        let filter = DeleteAclsFilter {
            resource_type_filter: 2,
            resource_name_filter: None,
            pattern_type_filter: 3,
            principal_filter: None,
            host_filter: None,
            operation: 1,
            permission_type: 1,
        };
        plan.add(version, move |_| DeleteAclsRequest { filters: vec![filter.clone(); count] });
    }
}

const ENTITIES: &[&str] = &["user", "client-id"];
const ODD_ENTITIES: &[&str] = &["ip", "group", ""];

fn describe_quotas(plan: &mut Plan) {
    let version = plan.version(ApiKey::DescribeClientQuotas);
    let components: Vec<_> = (0..plan.chance.one_of(&[0, 1, 1, 2]))
        .map(|_| ComponentData {
            entity_type: Text::from_static(plan.chance.mostly(ENTITIES, 3, ODD_ENTITIES)),
            match_type: plan.chance.mostly(&[0, 1, 2], 6, &[3, -1]),
            r#match: plan.chance.one_of(&[None, Some("nobody")]).map(Text::from_static),
        })
        .collect();
    let strict = plan.chance.once_in(2);
    plan.add(version, move |_| DescribeClientQuotasRequest { components: components.clone(), strict });
}

/// Addresses, and what is none.
const ADDRESSES: &[&str] = &["127.0.0.1", "::1", "localhost", "not an address"];

/// Quotas are removed, and asked for where they cannot be: those that Kafka sets are refused by a broker without quotas,
/// which the written list says.
fn alter_quotas(plan: &mut Plan) {
    let version = plan.version(ApiKey::AlterClientQuotas);
    let entries: Vec<_> = (0..plan.chance.one_of(&[1, 1, 2, 0]))
        .map(|_| {
            let is_odd = plan.chance.once_in(3);
            let entity_type = plan.chance.one_of(if is_odd { &["group", ""] } else { ENTITIES });
            let entity_type = plan.chance.mostly(&[entity_type], 5, &["ip"]);
            let name = if entity_type == "ip" { plan.chance.one_of(ADDRESSES) } else { "nobody" };
            let named = EntityData {
                entity_type: Text::from_static(entity_type),
                entity_name: Some(Text::from_static(name)),
            };
            let op = OpData {
                key: Text::from_static("producer_byte_rate"),
                value: 0.0,
                remove: plan.chance.once_in(2),
            };
            let is_nobody = plan.chance.once_in(8);
            EntryRequest {
                entity: if is_nobody { Vec::new() } else { vec![named] },
                ops: vec![op; plan.chance.mostly(&[1], 6, &[0, 2])],
            }
        })
        .collect();
    let validate_only = plan.chance.once_in(2);
    plan.add(version, move |_| AlterClientQuotasRequest { entries: entries.clone(), validate_only });
}

fn passwords(plan: &mut Plan) {
    let version = plan.version(ApiKey::DescribeUserScramCredentials);
    let users =
        plan.chance.one_of(&[None, Some(&[][..]), Some(&["alice"]), Some(&["alice", "bob", "alice"])]);
    let name = |name: &&'static str| UserName { name: Text::from_static(name) };
    let users: Option<Vec<_>> = users.map(|users| users.iter().map(name).collect());
    plan.add(version, move |_| DescribeUserScramCredentialsRequest { users: users.clone() });
}

/// Partitions are where they are: broker 1 is the only one.
fn reassignments(plan: &mut Plan) {
    let asked: Vec<_> = (0..plan.chance.one_of(&[1, 2])).map(|_| (plan.topic(), plan.partition())).collect();
    if plan.chance.once_in(3) {
        let version = plan.version(ApiKey::ListPartitionReassignments);
        let is_all = plan.chance.once_in(2);
        plan.add(version, move |side| {
            let topic = |(name, partition): &(Name, i32)| ListPartitionReassignmentsTopics {
                name: side.name(*name),
                partition_indexes: vec![PartitionId(*partition)],
            };
            let topics = (!is_all).then(|| asked.iter().map(topic).collect());
            ListPartitionReassignmentsRequest { timeout_ms: 10_000, topics }
        });
        return;
    }
    let version = plan.version(ApiKey::AlterPartitionReassignments);
    let replicas: Option<&[i32]> = plan.chance.mostly(
        &[Some(&[1][..])],
        2,
        &[None, Some(&[]), Some(&[2]), Some(&[1, 2]), Some(&[1, 1])],
    );
    let replicas: Option<Vec<_>> = replicas.map(|ids| ids.iter().copied().map(BrokerId).collect());
    let allow = version == 0 || plan.chance.once_in(2);
    plan.add(version, move |side| {
        let topic = |(name, partition): &(Name, i32)| ReassignableTopic {
            name: side.name(*name),
            partitions: vec![ReassignablePartition {
                partition_index: PartitionId(*partition),
                replicas: replicas.clone(),
            }],
        };
        AlterPartitionReassignmentsRequest {
            timeout_ms: 10_000,
            allow_replication_factor_change: allow,
            topics: asked.iter().map(topic).collect(),
        }
    });
}

fn quorum(plan: &mut Plan) {
    let version = plan.version(ApiKey::DescribeQuorum);
    let name = plan.chance.mostly(&["__cluster_metadata"], 3, &["a", ""]);
    let partitions = plan.chance.mostly(&[&[0][..]], 4, &[&[], &[1], &[0, 1]]);
    plan.add(version, move |_| {
        let partition = |index: &i32| PartitionRequest { partition_index: PartitionId(*index) };
        let partitions = partitions.iter().map(partition).collect();
        DescribeQuorumRequest {
            topics: vec![TopicRequest { topic_name: Text::from_static(name), partitions }],
        }
    });
}
