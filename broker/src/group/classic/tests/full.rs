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

#[test]
fn hundred_members_settle_with_one_join_and_one_sync_each() {
    let mut bench = Bench::new();
    bench.group.limits.members_max = 101;
    let names: Vec<String> = (0..101).map(|number| format!("m{number:03}")).collect();
    let (last, names) = names.split_last().unwrap();
    for id in names {
        bench.join(id);
    }
    // The first one made a generation of its own before the others came.
    settle(&mut bench, names, None);
    let newcomer = bench.join(last);
    settle(&mut bench, names, Some((last, newcomer)));
    assert_eq!(bench.leave(last), Ok(()));
    settle(&mut bench, names, None);
}

/// Everybody is told to join again, and needs one JoinGroup and one SyncGroup to have its assignment.
fn settle(bench: &mut Bench, names: &[String], newcomer: Option<(&String, Waiter)>) {
    let generation = bench.group.generation;
    let waiting = |name: &&String| bench.group.members[name.as_str()].joining.is_none();
    let told: Vec<&String> = names.iter().filter(waiting).collect();
    let mut joins: Vec<(&String, Waiter)> =
        told.into_iter().map(|id| (id, bench.join_as(again(id, &["range"])))).collect();
    joins.extend(newcomer);
    for (_, waiter) in &joins {
        let answer = &bench.joined[waiter];
        assert_eq!((answer.error, answer.generation), (ErrorCode::NONE, generation + 1));
    }
    let members: Vec<&str> = names.iter().chain(newcomer.map(|(id, _)| id)).map(String::as_str).collect();
    let shares: Vec<(&str, &str)> = members.iter().map(|id| (*id, *id)).collect();
    let syncs: Vec<_> = members.iter().map(|id| (*id, bench.sync(id, &shares))).collect();
    for (id, waiter) in syncs {
        assert_eq!(
            (bench.synced[&waiter].error, &bench.synced[&waiter].assignment[..]),
            (ErrorCode::NONE, id.as_bytes())
        );
    }
    assert_eq!(bench.group.state, State::Stable);
}
