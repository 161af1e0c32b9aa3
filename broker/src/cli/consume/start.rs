//! The offsets that reading begins at.

use std::collections::HashMap;
use std::time::Duration;

use mainstem_client::admin::Admin;
use mainstem_client::{OffsetSpec, TopicPartition};
use mainstem_protocol::{Offset, Timestamp};
use mainstem_storage::{Clock, SystemClock};

use super::from::Begin;
use crate::cli::Error;

/// Offsets by partition.
pub(in crate::cli) type Offsets = HashMap<TopicPartition, Offset>;

/// Where `from` is in each of the partitions.
pub(in crate::cli) async fn offsets(
    admin: &Admin,
    partitions: &[TopicPartition],
    from: Begin,
) -> Result<Offsets, Error> {
    match from {
        Begin::Offset(offset) => within(admin, partitions, Offset(offset)).await,
        Begin::Earliest => listed(admin, partitions, OffsetSpec::Earliest).await,
        Begin::Latest => listed(admin, partitions, OffsetSpec::Latest).await,
        Begin::Time(millis) => at_time(admin, partitions, Timestamp(millis)).await,
        Begin::Ago(millis) => {
            let ago = SystemClock::default().now().0.saturating_sub(millis);
            at_time(admin, partitions, Timestamp(ago)).await
        }
    }
}

/// The offsets that a broker lists.
pub(in crate::cli) async fn listed(
    admin: &Admin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<Offsets, Error> {
    let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
    let found = admin.list_offsets(&wanted).await?;
    Ok(found.into_iter().map(|(partition, found)| (partition, found.offset)).collect())
}

/// An offset that is no more, or not yet, is as near as possible.
async fn within(admin: &Admin, partitions: &[TopicPartition], offset: Offset) -> Result<Offsets, Error> {
    let mut starts = listed(admin, partitions, OffsetSpec::Earliest).await?;
    let ends = listed(admin, partitions, OffsetSpec::Latest).await?;
    for (partition, start) in &mut starts {
        let end = ends.get(partition).copied().unwrap_or(*start);
        *start = offset.clamp(*start, end.max(*start));
    }
    Ok(starts)
}

/// What to say where reading begins elsewhere than at the offset that was asked for.
pub(super) fn away(from: Begin, starts: &Offsets) -> Option<String> {
    let Begin::Offset(asked) = from else { return None };
    let mut away: Vec<_> = starts.iter().filter(|(_, start)| start.0 != asked).collect();
    away.sort_unstable_by_key(|(partition, _)| partition.partition);
    let (partition, start) = away.first()?;
    let others = match away.len() - 1 {
        0 => String::new(),
        1 => ", and 1 partition more".to_owned(),
        count => format!(", and {count} partitions more"),
    };
    let end = if start.0 < asked { "ends" } else { "begins" };
    Some(format!(
        "{partition} {end} at offset {start}{others}: reading begins there, as near to {asked} as there is"
    ))
}

/// Where all records are older, the end.
async fn at_time(admin: &Admin, partitions: &[TopicPartition], time: Timestamp) -> Result<Offsets, Error> {
    let mut starts = listed(admin, partitions, OffsetSpec::Timestamp(time)).await?;
    let ends = listed(admin, partitions, OffsetSpec::Latest).await?;
    for (partition, start) in &mut starts {
        if *start == Offset::NONE {
            *start = ends.get(partition).copied().unwrap_or(Offset::ZERO);
        }
    }
    Ok(starts)
}

/// How long one poll waits; what it brings comes as soon as it is there.
pub(super) const POLL: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_beginning_than_asked_for_is_told() {
        let starts = |offsets: &[i64]| -> Offsets {
            let each = (0..).zip(offsets);
            each.map(|(id, offset)| (TopicPartition::new("logs", id), Offset(*offset))).collect()
        };
        let check = |from, offsets: &[i64], expected: Option<&str>| {
            assert_eq!(away(from, &starts(offsets)).as_deref(), expected, "{offsets:?}");
        };
        check(Begin::Offset(4), &[4, 4], None);
        check(Begin::Earliest, &[1], None);
        let ends = "logs-0 ends at offset 4: reading begins there, as near to 99 as there is";
        check(Begin::Offset(99), &[4], Some(ends));
        let begins =
            "logs-1 begins at offset 7, and 1 partition more: reading begins there, as near to 5 as there is";
        check(Begin::Offset(5), &[5, 7, 9], Some(begins));
    }
}
