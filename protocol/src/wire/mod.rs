//! Primitive encodings. Flexible versions (KIP-482) write lengths as unsigned varints of `length + 1` and end
//! each structure in tagged fields; the reader and the writer know which kind they are in.

mod field;
mod reader;
mod writer;

pub use field::{Nullable, Wire};
pub use reader::{DecodeError, Reader};
pub use writer::{Chunk, EncodeError, Writer};
