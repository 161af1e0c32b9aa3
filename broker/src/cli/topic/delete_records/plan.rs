//! What is to go from which partition, seen against what is there.

use std::collections::BTreeMap;

use mainstem_client::admin::Admin;
use mainstem_client::offsets::{FoundOffset, OffsetSpec};
use mainstem_client::{Offset, TopicPartition};

use crate::cli::Error;
use crate::cli::consume::failure::no_such_partition;

/// Where what is to go ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Before this offset.
    Offset(i64),
    /// Behind the last record that readers see.
    HighWatermark,
}

/// A partition, where it begins, and where it is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) partition: TopicPartition,
    pub(super) first: Offset,
    pub(super) before: Offset,
}

/// `PARTITION:OFFSET`.
pub(super) fn before(text: &str) -> Result<(i32, Before), String> {
    let parted = text.split_once(':').and_then(|(partition, offset)| {
        let partition = partition.parse::<i32>().ok().filter(|partition| *partition >= 0)?;
        let offset = offset.parse::<i64>().ok().filter(|offset| *offset >= 0)?;
        Some((partition, Before::Offset(offset)))
    });
    parted.ok_or_else(|| "expected PARTITION:OFFSET, such as 0:1500".to_owned())
}

/// What each partition is to begin at. Partitions that are not there, twice named, or shorter are refused before any
/// record is gone.
pub(super) async fn plan(admin: &Admin, wanted: Vec<(TopicPartition, Before)>) -> Result<Vec<Step>, Error> {
    let wanted = once(wanted)?;
    check_present(admin, wanted.keys()).await?;
    let of = |spec| wanted.keys().map(|partition| (partition.clone(), spec)).collect::<Vec<_>>();
    let first = by_partition(admin.list_offsets(&of(OffsetSpec::Earliest)).await?);
    let last = by_partition(admin.list_offsets(&of(OffsetSpec::Latest)).await?);
    let steps = wanted.into_iter().map(|(partition, before)| {
        let at = |offsets: &BTreeMap<_, _>| offsets.get(&partition).copied().unwrap_or(Offset::NONE);
        let (first, last) = (at(&first), at(&last));
        step(partition, before, first, last)
    });
    steps.collect()
}

fn by_partition(
    found: impl IntoIterator<Item = (TopicPartition, FoundOffset)>,
) -> BTreeMap<TopicPartition, Offset> {
    found.into_iter().map(|(partition, found)| (partition, found.offset)).collect()
}

fn once(wanted: Vec<(TopicPartition, Before)>) -> Result<BTreeMap<TopicPartition, Before>, Error> {
    let mut all = BTreeMap::new();
    for (partition, before) in wanted {
        if all.contains_key(&partition) {
            return Err(Error::usage(format_args!("{partition} is named twice")));
        }
        all.insert(partition, before);
    }
    Ok(all)
}

async fn check_present(
    admin: &Admin,
    partitions: impl Iterator<Item = &TopicPartition>,
) -> Result<(), Error> {
    let mut counts = BTreeMap::new();
    for TopicPartition { topic, partition } in partitions {
        if !counts.contains_key(topic) {
            counts.insert(topic.clone(), admin.describe_topic(topic).await?.partitions.len());
        }
        let count = counts.get(topic).copied().unwrap_or_default();
        if usize::try_from(partition.0).is_ok_and(|id| id >= count) {
            return Err(no_such_partition(topic, count, partition.0));
        }
    }
    Ok(())
}

fn step(partition: TopicPartition, before: Before, first: Offset, last: Offset) -> Result<Step, Error> {
    let before = match before {
        Before::HighWatermark => last,
        Before::Offset(offset) if offset > last.0 => {
            let what = format!("{partition} ends at offset {last}, before {offset}: nothing was deleted");
            return Err(Error::new(what).advise("--to-high-watermark deletes all that readers see"));
        }
        Before::Offset(offset) => Offset(offset),
    };
    Ok(Step { partition, first, before })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_and_an_offset_have_a_colon_between() {
        assert_eq!(before("3:15"), Ok((3, Before::Offset(15))));
        for text in ["", "3", ":", "3:", ":15", "-1:5", "1:-5", "1:2:3", "a:1", "1:9223372036854775808"] {
            assert!(before(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_behind_the_end_are_refused() {
        let orders = || TopicPartition::new("orders", 0);
        let at = |before| step(orders(), before, Offset(2), Offset(9)).map(|step| step.before);
        assert_eq!(at(Before::HighWatermark).ok(), Some(Offset(9)));
        assert_eq!(at(Before::Offset(9)).ok(), Some(Offset(9)));
        assert!(at(Before::Offset(10)).is_err());
    }
}
