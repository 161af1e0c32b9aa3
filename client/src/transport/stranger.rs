//! Who it is that answers where a broker should, told by the first bytes that it sends.

use std::fmt;

/// Something that is no Kafka broker.
///
/// ```
/// let said = mainstem_client::transport::Stranger::Tls.to_string();
/// assert!(said.starts_with("it wants TLS"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// A web server.
    Http,
    /// A server that wants TLS.
    Tls,
    /// An SSH server.
    Ssh,
    /// Something else.
    Unknown,
}

/// The first byte of a TLS alert record (RFC 8446, section 5.1); the next one is the major version.
const TLS_ALERT: [u8; 2] = [21, 3];

impl Stranger {
    /// Whoever begins so. A broker begins with the size of a frame, which is none of the known beginnings: they would
    /// be frames of hundreds of megabytes.
    pub(super) fn that_says(first: [u8; 4]) -> Option<Self> {
        match &first {
            b"HTTP" => Some(Self::Http),
            b"SSH-" => Some(Self::Ssh),
            _ if first.starts_with(&TLS_ALERT) => Some(Self::Tls),
            _ => None,
        }
    }

    /// What somebody who wanted a broker may try.
    const fn advice(self) -> &'static str {
        match self {
            Self::Http => "it answers like a web server: use the port of the Kafka listener, 9092 by default",
            Self::Tls => "it wants TLS, which this client does not speak: use a plaintext listener",
            Self::Ssh => "it answers like an SSH server: use the port of the Kafka listener, 9092 by default",
            Self::Unknown => {
                "its answer is no Kafka response: check the address and the port, 9092 by default"
            }
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice())
    }
}
