//! What outlives its request gets memory of its own. A decoded string shares the frame that it came in: a group id
//! of ten bytes, kept for a week, would keep a buffer of kilobytes, or a frame of megabytes, as long.

use bytes::Bytes;

use crate::{
    BrokerId, CorrelationId, ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId,
    Sequence, Text, Timestamp, TopicId, records::Records,
};

/// A value that may share the memory of the frame it was read from.
pub trait Detach: Sized {
    /// Copies what is shared.
    fn detach(&mut self);

    /// The value with memory of its own.
    #[must_use]
    fn detached(mut self) -> Self {
        self.detach();
        self
    }
}

macro_rules! plain {
    ($($name:ty),*) => {$(
        impl Detach for $name {
            fn detach(&mut self) {}
        }
    )*};
}

plain!(
    bool,
    i8,
    i16,
    u16,
    i32,
    u32,
    i64,
    f64,
    BrokerId,
    CorrelationId,
    ErrorCode,
    LeaderEpoch,
    Offset,
    PartitionId,
    ProducerEpoch,
    ProducerId,
    Sequence,
    Timestamp,
    TopicId
);

impl Detach for Bytes {
    fn detach(&mut self) {
        *self = Self::copy_from_slice(self);
    }
}

impl Detach for Text {
    fn detach(&mut self) {
        *self = Self::from(&**self);
    }
}

impl Detach for Records {
    /// A range of a file shares no frame.
    fn detach(&mut self) {
        if let Self::Bytes(bytes) = self {
            bytes.detach();
        }
    }
}

impl<T: Detach> Detach for Option<T> {
    fn detach(&mut self) {
        self.iter_mut().for_each(T::detach);
    }
}

impl<T: Detach> Detach for Vec<T> {
    fn detach(&mut self) {
        self.iter_mut().for_each(T::detach);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{JoinGroupRequest, Message, join_group::JoinGroupRequestProtocol};

    #[test]
    fn detached_request_lets_go_of_its_frame() {
        let request = JoinGroupRequest {
            group_id: "g".into(),
            group_instance_id: Some("i".into()),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".into(),
                metadata: Bytes::from_static(b"m"),
            }],
            ..JoinGroupRequest::default()
        };
        let mut writer = crate::wire::Writer::new(0, 0);
        request.encode_into(&mut writer, 9).unwrap();
        let frame = crate::wire::tests::joined(writer);
        let decoded = JoinGroupRequest::decode(frame.clone(), 9).unwrap();
        assert!(!frame.is_unique());
        let detached = decoded.detached();
        assert!(frame.is_unique());
        assert_eq!(detached, request);
    }
}
