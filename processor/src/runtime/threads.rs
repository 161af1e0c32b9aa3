//! The threads of a processor: each drives its share of the tasks, with a runtime of its own. They take turns: one has the
//! thread until it waits for something, or has worked through what one poll has brought. So one that waits, for records or
//! for its next attempt, holds up none of the others; one whose nodes compute for long holds up those of its share.
//!
//! Which tasks share a thread is settled when they are started, and their number alone decides. Nothing moves a task to
//! another thread afterwards, so that a node may be called from one thread alone all its life.

use std::{io, num::NonZeroUsize, thread};

use tokio::{
    runtime,
    task::{JoinSet, LocalSet},
};

use super::{
    StartError, TaskError, TaskState,
    life::{self, Attempts},
};
use crate::{Settings, caps};

/// How many threads there are for the tasks of a processor that has at least so many.
pub(super) fn count(settings: &Settings) -> Result<usize, StartError> {
    let limit = caps::THREADS_MAX;
    match settings.threads.map(NonZeroUsize::get) {
        Some(threads) if threads > limit => Err(StartError::TooManyThreads { threads, limit }),
        Some(threads) => Ok(threads),
        None => Ok(thread::available_parallelism().map_or(1, NonZeroUsize::get).min(limit)),
    }
}

/// Shares out: as equally as it can be, in turn, so that what lies beside each other does not share.
pub(super) fn shared_out<T>(all: Vec<T>, threads: usize) -> Vec<Vec<T>> {
    let mut shares: Vec<Vec<T>> = Vec::new();
    shares.resize_with(threads.min(all.len()), Vec::new);
    let count = shares.len();
    for (index, one) in all.into_iter().enumerate() {
        shares[index % count].push(one);
    }
    shares
}

/// Starts a thread that drives all of `share`, and ends with the last of them.
pub(super) fn start<A: Attempts>(name: String, share: Vec<A>) -> io::Result<()> {
    thread::Builder::new().name(name).spawn(move || run(share)).map(drop)
}

fn run<A: Attempts>(share: Vec<A>) {
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => LocalSet::new().block_on(&runtime, drive(share)),
        Err(error) => {
            let error = TaskError::Thread(error.to_string());
            share.iter().for_each(|one| one.life().end(TaskState::Failed(error.clone())));
        }
    }
}

async fn drive<A: Attempts>(share: Vec<A>) {
    let mut living = JoinSet::new();
    for one in share {
        living.spawn_local(life::live(one));
    }
    while living.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_differ_by_one_at_most_and_none_is_empty() {
        let shares = |tasks: i32, threads| shared_out((0..tasks).collect(), threads);
        assert_eq!(shares(5, 2), [vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(shares(2, 8), [[0], [1]]);
        assert_eq!(shares(0, 8), Vec::<Vec<i32>>::new());
    }

    #[test]
    fn threads_are_as_many_as_is_said_or_as_the_machine_has_up_to_the_limit() {
        let of =
            |threads: usize| count(&Settings { threads: NonZeroUsize::new(threads), ..Settings::default() });
        assert_eq!(of(3).unwrap(), 3);
        assert!((1..=caps::THREADS_MAX).contains(&of(0).unwrap()));
        let error = of(caps::THREADS_MAX + 1).unwrap_err();
        assert_eq!(error.to_string(), "65 threads are wanted for the tasks, and 64 is the limit");
    }
}
