//! How often messages are encoded and decoded, for tests of those ways on which they must not be (feature `testing`).

use std::cell::Cell;

thread_local! {
    static CODEC_CALLS: Cell<u64> = const { Cell::new(0) };
}

/// Requests and responses that this thread has encoded or decoded so far. A test on a runtime of one thread sees
/// what all its tasks did, and nothing of other tests.
#[must_use]
pub fn codec_calls() -> u64 {
    CODEC_CALLS.get()
}

pub(crate) fn called() {
    CODEC_CALLS.set(CODEC_CALLS.get() + 1);
}
