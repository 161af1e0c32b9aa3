//! What is answered, and what is refused.

use mainstem_protocol::ErrorCode;

use super::super::session::Epoch;
use super::bench::{Ask, Bench, IDS, NAMES, Place, State, Told, asked, refused, told};

const A0: Place = ("a", 0);
const A1: Place = ("a", 1);
const B0: Place = ("b", 0);

fn of(id: i32, partitions: &[Place]) -> Told {
    Told { code: ErrorCode::NONE, id, partitions: partitions.to_vec() }
}

const fn at(end: i64) -> State {
    State { end, start: 0, error: ErrorCode::NONE }
}

#[test]
fn later_requests_are_told_only_what_has_changed() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0), (A1, 0), (B0, 0)]);
    assert_eq!(bench.next(id, 1, &[]), of(id, &[]));
    bench.set(A1, at(5));
    assert_eq!(bench.next(id, 2, &[]), of(id, &[A1]), "records");
    assert_eq!(bench.next(id, 3, &[(A1, 5)]), of(id, &[]), "taken");
    bench.set(B0, State { end: 0, start: 0, error: ErrorCode::NOT_LEADER_OR_FOLLOWER });
    assert_eq!(bench.next(id, 4, &[]), of(id, &[B0]), "an error");
    assert_eq!(bench.next(id, 5, &[]), of(id, &[B0]), "the same error again");
    bench.set(B0, at(0));
    assert_eq!(bench.next(id, 6, &[]), of(id, &[B0]), "no error any more");
    bench.set(A1, State { start: 3, ..at(5) });
    assert_eq!(bench.next(id, 7, &[]), of(id, &[A1]), "the log start");
    assert_eq!(bench.next(id, 8, &[]), of(id, &[]));
}

#[test]
fn a_changed_high_watermark_is_told_without_records() {
    let bench = Bench::new();
    bench.set(A0, at(5));
    let id = bench.open(NAMES, &[(A0, 5)]);
    bench.set(A0, at(4));
    assert_eq!(bench.next(id, 1, &[]), of(id, &[A0]));
    assert_eq!(bench.next(id, 2, &[]), of(id, &[]));
}

#[test]
fn records_are_told_until_the_offset_moves_on() {
    let bench = Bench::new();
    bench.set(A0, at(5));
    let id = bench.open(NAMES, &[(A0, 0)]);
    assert_eq!(bench.next(id, 1, &[]), of(id, &[A0]));
    assert_eq!(bench.next(id, 2, &[(A0, 5)]), of(id, &[]));
    assert_eq!(bench.next(id, 3, &[(A0, 1)]), of(id, &[A0]), "back again");
}

#[test]
fn without_a_session_everything_is_told_and_nothing_is_kept() {
    let bench = Bench::new();
    let outside = Ask { epoch: -1, partitions: &[(A0, 0)], ..Ask::default() };
    for _ in 0..2 {
        assert_eq!(bench.ask(NAMES, &outside), of(0, &[A0]));
    }
    assert_eq!(bench.sessions.count(), (0, 0));
}

#[test]
fn unknown_sessions_are_named() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0)]);
    for unknown in [0, -1, i32::MIN, i32::MAX, id.wrapping_add(1)] {
        assert_eq!(bench.next(unknown, 1, &[]), refused(ErrorCode::FETCH_SESSION_ID_NOT_FOUND), "{unknown}");
    }
    assert_eq!(bench.next(id, 1, &[]), of(id, &[]), "the session has not changed");
}

#[test]
fn wrong_epochs_are_named_and_change_nothing() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0)]);
    for epoch in [2, 7, i32::MAX, i32::MIN, -2] {
        let told = bench.next(id, epoch, &[(B0, 0)]);
        assert_eq!(told, refused(ErrorCode::INVALID_FETCH_SESSION_EPOCH), "{epoch}");
    }
    assert_eq!(bench.sessions.count(), (1, 1));
    assert_eq!(bench.next(id, 1, &[]), of(id, &[]));
    assert_eq!(bench.next(id, 1, &[]), refused(ErrorCode::INVALID_FETCH_SESSION_EPOCH), "a repeat");
}

#[test]
fn after_the_largest_epoch_comes_one() {
    assert_eq!(Epoch(0).next(), Epoch(1));
    assert_eq!(Epoch(i32::MAX - 1).next(), Epoch(i32::MAX));
    assert_eq!(Epoch(i32::MAX).next(), Epoch(1));
    assert_eq!(Epoch::FINAL.next(), Epoch::FINAL);
    assert_eq!(Epoch(i32::MIN).next(), Epoch::FINAL);
}

#[test]
fn a_session_keeps_to_names_or_to_ids() {
    for (first, other) in [(NAMES, IDS), (IDS, NAMES)] {
        let bench = Bench::new();
        let id = bench.open(first, &[(A0, 0)]);
        let next = Ask { id, epoch: 1, partitions: &[(B0, 0)], ..Ask::default() };
        assert_eq!(bench.ask(other, &next), refused(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR));
        assert_eq!(bench.ask(first, &next), of(id, &[B0]), "the session has not changed");
    }
}

