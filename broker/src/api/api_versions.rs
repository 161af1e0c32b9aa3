//! ApiVersions, key 18: which APIs there are, and in which versions.
//!
//! The names that clients give themselves are not judged: Kafka answers INVALID_REQUEST to odd ones, to no one's use.
//! The one feature is `transaction.version`: its level 2 makes Java's and franz-go's clients raise the epoch with each
//! transaction (KIP-890). They look for it only where the epoch of finalized features is known.

use mainstem_protocol::{
    ApiKey, ErrorCode, Text,
    messages::{
        ApiVersionsResponse,
        api_versions::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey},
    },
};

/// The feature of transactions, and its level.
const TRANSACTIONS: &str = "transaction.version";
const TRANSACTIONS_LEVEL: i16 = 2;
/// Features never change here, so their epoch is the first.
const FEATURES_EPOCH: i64 = 0;
/// Clients of versions before cannot read a supported feature that begins at 0 (KAFKA-17492).
const ZERO_SINCE: i16 = 4;

/// Everything that is advertised.
pub(crate) fn answer(version: i16) -> ApiVersionsResponse {
    let api_keys = ApiKey::ALL.iter().copied().map(advertised).collect();
    ApiVersionsResponse {
        api_keys,
        supported_features: if version >= ZERO_SINCE { vec![supported()] } else { Vec::new() },
        finalized_features_epoch: FEATURES_EPOCH,
        finalized_features: vec![finalized()],
        ..Default::default()
    }
}

fn supported() -> SupportedFeatureKey {
    SupportedFeatureKey {
        name: Text::from_static(TRANSACTIONS),
        min_version: 0,
        max_version: TRANSACTIONS_LEVEL,
    }
}

fn finalized() -> FinalizedFeatureKey {
    FinalizedFeatureKey {
        name: Text::from_static(TRANSACTIONS),
        max_version_level: TRANSACTIONS_LEVEL,
        min_version_level: TRANSACTIONS_LEVEL,
    }
}

/// The answer to a version that there is not, in version 0: exactly one entry, from which the client learns what it may
/// ask (KIP-511).
pub(crate) fn unsupported() -> ApiVersionsResponse {
    let api_keys = vec![advertised(ApiKey::ApiVersions)];
    ApiVersionsResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, api_keys, ..Default::default() }
}

fn advertised(key: ApiKey) -> ApiVersion {
    let versions = key.advertised();
    ApiVersion { api_key: key as i16, min_version: *versions.start(), max_version: *versions.end() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_there_is_not_is_answered_with_exactly_one_entry() {
        let response = unsupported();
        assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
        let [only] = &response.api_keys[..] else { panic!("one entry") };
        assert_eq!((only.api_key, only.min_version), (18, 0));
    }

    #[test]
    fn second_version_of_transactions_is_in_force() {
        let response = answer(4);
        let [finalized] = &response.finalized_features[..] else { panic!("one feature") };
        assert_eq!((&*finalized.name, finalized.max_version_level), ("transaction.version", 2));
        assert!(
            response.finalized_features_epoch >= 0,
            "clients look for features only where there is an epoch"
        );
    }

    #[test]
    fn feature_that_begins_at_zero_is_told_only_to_clients_that_can_read_it() {
        assert_eq!((answer(3).supported_features.len(), answer(4).supported_features.len()), (0, 1));
    }

    #[test]
    fn produce_is_advertised_from_zero() {
        let response = answer(4);
        let produce = response.api_keys.iter().find(|entry| entry.api_key == 0).unwrap();
        assert_eq!(produce.min_version, 0);
        assert_eq!(response.error_code, ErrorCode::NONE);
    }
}
