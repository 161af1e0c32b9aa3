//! Each rule of Kafka's coordinator once.

use super::*;

#[test]
fn first_producer_gets_a_fresh_id_with_epoch_0() {
    let new = Transaction::new(ProducerId(7), TIMEOUT_MS, NOW);
    let step = init(&new, None);
    assert_eq!(step.answer, Ok(producer(7, 0)));
    assert_eq!(changed(&step).state, State::Empty);
}

#[test]
fn next_producer_gets_the_next_epoch_and_the_one_before_is_fenced() {
    let step = init(&held(3), None);
    assert_eq!(step.answer, Ok(producer(7, 4)));
    let taken = changed(&step);
    refused(&taken.add(producer(7, 3), &partitions(&[("a", 0)]), MOST, NOW), ErrorCode::PRODUCER_FENCED);
    refused(&end(&taken, 3, Outcome::Commit, Version::V1), ErrorCode::PRODUCER_FENCED);
    refused(&init(&taken, Some(producer(7, 3))), ErrorCode::PRODUCER_FENCED);
}

#[test]
fn producer_that_goes_on_gets_the_next_epoch_and_hears_it_again_when_it_asks_again() {
    let step = init(&held(3), Some(producer(7, 3)));
    assert_eq!(step.answer, Ok(producer(7, 4)));
    let again = init(&changed(&step), Some(producer(7, 3)));
    assert_eq!(again.answer, Ok(producer(7, 4)));
    assert_eq!(changed(&again).producer, producer(7, 4));
}

#[test]
fn producer_with_another_id_is_fenced() {
    refused(&init(&held(3), Some(producer(8, 3))), ErrorCode::PRODUCER_FENCED);
}

#[test]
fn open_transaction_is_aborted_before_somebody_takes_over() {
    let step = init(&open(3), None);
    assert_eq!(step.answer, Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    ends(&step, Outcome::Abort, producer(7, 4), producer(7, 4));
    assert_eq!(init(&changed(&step), None).answer, Ok(producer(7, 5)));
}

#[test]
fn partitions_begin_a_transaction_and_more_of_them_go_on_with_it() {
    let open = open(0);
    assert_eq!((open.state, open.started, open.partitions.len()), (State::Ongoing, NOW, 2));
    let later = Timestamp(NOW.0 + 5);
    let step = open.add(producer(7, 0), &partitions(&[("b", 1), ("c", 0)]), MOST, later);
    let next = changed(&step);
    assert_eq!((next.started, next.updated, next.partitions.len()), (NOW, later, 3));
}

#[test]
fn partitions_that_are_in_already_change_nothing() {
    let step = open(0).add(producer(7, 0), &partitions(&[("b", 1)]), MOST, NOW);
    assert_eq!(step, Step::unchanged(()));
}

#[test]
fn more_partitions_than_can_be_ended_together_are_refused() {
    let step = open(0).add(producer(7, 0), &partitions(&[("c", 0)]), 2, NOW);
    refused(&step, ErrorCode::POLICY_VIOLATION);
}

#[test]
fn only_partitions_of_the_transaction_are_verified() {
    let open = open(2);
    assert_eq!(open.verify(producer(7, 2), "a", PartitionId(0)), Ok(()));
    assert_eq!(open.verify(producer(7, 2), "a", PartitionId(1)), Err(ErrorCode::TRANSACTION_ABORTABLE));
    assert_eq!(open.verify(producer(7, 1), "a", PartitionId(0)), Err(ErrorCode::PRODUCER_FENCED));
    assert_eq!(open.verify(producer(8, 2), "a", PartitionId(0)), Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING));
    let ended = ended(2, Outcome::Commit, Version::V1);
    assert_eq!(ended.verify(producer(7, 2), "a", PartitionId(0)), Err(ErrorCode::TRANSACTION_ABORTABLE));
}

#[test]
fn first_version_keeps_the_epoch() {
    for outcome in [Outcome::Commit, Outcome::Abort] {
        ends(&end(&open(3), 3, outcome, Version::V1), outcome, producer(7, 3), producer(7, 3));
    }
}

#[test]
fn second_version_raises_the_epoch_with_the_markers() {
    for outcome in [Outcome::Commit, Outcome::Abort] {
        ends(&end(&open(3), 3, outcome, Version::V2), outcome, producer(7, 4), producer(7, 4));
    }
}

#[test]
fn markers_go_to_every_partition() {
    let step = end(&open(3), 3, Outcome::Commit, Version::V2);
    let markers = step.change.and_then(|change| change.markers).unwrap();
    assert_eq!(markers.partitions, partitions(&[("a", 0), ("b", 1)]));
}

