//! Counts what a test binary allocates: how often, and how much of it is held at a time. A binary that declares this
//! module has its allocator replaced by one that counts.

#![expect(unsafe_code, reason = "an allocator that counts can only be written so")]
#![allow(dead_code, reason = "each test uses what it needs")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread's calls are left out. Needs neither memory nor an end, so the allocator may look at it.
    static IS_LEFT_OUT: Cell<bool> = const { Cell::new(false) };
    /// How often this thread has asked.
    static CALLS_HERE: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes on to the system's allocator as it is; what is added only counts. `realloc` and
// `alloc_zeroed` are left as the trait has them: they come through `alloc`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !IS_LEFT_OUT.get() {
            CALLS.fetch_add(1, Relaxed);
            BYTES.fetch_add(layout.size(), Relaxed);
        }
        CALLS_HERE.set(CALLS_HERE.get() + 1);
        PEAK.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps what `alloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from `alloc` above with this layout, as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Leaves the calling thread out of what [`taken`] counts: it asks, and those that answer are counted.
pub(crate) fn leave_this_thread_out() {
    IS_LEFT_OUT.set(true);
}

/// Memory that was asked for, whether it was given back or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// How often. Memory that grows counts each time.
    pub(crate) calls: usize,
    pub(crate) bytes: usize,
}

/// What all threads that are counted have asked for so far.
pub(crate) fn taken() -> Taken {
    Taken { calls: CALLS.load(Relaxed), bytes: BYTES.load(Relaxed) }
}

/// How often this thread asks for memory while `work` runs, whatever others do meanwhile.
pub(crate) fn calls_here(work: impl FnOnce()) -> usize {
    let before = CALLS_HERE.get();
    work();
    CALLS_HERE.get() - before
}

/// The most memory that was held at a time while `work` ran, beyond what was held before, in bytes of all threads.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = work();
    (result, PEAK.load(Relaxed) - before)
}
