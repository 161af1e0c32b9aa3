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
pub(super) type Offsets = HashMap<TopicPartition, Offset>;

/// Where `from` is in each of the partitions.
pub(super) async fn offsets(
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
pub(super) async fn listed(
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
