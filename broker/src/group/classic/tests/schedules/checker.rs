//! What must hold at any moment.

use std::collections::BTreeMap;

use mainstem_protocol::Text;

use super::client::PARTITIONS;

#[derive(Default)]
pub(super) struct Checker {
    /// Who was given a partition in a generation: a static member by its instance, any other by its id.
    owners: BTreeMap<(i32, usize), Text>,
    /// The last offset of each partition of which somebody was told that it is committed.
    committed: [Option<i64>; PARTITIONS],
    /// Under which id each instance was last told that it is in the group.
    instances: BTreeMap<Text, Text>,
    /// What went wrong first.
    wrong: Option<String>,
}

impl Checker {
    pub(super) fn result(&mut self) -> Result<(), String> {
        self.wrong.take().map_or(Ok(()), Err)
    }

    fn fail(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    pub(super) fn given(&mut self, generation: i32, partition: usize, member: &Text) {
        let owner = self.owners.entry((generation, partition)).or_insert_with(|| member.clone()).clone();
        if owner != *member {
            self.fail(format!(
                "partition {partition} has two owners in generation {generation}: {owner}, {member}"
            ));
        }
    }

    /// Somebody was told that this is committed.
    pub(super) fn committed(&mut self, partition: usize, offset: i64) {
        self.not_back(partition, Some(offset));
        self.committed[partition] = self.committed[partition].max(Some(offset));
    }

    /// Somebody has read this as what is committed.
    pub(super) fn fetched(&mut self, partition: usize, offset: Option<i64>) {
        self.not_back(partition, offset);
    }

    fn not_back(&mut self, partition: usize, offset: Option<i64>) {
        let known = self.committed[partition];
        if offset < known {
            self.fail(format!("offset of partition {partition} went back from {known:?} to {offset:?}"));
        }
    }

    /// The ids of the instances as the broker has them.
    pub(super) fn instances_are(&mut self, instances: BTreeMap<Text, Text>) {
        self.instances = instances;
    }

    pub(super) fn instance_is(&mut self, instance: Text, id: Text) {
        self.instances.insert(instance, id);
    }

    /// A request of a static member was accepted.
    pub(super) fn heard(&mut self, instance: &Text, id: &Text) {
        if let Some(holder) = self.instances.get(instance).filter(|holder| *holder != id).cloned() {
            self.fail(format!("{id} was replaced by {holder} and is still heard"));
        }
    }
}
