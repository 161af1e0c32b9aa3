//! What goes wrong in the field, by name.

use super::*;

/// The last epoch that a producer is given.
const LAST: i16 = i16::MAX - 1;

#[test]
fn epochs_that_are_used_up_rotate_the_producer_id() {
    assert!(held(LAST).init(None, TIMEOUT_MS, None, NOW).is_err(), "it needs a fresh id");
    let step = init(&held(LAST), None);
    assert_eq!(step.answer, Ok(producer(9, 0)));
    refused(&init(&changed(&step), Some(producer(8, LAST))), ErrorCode::PRODUCER_FENCED);
}

#[test]
fn producer_that_missed_the_rotation_of_its_id_hears_of_it_when_it_asks_again() {
    let step = init(&held(LAST), Some(producer(7, LAST)));
    assert_eq!(step.answer, Ok(producer(9, 0)));
    let again = init(&changed(&step), Some(producer(7, LAST)));
    assert_eq!(again.answer, Ok(producer(9, 0)));
}

#[test]
fn end_of_a_transaction_in_the_last_epoch_rotates_the_producer_id() {
    assert!(open(LAST).end(producer(7, LAST), Outcome::Commit, Version::V2, None, NOW).is_err());
    let step = end(&open(LAST), LAST, Outcome::Commit, Version::V2);
    ends(&step, Outcome::Commit, producer(7, i16::MAX), producer(9, 0));
    for transaction in [changed(&step), restarted(&changed(&step))] {
        unchanged(&end(&transaction, LAST, Outcome::Commit, Version::V2), producer(9, 0));
        refused(&end(&transaction, LAST, Outcome::Abort, Version::V2), ErrorCode::INVALID_TXN_STATE);
    }
}

#[test]
fn fence_in_the_last_epoch_takes_the_one_that_nobody_is_given() {
    let step = init(&open(LAST), None);
    ends(&step, Outcome::Abort, producer(7, i16::MAX), producer(7, i16::MAX));
    assert_eq!(init(&changed(&step), None).answer, Ok(producer(9, 0)));
    // The producer that was fenced goes on under a fresh id, too.
    assert_eq!(init(&changed(&step), Some(producer(7, LAST))).answer, Ok(producer(9, 0)));
}

#[test]
fn transaction_past_its_timeout_is_aborted_and_its_producer_fenced() {
    let late = Timestamp(NOW.0 + i64::from(TIMEOUT_MS) + 1);
    let change = open(3).time_out(late).unwrap();
    let markers = change.markers.unwrap();
    assert_eq!((markers.outcome, markers.producer), (Outcome::Abort, producer(7, 4)));
    let aborted = change.next;
    assert_eq!(aborted.state, State::CompleteAbort);
    refused(&aborted.add(producer(7, 3), &partitions(&[("a", 0)]), MOST, late), ErrorCode::PRODUCER_FENCED);
    refused(&end(&aborted, 3, Outcome::Commit, Version::V1), ErrorCode::PRODUCER_FENCED);
    refused(&end(&aborted, 3, Outcome::Commit, Version::V2), ErrorCode::INVALID_TXN_STATE);
    unchanged(&end(&aborted, 3, Outcome::Abort, Version::V2), producer(7, 4));
}

#[test]
fn end_that_is_repeated_gets_the_answer_of_the_first() {
    for (outcome, version) in [
        (Outcome::Commit, Version::V1),
        (Outcome::Commit, Version::V2),
        (Outcome::Abort, Version::V1),
        (Outcome::Abort, Version::V2),
    ] {
        let first = end(&open(3), 3, outcome, version);
        let again = end(&changed(&first), 3, outcome, version);
        assert_eq!((&again.answer, &again.change), (&first.answer, &None));
    }
}

#[test]
fn end_that_is_delayed_past_the_next_begin_ends_nothing() {
    let next = ended(3, Outcome::Commit, Version::V2);
    let begun = changed(&next.add(producer(7, 4), &partitions(&[("a", 0)]), MOST, NOW));
    for outcome in [Outcome::Commit, Outcome::Abort] {
        refused(&end(&begun, 3, outcome, Version::V2), ErrorCode::PRODUCER_FENCED);
    }
}

#[test]
fn end_of_nothing_is_refused_or_only_raises_the_epoch() {
    refused(&end(&held(3), 3, Outcome::Commit, Version::V2), ErrorCode::INVALID_TXN_STATE);
    let step = end(&held(3), 3, Outcome::Abort, Version::V2);
    ends(&step, Outcome::Abort, producer(7, 4), producer(7, 4));
    assert_eq!(step.change.and_then(|change| change.markers).unwrap().partitions, Partitions::default());
}

#[test]
fn strangers_end_nothing() {
    let step = open(3).end(producer(8, 3), Outcome::Commit, Version::V1, None, NOW).unwrap();
    refused(&step, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    let step = open(3).end(producer(8, 3), Outcome::Commit, Version::V2, None, NOW).unwrap();
    refused(&step, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    for epoch in [2, 4] {
        refused(&end(&open(3), epoch, Outcome::Commit, Version::V1), ErrorCode::PRODUCER_FENCED);
        refused(&end(&open(3), epoch, Outcome::Commit, Version::V2), ErrorCode::PRODUCER_FENCED);
    }
}
