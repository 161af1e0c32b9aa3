//! A group with as many members as it may have.

use super::*;

/// A stable group as large as it may be: `a` leads `b`, `c` and `d`.
fn full() -> Bench {
    let mut bench = Bench::pair();
    for id in ["c", "d"] {
        bench.join(id);
    }
    for id in ["a", "b"] {
        bench.join_as(again(id, &["range"]));
    }
    bench.sync("a", &[("a", "p0"), ("b", "p1"), ("c", "p2"), ("d", "p3")]);
    for id in ["b", "c", "d"] {
        bench.sync(id, &[]);
    }
    assert_eq!(bench.group.state, State::Stable);
    bench
}

#[test]
fn full_group_refuses_a_stranger_and_stays_as_it_is() {
    let mut bench = full();
    let waiter = bench.join("e");
    assert_eq!(bench.joined[&waiter].error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert_eq!(bench.joined[&waiter].member_id, "");
    assert_eq!((bench.group.state, bench.group.members.len()), (State::Stable, 4));
    let waiter = bench.join_as(again("b", &["range"]));
    assert_eq!(bench.joined[&waiter].error, ErrorCode::NONE);
}

#[test]
fn of_those_who_join_again_only_the_first_find_room() {
    let mut bench = full();
    bench.join_as(again("a", &["range"]));
    bench.join("e");
    for id in ["b", "c"] {
        bench.join_as(again(id, &["range"]));
    }
    let waiter = bench.join_as(again("d", &["range"]));
    assert_eq!(bench.joined[&waiter].error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert!(!bench.group.members.contains_key("d"));
    assert_eq!(bench.group.state, State::Completing { is_storing: false }, "nobody is waited for any more");
}

#[test]
fn members_that_leave_together_leave_no_generation_between() {
    let mut bench = full();
    let generation = bench.group.generation;
    let waiter = bench.join_as(again("a", &["range"]));
    let mut actions = Vec::new();
    let leaver = |id: &str| Leaver { id: id.into(), instance_id: None };
    let leavers = [leaver("b"), leaver("nobody"), leaver("c"), leaver("d"), leaver("a")];
    let left = bench.group.leave(&leavers, bench.now, &mut actions);
    bench.apply(actions);
    assert_eq!(left, [Ok(()), Err(ErrorCode::UNKNOWN_MEMBER_ID), Ok(()), Ok(()), Ok(())]);
    assert_eq!(bench.joined[&waiter].error, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!((bench.group.state, bench.group.generation), (State::Empty, generation + 1));
}
