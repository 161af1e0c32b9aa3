//! Groups whose members come, go, crash, fall silent and are thrown out in any order: no partition is owned by two, and
//! once it is quiet each is owned by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use super::{
    super::{
        Assignor, GroupProtocol, LeaveMode, Rebalance, RebalanceListener,
        group::{MemberIdentity, Membership},
    },
    *,
};
use crate::transport::BoxFuture;

const PARTITIONS: i32 = 6;
const STEPS: usize = 40;
/// Schedules of each kind of group with every run of the tests.
const SCHEDULES: u64 = 400;

/// A small generator of numbers; the same seed gives the same numbers (Marsaglia's xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).unwrap() % end
    }
}

fn identity(consumer: &Consumer) -> MemberIdentity {
    let identity = consumer.membership.as_ref().map(Membership::identity);
    identity.map_or(MemberIdentity::OUTSIDER, |identity| identity.borrow().clone())
}

/// Who owns what, as the members say themselves.
#[derive(Default)]
struct Book {
    owned: BTreeMap<usize, BTreeSet<TopicPartition>>,
    /// Ids of members that were thrown out, and when. What they say before they have heard of it does not count.
    expelled: BTreeMap<Text, i32>,
}

impl Book {
    fn take(&mut self, member: usize, partitions: &[TopicPartition]) {
        for partition in partitions {
            let owner =
                self.owned.iter().find(|(other, owned)| **other != member && owned.contains(partition));
            assert!(owner.is_none(), "{partition} is taken by {member} while {owner:?} has it");
        }
        self.owned.entry(member).or_default().extend(partitions.iter().cloned());
    }

    fn has_not_heard(&self, now: &MemberIdentity, protocol: GroupProtocol) -> bool {
        // Whoever joins anew gets another id, or keeps its id and gets a later epoch. Whoever is no member at all has lost
        // everything, and is about to hear that.
        let expelled = self.expelled.get(&now.id);
        *now == MemberIdentity::OUTSIDER
            || expelled.is_some_and(|then| protocol == GroupProtocol::Classic || now.generation <= *then)
    }

    fn all(&self) -> Vec<TopicPartition> {
        let mut all: Vec<_> = self.owned.values().flatten().cloned().collect();
        all.sort();
        all
    }
}

struct Keeper(usize, Arc<Mutex<Book>>);

impl RebalanceListener for Keeper {
    fn assigned<'a>(
        &'a self,
        consumer: &'a mut Rebalance<'_>,
        added: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        assert!(added.iter().all(|partition| consumer.assignment().contains(partition)));
        let mut book = self.1.lock().unwrap();
        if !book.has_not_heard(&identity(consumer), consumer.config.group_protocol) {
            book.take(self.0, added);
        }
        Box::pin(async {})
    }

    fn revoked<'a>(&'a self, _: &'a mut Rebalance<'_>, gone: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        let mut book = self.1.lock().unwrap();
        book.owned.entry(self.0).or_default().retain(|owned| !gone.contains(owned));
        Box::pin(async {})
    }
}

struct Schedule {
    broker: FakeBroker,
    config: ConsumerConfig,
    chance: Chance,
    book: Arc<Mutex<Book>>,
    members: BTreeMap<usize, Consumer>,
    next: usize,
}

impl Schedule {
    fn new(config: ConsumerConfig, seed: u64) -> Self {
        let broker = broker(PARTITIONS as usize);
        // Neighbouring seeds give numbers that are alike at first.
        let chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Self { broker, config, chance, book: Arc::default(), members: BTreeMap::new(), next: 0 }
    }

    async fn run(mut self) {
        for _ in 0..STEPS {
            self.step().await;
        }
        if self.members.is_empty() {
            self.join();
        }
        self.settle().await;
    }

    async fn step(&mut self) {
        let any = self.chance.below(self.members.len().max(1));
        let any = self.members.keys().nth(any).copied();
        match (self.chance.below(14), any) {
            (0 | 1, _) | (_, None) => self.join(),
            (2, Some(member)) => self.remove(member, LeaveMode::Leave).await,
            (3, Some(member)) => self.remove(member, LeaveMode::Remain).await,
            (4, Some(member)) => self.expel(member),
            (5, _) => self.broker.trouble(ApiKey::SyncGroup, Trouble::LostAfter),
            (6, _) => self.broker.trouble(ApiKey::JoinGroup, Trouble::LostBefore),
            (7, _) => self.broker.trouble(ApiKey::ConsumerGroupHeartbeat, Trouble::LostAfter),
            (8, _) => tokio::time::sleep(Duration::from_secs(1)).await,
            (_, Some(member)) => poll(self.members.get_mut(&member).unwrap()).await,
        }
    }

