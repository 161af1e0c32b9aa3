//! The store's three threads: the journal's, the one beside it, and the one that compacts.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{Poisoned, Store};

/// How often the upkeep looks around without being asked.
const UPKEEP_INTERVAL: Duration = Duration::from_millis(100);

/// The threads, where there are any.
#[derive(Debug, Default)]
pub(super) struct Threads {
    handles: Mutex<Vec<JoinHandle<()>>>,
    cleaner: Mutex<Option<JoinHandle<()>>>,
    is_running: AtomicBool,
    is_stopping: AtomicBool,
    asked: Mutex<bool>,
    wake: Condvar,
}

/// A panic here leaves the log's invariants in doubt: nothing may be checkpointed, acknowledged or read behind it. The
/// next start recovers from what is durable.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

/// Where there are fewer processors than threads with work, this one gets about a tenth of what another gets.
const NICE: i32 = 10;

/// Lets other threads go first. To Linux no process here is the thread that asks.
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the cleaner's thread has the priority of the others");
    }
}

impl Store {
    pub(super) fn start_threads(self: &Arc<Self>) -> io::Result<()> {
        self.threads.is_running.store(true, Ordering::Release);
        let journal = self.start_thread("journal", || {}, Self::journal_loop)?;
        let upkeep = self.start_thread("upkeep", || {}, Self::upkeep_loop)?;
        let cleaner = self.start_thread("cleaner", give_way, Self::cleaner_loop)?;
        self.threads.handles.lock().unwrap_or_else(PoisonError::into_inner).extend([journal, upkeep]);
        *self.threads.cleaner.lock().unwrap_or_else(PoisonError::into_inner) = Some(cleaner);
        Ok(())
    }

    /// A thread holds the store only while it works, so that a store that everybody forgot goes.
    fn start_thread(
        self: &Arc<Self>,
        name: &str,
        begin: fn(),
        step: fn(&Self) -> bool,
    ) -> io::Result<JoinHandle<()>> {
        let store: Weak<Self> = Arc::downgrade(self);
        thread::Builder::new().name(format!("storage-{name}")).spawn(move || {
            let _guard = AbortOnPanic;
            begin();
            while store.upgrade().is_some_and(|store| step(&store)) {}
        })
    }

    fn journal_loop(&self) -> bool {
        if self.threads.is_stopping.load(Ordering::Acquire) {
            return false;
        }
        self.queue.wait_for_work(self.idle_time());
        self.round().is_ok()
    }

    fn upkeep_loop(&self) -> bool {
        if self.threads.is_stopping.load(Ordering::Acquire) || self.poisoned().is_some() {
            return false;
        }
        self.writeback_step();
        self.retention_when_due();
        if !matches!(self.upkeep_step(), Ok(true)) {
            self.wait_for_upkeep();
        }
        true
    }

    fn wait_for_upkeep(&self) {
        let asked = self.threads.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.threads.wake.wait_timeout_while(asked, UPKEEP_INTERVAL, |asked| !*asked);
        let (mut asked, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *asked = false;
    }

    pub(super) fn wake_upkeep(&self) {
        *self.threads.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.threads.wake.notify_all();
    }

    pub(super) fn has_threads(&self) -> bool {
        self.threads.is_running.load(Ordering::Acquire)
    }

    /// Stops in order: what waits is written, everything is synced, and a last checkpoint says that nothing follows.
    /// Blocks. Appends that come later are refused by nobody, but not committed either: stop them before.
    ///
    /// # Errors
    /// Where the store is poisoned.
    pub fn shutdown(&self) -> Result<(), Poisoned> {
        self.close();
        while !self.queue.is_empty() {
            self.round()?;
        }
        self.clean_up_all();
        self.remove_prepared();
        self.write_checkpoint(true)
    }

    /// Ends the threads and waits for them, without writing anything: the next start recovers. The directory is free
    /// when the last handle goes. Blocks.
    pub fn close(&self) {
        // What it has placed is still written.
        self.cleaner.stop();
        let cleaner = self.threads.cleaner.lock().unwrap_or_else(PoisonError::into_inner).take();
        cleaner.into_iter().for_each(|handle| drop(handle.join()));
        self.threads.is_stopping.store(true, Ordering::Release);
        self.queue.wake();
        self.wake_upkeep();
        let handles =
            std::mem::take(&mut *self.threads.handles.lock().unwrap_or_else(PoisonError::into_inner));
        // A thread that panicked has said so.
        handles.into_iter().for_each(|handle| drop(handle.join()));
        self.threads.is_running.store(false, Ordering::Release);
    }
}