#[test]
fn first_version_takes_the_same_end_again_and_refuses_another() {
    for (first, again, expected) in [
        (Outcome::Commit, Outcome::Commit, None),
        (Outcome::Commit, Outcome::Abort, Some(ErrorCode::INVALID_TXN_STATE)),
        (Outcome::Abort, Outcome::Abort, None),
        (Outcome::Abort, Outcome::Commit, Some(ErrorCode::INVALID_TXN_STATE)),
    ] {
        let step = end(&ended(3, first, Version::V1), 3, again, Version::V1);
        match expected {
            Some(error) => refused(&step, error),
            None => unchanged(&step, producer(7, 3)),
        }
    }
    refused(&end(&held(3), 3, Outcome::Commit, Version::V1), ErrorCode::INVALID_TXN_STATE);
    refused(&end(&held(3), 3, Outcome::Abort, Version::V1), ErrorCode::INVALID_TXN_STATE);
}

/// The table that Kafka has above `endTransaction`: of an epoch before ("retry") and this one ("current").
#[test]
fn second_version_follows_the_table() {
    let [fenced, invalid] = [Err(ErrorCode::PRODUCER_FENCED), Err(ErrorCode::INVALID_TXN_STATE)];
    let (same, bumped) = (Ok(producer(7, 4)), Ok(producer(7, 5)));
    let table = [
        (held(4), [(Outcome::Abort, fenced, bumped), (Outcome::Commit, fenced, invalid)]),
        (
            ended(3, Outcome::Abort, Version::V2),
            [(Outcome::Abort, same, bumped), (Outcome::Commit, invalid, invalid)],
        ),
        (
            ended(3, Outcome::Commit, Version::V2),
            [(Outcome::Abort, invalid, bumped), (Outcome::Commit, same, invalid)],
        ),
    ];
    for (transaction, row) in table {
        for (outcome, retry, current) in row {
            let state = transaction.state;
            assert_eq!(
                end(&transaction, 3, outcome, Version::V2).answer,
                retry,
                "{state:?} {outcome:?} retry"
            );
            let step = end(&transaction, 4, outcome, Version::V2);
            assert_eq!(step.answer, current, "{state:?} {outcome:?} current");
            assert_eq!(step.change.is_some(), current == bumped, "{state:?} {outcome:?} current");
        }
    }
}

#[test]
fn answers_to_repeats_survive_a_restart() {
    let ended = restarted(&ended(3, Outcome::Commit, Version::V2));
    unchanged(&end(&ended, 3, Outcome::Commit, Version::V2), producer(7, 4));
    refused(&end(&ended, 3, Outcome::Abort, Version::V2), ErrorCode::INVALID_TXN_STATE);
}

#[test]
fn open_transaction_survives_a_restart() {
    assert_eq!(restarted(&open(3)), open(3));
}

#[test]
fn nothing_is_too_late_before_its_time() {
    let open = open(3);
    let deadline = Timestamp(NOW.0 + i64::from(TIMEOUT_MS));
    assert_eq!(open.deadline(), Some(deadline));
    assert_eq!(open.time_out(deadline), None);
    for quiet in [held(3), ended(3, Outcome::Commit, Version::V1)] {
        assert_eq!((quiet.deadline(), quiet.time_out(Timestamp(i64::MAX))), (None, None));
    }
}

#[test]
fn quiet_ids_expire_and_open_ones_do_not() {
    let week = 7 * 24 * 3_600_000;
    for (transaction, expires) in
        [(held(3), true), (ended(3, Outcome::Abort, Version::V2), true), (open(3), false)]
    {
        assert_eq!(transaction.is_expired(Timestamp(NOW.0 + week), week), expires);
        assert!(!transaction.is_expired(Timestamp(NOW.0 + week - 1), week));
    }
}

#[test]
fn what_another_broker_has_prepared_is_finished() {
    let prepared = Transaction { state: State::PrepareCommit, ..open(3) };
    refused(&init(&prepared, None), ErrorCode::CONCURRENT_TRANSACTIONS);
    refused(&end(&prepared, 3, Outcome::Commit, Version::V1), ErrorCode::CONCURRENT_TRANSACTIONS);
    let change = prepared.resume(NOW).unwrap();
    assert_eq!((change.next.state, change.next.producer), (State::CompleteCommit, producer(7, 3)));
    assert_eq!(change.markers.unwrap().outcome, Outcome::Commit);
    assert!(ALL_QUIET.iter().all(|state| Transaction { state: *state, ..held(3) }.resume(NOW).is_none()));
}
