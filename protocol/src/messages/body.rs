//! Any request, any response: what a connection or a transport carries.

use bytes::Bytes;

use super::*;
use crate::{
    ApiKey, api_key,
    wire::{DecodeError, EncodeError, Writer},
};

macro_rules! bodies {
    ($($name:ident = $key:literal: $request:ident, $response:ident;)*) => {
        /// Any request.
        #[derive(Clone, Debug, PartialEq)]
        pub enum RequestBody {
            $(
                #[doc = concat!("A request of `", stringify!($name), "`.")]
                $name($request),
            )*
        }

        impl RequestBody {
            /// The API that is asked.
            #[must_use]
            pub const fn key(&self) -> ApiKey {
                match self {
                    $(Self::$name(_) => ApiKey::$name,)*
                }
            }

            /// Reads the request of an API. Bytes behind it are let be, as Kafka does: librdkafka 2.16 writes four
            /// zeros where Metadata from version 9 on has one, to ask for all topics, and so leaves three behind.
            ///
            /// # Errors
            /// Where the bytes are no such request.
            pub fn decode(key: ApiKey, bytes: Bytes, version: i16) -> Result<Self, DecodeError> {
                #[cfg(feature = "testing")]
                crate::counting::called();
                match key {
                    $(ApiKey::$name => $request::decode_leading(bytes, version).map(Self::$name),)*
                }
            }

            /// Writes the request behind what the writer holds.
            ///
            /// # Errors
            /// Where the version has no encoding for it.
            pub fn encode_into(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
                #[cfg(feature = "testing")]
                crate::counting::called();
                match self {
                    $(Self::$name(request) => request.encode_into(writer, version),)*
                }
            }
        }

        /// Any response.
        #[derive(Clone, Debug, PartialEq)]
        pub enum ResponseBody {
            $(
                #[doc = concat!("A response of `", stringify!($name), "`.")]
                $name($response),
            )*
        }

        impl ResponseBody {
            /// The API that answers.
            #[must_use]
            pub const fn key(&self) -> ApiKey {
                match self {
                    $(Self::$name(_) => ApiKey::$name,)*
                }
            }

            /// Reads the response of an API.
            ///
            /// # Errors
            /// Where the bytes are no such response.
            pub fn decode(key: ApiKey, bytes: Bytes, version: i16) -> Result<Self, DecodeError> {
                #[cfg(feature = "testing")]
                crate::counting::called();
                match key {
                    $(ApiKey::$name => $response::decode(bytes, version).map(Self::$name),)*
                }
            }

            /// Writes the response behind what the writer holds.
            ///
            /// # Errors
            /// Where the version has no encoding for it.
            pub fn encode_into(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
                #[cfg(feature = "testing")]
                crate::counting::called();
                match self {
                    $(Self::$name(response) => response.encode_into(writer, version),)*
                }
            }
        }

        $(
            impl Request for $request {
                const KEY: ApiKey = ApiKey::$name;
                type Response = $response;
            }

            impl From<$request> for RequestBody {
                fn from(request: $request) -> Self {
                    Self::$name(request)
                }
            }

            impl From<$response> for ResponseBody {
                fn from(response: $response) -> Self {
                    Self::$name(response)
                }
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
