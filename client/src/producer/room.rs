//! Room for records that wait, in bytes.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The room of a producer.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    /// Bytes of the whole room; a record that is larger takes all of it.
    bytes: usize,
}

/// A part of the room that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    free: Arc<Semaphore>,
    bytes: usize,
}

impl Room {
    /// A semaphore counts to less than memory does.
    pub(super) fn new(bytes: usize) -> Self {
        let bytes = bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { free: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// Waits for room; whoever came first gets it first. Dropped, nothing is taken.
    pub(super) async fn take(&self, bytes: usize) -> Option<Taken> {
        let bytes = bytes.min(self.bytes);
        self.free.acquire_many(permits(bytes)).await.ok()?.forget();
        Some(Taken { free: Arc::clone(&self.free), bytes })
    }

    /// Takes so many bytes, where there is room and nobody waits for it; they go to [`Self::hold`] or [`Taken::add`].
    pub(super) fn try_take(&self, bytes: usize) -> Option<usize> {
        let bytes = bytes.min(self.bytes);
        self.free.try_acquire_many(permits(bytes)).ok()?.forget();
        Some(bytes)
    }

    /// Holds bytes that were taken.
    pub(super) fn hold(&self, bytes: usize) -> Taken {
        Taken { free: Arc::clone(&self.free), bytes }
    }
}

impl Taken {
    /// Holds bytes more that were taken.
    pub(super) const fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// The bytes, which somebody else holds from here on.
    pub(super) fn into_bytes(mut self) -> usize {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.free.add_permits(self.bytes);
    }
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
