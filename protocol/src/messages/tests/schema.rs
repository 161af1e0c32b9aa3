//! Our descriptions against the facts of Kafka's schemas: each field's type, versions, nulls, tag and default. Bytes
//! of generated values cannot show a tagged field that we leave out, or a default that differs.

use std::collections::BTreeSet;

use super::*;
use crate::{
    formats::{consumer, consumer_groups, offsets, transactions},
    specimen::both,
};

const KAFKA: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/schemas/kafka-4.2.1.txt"));

struct CompareSchemas;

impl Visit for CompareSchemas {
    fn visit<M, O>(&mut self, key: ApiKey, kind: Kind)
    where
        M: Message + Specimen + PartialEq + std::fmt::Debug,
        O: oracle::Oracle,
    {
        check::<M>(&format!("{key}{kind:?}"));
    }
}

/// Compares a message with the schema of that name, in those versions that we speak.
fn check<M: Message + Specimen>(name: &str) {
    assert_eq!(flexible_since(name), M::FLEXIBLE_SINCE, "{name}");
    let ours: BTreeSet<_> = M::shape().lines(name, &M::VERSIONS).into_iter().collect();
    let theirs: BTreeSet<_> = fields(name).filter_map(|line| within(line, &M::VERSIONS)).collect();
    assert!(!theirs.is_empty(), "there is no schema of {name}");
    let differing: Vec<_> = ours.symmetric_difference(&theirs).collect();
    assert!(differing.is_empty(), "of ours and Kafka's, these stand on one side only: {differing:#?}");
}

fn flexible_since(name: &str) -> i16 {
    let prefix = format!("{name} ");
    let line = KAFKA.lines().find(|line| line.starts_with(&prefix)).unwrap();
    line.rsplit(' ').next().and_then(|version| version.parse().ok()).unwrap_or(i16::MAX)
}

fn fields(name: &str) -> impl Iterator<Item = &'static str> {
    let prefix = format!("{name}.");
    KAFKA.lines().filter(move |line| line.starts_with(&prefix))
}

/// The line of a field with its versions cut to ours; `None` where none is left.
fn within(line: &str, ours: &RangeInclusive<i16>) -> Option<String> {
    let [path, name, versions, null, tag, default] = line.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{line} has not six words");
    };
    let versions = cut(versions, ours)?;
    let null = cut(null, ours).unwrap_or_else(|| "-".to_owned());
    Some(format!("{path} {name} {versions} {null} {tag} {default}"))
}

fn cut(versions: &str, ours: &RangeInclusive<i16>) -> Option<String> {
    let (start, end) = versions.split_once('-')?;
    let cut = both(&(start.parse().ok()?..=end.parse().ok()?), ours);
    (!cut.is_empty()).then(|| format!("{}-{}", cut.start(), cut.end()))
}

#[test]
fn every_message_is_described_as_in_kafkas_schema() {
    visit_all(&mut CompareSchemas);
}

#[test]
fn every_format_is_described_as_in_kafkas_schema() {
    check::<consumer::Subscription>("ConsumerProtocolSubscription");
    check::<consumer::Assignment>("ConsumerProtocolAssignment");
    check::<offsets::OffsetCommitValue>("OffsetCommitValue");
    check::<offsets::GroupMetadataValue>("GroupMetadataValue");
    check::<consumer_groups::ConsumerGroupMetadataValue>("ConsumerGroupMetadataValue");
    check::<consumer_groups::ConsumerGroupPartitionMetadataValue>("ConsumerGroupPartitionMetadataValue");
    check::<consumer_groups::ConsumerGroupMemberMetadataValue>("ConsumerGroupMemberMetadataValue");
    check::<consumer_groups::ConsumerGroupTargetAssignmentMetadataValue>(
        "ConsumerGroupTargetAssignmentMetadataValue",
    );
    check::<consumer_groups::ConsumerGroupTargetAssignmentMemberValue>(
        "ConsumerGroupTargetAssignmentMemberValue",
    );
    check::<consumer_groups::ConsumerGroupCurrentMemberAssignmentValue>(
        "ConsumerGroupCurrentMemberAssignmentValue",
    );
    check::<consumer_groups::ConsumerGroupRegularExpressionValue>("ConsumerGroupRegularExpressionValue");
    check::<transactions::TransactionLogKey>("TransactionLogKey");
    check::<transactions::TransactionLogValue>("TransactionLogValue");
}
