//! Which versions of each API the brokers of Kafka's releases offer.
//!
//! From the message schemas of each release (`clients/src/main/resources/common/message`, and `Protocol.java` before them);
//! an API is left out where a broker has none that clients use.

use std::{fmt, ops::RangeInclusive};

use mainstem_protocol::ApiKey;

/// A release of Kafka, from the oldest that this crate speaks with on.
///
/// ```
/// use mainstem_client::{protocol::ApiKey, testing::{RELEASES, Release}};
///
/// assert_eq!(RELEASES[0].to_string(), "2.1");
/// assert_eq!(Release(2, 1).versions(ApiKey::Produce), 0..=7);
/// assert!(Release(2, 3).versions(ApiKey::OffsetDelete).is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(pub u8, pub u8);

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Release {
    /// The versions of an API that its brokers offer; an empty range for none.
    #[must_use]
    pub fn versions(&self, key: ApiKey) -> RangeInclusive<i16> {
        let steps = STEPS.iter().find(|(known, _)| *known == key).map_or(&[][..], |(_, steps)| steps);
        let (_, least, newest) = steps.iter().rfind(|(since, ..)| since <= self).unwrap_or(&NONE);
        *least..=*newest
    }
}

/// What stands for an API that a release does not have.
const NONE: Step = (Release(0, 0), 0, -1);

/// From a release on: the least and the newest version.
type Step = (Release, i16, i16);

/// Every release, the oldest first.
pub const RELEASES: [Release; 21] = [
    Release(2, 1),
    Release(2, 2),
    Release(2, 3),
    Release(2, 4),
    Release(2, 5),
    Release(2, 6),
    Release(2, 7),
    Release(2, 8),
    Release(3, 0),
    Release(3, 1),
    Release(3, 2),
    Release(3, 3),
    Release(3, 4),
    Release(3, 5),
    Release(3, 6),
    Release(3, 7),
    Release(3, 8),
    Release(3, 9),
    Release(4, 0),
    Release(4, 1),
    Release(4, 2),
];

