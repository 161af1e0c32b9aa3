//! The real binary with clients around it, and what happens to it meanwhile.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use mainstem_client::{
    Admin, AdminConfig, NewTopic, ProducerConfig, TcpConfig, TcpTransport, Transport, consumer::GroupProtocol,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    chance::Chance,
    clients::{Client, PARTITIONS, TOPIC},
    history::History,
    process::{self, Broker},
    recorder::Recorder,
};

/// Longer than any scene takes that goes on.
const PATIENCE: Duration = Duration::from_secs(120);

/// A transport with something of a test's own around it.
pub(crate) type Wrap = fn(Arc<dyn Transport>) -> Arc<dyn Transport>;

/// What is played.
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
        }
    }

    /// Plays it on a new broker; what everybody has seen.
    pub(crate) fn play(self) -> History {
        println!("{}: seed {}", self.name, self.seed);
        let (data, mut chance) = (process::fresh_directory(self.name), Chance::new(self.seed));
        let broker = Broker::start(&data, &[]);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let transport = TcpTransport::new(TcpConfig::bootstrap(&broker.address.to_string()));
        let transport = (self.wrap)(Arc::new(transport));
        let (stop, stopped) = watch::channel(false);
        let client = Client { transport, recorder: Recorder::new(), stop: stopped };
        let mut clients = JoinSet::new();
        runtime.block_on(soon(self.begin(&client, &mut clients, &mut chance)));
        let broker = self.suffer(&runtime, &data, broker, &client.recorder, &mut chance);
        runtime.block_on(soon(async {
            more(client.recorder.acknowledged(), self.records).await;
            more(client.recorder.transactions(), self.transactions).await;
            stop.send_replace(true);
            while let Some(ended) = clients.join_next().await {
                ended.unwrap();
            }
        }));
        let recorder = client.recorder.clone();
        let last = runtime.block_on(soon(client.read_all()));
        broker.stop();
        let history = recorder.history(last);
        println!("{}", history.summary());
        history
    }

    async fn begin(&self, client: &Client, clients: &mut JoinSet<()>, chance: &mut Chance) {
        let admin = Admin::new(client.transport.as_ref(), AdminConfig::default());
        admin.create_topic(NewTopic::new(TOPIC, PARTITIONS)).await.unwrap();
        for _ in 0..2 {
            clients.spawn(client.clone().produce(Chance::new(chance.next()), (self.producer)()));
            clients.spawn(client.clone().transact(Chance::new(chance.next()), producer()));
            clients.spawn(client.clone().belong(Chance::new(chance.next()), self.protocol));
        }
        clients.spawn(client.clone().read());
        clients.spawn(client.clone().watch());
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
                broker = Broker::start_at(data, address);
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

/// Waits until a number has risen by so much.
async fn more(mut number: watch::Receiver<u64>, by: u64) {
    let wanted = *number.borrow() + by;
    number.wait_for(|number| *number >= wanted).await.unwrap();
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("nothing goes on any more")
}
