//! Any request, any response: what a connection or a transport carries.

use bytes::Bytes;

use super::*;
use crate::{
    ApiKey, ErrorCode, api_key,
    wire::{DecodeError, EncodeError, Writer},
};

/// One of many messages: an enum over all APIs that knows how to read and write them.
macro_rules! any_of {
    ($any:ident, $what:literal, $decode:ident, $($name:ident($message:ident),)*) => {
        #[doc = concat!("Any ", $what, ".")]
        #[derive(Clone, Debug, PartialEq)]
        pub enum $any {
            $(
                #[doc = concat!("A ", $what, " of `", stringify!($name), "`.")]
                $name($message),
            )*
        }

        impl $any {
            /// The API that it belongs to.
            #[must_use]
            pub const fn key(&self) -> ApiKey {
                match self {
                    $(Self::$name(_) => ApiKey::$name,)*
                }
            }

            #[doc = concat!("Reads the ", $what, " of an API.")]
            ///
            /// # Errors
            #[doc = concat!("Where the bytes are no such ", $what, ".")]
            pub fn decode(key: ApiKey, bytes: Bytes, version: i16) -> Result<Self, DecodeError> {
                #[cfg(feature = "testing")]
                crate::counting::called();
                match key {
                    $(ApiKey::$name => $message::$decode(bytes, version).map(Self::$name),)*
                }
            }

            #[doc = concat!("Writes the ", $what, " behind what the writer holds.")]
            ///
            /// # Errors
            /// Where the version has no encoding for it.
            pub fn encode_into(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
                #[cfg(feature = "testing")]
                crate::counting::called();
                match self {
                    $(Self::$name(message) => message.encode_into(writer, version),)*
                }
            }
        }

        $(
            impl From<$message> for $any {
                fn from(message: $message) -> Self {
                    Self::$name(message)
                }
            }
        )*
    };
}

macro_rules! bodies {
    ($($name:ident = $key:literal: $request:ident, $response:ident;)*) => {
        // Bytes behind a request are let be, as Kafka does: librdkafka 2.16 writes four zeros where Metadata from
        // version 9 on has one, to ask for all topics, and so leaves three behind.
        any_of!(RequestBody, "request", decode_leading, $($name($request),)*);
        any_of!(ResponseBody, "response", decode, $($name($response),)*);

        impl ResponseBody {
            /// Tells of each error in the response, be it of the whole, of a topic, a partition or a member, in their
            /// order. Success is no error.
            pub fn each_error(&self, mut tell: impl FnMut(ErrorCode)) {
                match self {
                    $(Self::$name(response) => response.each_error(&mut tell),)*
                }
            }
        }

        $(
            impl Request for $request {
                const KEY: ApiKey = ApiKey::$name;
                type Response = $response;
            }

            impl TryFrom<ResponseBody> for $response {
                type Error = ResponseBody;

                fn try_from(body: ResponseBody) -> Result<Self, ResponseBody> {
                    match body {
                        ResponseBody::$name(response) => Ok(response),
                        other => Err(other),
                    }
                }
            }
        )*
    };
}

api_key::table!(bodies);

#[cfg(test)]
mod tests {
    use super::{fetch::*, *};

    #[test]
    fn errors_are_told_from_the_outside_in_and_success_is_not() {
        let partition = |error_code| PartitionData { error_code, ..Default::default() };
        let partitions = [ErrorCode::NONE, ErrorCode::OFFSET_OUT_OF_RANGE, ErrorCode::CORRUPT_MESSAGE];
        let topic =
            FetchableTopicResponse { partitions: partitions.map(partition).into(), ..Default::default() };
        let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
        let response = FetchResponse { error_code, responses: vec![topic], ..Default::default() };
        let mut told = Vec::new();
        ResponseBody::from(response).each_error(|error| told.push(error));
        let expected = [error_code, ErrorCode::OFFSET_OUT_OF_RANGE, ErrorCode::CORRUPT_MESSAGE];
        assert_eq!(told, expected);
    }
}
