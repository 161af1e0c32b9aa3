//! Takes down what clients do while they do it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use tokio::sync::watch;

use crate::history::{Fate, History, Moment, Operation, Process, Step, Value};

/// Where all clients of a scene write down what happens to them.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Arc<Book>);

#[derive(Debug)]
struct Book {
    moments: AtomicU64,
    values: AtomicU64,
    processes: AtomicU64,
    operations: Mutex<Vec<Operation>>,
    /// Records that were acknowledged.
    acknowledged: watch::Sender<u64>,
    /// Transactions that were committed or aborted.
    transactions: watch::Sender<u64>,
}

/// An operation under way.
#[derive(Debug)]
pub(crate) struct Open {
    process: Process,
    begun: Moment,
    pub(crate) deciding: Option<Moment>,
    pub(crate) steps: Vec<Step>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Book {
            moments: AtomicU64::default(),
            values: AtomicU64::default(),
            processes: AtomicU64::default(),
            operations: Mutex::default(),
            acknowledged: watch::Sender::new(0),
            transactions: watch::Sender::new(0),
        }))
    }

    /// Somebody new.
    pub(crate) fn process(&self) -> Process {
        Process(self.0.processes.fetch_add(1, SeqCst) as u32)
    }

    /// What no other record says.
    pub(crate) fn value(&self) -> Value {
        Value(self.0.values.fetch_add(1, SeqCst))
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(self.0.moments.fetch_add(1, SeqCst))
    }

    pub(crate) fn begin(&self, process: Process) -> Open {
        Open { process, begun: self.now(), deciding: None, steps: Vec::new() }
    }

    pub(crate) fn end(&self, open: Open, fate: Fate) {
        let Open { process, begun, deciding, steps } = open;
        let ended = Some(self.now());
        let is_send = |step: &&Step| matches!(step, Step::Send { .. });
        let acknowledged = steps.iter().filter(is_send).filter(|_| fate == Fate::Done).count();
        if deciding.is_some() && fate != Fate::Unknown {
            self.0.transactions.send_modify(|count| *count += 1);
        }
        self.0.operations.lock().unwrap().push(Operation { process, begun, deciding, ended, fate, steps });
        if acknowledged > 0 {
            self.0.acknowledged.send_modify(|count| *count += acknowledged as u64);
        }
    }

    /// How many records were acknowledged so far, and more as they are.
    pub(crate) fn acknowledged(&self) -> watch::Receiver<u64> {
        self.0.acknowledged.subscribe()
    }

    /// How many transactions have ended so far, and more as they do.
    pub(crate) fn transactions(&self) -> watch::Receiver<u64> {
        self.0.transactions.subscribe()
    }

    pub(crate) fn history(&self, last_reader: Process) -> History {
        let mut operations = self.0.operations.lock().unwrap().clone();
        operations.sort_by_key(|operation| operation.begun);
        History { operations, last_reader: Some(last_reader) }
    }
}
