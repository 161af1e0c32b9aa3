//! A record as it is shown, wherever it came from.

use mainstem_protocol::records::Headers;

use super::part::Part;

/// A record as it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Milliseconds since 1970; -1 for none.
    pub(super) timestamp: i64,
    pub(super) key: Option<Part>,
    pub(super) value: Option<Part>,
    pub(super) headers: Headers,
}

impl Shown {
    /// The headers in order; a key may come more than once.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.headers.as_ref().iter()
    }
}
