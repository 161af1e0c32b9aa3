//! Who this node is, and how often it was started.

use std::path::Path;

use mainstem_protocol::{BrokerId, TopicId};

use crate::{
    codec::{Decoder, Encoder},
    disk::{Disk, whole},
    envelope::{EnvelopeError, Kind, undecodable},
    ids::Incarnation,
};

pub(crate) const PATH: &str = "meta";
const KIND: Kind = Kind { magic: *b"MSTMMETA", version: 1 };

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's id, as Kafka prints such ids; never changes.
    pub cluster_id: String,
    /// The node's number in its cluster; never changes.
    pub node_id: BrokerId,
    /// How often it was started.
    pub incarnation: Incarnation,
}

impl Identity {
    /// A node that was never started before.
    pub(crate) fn new(node_id: BrokerId) -> Self {
        Self { cluster_id: TopicId::random().to_string(), node_id, incarnation: Incarnation(0) }
    }

    pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Self>, EnvelopeError> {
        let path = Path::new(PATH);
        let Some(content) = KIND.read(disk, path)? else { return Ok(None) };
        let bytes = content.len();
        Self::decode(Decoder(content)).map(Some).map_err(|error| undecodable(path, bytes, error))
    }

    fn decode(mut from: Decoder) -> Result<Self, crate::codec::DecodeError> {
        let cluster_id = from.string()?;
        let node_id = BrokerId(from.i32()?);
        let incarnation = Incarnation(from.u64()?);
        from.end()?;
        Ok(Self { cluster_id, node_id, incarnation })
    }

    /// Durably, before the incarnation is used.
    pub(crate) fn write(&self, disk: &dyn Disk) -> std::io::Result<()> {
        let mut content = Encoder::default();
        content.string(&self.cluster_id);
        content.i32(self.node_id.0);
        content.u64(self.incarnation.0);
        whole::replace(disk, Path::new(PATH), &KIND.seal(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;

    #[test]
    fn an_identity_reads_back_as_written() {
        let disk = MemoryDisk::new();
        assert_eq!(Identity::read(&disk).unwrap(), None);
        let identity = Identity { incarnation: Incarnation(3), ..Identity::new(BrokerId(7)) };
        identity.write(&disk).unwrap();
        assert_eq!(Identity::read(&disk).unwrap(), Some(identity));
    }
}
