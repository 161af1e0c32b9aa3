//! ListPartitionReassignments, key 46 (KIP-455): on a single node no partition is ever on its way to another (Kafka:
//! `ReplicationControlManager.listPartitionReassignments`, which passes over topics that are not there).

use mainstem_protocol::messages::ListPartitionReassignmentsResponse;

pub(crate) fn answer() -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse { error_message: None, ..Default::default() }
}
