//! What a reset would change.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_client::admin::Admin;
use mainstem_client::{Offset, OffsetSpec, TopicPartition};
use serde::Serialize;

use super::target::Target;
use crate::cli::Error;
use crate::cli::consume::start::{self, Offsets};

/// What a reset would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// By topic and partition.
    pub(super) steps: Vec<Step>,
}

/// The same of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) current: Option<i64>,
    pub(super) new: i64,
    pub(super) difference: Option<i64>,
    /// What was asked for, where the log does not have it.
    pub(super) asked: Option<i64>,
}

/// Where a partition's log begins and ends.
#[derive(Clone, Copy, Debug)]
struct Log {
    start: i64,
    end: i64,
}

/// Looks up where each partition is to be read on.
pub(super) async fn plan(
    admin: &Admin,
    target: &Target,
    partitions: BTreeSet<TopicPartition>,
    committed: &BTreeMap<TopicPartition, Offset>,
) -> Result<Plan, Error> {
    let partitions: Vec<_> = partitions.into_iter().collect();
    let starts = start::listed(admin, &partitions, OffsetSpec::Earliest).await?;
    let ends = start::listed(admin, &partitions, OffsetSpec::Latest).await?;
    let found = match target.begin() {
        Some(begin) => start::offsets(admin, &partitions, begin).await?,
        None => Offsets::new(),
    };
    let steps = partitions.iter().map(|partition| {
        let [start, end, found] =
            [&starts, &ends, &found].map(|offsets| offsets.get(partition).map(|at| at.0));
        let log = Log { start: start.unwrap_or(0), end: end.unwrap_or(0) };
        let current = committed.get(partition).map(|offset| offset.0);
        step(partition, target, found, current, log)
    });
    Ok(Plan { steps: steps.collect::<Result<_, _>>()? })
}

fn step(
    partition: &TopicPartition,
    target: &Target,
    found: Option<i64>,
    current: Option<i64>,
    log: Log,
) -> Result<Step, Error> {
    let known = || current.ok_or_else(|| nowhere(partition));
    let asked = match target {
        Target::Current => current.unwrap_or(log.end),
        Target::Shift(by) => known()?.saturating_add(*by),
        Target::Offset(offset) => *offset,
        Target::Each(offsets) => offsets.get(partition).copied().unwrap_or(log.start),
        Target::Earliest | Target::Latest | Target::Time(_) | Target::Ago(_) => found.unwrap_or(log.end),
    };
    let new = asked.clamp(log.start, log.end.max(log.start));
    Ok(Step {
        topic: partition.topic.to_string(),
        partition: partition.partition.0,
        current,
        new,
        difference: current.map(|current| new.saturating_sub(current)),
        asked: Some(asked).filter(|asked| *asked != new),
    })
}

fn nowhere(partition: &TopicPartition) -> Error {
    Error::new(format_args!("the group has committed no offset for {partition}, from which to go on")).advise(
        "name the partitions that it has read with --topic TOPIC:P, or say --to-earliest or --to-offset",
    )
}

impl Plan {
    /// What to commit.
    pub(super) fn offsets(&self) -> Vec<(TopicPartition, Offset)> {
        let each = self.steps.iter();
        each.map(|step| (TopicPartition::new(step.topic.as_str(), step.partition), Offset(step.new)))
            .collect()
    }

    /// What to say of offsets that the log does not have, and of those that the group does not have.
    pub(super) fn notes(&self, target: &Target) -> impl Iterator<Item = String> {
        let is_current = *target == Target::Current;
        self.steps.iter().filter_map(move |step| {
            let Step { topic, partition, current, new, .. } = step;
            if is_current && current.is_none() {
                return Some(format!(
                    "the group has committed no offset for {topic}-{partition}: its end is taken, {new}"
                ));
            }
            let asked = step.asked?;
            let end = if *new < asked { "ends" } else { "begins" };
            Some(format!(
                "{topic}-{partition} {end} at offset {new}, which is as near to {asked} as there is"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Log = Log { start: 10, end: 20 };

    #[track_caller]
    fn check(target: &Target, found: Option<i64>, current: Option<i64>, expected: (i64, Option<i64>)) {
        let step = step(&TopicPartition::new("logs", 0), target, found, current, LOG).unwrap();
        assert_eq!((step.new, step.asked), expected, "{target:?}");
        assert_eq!(step.difference, current.map(|current| step.new - current));
    }

    #[test]
    fn offsets_stay_within_the_log() {
        check(&Target::Offset(15), None, None, (15, None));
        check(&Target::Offset(5), None, Some(12), (10, Some(5)));
        check(&Target::Offset(99), None, Some(12), (20, Some(99)));
        check(&Target::Shift(3), None, Some(12), (15, None));
        check(&Target::Shift(-3), None, Some(12), (10, Some(9)));
        check(&Target::Shift(i64::MIN), None, Some(12), (10, Some(12 + i64::MIN)));
        check(&Target::Shift(i64::MAX), None, Some(12), (20, Some(i64::MAX)));
        check(&Target::Current, None, Some(12), (12, None));
        check(&Target::Earliest, Some(10), Some(12), (10, None));
        check(&Target::Time(0), Some(17), None, (17, None));
    }

    #[test]
    fn what_was_never_committed_cannot_be_shifted() {
        let error = step(&TopicPartition::new("logs", 0), &Target::Shift(1), None, None, LOG).unwrap_err();
        assert!(error.to_string().contains("no offset for logs-0"), "{error}");
    }

    #[test]
    fn what_was_never_committed_is_at_the_end_now_which_is_told() {
        check(&Target::Current, None, None, (20, None));
        let partition = TopicPartition::new("logs", 0);
        let steps =
            [None, Some(12)].map(|current| step(&partition, &Target::Current, None, current, LOG).unwrap());
        let notes: Vec<_> = Plan { steps: steps.to_vec() }.notes(&Target::Current).collect();
        assert_eq!(notes, ["the group has committed no offset for logs-0: its end is taken, 20"]);
    }

    #[test]
    fn an_offset_that_the_log_does_not_have_is_told() {
        let partition = TopicPartition::new("logs", 0);
        let steps =
            [5, 15, 99].map(|offset| step(&partition, &Target::Offset(offset), None, None, LOG).unwrap());
        let notes: Vec<_> = Plan { steps: steps.to_vec() }.notes(&Target::Earliest).collect();
        let expected = [
            "logs-0 begins at offset 10, which is as near to 5 as there is",
            "logs-0 ends at offset 20, which is as near to 99 as there is",
        ];
        assert_eq!(notes, expected);
    }
}
