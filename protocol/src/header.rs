//! What stands before the body of every request and response.

use bytes::Bytes;

use crate::{
    ApiKey, CorrelationId, Text,
    messages::{RequestBody, ResponseBody},
    wire::{Chunk, DecodeError, EncodeError, Reader, Wire, Writer},
};

/// The head of a request: version 2 (with tagged fields) where the API's version is flexible, else version 1.
/// The client id keeps its two-byte length even in version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API that is asked; it may be one that nobody here knows.
    pub key: i16,
    /// The version of the API.
    pub version: i16,
    /// Comes back in the response.
    pub correlation_id: CorrelationId,
    /// What the client calls itself.
    pub client_id: Option<Text>,
}

impl RequestHeader {
    /// Reads the part that every request has, of whatever API and version; what is left is the tagged fields, if the
    /// version is flexible, and the body.
    ///
    /// # Errors
    /// Where the bytes are no header.
    pub fn peek(frame: Bytes) -> Result<(Self, Bytes), DecodeError> {
        let mut reader = Reader::new(frame, 0, i16::MAX);
        let header = Self {
            key: Wire::read(&mut reader)?,
            version: Wire::read(&mut reader)?,
            correlation_id: Wire::read(&mut reader)?,
            client_id: Wire::read(&mut reader)?,
        };
        Ok((header, reader.into_rest()))
    }

    /// Reads the body that follows a peeked header.
    ///
    /// # Errors
    /// Where the key or the version is unknown, or the bytes are no such request.
    pub fn body(&self, rest: Bytes) -> Result<RequestBody, DecodeError> {
        let key = ApiKey::from_key(self.key).ok_or(DecodeError::UnknownApi(self.key))?;
        if !key.versions().contains(&self.version) {
            return Err(DecodeError::UnknownVersion(self.version));
        }
        let mut reader = Reader::new(rest, self.version, key.flexible_since());
        reader.tagged_fields(|_, _| Ok(()))?;
        RequestBody::decode(key, reader.into_rest(), self.version)
    }
}

/// Writes a whole request, the frame's size in front.
///
/// # Errors
/// Where the version has no encoding for the request.
pub fn encode_request(header: &RequestHeader, body: &RequestBody) -> Result<Vec<Chunk>, EncodeError> {
    // The client id is never compact, so the fields are written as those of an old version.
    let mut writer = Writer::new(0, i16::MAX);
    header.key.write(&mut writer)?;
    header.version.write(&mut writer)?;
    header.correlation_id.write(&mut writer)?;
    header.client_id.write(&mut writer)?;
    writer.switch(header.version, body.key().flexible_since());
    writer.tags(0);
    body.encode_into(&mut writer, header.version)?;
    writer.into_frame()
}

/// Writes a whole response, the frame's size in front.
///
/// # Errors
/// Where the version has no encoding for the response.
pub fn encode_response(
    correlation_id: CorrelationId,
    version: i16,
    body: &ResponseBody,
) -> Result<Vec<Chunk>, EncodeError> {
    let mut writer = Writer::new(version, header_flexible_since(body.key()));
    correlation_id.write(&mut writer)?;
    writer.tags(0);
    body.encode_into(&mut writer, version)?;
    writer.into_frame()
}

/// Reads the correlation id that begins a response; what is left is read by [`decode_response`].
///
/// # Errors
/// Where the bytes end before it.
pub fn peek_response(frame: Bytes) -> Result<(CorrelationId, Bytes), DecodeError> {
    let mut reader = Reader::new(frame, 0, i16::MAX);
    let correlation_id = Wire::read(&mut reader)?;
    Ok((correlation_id, reader.into_rest()))
}

/// Reads the response that follows a correlation id.
///
/// # Errors
/// Where the bytes are no such response.
pub fn decode_response(key: ApiKey, version: i16, rest: Bytes) -> Result<ResponseBody, DecodeError> {
    let mut reader = Reader::new(rest, version, header_flexible_since(key));
    reader.tagged_fields(|_, _| Ok(()))?;
    ResponseBody::decode(key, reader.into_rest(), version)
}

/// From which version on a response's header has tagged fields. That of ApiVersions never has: a client that asked
/// in a version too new for the broker must still be able to read the answer (KIP-511).
const fn header_flexible_since(key: ApiKey) -> i16 {
    match key {
        ApiKey::ApiVersions => i16::MAX,
        _ => key.flexible_since(),
    }
}
