use std::collections::BTreeMap;

use mainstem_protocol::PartitionId;
use proptest::prelude::*;

use super::*;

fn t(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn asked(partitions: &[(i32, i64)]) -> Asked {
    partitions.iter().map(|(partition, offset)| (t(*partition), 1, Offset(*offset))).collect()
}

fn answers(partitions: impl IntoIterator<Item = i32>) -> Answers {
    partitions.into_iter().map(|partition| (t(partition), PartitionData::default())).collect()
}

/// What a turn says: its session, what it names, what it forgets.
fn said(turn: &Turn<'_>) -> ((i32, i32), Vec<i32>, Vec<i32>) {
    let named = turn.named.iter().map(|(partition, ..)| partition.partition.0);
    let forgotten = turn.forgotten.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.0);
    let sorted = |numbers: Vec<i32>| numbers.into_iter().collect::<std::collections::BTreeSet<_>>();
    let both = [named.collect(), forgotten.collect()].map(|numbers| sorted(numbers).into_iter().collect());
    let [named, forgotten] = both;
    ((turn.id, turn.epoch), named, forgotten)
}

/// A session of these partitions, each from 0 on.
fn open(id: i32, partitions: &[i32]) -> FetchSession {
    let mut session = FetchSession::default();
    let asked = asked(&partitions.iter().map(|partition| (*partition, 0)).collect::<Vec<_>>());
    assert_eq!(said(&session.turn(&asked)), ((0, 0), partitions.to_vec(), Vec::new()));
    session.answered(ErrorCode::NONE, id, &asked, &answers(partitions.iter().copied())).unwrap();
    session
}

#[test]
fn a_broker_without_sessions_is_told_everything_every_time() {
    let mut session = open(0, &[0, 1]);
    assert_eq!(said(&session.turn(&asked(&[(0, 0), (1, 0)]))), ((0, 0), vec![0, 1], vec![]));
    assert!(session.known.is_empty());
    assert_eq!(session.close(), None);
}

#[test]
fn a_session_is_told_what_is_new_what_has_moved_and_what_is_not_wanted() {
    let mut session = open(7, &[0, 1, 2]);
    let next = asked(&[(0, 0), (1, 5), (3, 0)]);
    assert_eq!(said(&session.turn(&next)), ((7, 1), vec![1, 3], vec![2]));
    session.answered(ErrorCode::NONE, 7, &next, &answers([3])).unwrap();
    assert_eq!(said(&session.turn(&next)), ((7, 2), vec![], vec![]));
    assert_eq!(session.close(), Some((7, -1)));
}

#[test]
fn after_each_error_a_new_session_is_wanted() {
    let over = [
        (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0),
        (ErrorCode::INVALID_FETCH_SESSION_EPOCH, 7),
        (ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR, 7),
    ];
    let wanted = asked(&[(0, 0)]);
    for (code, closed) in over {
        let mut session = open(7, &[0]);
        session.turn(&wanted);
        assert_eq!(session.answered(code, 0, &wanted, &answers([])), Err(Unfit::Over(code)));
        assert_eq!(said(&session.turn(&wanted)), ((closed, 0), vec![0], vec![]), "{code}");
        let again = session.answered(code, 0, &wanted, &answers([]));
        assert_eq!(again, Err(Unfit::Refused(code)), "a new session is not refused for ever without rest");
    }
    let mut session = open(7, &[0]);
    session.turn(&wanted);
    let code = ErrorCode::UNKNOWN_SERVER_ERROR;
    assert_eq!(session.answered(code, 0, &wanted, &answers([])), Err(Unfit::Refused(code)));
    assert_eq!(said(&session.turn(&wanted)), ((7, 0), vec![0], vec![]));
}

#[test]
fn without_an_answer_the_session_is_closed_and_begun_anew() {
    let mut session = open(7, &[0]);
    session.turn(&asked(&[(0, 3)]));
    session.renew();
    assert_eq!(said(&session.turn(&asked(&[(0, 3)]))), ((7, 0), vec![0], vec![]));
}

#[test]
fn a_broker_may_end_the_session_with_an_answer() {
    let mut session = open(7, &[0, 1]);
    let wanted = asked(&[(0, 0), (1, 0)]);
    session.turn(&wanted);
    session.answered(ErrorCode::NONE, 0, &wanted, &answers([1])).unwrap();
    assert_eq!(said(&session.turn(&wanted)), ((0, 0), vec![0, 1], vec![]));
}

#[test]
fn an_answer_that_does_not_fit_is_none() {
    let wanted = asked(&[(0, 0), (1, 0)]);
    let mut session = FetchSession::default();
    session.turn(&wanted);
    assert_eq!(session.answered(ErrorCode::NONE, 7, &wanted, &answers([0])), Err(Unfit::Stray), "omitted");
    assert_eq!(said(&session.turn(&wanted)).0, (7, 0));
    for (id, told) in [(7, vec![2]), (8, vec![0])] {
        let mut session = open(7, &[0, 1]);
        session.turn(&wanted);
        assert_eq!(session.answered(ErrorCode::NONE, id, &wanted, &answers(told)), Err(Unfit::Stray), "{id}");
        assert_eq!(said(&session.turn(&wanted)), ((7, 0), vec![0, 1], vec![]));
    }
}

#[test]
fn the_end_of_a_partition_is_remembered_while_nothing_new_is_told() {
    let mut session = open(7, &[0]);
    let wanted = asked(&[(0, 1)]);
    for (told, expected) in [(Some(5), 5), (None, 5), (Some(6), 6)] {
        session.turn(&wanted);
        let data =
            told.map(|end| (t(0), PartitionData { high_watermark: Offset(end), ..Default::default() }));
        session.answered(ErrorCode::NONE, 7, &wanted, &data.into_iter().collect()).unwrap();
        assert_eq!(session.ends(&t(0)).unwrap().high_watermark, Offset(expected));
    }
    assert_eq!(session.ends(&t(1)), None);
}

