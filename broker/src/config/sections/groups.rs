//! Settings of `group`.

use std::time::Duration;

use super::{Contradiction, INT_MAX, LONG_MAX};
use crate::config::{
    Shape,
    setting::settings,
    value::{Assignors, MigrationPolicy},
};

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

        /// How long a member of the newer protocol (KIP-848) may be silent.
        consumer_session_timeout: Duration = Duration::from_secs(45), "group.consumer.session.timeout.ms",
            Shape::milliseconds(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// The least that `group.consumer.session.timeout.ms` may be.
        consumer_session_timeout_min: Duration = Duration::from_secs(45),
            "group.consumer.min.session.timeout.ms",
            Shape::milliseconds(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// The most that `group.consumer.session.timeout.ms` may be.
        consumer_session_timeout_max: Duration = Duration::from_secs(60),
            "group.consumer.max.session.timeout.ms",
            Shape::milliseconds(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// How often a member of the newer protocol is to send a heartbeat.
        consumer_heartbeat_interval: Duration = Duration::from_secs(5),
            "group.consumer.heartbeat.interval.ms",
            Shape::milliseconds(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// The least that `group.consumer.heartbeat.interval.ms` may be.
        consumer_heartbeat_interval_min: Duration = Duration::from_secs(5),
            "group.consumer.min.heartbeat.interval.ms",
            Shape::milliseconds(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// The most that `group.consumer.heartbeat.interval.ms` may be.
        consumer_heartbeat_interval_max: Duration = Duration::from_secs(15),
            "group.consumer.max.heartbeat.interval.ms",
            Shape::milliseconds(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// Members that a group of the newer protocol may have. Kafka's default is, in effect, no limit.
        consumer_size_max: usize = 10_000, "group.consumer.max.size",
            Shape::count(1, INT_MAX).kafka("GroupCoordinatorConfig");

        /// The assignors that members of the newer protocol may ask for. The first is for groups that ask for none.
        consumer_assignors: Assignors = Assignors::default(), "group.consumer.assignors",
            Shape::word().kafka("GroupCoordinatorConfig");

        /// Whether a group with members goes over to the newer protocol when the first consumer of that joins it
        /// (`upgrade`), and back to the classic one when the last has left it (`downgrade`). A group without members is
        /// converted in any case.
        consumer_migration_policy: MigrationPolicy = MigrationPolicy::Bidirectional,
            "group.consumer.migration.policy", Shape::word().kafka("GroupCoordinatorConfig");

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
        self.check_consumer()
    }

    /// What Kafka checks too (`GroupCoordinatorConfig`).
    fn check_consumer(&self) -> Result<(), Contradiction> {
        let session = self.consumer_session_timeout;
        let heartbeat = self.consumer_heartbeat_interval;
        check_range(
            ("group.consumer.session.timeout.ms", session),
            ("group.consumer.min.session.timeout.ms", self.consumer_session_timeout_min),
            ("group.consumer.max.session.timeout.ms", self.consumer_session_timeout_max),
        )?;
        check_range(
            ("group.consumer.heartbeat.interval.ms", heartbeat),
            ("group.consumer.min.heartbeat.interval.ms", self.consumer_heartbeat_interval_min),
            ("group.consumer.max.heartbeat.interval.ms", self.consumer_heartbeat_interval_max),
        )?;
        if heartbeat >= session {
            let reason = "it is not less than group.consumer.session.timeout.ms".to_owned();
            return Err(Contradiction { name: "group.consumer.heartbeat.interval.ms", reason });
        }
        Ok(())
    }
}

type Named = (&'static str, Duration);

fn check_range(value: Named, least: Named, most: Named) -> Result<(), Contradiction> {
    let contradiction = |name, relation: &str, other: &str| {
        Err(Contradiction { name, reason: format!("it is {relation} {other}") })
    };
    if most.1 < least.1 {
        return contradiction(most.0, "less than", least.0);
    }
    if value.1 < least.1 {
        return contradiction(value.0, "less than", least.0);
    }
    if value.1 > most.1 {
        return contradiction(value.0, "more than", most.0);
    }
    Ok(())
}
