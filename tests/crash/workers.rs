//! Threads that look at accidents while the simulation goes on.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use crate::lock;

type Job = Box<dyn FnOnce() + Send>;
type Failure = Arc<Mutex<Option<Box<dyn Any + Send>>>>;

/// As many threads as the machine has cores. The first job that panics is the one that is told.
pub(crate) struct Workers {
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    failure: Failure,
}

/// Gives jobs to workers.
#[derive(Clone)]
pub(crate) struct Jobs(SyncSender<Job>);

impl Workers {
    pub(crate) fn new() -> Self {
        let count = thread::available_parallelism().map_or(1, usize::from);
        // Each job holds a disk: no more of them wait than are soon begun.
        let (jobs, waiting) = sync_channel::<Job>(2 * count);
        let (waiting, failure) = (Arc::new(Mutex::new(waiting)), Failure::default());
        let start = |_| {
            let (waiting, failure) = (Arc::clone(&waiting), Arc::clone(&failure));
            thread::spawn(move || work(&waiting, &failure))
        };
        Self { jobs: Some(jobs), threads: (0..count).map(start).collect(), failure }
    }

    pub(crate) fn jobs(&self) -> Jobs {
        Jobs(self.jobs.clone().expect("the workers work until they are finished"))
    }

    /// Panics where a job did.
    pub(crate) fn check(&self) {
        if let Some(panic) = lock(&self.failure).take() {
            resume_unwind(panic);
        }
    }

    /// Waits for all jobs. Nobody may hold [`Jobs`] any more.
    pub(crate) fn finish(mut self) {
        self.jobs = None;
        self.threads.drain(..).for_each(|thread| thread.join().expect("a job's panic is caught"));
        self.check();
    }
}

impl Jobs {
    pub(crate) fn give(&self, job: impl FnOnce() + Send + 'static) {
        self.0.send(Box::new(job)).expect("the workers are there");
    }
}

fn work(waiting: &Mutex<Receiver<Job>>, failure: &Failure) {
    loop {
        let job = lock(waiting).recv();
        let Ok(job) = job else { return };
        // After a failure what waits is passed over, so that it is told soon.
        if lock(failure).is_some() {
            continue;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
            lock(failure).get_or_insert(panic);
        }
    }
}