#[test]
fn after_the_largest_epoch_comes_one() {
    let mut session = open(7, &[0]);
    session.epoch = i32::MAX;
    session.turn(&asked(&[(0, 0)]));
    session.answered(ErrorCode::NONE, 7, &asked(&[(0, 0)]), &answers([])).unwrap();
    assert_eq!(session.epoch, 1);
}

/// A broker that keeps to Kafka's rules: sessions by number, with the epoch that comes next and what is asked for.
#[derive(Default)]
struct Model {
    sessions: BTreeMap<i32, (i32, BTreeMap<PartitionId, Offset>)>,
    created: i32,
    keeps_none: bool,
}

impl Model {
    /// The code, the number, and what is read; by the rules of `FetchManager.newContext`.
    fn answer(&mut self, turn: &Turn<'_>) -> (ErrorCode, i32, BTreeMap<PartitionId, Offset>) {
        let named = turn.named.iter().map(|(partition, _, offset)| (partition.partition, *offset));
        if turn.epoch <= 0 {
            self.sessions.remove(&turn.id);
            let read: BTreeMap<_, _> = named.collect();
            if self.keeps_none || turn.epoch < 0 {
                return (ErrorCode::NONE, 0, read);
            }
            self.created += 1;
            self.sessions.insert(self.created, (1, read.clone()));
            return (ErrorCode::NONE, self.created, read);
        }
        let Some((epoch, read)) = self.sessions.get_mut(&turn.id) else {
            return (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0, BTreeMap::new());
        };
        if *epoch != turn.epoch {
            return (ErrorCode::INVALID_FETCH_SESSION_EPOCH, 0, BTreeMap::new());
        }
        read.extend(named);
        let forgotten = turn.forgotten.iter().flat_map(|topic| &topic.partitions);
        for partition in forgotten {
            read.remove(partition);
        }
        *epoch += 1;
        let read = read.clone();
        if read.is_empty() {
            self.sessions.remove(&turn.id);
            return (ErrorCode::NONE, 0, read);
        }
        (ErrorCode::NONE, turn.id, read)
    }
}

/// What happens around a request.
#[derive(Clone, Copy, Debug)]
enum Luck {
    Good,
    /// The broker answers, and the answer is lost.
    AnswerLost,
    RequestLost,
    /// The broker throws the session out before.
    Evicted,
    /// Somebody else goes on with the session before.
    Overtaken,
    /// The broker keeps no sessions from now on, or does again.
    Switched,
    /// The broker refuses the whole request.
    Refused,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        10 => Just(Luck::Good),
        1 => Just(Luck::AnswerLost),
        1 => Just(Luck::RequestLost),
        1 => Just(Luck::Evicted),
        1 => Just(Luck::Overtaken),
        1 => Just(Luck::Switched),
        1 => Just(Luck::Refused),
    ]
}

/// One request. What was read by an answer that the client takes is what the client wanted.
fn step(session: &mut FetchSession, model: &mut Model, wanted: &BTreeMap<i32, i64>, told: u8, luck: Luck) {
    let list: Vec<_> = wanted.iter().map(|(partition, offset)| (*partition, *offset)).collect();
    let asked = asked(&list);
    match luck {
        Luck::Evicted => model.sessions.clear(),
        Luck::Overtaken => model.sessions.values_mut().for_each(|(epoch, _)| *epoch += 1),
        Luck::Switched => model.keeps_none = !model.keeps_none,
        _ => {}
    }
    let turn = session.turn(&asked);
    let is_full = turn.epoch == 0;
    match luck {
        Luck::RequestLost => return session.renew(),
        Luck::Refused => {
            drop(turn);
            let code = ErrorCode::UNKNOWN_SERVER_ERROR;
            session.answered(code, 0, &asked, &answers([])).unwrap_err();
            return;
        }
        _ => {}
    }
    let (code, id, read) = model.answer(&turn);
    if matches!(luck, Luck::AnswerLost) {
        return session.renew();
    }
    let names_all = is_full || id == 0;
    let says = |partition: &i32| names_all || told >> partition & 1 == 1;
    let answers = answers(read.keys().map(|partition| partition.0).filter(says));
    if session.answered(code, id, &asked, &answers).is_err() {
        return;
    }
    let wanted: BTreeMap<_, _> =
        list.iter().map(|(partition, offset)| (PartitionId(*partition), Offset(*offset))).collect();
    assert_eq!(read, wanted);
    let known = session.known.iter().map(|(partition, known)| (partition.partition, known.offset));
    let kept = model.sessions.get(&id).map(|(_, kept)| kept.clone()).unwrap_or_default();
    assert_eq!(known.collect::<BTreeMap<_, _>>(), kept, "what is believed is what there is");
}

proptest! {
    #[test]
    fn what_the_client_believes_is_what_the_broker_has(
        steps in prop::collection::vec(
            (prop::collection::btree_map(0..6_i32, 0..3_i64, 1..6), any::<u8>(), luck()),
            1..60,
        ),
    ) {
        let (mut session, mut model) = (FetchSession::default(), Model::default());
        for (wanted, told, luck) in &steps {
            step(&mut session, &mut model, wanted, *told, *luck);
        }
        // However it went, it goes well again after a request or two.
        model.keeps_none = false;
        for _ in 0..3 {
            step(&mut session, &mut model, &steps[0].0, u8::MAX, Luck::Good);
        }
        prop_assert!(session.id != 0 && session.epoch > 0, "{session:?}");
    }
}
