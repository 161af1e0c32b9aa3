//! The real binary with clients around it, and what happens to it meanwhile.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use mainstem_client::{
    Admin, AdminConfig, NewTopic, ProducerConfig, TcpConfig, TcpTransport, Transport, consumer::GroupProtocol,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    chance::Chance,
    clients::{Client, PARTITIONS, READERS, RESULTS, TOPIC, partitions},
    history::History,
    process::{self, Broker},
    recorder::Recorder,
    workers::{SETTINGS, WORKERS},
};

/// Longer than any scene takes that goes on.
const PATIENCE: Duration = Duration::from_secs(120);

/// A transport with something of a test's own around it.
pub(crate) type Wrap = fn(Arc<dyn Transport>) -> Arc<dyn Transport>;

/// What is played.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) seed: u64,
    /// How often the broker is killed or stopped for a while.
    pub(crate) accidents: u64,
    /// Records that are acknowledged after the last accident.
    pub(crate) records: u64,
    /// Transactions that end after that: so many that one of them was aborted.
    pub(crate) transactions: u64,
    pub(crate) wrap: Wrap,
    pub(crate) producer: fn() -> ProducerConfig,
    pub(crate) protocol: GroupProtocol,
    pub(crate) cast: Cast,
    /// Whether it lasts until the workers have committed that they are past everything. Where the last of their offsets are
    /// lost on purpose they never are, since they have nothing more to read.
    pub(crate) is_drained: bool,
}

/// Who is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    /// Those who write, and a group that reads.
    Readers,
    /// Those who write, and a group that makes something of it in transactions: of the first generation, or of the second.
    Workers { is_first_generation: bool },
}

impl Cast {
    const fn settings(self) -> &'static [&'static str] {
        if matches!(self, Self::Workers { .. }) { SETTINGS } else { &[] }
    }
}

impl Scene {
    pub(crate) fn new(name: &'static str, seed: u64) -> Self {
        let wrap = |transport| transport;
        Self {
            name,
            seed,
            accidents: 0,
            records: 2000,
            transactions: 60,
            wrap,
            producer,
            protocol: GroupProtocol::Classic,
            cast: Cast::Readers,
            is_drained: true,
        }
    }

    /// Plays it on a new broker; what everybody has seen.
    pub(crate) fn play(self) -> History {
        println!("{}: seed {}", self.name, self.seed);
        let (data, mut chance) = (process::fresh_directory(self.name), Chance::new(self.seed));
        let broker = Broker::start(&data, self.cast.settings());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let transport = TcpTransport::new(TcpConfig::bootstrap(&broker.address.to_string()));
        let transport = (self.wrap)(Arc::new(transport));
        let (stop, stopped) = watch::channel(false);
        let topics = if self.cast == Cast::Readers { &[TOPIC][..] } else { &[TOPIC, RESULTS] };
        let everything = topics.iter().copied().flat_map(partitions).collect();
        let client = Client { transport, recorder: Recorder::new(), everything, stop: stopped };
        let (mut clients, mut workers, done) = (JoinSet::new(), JoinSet::new(), watch::Sender::new(false));
        runtime.block_on(soon(async {
            self.begin(&client, topics, &mut clients, &mut chance).await;
            let working = Client { stop: done.subscribe(), ..client.clone() };
            self.employ(&working, &mut workers, &mut chance);
        }));
        let broker = self.suffer(&runtime, &data, broker, &client.recorder, &mut chance);
        runtime.block_on(soon(async {
            more(client.recorder.acknowledged(), self.records).await;
            more(client.recorder.transactions(), self.transactions).await;
            stop.send_replace(true);
            all_end(clients).await;
        }));
        let recorder = client.recorder.clone();
        let last = runtime.block_on(soon(async {
            if self.cast != Cast::Readers && self.is_drained {
                client.drained().await;
            }
            done.send_replace(true);
            all_end(workers).await;
            let last = client.read_all().await;
            client.committed(last, self.group()).await;
            last
        }));
        broker.stop();
        let history = recorder.history(last);
        println!("{}", history.summary());
        history
    }

    const fn group(&self) -> &'static str {
        if matches!(self.cast, Cast::Readers) { READERS } else { WORKERS }
    }

    async fn begin(
        &self,
        client: &Client,
        topics: &[&'static str],
        clients: &mut JoinSet<()>,
        chance: &mut Chance,
    ) {
        let admin = Admin::new(client.transport.as_ref(), AdminConfig::default());
        for topic in topics {
            admin.create_topic(NewTopic::new(*topic, PARTITIONS)).await.unwrap();
        }
        for _ in 0..2 {
            clients.spawn(client.clone().transact(Chance::new(chance.next()), producer()));
            if self.cast == Cast::Readers {
                clients.spawn(client.clone().produce(Chance::new(chance.next()), (self.producer)()));
                clients.spawn(client.clone().belong(Chance::new(chance.next()), self.protocol));
            }
        }
        clients.spawn(client.clone().read());
        clients.spawn(client.clone().watch(self.group()));
    }

    fn employ(&self, client: &Client, workers: &mut JoinSet<()>, chance: &mut Chance) {
        let Cast::Workers { is_first_generation } = self.cast else { return };
        for place in 0..3 {
            let chance = Chance::new(chance.next());
            workers.spawn(client.clone().work(chance, self.protocol, place, is_first_generation));
        }
    }

    /// One accident after another, each after some more records.
    fn suffer(
        &self,
        runtime: &tokio::runtime::Runtime,
        data: &Path,
        mut broker: Broker,
        recorder: &Recorder,
        chance: &mut Chance,
    ) -> Broker {
        for number in 0..self.accidents {
            runtime.block_on(soon(more(recorder.acknowledged(), 50 + chance.below(500))));
            if chance.happens(50) {
                println!("accident {number}: killed");
                let address = broker.address;
                broker.kill();
                broker = Broker::start_at_with(data, address, self.cast.settings());
            } else {
                let pause = Duration::from_millis(100 + chance.below(900));
                println!("accident {number}: stopped for {pause:?}");
                broker.freeze();
                // The length of the stop is the accident.
                std::thread::sleep(pause);
                broker.thaw();
            }
        }
        broker
    }
}

pub(crate) fn producer() -> ProducerConfig {
    ProducerConfig { linger: Duration::from_millis(1), ..ProducerConfig::default() }
}

async fn all_end(mut clients: JoinSet<()>) {
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}

/// Waits until a number has risen by so much.
async fn more(mut number: watch::Receiver<u64>, by: u64) {
    let wanted = *number.borrow() + by;
    number.wait_for(|number| *number >= wanted).await.unwrap();
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("nothing goes on any more")
}
