//! The first exchange of a connection: which APIs and versions the broker speaks.
//!
//! A client asks in its newest version. A broker that does not know it answers in version 0 with
//! `UNSUPPORTED_VERSION` and the versions of this one API, and the client asks again (KIP-511).

use std::{collections::HashMap, io, ops::RangeInclusive};

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, CorrelationId, ErrorCode, Text, frame,
    header::{RequestHeader, decode_response, encode_request, peek_response},
    messages::{ApiVersionsRequest, ApiVersionsResponse, Message, ResponseBody},
};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{
    TcpConfig,
    link::{lost, read_frame_after},
    write::write_chunks,
};
use crate::transport::{Stranger, TransportError};

/// What a broker speaks.
#[derive(Debug, Default)]
pub(super) struct Versions(HashMap<i16, RangeInclusive<i16>>);

impl Versions {
    /// The versions of an API that both ends speak.
    pub(super) fn common(&self, key: ApiKey) -> Option<RangeInclusive<i16>> {
        let (ours, theirs) = (key.versions(), self.0.get(&(key as i16))?);
        let common = *ours.start().max(theirs.start())..=*ours.end().min(theirs.end());
        (!common.is_empty()).then_some(common)
    }
}

impl From<ApiVersionsResponse> for Versions {
    fn from(response: ApiVersionsResponse) -> Self {
        let ranges = response.api_keys.into_iter();
        Self(ranges.map(|api| (api.api_key, api.min_version..=api.max_version)).collect())
    }
}

/// Asks the broker at the other end of a new connection.
pub(super) async fn versions(
    stream: &mut TcpStream,
    config: &TcpConfig,
    address: &str,
) -> Result<Versions, TransportError> {
    let newest = *ApiKey::ApiVersions.versions().end();
    let first = ask(stream, config, address, newest).await?;
    let answer = match downgrade(&first, newest) {
        Some(version) => ask(stream, config, address, version).await?,
        None => first,
    };
    match answer.error_code {
        ErrorCode::NONE => Ok(answer.into()),
        ErrorCode::UNSUPPORTED_VERSION => Err(TransportError::Unsupported { key: ApiKey::ApiVersions }),
        code => Err(lost(address, &format!("the broker refused ApiVersions: {code}"))),
    }
}

/// The version to ask in after the answer to a version that the broker does not know.
fn downgrade(answer: &ApiVersionsResponse, asked: i16) -> Option<i16> {
    if answer.error_code != ErrorCode::UNSUPPORTED_VERSION || asked == 0 {
        return None;
    }
    let offered = answer.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions as i16);
    Some(offered.map_or(0, |api| api.max_version.clamp(0, asked - 1)))
}

async fn ask(
    stream: &mut TcpStream,
    config: &TcpConfig,
    address: &str,
    version: i16,
) -> Result<ApiVersionsResponse, TransportError> {
    let chunks = encode_request(&header(config, version), &request().into())?;
    write_chunks(stream, chunks).await.map_err(|error| closed(address, &error))?;
    let mut prefix = [0; frame::SIZE_BYTES];
    stream.read_exact(&mut prefix).await.map_err(|error| closed(address, &error))?;
    let not_kafka = |stranger| TransportError::NotKafka { address: address.to_owned(), stranger };
    if let Some(stranger) = Stranger::that_says(prefix) {
        return Err(not_kafka(stranger));
    }
    // Whatever cannot be read was not written by a broker.
    match read_frame_after(prefix, stream, config.response_bytes_max, address).await {
        Ok(frame) => read_answer(version, frame).ok_or_else(|| not_kafka(Stranger::Unknown)),
        Err(error) if error.is_retriable() => Err(error),
        Err(_) => Err(not_kafka(Stranger::Unknown)),
    }
}

/// Brokers close a connection without a word where they want TLS or SASL on it.
fn closed(address: &str, error: &io::Error) -> TransportError {
    let advice = "is it a plaintext Kafka listener?";
    lost(address, &format!("it was closed before the first answer ({error}): {advice}"))
}

fn header(config: &TcpConfig, version: i16) -> RequestHeader {
    RequestHeader {
        key: ApiKey::ApiVersions as i16,
        version,
        correlation_id: CorrelationId(i32::from(version)),
        client_id: Some(Text::from(config.client_id.as_str())),
    }
}

fn request() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: Text::from_static("mainstem"),
        client_software_version: Text::from_static(env!("CARGO_PKG_VERSION")),
    }
}

/// The response in a frame, where it is one. An answer to a version that the broker does not know is in version 0,
/// whatever was asked.
fn read_answer(version: i16, frame: Bytes) -> Option<ApiVersionsResponse> {
    let (correlation_id, rest) = peek_response(frame).ok()?;
    if correlation_id != CorrelationId(i32::from(version)) {
        return None;
    }
    if rest.starts_with(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes()) {
        return ApiVersionsResponse::decode(rest, 0).ok();
    }
    match decode_response(ApiKey::ApiVersions, version, rest).ok()? {
        ResponseBody::ApiVersions(response) => Some(response),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::messages::api_versions::ApiVersion;

    use super::*;

    fn refusal(max_version: Option<i16>) -> ApiVersionsResponse {
        let api = |max_version| ApiVersion { api_key: 18, min_version: 0, max_version };
        ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: max_version.map(api).into_iter().collect(),
            ..ApiVersionsResponse::default()
        }
    }

    #[test]
    fn unsupported_version_leads_to_the_newest_one_offered() {
        assert_eq!(downgrade(&refusal(Some(2)), 4), Some(2));
        assert_eq!(downgrade(&refusal(None), 4), Some(0));
        assert_eq!(downgrade(&refusal(Some(9)), 4), Some(3));
        assert_eq!(downgrade(&refusal(Some(2)), 0), None);
        assert_eq!(downgrade(&ApiVersionsResponse::default(), 4), None);
    }

    #[test]
    fn common_versions_are_those_of_both_ends() {
        let range = |key: ApiKey, min_version, max_version| ApiVersion {
            api_key: key as i16,
            min_version,
            max_version,
        };
        let api_keys = vec![range(ApiKey::Produce, 0, 5), range(ApiKey::Fetch, 90, 99)];
        let versions = Versions::from(ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() });
        assert_eq!(versions.common(ApiKey::Produce), Some(3..=5));
        assert_eq!(versions.common(ApiKey::Fetch), None);
        assert_eq!(versions.common(ApiKey::Metadata), None);
    }
}
