//! ApiVersions, key 18: which APIs there are, and in which versions.
//!
//! The names that clients give themselves are not judged: Kafka answers INVALID_REQUEST to odd ones, to no one's use.
//! Features are none yet, and the epoch of finalized features is unknown (-1), so that nobody looks for them.

use mainstem_protocol::{
    ApiKey, ErrorCode,
    messages::{ApiVersionsResponse, api_versions::ApiVersion},
};

/// What the protocol knows and this broker does not serve: a client is told so, and a request for it is refused.
const NOT_SERVED: &[ApiKey] = &[
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::TxnOffsetCommit,
    ApiKey::DescribeTransactions,
    ApiKey::ListTransactions,
];

/// The API of a key, if it is served.
pub(crate) fn served(key: i16) -> Option<ApiKey> {
    ApiKey::from_key(key).filter(|key| !NOT_SERVED.contains(key))
}

/// Everything that is advertised.
pub(crate) fn answer() -> ApiVersionsResponse {
    let api_keys = ApiKey::ALL.iter().filter_map(|key| served(*key as i16)).map(advertised).collect();
    ApiVersionsResponse { api_keys, ..Default::default() }
}

/// The answer to a version that is too new, in version 0: exactly one entry, from which the client learns what it may
/// ask (KIP-511).
pub(crate) fn too_new() -> ApiVersionsResponse {
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
    fn too_new_a_version_is_answered_with_exactly_one_entry() {
        let response = too_new();
        assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
        let [only] = &response.api_keys[..] else { panic!("one entry") };
        assert_eq!((only.api_key, only.min_version), (18, 0));
    }

    #[test]
    fn keys_that_are_not_served_are_not_advertised() {
        let advertised: Vec<_> = answer().api_keys.iter().map(|entry| entry.api_key).collect();
        for key in ApiKey::ALL {
            assert_eq!(advertised.contains(&(*key as i16)), !NOT_SERVED.contains(key), "{key}");
        }
    }

    #[test]
    fn produce_is_advertised_from_zero() {
        let response = answer();
        let produce = response.api_keys.iter().find(|entry| entry.api_key == 0).unwrap();
        assert_eq!(produce.min_version, 0);
        assert_eq!(response.error_code, ErrorCode::NONE);
    }
}