/// Where the versions of an API change.
const STEPS: &[(ApiKey, &[Step])] = &[
    (
        ApiKey::Produce,
        &[
            (Release(2, 1), 0, 7),
            (Release(2, 4), 0, 8),
            (Release(2, 8), 0, 9),
            (Release(3, 7), 0, 10),
            (Release(3, 8), 0, 11),
            (Release(4, 0), 0, 12),
            (Release(4, 1), 0, 13),
        ],
    ),
    (
        ApiKey::Fetch,
        &[
            (Release(2, 1), 0, 10),
            (Release(2, 3), 0, 11),
            (Release(2, 7), 0, 12),
            (Release(3, 1), 0, 13),
            (Release(3, 5), 0, 15),
            (Release(3, 7), 0, 16),
            (Release(3, 9), 0, 17),
            (Release(4, 0), 4, 17),
            (Release(4, 1), 4, 18),
        ],
    ),
    (
        ApiKey::ListOffsets,
        &[
            (Release(2, 1), 0, 4),
            (Release(2, 2), 0, 5),
            (Release(2, 8), 0, 6),
            (Release(3, 0), 0, 7),
            (Release(3, 5), 0, 8),
            (Release(3, 9), 0, 9),
            (Release(4, 0), 1, 10),
            (Release(4, 2), 1, 11),
        ],
    ),
    (
        ApiKey::Metadata,
        &[
            (Release(2, 1), 0, 7),
            (Release(2, 3), 0, 8),
            (Release(2, 4), 0, 9),
            (Release(2, 8), 0, 11),
            (Release(3, 1), 0, 12),
            (Release(4, 0), 0, 13),
        ],
    ),
    (
        ApiKey::OffsetCommit,
        &[
            (Release(2, 1), 0, 6),
            (Release(2, 3), 0, 7),
            (Release(2, 4), 0, 8),
            (Release(3, 7), 0, 9),
            (Release(4, 0), 2, 9),
            (Release(4, 2), 2, 10),
        ],
    ),
    (
        ApiKey::OffsetFetch,
        &[
            (Release(2, 1), 0, 5),
            (Release(2, 4), 0, 6),
            (Release(2, 5), 0, 7),
            (Release(3, 0), 0, 8),
            (Release(3, 7), 0, 9),
            (Release(4, 0), 1, 9),
            (Release(4, 2), 1, 10),
        ],
    ),
    (
        ApiKey::FindCoordinator,
        &[
            (Release(2, 1), 0, 2),
            (Release(2, 4), 0, 3),
            (Release(3, 0), 0, 4),
            (Release(3, 8), 0, 5),
            (Release(3, 9), 0, 6),
        ],
    ),
    (
        ApiKey::JoinGroup,
        &[
            (Release(2, 1), 0, 3),
            (Release(2, 2), 0, 4),
            (Release(2, 3), 0, 5),
            (Release(2, 4), 0, 6),
            (Release(2, 5), 0, 7),
            (Release(3, 2), 0, 9),
            (Release(4, 0), 2, 9),
            (Release(4, 1), 0, 9),
        ],
    ),
    (ApiKey::Heartbeat, &[(Release(2, 1), 0, 2), (Release(2, 3), 0, 3), (Release(2, 4), 0, 4)]),
    (ApiKey::LeaveGroup, &[(Release(2, 1), 0, 2), (Release(2, 4), 0, 4), (Release(3, 2), 0, 5)]),
    (
        ApiKey::SyncGroup,
        &[(Release(2, 1), 0, 2), (Release(2, 3), 0, 3), (Release(2, 4), 0, 4), (Release(2, 5), 0, 5)],
    ),
    (
        ApiKey::DescribeGroups,
        &[(Release(2, 1), 0, 2), (Release(2, 3), 0, 3), (Release(2, 4), 0, 5), (Release(4, 0), 0, 6)],
    ),
    (
        ApiKey::ListGroups,
        &[(Release(2, 1), 0, 2), (Release(2, 4), 0, 3), (Release(2, 6), 0, 4), (Release(3, 8), 0, 5)],
    ),
    (ApiKey::ApiVersions, &[(Release(2, 1), 0, 2), (Release(2, 4), 0, 3), (Release(3, 9), 0, 4)]),
    (
        ApiKey::CreateTopics,
        &[
            (Release(2, 1), 0, 3),
            (Release(2, 4), 0, 5),
            (Release(2, 7), 0, 6),
            (Release(2, 8), 0, 7),
            (Release(4, 0), 2, 7),
        ],
    ),
    (
        ApiKey::DeleteTopics,
        &[
            (Release(2, 1), 0, 3),
            (Release(2, 4), 0, 4),
            (Release(2, 7), 0, 5),
            (Release(2, 8), 0, 6),
            (Release(4, 0), 1, 6),
        ],
    ),
    (
        ApiKey::InitProducerId,
        &[
            (Release(2, 1), 0, 1),
            (Release(2, 4), 0, 2),
            (Release(2, 5), 0, 3),
            (Release(2, 7), 0, 4),
            (Release(3, 8), 0, 5),
        ],
    ),
    (
        ApiKey::AddPartitionsToTxn,
        &[
            (Release(2, 1), 0, 1),
            (Release(2, 7), 0, 2),
            (Release(2, 8), 0, 3),
            (Release(3, 5), 0, 4),
            (Release(3, 8), 0, 5),
        ],
    ),
    (
        ApiKey::AddOffsetsToTxn,
        &[(Release(2, 1), 0, 1), (Release(2, 7), 0, 2), (Release(2, 8), 0, 3), (Release(3, 8), 0, 4)],
    ),
    (
        ApiKey::EndTxn,
        &[
            (Release(2, 1), 0, 1),
            (Release(2, 7), 0, 2),
            (Release(2, 8), 0, 3),
            (Release(3, 8), 0, 4),
            (Release(4, 0), 0, 5),
        ],
    ),
    (
        ApiKey::WriteTxnMarkers,
        &[(Release(2, 1), 0, 0), (Release(2, 8), 0, 1), (Release(4, 0), 1, 1), (Release(4, 2), 1, 2)],
    ),
    (ApiKey::DeleteRecords, &[(Release(2, 1), 0, 1), (Release(2, 6), 0, 2)]),
    (ApiKey::DescribeProducers, &[(Release(2, 8), 0, 0)]),
    (ApiKey::DescribeTransactions, &[(Release(3, 0), 0, 0)]),
    (ApiKey::ListTransactions, &[(Release(3, 0), 0, 0), (Release(3, 8), 0, 1), (Release(4, 1), 0, 2)]),
    (
        ApiKey::TxnOffsetCommit,
        &[(Release(2, 1), 0, 2), (Release(2, 5), 0, 3), (Release(3, 8), 0, 4), (Release(4, 0), 0, 5)],
    ),
    (
        ApiKey::OffsetForLeaderEpoch,
        &[(Release(2, 1), 0, 2), (Release(2, 3), 0, 3), (Release(2, 8), 0, 4), (Release(4, 0), 2, 4)],
    ),
    (
        ApiKey::DescribeConfigs,
        &[(Release(2, 1), 0, 2), (Release(2, 6), 0, 3), (Release(2, 8), 0, 4), (Release(4, 0), 1, 4)],
    ),
    (ApiKey::AlterConfigs, &[(Release(2, 1), 0, 1), (Release(2, 8), 0, 2)]),
    (
        ApiKey::DescribeLogDirs,
        &[
            (Release(2, 1), 0, 1),
            (Release(2, 6), 0, 2),
            (Release(3, 2), 0, 3),
            (Release(3, 3), 0, 4),
            (Release(4, 0), 1, 4),
        ],
    ),
    (ApiKey::CreatePartitions, &[(Release(2, 1), 0, 1), (Release(2, 5), 0, 2), (Release(2, 7), 0, 3)]),
    (ApiKey::DeleteGroups, &[(Release(2, 1), 0, 1), (Release(2, 4), 0, 2)]),
    (ApiKey::IncrementalAlterConfigs, &[(Release(2, 3), 0, 0), (Release(2, 4), 0, 1)]),
    (ApiKey::OffsetDelete, &[(Release(2, 4), 0, 0)]),
    (ApiKey::DescribeCluster, &[(Release(2, 8), 0, 0), (Release(3, 7), 0, 1), (Release(4, 0), 0, 2)]),
    (ApiKey::ConsumerGroupHeartbeat, &[(Release(3, 7), 0, 0), (Release(4, 0), 0, 1)]),
    (ApiKey::ConsumerGroupDescribe, &[(Release(3, 8), 0, 0), (Release(4, 0), 0, 1)]),
];
