//! What happens when there are too many sessions, or too large ones.

use std::time::Duration;

use mainstem_protocol::{
    ErrorCode, PartitionId, Text,
    messages::fetch::{FetchPartition, FetchTopic, FetchableTopicResponse, PartitionData},
};

use super::super::{
    cache::{Cache, Created},
    session::{Session, SessionId, Size},
};
use super::bench::{Ask, Bench, NAMES, Place, Told, refused};
use crate::caps::{FETCH_SESSION_BYTES_MAX, FETCH_SESSION_LIFE_MIN, FETCH_SESSIONS_BYTES_MAX};

const A0: Place = ("a", 0);
const ONE: &[(Place, i64)] = &[(A0, 0)];
const TWO: &[(Place, i64)] = &[(A0, 0), (("a", 1), 0)];

fn just_over() -> Duration {
    FETCH_SESSION_LIFE_MIN + Duration::from_millis(1)
}

fn wish(bench: &Bench, partitions: &[(Place, i64)]) -> i32 {
    let Told { code, id, partitions: told } = bench.ask(NAMES, &Ask { partitions, ..Ask::default() });
    assert_eq!((code, told.len()), (ErrorCode::NONE, partitions.len()), "answered in any case");
    id
}

#[test]
fn there_are_no_more_sessions_than_slots() {
    let bench = Bench::with_slots(2);
    let first = [wish(&bench, ONE), wish(&bench, ONE)];
    assert_eq!(wish(&bench, TWO), 0, "both are young");
    assert!(first.iter().all(|id| bench.next(*id, 1, &[]).code.is_none()));
    assert_eq!(bench.sessions.count(), (2, 2));
    assert_eq!(wish(&Bench::with_slots(0), ONE), 0);
}

#[test]
fn a_session_that_was_not_used_for_long_makes_room() {
    let bench = Bench::with_slots(2);
    let (used, unused) = (wish(&bench, ONE), wish(&bench, TWO));
    bench.advance(FETCH_SESSION_LIFE_MIN);
    assert_eq!(wish(&bench, ONE), 0, "not long enough yet");
    assert!(bench.next(used, 1, &[]).code.is_none());
    bench.advance(Duration::from_millis(1));
    assert_ne!(wish(&bench, ONE), 0);
    assert_eq!(bench.next(unused, 1, &[]), refused(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert!(bench.next(used, 2, &[]).code.is_none());
    let text = bench.metrics.render().unwrap();
    assert!(text.contains("mainstem_fetch_session_evictions_total 1"), "{text}");
}

#[test]
fn an_older_session_makes_room_for_one_with_more_partitions_alone() {
    let bench = Bench::with_slots(1);
    let old = wish(&bench, ONE);
    bench.advance(just_over());
    assert!(bench.next(old, 1, &[]).code.is_none(), "in use, and older than its time");
    assert_eq!(wish(&bench, ONE), 0, "as many partitions are not more");
    assert_ne!(wish(&bench, TWO), 0);
    assert_eq!(bench.next(old, 2, &[]), refused(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!(bench.sessions.count(), (1, 2));
}

#[test]
fn a_session_that_grows_is_worth_more() {
    let bench = Bench::with_slots(1);
    let old = wish(&bench, ONE);
    bench.advance(just_over());
    assert!(bench.next(old, 1, TWO).code.is_none());
    assert_eq!(wish(&bench, TWO), 0);
    assert_eq!(bench.sessions.count(), (1, 2));
}

fn topic(partitions: i32) -> (FetchTopic, FetchableTopicResponse) {
    let asked = |number| FetchPartition { partition: PartitionId(number), ..FetchPartition::default() };
    let said = |number| PartitionData { partition_index: PartitionId(number), ..PartitionData::default() };
    let topic = Text::from("a");
    (
        FetchTopic {
            topic: topic.clone(),
            partitions: (0..partitions).map(asked).collect(),
            ..FetchTopic::default()
        },
        FetchableTopicResponse {
            topic,
            partitions: (0..partitions).map(said).collect(),
            ..FetchableTopicResponse::default()
        },
    )
}

fn session(partitions: i32) -> Session {
    let (asked, said) = topic(partitions);
    Session::new(false, &[asked.partitions], &[said])
}

fn create(cache: &mut Cache, number: i32, bytes: usize) -> Created {
    let size = Size { partitions: 1, bytes };
    cache.create(Duration::ZERO, size, || SessionId(number), || session(1))
}

#[test]
fn what_takes_too_much_memory_is_no_session() {
    let mut cache = Cache::new(10);
    assert_eq!(create(&mut cache, 1, FETCH_SESSION_BYTES_MAX + 1).id, SessionId::NONE);
    assert_eq!(create(&mut cache, 1, FETCH_SESSION_BYTES_MAX).id, SessionId(1));
}

#[test]
fn a_session_that_outgrows_its_memory_goes() {
    let mut cache = Cache::new(10);
    create(&mut cache, 1, 100);
    assert!(cache.touch(SessionId(1), Duration::ZERO, Size { partitions: 9, bytes: 900 }));
    let large = Size { partitions: 1, bytes: FETCH_SESSION_BYTES_MAX + 1 };
    assert!(!cache.touch(SessionId(1), Duration::ZERO, large));
    assert_eq!((cache.sessions(), cache.partitions()), (0, 0));
}

#[test]
fn all_sessions_together_have_a_limit_of_memory() {
    let (mut cache, mut number) = (Cache::new(usize::MAX), 0);
    let mut largest = || {
        number += 1;
        let created = create(&mut cache, number, 0).id;
        let large = Size { partitions: 1, bytes: FETCH_SESSION_BYTES_MAX };
        cache.touch(created, Duration::ZERO, large)
    };
    let fitting = (0..1000).take_while(|_| largest()).count();
    assert_eq!(fitting, FETCH_SESSIONS_BYTES_MAX / FETCH_SESSION_BYTES_MAX);
}

#[test]
fn numbers_that_are_taken_are_drawn_again() {
    let mut cache = Cache::new(10);
    create(&mut cache, 1, 0);
    let mut drawn = [0, 1, 2].map(SessionId).into_iter();
    let created = cache.create(Duration::ZERO, Size::default(), || drawn.next().unwrap(), || session(1));
    assert_eq!(created.id, SessionId(2));
}

#[test]
fn the_size_that_is_foreseen_is_that_of_the_session() {
    let (_, said) = topic(7);
    assert_eq!(Size::of(&[said]), session(7).size());
}
