//! What the two sides tell each other.
//!
//! | | bytes |
//! |---|---|
//! | subscription | `1`, whether it subscribes (1) or cancels (0), the asking task (4), fingerprint (16), left key |
//! | answer | `1`, what the right side has: nothing (0), bytes (1), null (2); fingerprint (16), right value |
//!
//! Numbers are big-endian. The first byte is the version of the layout.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mainstem_client::PartitionId;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    graph::{NodeError, cx::Cx},
    serdes::{Serde, SerdeError, written},
};

const VERSION: u8 = 1;

/// What a left value is known by: 128 bits of XXH3 over its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u128);

impl Fingerprint {
    pub(crate) const BYTES: usize = 16;

    pub(crate) fn of<V: Serde>(value: &V, cx: &mut Cx<'_>) -> Result<Self, NodeError> {
        Ok(Self(xxh3_128(&cx.value(value)?.unwrap_or_default())))
    }

    pub(crate) const fn bytes(self) -> [u8; Self::BYTES] {
        self.0.to_be_bytes()
    }

    pub(crate) const fn read(bytes: [u8; Self::BYTES]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

/// A left key asks for what a right key has, or no longer does so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription<K> {
    /// The left key.
    pub(crate) key: K,
    /// The task that asks, and reads the partition of its number.
    pub(crate) task: PartitionId,
    /// The left value that asks; none to cancel.
    pub(crate) asks: Option<Fingerprint>,
}

const SUBSCRIPTION: &str = "a subscription of a foreign-key join";
const SUBSCRIPTION_HEAD: usize = 2 + 4 + Fingerprint::BYTES;

impl<K: Serde> Serde for Subscription<K> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let mut rest = head(bytes, SUBSCRIPTION, SUBSCRIPTION_HEAD)?;
        let asks = rest.get_u8() == 1;
        let task = PartitionId(rest.get_i32());
        let fingerprint = Fingerprint(rest.get_u128());
        Ok(Self { key: K::decode(Some(&rest))?, task, asks: asks.then_some(fingerprint) })
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        let key = self.key.encode(buffer)?.ok_or(SerdeError::Null { expected: "a key" })?;
        buffer.reserve(SUBSCRIPTION_HEAD + key.len());
        buffer.put_u8(VERSION);
        buffer.put_u8(self.asks.is_some().into());
        buffer.put_i32(self.task.0);
        buffer.put_u128(self.asks.map_or(0, |asks| asks.0));
        buffer.put_slice(&key);
        Ok(written(buffer))
    }

    const SHARES_MEMORY: bool = K::SHARES_MEMORY;
}

/// What the right side has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer<T> {
    /// The left value that has asked; none where there is none any more.
    pub(crate) to: Option<Fingerprint>,
    pub(crate) value: Option<T>,
    /// The task that has asked. Where it goes is all that becomes of it.
    pub(crate) task: PartitionId,
}

const ANSWER: &str = "an answer of a foreign-key join";
const ANSWER_HEAD: usize = 2 + Fingerprint::BYTES;

const NOTHING: u8 = 0;
const VALUE: u8 = 1;
const NULL: u8 = 2;

impl<T: Serde> Serde for Answer<T> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let mut rest = head(bytes, ANSWER, ANSWER_HEAD)?;
        let kind = rest.get_u8();
        let to = Some(Fingerprint(rest.get_u128()));
        let value = match kind {
            NOTHING => None,
            NULL => Some(T::decode(None)?),
            _ => Some(T::decode(Some(&rest))?),
        };
        Ok(Self { to, value, task: PartitionId(0) })
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        let value = self.value.as_ref().map(|value| value.encode(buffer)).transpose()?;
        let kind = match &value {
            None => NOTHING,
            Some(None) => NULL,
            Some(Some(_)) => VALUE,
        };
        let value = value.flatten().unwrap_or_default();
        buffer.reserve(ANSWER_HEAD + value.len());
        buffer.put_u8(VERSION);
        buffer.put_u8(kind);
        buffer.put_u128(self.to.map_or(0, |to| to.0));
        buffer.put_slice(&value);
        Ok(written(buffer))
    }

    const SHARES_MEMORY: bool = T::SHARES_MEMORY;
}

/// What stands behind the version, if that is known and the rest long enough.
fn head(bytes: Option<&Bytes>, expected: &'static str, wanted: usize) -> Result<Bytes, SerdeError> {
    let mut rest = bytes.ok_or(SerdeError::Null { expected })?.clone();
    if rest.len() < wanted {
        return Err(SerdeError::Length { expected, wanted, found: rest.len() });
    }
    match rest.get_u8() {
        VERSION => Ok(rest),
        version => Err(SerdeError::other(format!("version {version} of {expected}, and {VERSION} is known"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn subscriptions_come_back(key: String, task: i32, asks: Option<u128>) {
            let subscription = Subscription { key, task: PartitionId(task), asks: asks.map(Fingerprint) };
            let bytes = subscription.encode(&mut BytesMut::new()).unwrap();
            prop_assert_eq!(Subscription::decode(bytes.as_ref()), Ok(subscription));
        }

        #[test]
        fn answers_come_back_but_for_where_they_go(to: u128, value: Option<Option<String>>) {
            let answer = Answer { to: Some(Fingerprint(to)), value, task: PartitionId(0) };
            let bytes = answer.encode(&mut BytesMut::new()).unwrap();
            prop_assert_eq!(Answer::decode(bytes.as_ref()), Ok(answer));
        }

        #[test]
        fn other_bytes_are_refused_and_never_a_panic(bytes: Vec<u8>) {
            let bytes = Bytes::from(bytes);
            let _ = Subscription::<String>::decode(Some(&bytes));
            let _ = Answer::<String>::decode(Some(&bytes));
        }
    }

    #[test]
    fn layouts_of_later_versions_are_refused() {
        let bytes = Bytes::from([&[2][..], &[0; 40]].concat());
        let error = Answer::<String>::decode(Some(&bytes)).unwrap_err();
        assert_eq!(error.to_string(), "version 2 of an answer of a foreign-key join, and 1 is known");
    }
}
