mod full;
mod schedules;
mod statics;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A group, the time, and the answers that came.
struct Bench {
    group: Group,
    now: Duration,
    waiters: u64,
    joined: BTreeMap<Waiter, JoinAnswer>,
    synced: BTreeMap<Waiter, SyncAnswer>,
    stored: Vec<(i32, BTreeMap<Text, Bytes>)>,
    stores_succeed: bool,
    /// Stores that are begun and not ended, where they are to be kept waiting.
    held: Option<Vec<Store>>,
}

impl Bench {
    fn new() -> Self {
        let limits = Limits { members_max: 4, initial_delay: Duration::ZERO };
        Self {
            group: Group::new("g".into(), limits),
            now: Duration::from_secs(1000),
            waiters: 0,
            joined: BTreeMap::new(),
            synced: BTreeMap::new(),
            stored: Vec::new(),
            stores_succeed: true,
            held: None,
        }
    }

    fn waiter(&mut self) -> Waiter {
        self.waiters += 1;
        Waiter(self.waiters)
    }

    fn apply(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Joined(waiter, answer) => {
                    assert!(self.joined.insert(waiter, answer).is_none(), "a join is answered once");
                }
                Action::Synced(waiter, answer) => {
                    assert!(self.synced.insert(waiter, answer).is_none(), "a sync is answered once");
                }
                Action::Store(store) => {
                    self.stored.push((store.generation, store.assignments.clone()));
                    match &mut self.held {
                        Some(held) => held.push(store),
                        None => self.end_store(store),
                    }
                }
            }
        }
    }

    fn end_store(&mut self, store: Store) {
        let result = if self.stores_succeed { Ok(()) } else { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) };
        let more = self.group.stored(store, result, self.now);
        self.apply(more);
    }

    /// Ends the stores that were kept waiting.
    fn release(&mut self) {
        for store in self.held.take().into_iter().flatten() {
            self.end_store(store);
        }
    }

    fn join_as(&mut self, request: JoinRequest) -> Waiter {
        let waiter = self.waiter();
        let actions = self.group.join(waiter, request, self.now);
        self.apply(actions);
        waiter
    }

    fn join(&mut self, id: &str) -> Waiter {
        self.join_as(request(id, None, &["range"]))
    }

    fn sync(&mut self, id: &str, assignments: &[(&str, &str)]) -> Waiter {
        let waiter = self.waiter();
        let request = SyncRequest {
            member_id: id.into(),
            instance_id: None,
            generation: self.group.generation,
            protocol_type: None,
            protocol: None,
            assignments: assignments
                .iter()
                .map(|(id, bytes)| ((*id).into(), Bytes::copy_from_slice(bytes.as_bytes())))
                .collect(),
        };
        let actions = self.group.sync(waiter, request, self.now);
        self.apply(actions);
        waiter
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let actions = self.group.tick(self.now);
        self.apply(actions);
    }

    fn heartbeat(&mut self, id: &str) -> Checked {
        let generation = self.group.generation;
        self.group.heartbeat(&id.into(), None, generation, self.now)
    }

    fn leave(&mut self, id: &str) -> Checked {
        let mut actions = Vec::new();
        let leaver = Leaver { id: id.into(), instance_id: None };
        let left = self.group.leave(&[leaver], self.now, &mut actions);
        self.apply(actions);
        left[0]
    }

    /// A stable group of `a` (the leader) and `b`.
    fn pair() -> Self {
        let mut bench = Self::new();
        bench.join("a");
        bench.join("b");
        let again = bench.join("a");
        assert_eq!(bench.joined[&again].members.len(), 2);
        bench.sync("b", &[]);
        bench.sync("a", &[("a", "p0"), ("b", "p1")]);
        assert_eq!(bench.group.state, State::Stable);
        bench
    }
}

