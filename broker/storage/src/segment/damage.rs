//! What was found broken, and is not served again.

use std::{
    io,
    ops::Range,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::caps;

/// Bytes of a file that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is damaged from byte {} to {}: {reason}", path.display(), range.start, range.end)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The bytes that cannot be trusted.
    pub range: Range<u64>,
    /// How it shows.
    pub reason: String,
}

/// Why a read gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not in the page cache: again on a thread that may block.
    #[error("the range is not in the page cache")]
    Cold,
    /// The bytes are broken; they stay where they are and are not served.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The disk does not answer.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The damaged ranges of one file.
#[derive(Debug, Default)]
pub(super) struct Quarantine(Mutex<Vec<Damage>>);

impl Quarantine {
    /// Remembers it, and says it once.
    pub(super) fn add(&self, damage: &Damage) {
        let mut known = self.known();
        if known.contains(damage) || known.len() >= caps::DAMAGES_MAX {
            return;
        }
        tracing::error!(file = %damage.path.display(), start = damage.range.start, end = damage.range.end,
            reason = damage.reason, "segment is damaged, the range is not served");
        known.push(damage.clone());
    }

    /// The first damage that touches the range.
    pub(super) fn within(&self, range: &Range<u64>) -> Option<Damage> {
        let known = self.known();
        let touching = known.iter().filter(|bad| bad.range.start < range.end && range.start < bad.range.end);
        touching.min_by_key(|bad| bad.range.start).cloned()
    }

    pub(super) fn all(&self) -> Vec<Damage> {
        self.known().clone()
    }

    fn known(&self) -> MutexGuard<'_, Vec<Damage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
