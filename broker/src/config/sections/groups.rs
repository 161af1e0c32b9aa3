//! Settings of `group`.

use std::time::Duration;

use super::{Contradiction, INT_MAX, LONG_MAX};
use crate::config::{Shape, setting::settings};

settings! {
    /// Consumer groups, and the offsets that they commit.
    pub struct GroupSettings at groups, "Consumer groups" {
        /// The shortest session timeout that a member may ask for.
        session_timeout_min: Duration = Duration::from_secs(6), "group.min.session.timeout.ms",
            Shape::milliseconds(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// The longest session timeout that a member may ask for.
        session_timeout_max: Duration = Duration::from_secs(30 * 60), "group.max.session.timeout.ms",
            Shape::milliseconds(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// How long an empty group waits for more members after the first one has joined. Kafka waits three seconds.
        initial_rebalance_delay: Duration = Duration::ZERO, "group.initial.rebalance.delay.ms",
            Shape::milliseconds(0, INT_MAX).kafka("GroupCoordinatorConfig");

        /// Members that a group may have.
        size_max: usize = 10_000, "group.max.size", Shape::count(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// Partitions of `__consumer_offsets` when it is created; later changes are without effect.
        offsets_partitions: u32 = 50, "offsets.topic.num.partitions",
            Shape::count(1, 100_000).kafka("GroupCoordinatorConfig");

        /// How long a group without members keeps its offsets.
        offsets_retention: Duration = Duration::from_secs(7 * 24 * 60 * 60), "offsets.retention.minutes",
            Shape::minutes(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// How often offsets are looked at whose time is over.
        offsets_retention_check_interval: Duration = Duration::from_secs(600),
            "offsets.retention.check.interval.ms",
            Shape::milliseconds(1, LONG_MAX).kafka("GroupCoordinatorConfig");

        /// The longest note that a consumer may leave with an offset.
        offset_metadata_bytes_max: usize = 4096, "offset.metadata.max.bytes",
            Shape::bytes(0, INT_MAX).kafka("GroupCoordinatorConfig");
    }
}

impl GroupSettings {
    pub(in crate::config) fn check(&self) -> Result<(), Contradiction> {
        if self.session_timeout_max < self.session_timeout_min {
            let reason = "it is less than group.min.session.timeout.ms".to_owned();
            return Err(Contradiction { name: "group.max.session.timeout.ms", reason });
        }
        Ok(())
    }
}
