//! Shares out partitions as Kafka's range assignor does: topic by topic, each member gets a range of neighbouring
//! partitions, the first members one more where it does not come out even
//! (`org.apache.kafka.clients.consumer.RangeAssignor`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mainstem_protocol::{PartitionId, Text, formats::consumer::TopicPartitions};

/// The name by which members agree on this assignor.
pub(super) const NAME: &str = "range";

/// What each member gets. `members` are ids with the topics they want, `partitions` says how many each topic has.
pub(super) fn assign(
    members: &[(Text, Vec<Text>)],
    partitions: &HashMap<Text, usize>,
) -> BTreeMap<Text, Vec<TopicPartitions>> {
    let mut assignment: BTreeMap<_, Vec<_>> =
        members.iter().map(|(id, _)| (id.clone(), Vec::new())).collect();
    for (topic, members) in by_topic(members) {
        let count = partitions.get(&topic).copied().unwrap_or(0);
        for (member, range) in members.iter().zip(ranges(count, members.len())) {
            let range: Vec<_> = range.map(|id| PartitionId(id as i32)).collect();
            if let Some(assigned) = assignment.get_mut(*member).filter(|_| !range.is_empty()) {
                assigned.push(TopicPartitions { topic: topic.clone(), partitions: range });
            }
        }
    }
    assignment
}

fn by_topic(members: &[(Text, Vec<Text>)]) -> BTreeMap<Text, BTreeSet<&Text>> {
    let mut topics: BTreeMap<Text, BTreeSet<&Text>> = BTreeMap::new();
    for (id, wanted) in members {
        for topic in wanted {
            topics.entry(topic.clone()).or_default().insert(id);
        }
    }
    topics
}

fn ranges(partitions: usize, members: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let (each, more) = (partitions / members.max(1), partitions % members.max(1));
    (0..members).map(move |member| {
        let start = member * each + member.min(more);
        start..start + each + usize::from(member < more)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(members: &[(&str, &[&str])], partitions: &[(&str, usize)], expected: &[&str]) {
        let text = |name: &&str| Text::from(*name);
        let members: Vec<_> =
            members.iter().map(|(id, topics)| (text(id), topics.iter().map(text).collect())).collect();
        let partitions = partitions.iter().map(|(topic, count)| (text(topic), *count)).collect();
        let assigned = assign(&members, &partitions).into_iter().map(|(id, topics)| {
            let topics = topics.into_iter().flat_map(|each| {
                each.partitions.into_iter().map(move |partition| format!(" {}{partition}", each.topic))
            });
            format!("{id}:{}", topics.collect::<String>())
        });
        assert_eq!(assigned.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn ranges_are_those_of_kafkas_documentation() {
        let both: &[&str] = &["t", "u"];
        check(&[("a", both), ("b", both)], &[("t", 3), ("u", 3)], &["a: t0 t1 u0 u1", "b: t2 u2"]);
    }

    #[test]
    fn members_are_taken_in_the_order_of_their_ids() {
        check(&[("c", &["t"]), ("a", &["t"])], &[("t", 3)], &["a: t0 t1", "c: t2"]);
    }

    #[test]
    fn more_members_than_partitions_leave_some_without() {
        check(&[("a", &["t"]), ("b", &["t"])], &[("t", 1)], &["a: t0", "b:"]);
    }

    #[test]
    fn topics_go_to_those_who_want_them() {
        check(&[("a", &["t"]), ("b", &["u"])], &[("t", 2), ("u", 1)], &["a: t0 t1", "b: u0"]);
    }

    #[test]
    fn topics_that_do_not_exist_are_shared_out_as_empty() {
        check(&[("a", &["t"])], &[], &["a:"]);
    }
}
