use std::future::Future;

use mainstem_protocol::{PartitionId, ProducerEpoch, Timestamp};
use mainstem_storage::{
    Lsn, ManualClock, Overrides,
    disk::MemoryDisk,
    store::{NewTopic, Options},
};

use super::{super::machine::Outcome, *};
use crate::{
    metrics::Metrics,
    transaction::{Partitions, Producer, State, Transaction, Version},
};

const ID: Text = Text::from_static("payments");
const TOPIC: Text = Text::from_static("orders");

/// Does the store's work until something has its answer.
async fn stored<T>(store: &Store, answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = tokio::task::yield_now() => {
                store.upkeep_step().unwrap();
                store.round().unwrap();
            }
        }
    }
}

/// A coordinator over a store that does nothing by itself: what has its place is stored when the bench says so.
struct Bench {
    store: Arc<Store>,
    coordinator: Coordinator,
}

impl Bench {
    async fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
        let options = Options { background: false, journal_bytes: 8 << 20, ..Options::default() };
        let (store, _) = Store::open(options, Arc::new(MemoryDisk::new()), Arc::clone(&clock)).unwrap();
        let new =
            NewTopic { name: TOPIC.to_string(), partitions: 2, overrides: Overrides::new(), keyed: false };
        let (_, ticket) = store.create_topic(new).unwrap();
        stored(&store, ticket).await.unwrap();
        let metrics = Arc::clone(&Metrics::new(&*clock).transactions);
        // All ids in one partition: once that has a segment, each change has its place when it is first asked for.
        let settings = TransactionSettings { partitions: 1, ..TransactionSettings::default() };
        let tasks = Tasks::root("test");
        let coordinator = Coordinator::new(Arc::clone(&store), clock, settings, tasks, metrics);
        Self { store, coordinator }
    }

    async fn stored<T>(&self, answer: impl Future<Output = T>) -> T {
        stored(&self.store, answer).await
    }

    /// Takes back what has its place before it is stored, and says what is answered then.
    async fn lost<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            biased;
            _ = &mut answer => panic!("nothing is answered before it is stored"),
            () = std::future::ready(()) => self.store.truncate_to(Lsn::ZERO),
        }
        self.stored(answer).await
    }

    async fn init(&self) -> Producer {
        self.stored(self.coordinator.init_producer(&ID, 60_000, None)).await.unwrap()
    }

    async fn add(&self, producer: Producer, partition: i32) -> Result<(), ErrorCode> {
        let partitions = Partitions::from_iter([(&TOPIC, PartitionId(partition))]);
        self.coordinator.add_partitions(&ID, producer, partitions).await
    }

    async fn end(&self, producer: Producer, version: Version) -> Result<Producer, ErrorCode> {
        self.coordinator.end(&ID, producer, Outcome::Commit, version).await
    }

    fn now(&self) -> Transaction {
        self.coordinator.transaction(&ID).unwrap()
    }

    fn ends(&self) -> [i64; 2] {
        let topics = self.store.topics();
        let topic = topics.named(&TOPIC).unwrap();
        [0, 1].map(|partition| topic.partition(PartitionId(partition)).unwrap().high_watermark().0)
    }
}

#[tokio::test]
async fn end_that_is_lost_on_its_way_to_the_log_ends_nothing_and_can_be_asked_for_again() {
    for version in [Version::V1, Version::V2] {
        let bench = Bench::new().await;
        let producer = bench.init().await;
        // From here on the partition has a segment, and takes a marker at once.
        bench.stored(bench.add(producer, 0)).await.unwrap();
        let producer = bench.stored(bench.end(producer, version)).await.unwrap();
        bench.stored(bench.add(producer, 0)).await.unwrap();
        let lost = bench.lost(bench.end(producer, version)).await;
        assert_eq!(lost, Err(ErrorCode::COORDINATOR_NOT_AVAILABLE), "clients ask again");
        let now = bench.now();
        assert_eq!((now.state, now.producer, bench.ends()), (State::Ongoing, producer, [1, 0]));
        let next = bench.stored(bench.end(producer, version)).await.unwrap();
        assert_eq!(next.epoch > producer.epoch, version == Version::V2);
        assert_eq!((bench.now().state, bench.ends()), (State::CompleteCommit, [2, 0]));
    }
}

#[tokio::test]
async fn partitions_that_are_lost_on_their_way_to_the_log_are_not_in_the_transaction() {
    let bench = Bench::new().await;
    let producer = bench.init().await;
    bench.stored(bench.add(producer, 0)).await.unwrap();
    assert_eq!(bench.lost(bench.add(producer, 1)).await, Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    let verify =
        |partition| bench.coordinator.verify_partition(&ID, producer, &TOPIC, PartitionId(partition));
    assert_eq!((verify(0), verify(1)), (Ok(()), Err(ErrorCode::TRANSACTION_ABORTABLE)));
    bench.stored(bench.end(producer, Version::V1)).await.unwrap();
    assert_eq!(bench.ends(), [1, 0]);
}

#[tokio::test]
async fn first_use_of_a_transactional_id_that_is_lost_leaves_it_unknown() {
    let bench = Bench::new().await;
    let other = Text::from_static("another");
    bench.init().await;
    let init = || bench.coordinator.init_producer(&other, 60_000, None);
    assert_eq!(bench.lost(init()).await, Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    assert!(bench.coordinator.transaction(&other).is_none());
    let first = bench.stored(init()).await.unwrap();
    assert_eq!(first.epoch, ProducerEpoch(0));
}
