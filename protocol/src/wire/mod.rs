//! Primitive encodings. Flexible versions (KIP-482) write lengths as unsigned varints of `length + 1` and end
//! each structure in tagged fields; the reader and the writer know which kind they are in.

mod detach;
mod field;
mod presence;
mod reader;
mod writer;

pub use detach::Detach;
pub use field::{Nullable, Wire};
pub use presence::Presence;
pub use reader::{DecodeError, Reader};
pub use writer::{Chunk, EncodeError, Writer};

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Chunk, Writer};

    /// What a writer of bytes in memory wrote.
    pub(crate) fn joined(writer: Writer) -> Bytes {
        let chunks = writer.into_chunks().into_iter();
        chunks
            .flat_map(|chunk| match chunk {
                Chunk::Bytes(bytes) => bytes,
                Chunk::Range(range) => range.bytes().unwrap(),
            })
            .collect()
    }
}
