//! ApiVersions, key 18.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Asks which APIs and versions the broker speaks; the first request of a connection.
    ApiVersionsRequest [0..=4, flexible 3..] {
        client_software_name: Text [3..],
        client_software_version: Text [3..],
    }
}

message! {
    /// The APIs, their versions, and the features.
    ApiVersionsResponse [0..=4, flexible 3..] {
        error_code: ErrorCode,
        api_keys: Vec<ApiVersion>,
        throttle_time_ms: i32 [1..],
        supported_features: Vec<SupportedFeatureKey> [3.., tag 0],
        finalized_features_epoch: i64 [3.., tag 1, default -1],
        finalized_features: Vec<FinalizedFeatureKey> [3.., tag 2],
        zk_migration_ready: bool [3.., tag 3],
    }
}

structure! {
    ApiVersion {
        api_key: i16,
        min_version: i16,
        max_version: i16,
    }
    SupportedFeatureKey {
        name: Text [3..],
        min_version: i16 [3..],
        max_version: i16 [3..],
    }
    FinalizedFeatureKey {
        name: Text [3..],
        max_version_level: i16 [3..],
        min_version_level: i16 [3..],
    }
}
