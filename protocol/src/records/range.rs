//! Where the batches of a message are: in memory, or still in a file.

use std::{any::Any, fmt, io, sync::Arc};

use bytes::Bytes;

/// Record batches, back to back, as a message carries them.
#[derive(Clone)]
pub enum Records {
    /// In memory.
    Bytes(Bytes),
    /// In a file: whoever owns the socket may send them without reading them.
    Range(Arc<dyn RecordsRange>),
}

/// A range of whole batches that somebody else keeps.
pub trait RecordsRange: Send + Sync + fmt::Debug {
    /// Bytes in the range.
    fn len(&self) -> usize;

    /// Whether the range holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the range; may block.
    ///
    /// # Errors
    /// Where the file cannot be read, or what it holds is damaged.
    fn bytes(&self) -> io::Result<Bytes>;

    /// The range as its keeper knows it.
    fn as_any(&self) -> &dyn Any;
}

impl Records {
    /// No batches.
    pub const EMPTY: Self = Self::Bytes(Bytes::new());

    /// Bytes of all batches together.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Range(range) => range.len(),
        }
    }

    /// Whether there are no batches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches in memory; may block where they are in a file.
    ///
    /// # Errors
    /// Where the file cannot be read, or what it holds is damaged.
    pub fn bytes(&self) -> io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Range(range) => range.bytes(),
        }
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl PartialEq for Records {
    /// Batches in memory are compared by their bytes, a range only with itself.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(left), Self::Bytes(right)) => left == right,
            (Self::Range(left), Self::Range(right)) => Arc::ptr_eq(left, right),
            _ => false,
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({} bytes)", self.len())
    }
}