fn request(id: &str, instance_id: Option<&str>, protocols: &[&'static str]) -> JoinRequest {
    let known = id == "b" || id == "a";
    JoinRequest {
        // Unknown to the group, `a` and `b` come as new members that are given these very ids.
        member_id: Text::new(),
        fresh_id: id.into(),
        profile: Profile {
            instance_id: instance_id.map(Into::into),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: 10 * SECOND,
            rebalance_timeout: if known { 30 * SECOND } else { 20 * SECOND },
            protocols: protocols
                .iter()
                .map(|name| Protocol { name: (*name).into(), metadata: Bytes::from_static(b"m") })
                .collect(),
        },
        protocol_type: "consumer".into(),
        requires_known_id: false,
        may_skip_assignment: true,
    }
}

fn again(id: &str, protocols: &[&'static str]) -> JoinRequest {
    JoinRequest { member_id: id.into(), ..request(id, None, protocols) }
}

#[test]
fn first_member_leads_a_generation_of_its_own_at_once() {
    let mut bench = Bench::new();
    let waiter = bench.join("a");
    let answer = &bench.joined[&waiter];
    assert_eq!((answer.error, answer.generation, answer.leader.as_ref()), (ErrorCode::NONE, 1, "a"));
    assert_eq!(answer.members.len(), 1);
    let waiter = bench.sync("a", &[("a", "all")]);
    assert_eq!(bench.synced[&waiter].assignment, "all");
    assert_eq!(bench.stored.len(), 1);
}

#[test]
fn second_member_waits_until_the_first_joins_again() {
    let mut bench = Bench::new();
    bench.join("a");
    bench.sync("a", &[]);
    let b = bench.join("b");
    assert!(!bench.joined.contains_key(&b));
    assert_eq!(bench.heartbeat("a"), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    let a = bench.join_as(again("a", &["range"]));
    assert_eq!(bench.joined[&b].generation, 2);
    assert_eq!(bench.joined[&a].members.len(), 2);
    assert!(bench.joined[&b].members.is_empty(), "only the leader learns of the others");
}

#[test]
fn follower_gets_its_assignment_only_when_the_leaders_is_stored() {
    let mut bench = Bench::new();
    bench.join("a");
    bench.join("b");
    bench.join_as(again("a", &["range"]));
    let b = bench.sync("b", &[]);
    assert!(!bench.synced.contains_key(&b));
    let a = bench.sync("a", &[("b", "p1")]);
    assert_eq!(bench.synced[&b].assignment, "p1");
    assert_eq!(bench.synced[&a].assignment, "", "who was forgotten has nothing");
}

#[test]
fn failed_store_sends_everybody_to_join_again() {
    let mut bench = Bench::new();
    bench.stores_succeed = false;
    bench.join("a");
    let waiter = bench.sync("a", &[("a", "all")]);
    assert_eq!(bench.synced[&waiter].error, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert!(matches!(bench.group.state, State::Preparing { .. }));
    assert_eq!(bench.group.members["a"].assignment, "");
}

#[test]
fn dynamic_member_must_know_its_id_from_version_4_on() {
    let mut bench = Bench::new();
    let waiter = bench.join_as(JoinRequest { requires_known_id: true, ..request("a", None, &["range"]) });
    let answer = &bench.joined[&waiter];
    assert_eq!((answer.error, answer.member_id.as_ref()), (ErrorCode::MEMBER_ID_REQUIRED, "a"));
    let waiter = bench.join_as(again("a", &["range"]));
    assert_eq!(bench.joined[&waiter].error, ErrorCode::NONE);
}

#[test]
fn announced_member_that_does_not_come_is_forgotten() {
    let mut bench = Bench::new();
    bench.join_as(JoinRequest { requires_known_id: true, ..request("a", None, &["range"]) });
    assert!(!bench.group.is_empty());
    bench.pass(10 * SECOND);
    assert!(bench.group.is_empty());
    let waiter = bench.join_as(again("a", &["range"]));
    assert_eq!(bench.joined[&waiter].error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn silent_member_is_removed_after_its_session_and_the_other_takes_over() {
    let mut bench = Bench::pair();
    bench.pass(9 * SECOND);
    assert_eq!(bench.heartbeat("b"), Ok(()));
    bench.pass(SECOND);
    assert!(!bench.group.members.contains_key("a"));
    let waiter = bench.join_as(again("b", &["range"]));
    assert_eq!(bench.joined[&waiter].leader, "b");
    assert_eq!(bench.joined[&waiter].members.len(), 1);
}

#[test]
fn rebalance_goes_on_without_who_is_late() {
    let mut bench = Bench::pair();
    let c = bench.join("c");
    let a = bench.join_as(again("a", &["range"]));
    for _ in 0..6 {
        bench.pass(5 * SECOND - Duration::from_millis(1));
        let _ = bench.heartbeat("b");
    }
    assert!(!bench.joined.contains_key(&a));
    bench.pass(SECOND);
    assert_eq!(bench.joined[&a].members.len(), 2);
    assert_eq!(bench.joined[&c].generation, bench.group.generation);
    assert!(!bench.group.members.contains_key("b"));
}

#[test]
fn member_that_never_syncs_is_removed() {
    let mut bench = Bench::new();
    bench.join("a");
    bench.join("b");
    bench.join_as(again("a", &["range"]));
    bench.sync("a", &[]);
    let generation = bench.group.generation;
    assert_eq!(bench.group.state, State::Stable);
    bench.pass(9 * SECOND);
    assert_eq!(bench.heartbeat("a"), Ok(()));
    bench.pass(2 * SECOND);
    assert!(!bench.group.members.contains_key("b"));
    assert_eq!(bench.heartbeat("a"), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    assert_eq!(bench.group.generation, generation);
}

#[test]
fn leaving_starts_a_rebalance_and_the_last_one_empties_the_group() {
    let mut bench = Bench::pair();
    assert_eq!(bench.leave("b"), Ok(()));
    assert_eq!(bench.heartbeat("a"), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    assert_eq!(bench.leave("b"), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(bench.leave("a"), Ok(()));
    assert_eq!(bench.group.state, State::Empty);
    assert_eq!(bench.stored.last().map(|(_, members)| members.len()), Some(0));
}

#[test]
fn members_without_a_common_protocol_are_refused() {
    let mut bench = Bench::pair();
    let waiter = bench.join_as(request("c", None, &["sticky"]));
    assert_eq!(bench.joined[&waiter].error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let waiter =
        bench.join_as(JoinRequest { protocol_type: "connect".into(), ..request("c", None, &["range"]) });
    assert_eq!(bench.joined[&waiter].error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}

#[test]
fn new_member_that_waits_too_long_is_told_to_begin_anew() {
    let mut bench = Bench::pair();
    let slow = JoinRequest {
        profile: Profile { rebalance_timeout: 1000 * SECOND, ..request("c", None, &["range"]).profile },
        ..request("c", None, &["range"])
    };
    let c = bench.join_as(slow);
    for _ in 0..299 {
        bench.pass(SECOND);
        assert_eq!(bench.heartbeat("a"), Err(ErrorCode::REBALANCE_IN_PROGRESS));
        assert_eq!(bench.heartbeat("b"), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    }
    assert!(!bench.joined.contains_key(&c));
    bench.pass(SECOND);
    assert_eq!(bench.joined[&c].error, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.group.members.len(), 2);
}

#[test]
fn member_that_beats_but_never_asks_for_its_assignment_is_removed() {
    let mut bench = Bench::new();
    bench.join("a");
    bench.join("b");
    bench.join_as(again("a", &["range"]));
    bench.sync("a", &[("a", "p0"), ("b", "p1")]);
    for _ in 0..29 {
        bench.pass(SECOND);
        assert_eq!((bench.heartbeat("a"), bench.heartbeat("b")), (Ok(()), Ok(())));
    }
    bench.pass(SECOND);
    assert!(!bench.group.members.contains_key("b"));
    assert_eq!(bench.heartbeat("a"), Err(ErrorCode::REBALANCE_IN_PROGRESS));
}

#[test]
fn first_generation_waits_for_more_as_long_as_somebody_comes() {
    let mut bench = Bench::new();
    bench.group.limits.initial_delay = 3 * SECOND;
    let a = bench.join("a");
    bench.pass(2 * SECOND);
    let b = bench.join("b");
    bench.pass(SECOND);
    assert!(bench.joined.is_empty(), "somebody came, so it waits again");
    bench.pass(3 * SECOND);
    assert_eq!((bench.joined[&a].members.len(), bench.joined[&b].generation), (2, 1));
}

#[test]
fn of_two_assignments_for_one_generation_the_first_counts() {
    let mut bench = Bench::new();
    bench.join("a");
    bench.held = Some(Vec::new());
    bench.sync("a", &[("a", "first")]);
    let again = bench.sync("a", &[("a", "second")]);
    bench.release();
    assert_eq!(bench.synced[&again].assignment, "first");
    assert_eq!(bench.stored.len(), 1);
}

#[test]
fn offsets_are_accepted_from_members_of_the_generation_and_from_nobody_for_an_empty_group() {
    let mut bench = Bench::new();
    let commit = |bench: &mut Bench, id: &str, generation| {
        bench.group.check_commit(&id.into(), None, generation, bench.now)
    };
    assert_eq!(commit(&mut bench, "", -1), Ok(()));
    let mut bench = Bench::pair();
    let generation = bench.group.generation;
    assert_eq!(commit(&mut bench, "a", generation), Ok(()));
    assert_eq!(commit(&mut bench, "a", generation - 1), Err(ErrorCode::ILLEGAL_GENERATION));
    assert_eq!(commit(&mut bench, "x", generation), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(commit(&mut bench, "", -1), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    bench.join("c");
    assert_eq!(
        commit(&mut bench, "a", generation),
        Ok(()),
        "what was read may be stored before joining again"
    );
}

#[test]
fn protocol_with_most_votes_wins() {
    let mut bench = Bench::new();
    bench.join_as(request("a", None, &["range", "sticky"]));
    bench.join_as(request("b", None, &["sticky", "range"]));
    bench.join_as(request("c", None, &["sticky", "range"]));
    let waiter = bench.join_as(again("a", &["range", "sticky"]));
    assert_eq!(bench.joined[&waiter].protocol.as_deref(), Some("sticky"));
}

#[derive(Clone, Debug)]
enum Step {
    Join(u8),
    Rejoin(u8),
    Sync(u8),
    Heartbeat(u8),
    Leave(u8),
    Pass(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4_u8).prop_map(Step::Join),
        (0..4_u8).prop_map(Step::Rejoin),
        (0..4_u8).prop_map(Step::Sync),
        (0..4_u8).prop_map(Step::Heartbeat),
        (0..4_u8).prop_map(Step::Leave),
        (1..12_u8).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Whatever comes in whatever order: each request is answered once at most, a partition has one owner in a
    /// generation, and when everybody falls silent everything was answered and the group is empty.
    #[test]
    fn any_order_of_requests_is_answered_and_ends_empty(steps in steps()) {
        let mut bench = Bench::new();
        for step in steps {
            let name = |n: u8| ["a", "b", "c", "d"][usize::from(n)];
            match step {
                Step::Join(n) if !bench.group.members.contains_key(name(n)) => drop(bench.join(name(n))),
                Step::Join(_) => {}
                Step::Rejoin(n) => drop(bench.join_as(again(name(n), &["range"]))),
                Step::Sync(n) => drop(bench.sync(name(n), &[(name(n), "mine")])),
                Step::Heartbeat(n) => drop(bench.heartbeat(name(n))),
                Step::Leave(n) => drop(bench.leave(name(n))),
                Step::Pass(seconds) => bench.pass(u32::from(seconds) * SECOND),
            }
            if bench.group.state == State::Stable {
                let owners = bench.group.members.values().filter(|member| member.assignment == "mine").count();
                prop_assert!(owners <= 1);
            }
        }
        for _ in 0..20 {
            bench.pass(30 * SECOND);
        }
        prop_assert!(bench.group.is_empty());
        prop_assert_eq!(bench.group.state, State::Empty);
        prop_assert_eq!(bench.group.next_deadline(), None);
    }
}