    fn join(&mut self) {
        let mut consumer = Consumer::new(&self.broker, self.config.clone());
        consumer.on_rebalance(Keeper(self.next, Arc::clone(&self.book)));
        consumer.subscribe(["t"]).unwrap();
        self.members.insert(self.next, consumer);
        self.next += 1;
    }

    async fn remove(&mut self, member: usize, mode: LeaveMode) {
        let consumer = self.members.remove(&member).unwrap();
        self.book.lock().unwrap().owned.remove(&member);
        consumer.close_with(mode).await;
        // Whoever has just lost sight of the coordinator leaves unheard as well.
        self.end_silent_sessions();
    }

    /// Ends the sessions of all that are not heard of any more, or not yet.
    fn end_silent_sessions(&self) {
        let heard_of: Vec<_> = self.members.values().map(|consumer| identity(consumer).id).collect();
        let ids = self.broker.member_ids("g");
        ids.into_iter().filter(|id| !heard_of.contains(id)).for_each(|id| self.expire(id));
    }

    /// Throws a member out, which then has lost what it had, whether it knows or not.
    fn expel(&self, member: usize) {
        self.book.lock().unwrap().owned.remove(&member);
        self.expire(identity(&self.members[&member]).id);
    }

    fn expire(&self, id: Text) {
        let generation = self.broker.expire("g", &id);
        self.book.lock().unwrap().expelled.insert(id, generation);
    }

    /// Lets everybody poll until all partitions have an owner, and nothing changes any more.
    async fn settle(&mut self) {
        let all: Vec<_> = (0..PARTITIONS).map(t).collect();
        let mut quiet = 0;
        for _ in 0..500 {
            for consumer in self.members.values_mut() {
                poll(consumer).await;
            }
            let owned = self.book.lock().unwrap().all();
            quiet = if owned == all { quiet + 1 } else { 0 };
            if quiet == 50 {
                return;
            }
        }
        let requests = self.broker.requests();
        panic!(
            "it never gets quiet: {:?}; members say they are {:?}, the group knows {:?}; asked last: {:?}",
            self.book.lock().unwrap().owned,
            self.members.iter().map(|(member, consumer)| (member, identity(consumer))).collect::<Vec<_>>(),
            self.broker.member_ids("g"),
            requests
                .iter()
                .rev()
                .filter(|(key, _)| !matches!(key, ApiKey::Fetch))
                .take(30)
                .collect::<Vec<_>>(),
        );
    }
}

async fn poll(consumer: &mut Consumer) {
    consumer.poll(Duration::from_millis(100)).await.unwrap();
}

/// Runs as many schedules as `GROUP_SCHEDULES` says, which is for a longer look; a failure says which it was.
async fn run(config: &ConsumerConfig) {
    let wanted = std::env::var("GROUP_SCHEDULES").ok().map(|count| count.parse().unwrap());
    for seed in 0..wanted.unwrap_or(SCHEDULES) {
        let ran = crate::task::spawn("schedule", Schedule::new(config.clone(), seed).run()).await;
        assert!(ran.is_ok(), "schedule {seed} failed");
    }
}

fn quick() -> ConsumerConfig {
    ConsumerConfig { heartbeat_interval: Duration::from_millis(300), ..member() }
}

#[tokio::test(start_paused = true)]
async fn cooperative_members_never_own_the_same_and_own_everything_once_it_is_quiet() {
    run(&ConsumerConfig { assignors: vec![Assignor::CooperativeSticky], ..quick() }).await;
}

#[tokio::test(start_paused = true)]
async fn eager_members_never_own_the_same_and_own_everything_once_it_is_quiet() {
    run(&ConsumerConfig { assignors: vec![Assignor::Sticky], ..quick() }).await;
}

#[tokio::test(start_paused = true)]
async fn members_of_modern_groups_never_own_the_same_and_own_everything_once_it_is_quiet() {
    run(&ConsumerConfig { group_protocol: GroupProtocol::Consumer, ..quick() }).await;
}