#[test]
fn a_topic_made_anew_is_another_partition_by_id() {
    let bench = Bench::new();
    let id = bench.open(IDS, &[(A0, 0)]);
    let anew = Ask { id, epoch: 1, partitions: &[(B0, 0)], forgotten: &[A0] };
    assert_eq!(bench.ask(IDS, &anew), of(id, &[B0]));
    assert_eq!(bench.ask(IDS, &Ask { id, epoch: 2, ..Ask::default() }), of(id, &[]));
    assert_eq!(bench.sessions.count(), (1, 1));
}

#[test]
fn a_full_request_closes_whatever_session_it_names() {
    for epoch in [0, -1] {
        let bench = Bench::new();
        let (mine, others) = (bench.open(NAMES, &[(A0, 0)]), bench.open(NAMES, &[(B0, 0)]));
        let told = bench.ask(NAMES, &Ask { id: others, epoch, partitions: &[(A0, 0)], ..Ask::default() });
        assert_eq!((told.code, told.id != 0), (ErrorCode::NONE, epoch == 0));
        assert_eq!(bench.next(others, 1, &[]), refused(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
        assert_eq!(bench.next(mine, 1, &[]), of(mine, &[]));
    }
}

#[test]
fn what_is_forgotten_is_not_told_any_more() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0), (A1, 0)]);
    [A0, A1].into_iter().for_each(|place| bench.set(place, at(5)));
    let forget = Ask { id, epoch: 1, forgotten: &[A0], ..Ask::default() };
    assert_eq!(bench.ask(NAMES, &forget), of(id, &[A1]));
    assert_eq!(bench.sessions.count(), (1, 1));
    assert_eq!(bench.next(id, 2, &[(A0, 0)]), of(id, &[A1, A0]), "asked for again");
}

#[test]
fn what_was_never_asked_for_can_be_forgotten() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0)]);
    let forget = Ask { id, epoch: 1, forgotten: &[A1, B0, ("c", -1)], ..Ask::default() };
    assert_eq!(bench.ask(NAMES, &forget), of(id, &[]));
    assert_eq!(bench.sessions.count(), (1, 1));
}

#[test]
fn a_session_without_partitions_is_closed() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0)]);
    let forget = Ask { id, epoch: 1, forgotten: &[A0], ..Ask::default() };
    assert_eq!(bench.ask(NAMES, &forget), of(0, &[]));
    assert_eq!(bench.next(id, 2, &[]), refused(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!(bench.sessions.count(), (0, 0));
}

#[test]
fn a_partition_named_twice_is_one() {
    let bench = Bench::new();
    bench.set(A0, at(5));
    let id = bench.open(NAMES, &[(A0, 0), (A0, 5)]);
    assert_eq!(bench.sessions.count(), (1, 1));
    assert_eq!(bench.next(id, 1, &[]), of(id, &[]), "the second offset holds");
}

#[test]
fn what_had_records_is_read_last_the_next_time() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0), (A1, 0), (B0, 0)]);
    [A0, B0].into_iter().for_each(|place| bench.set(place, at(5)));
    assert_eq!(bench.next(id, 1, &[]), of(id, &[A0, B0]));
    let next = Ask { id, epoch: 2, ..Ask::default() };
    let (part, request) = bench.begin(NAMES, &next).unwrap();
    assert_eq!(asked(&request), [A1, A0, B0]);
    bench.finish(NAMES, part, request);
    bench.set(A1, at(5));
    assert_eq!(bench.next(id, 3, &[]), of(id, &[A1, A0, B0]));
}

/// A request that waits for records while its client, or somebody else, has asked again.
#[test]
fn the_answer_to_an_overtaken_request_is_no_answer() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0)]);
    let (part, request) = bench.begin(NAMES, &Ask { id, epoch: 1, ..Ask::default() }).unwrap();
    assert_eq!(bench.next(id, 2, &[]), of(id, &[]));
    let late = told(&bench.finish(NAMES, part, request));
    assert_eq!(late, Told { code: ErrorCode::INVALID_FETCH_SESSION_EPOCH, ..of(id, &[]) });
    assert_eq!(bench.next(id, 3, &[]), of(id, &[]), "the session has not changed");
}

#[test]
fn a_request_that_waits_outlives_its_session() {
    let bench = Bench::new();
    let id = bench.open(NAMES, &[(A0, 0)]);
    let (part, request) = bench.begin(NAMES, &Ask { id, epoch: 1, ..Ask::default() }).unwrap();
    bench.ask(NAMES, &Ask { id, epoch: -1, partitions: &[(A0, 0)], ..Ask::default() });
    bench.set(A0, at(1));
    assert_eq!(told(&bench.finish(NAMES, part, request)), of(id, &[A0]));
    assert_eq!(bench.next(id, 2, &[]), refused(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
}
