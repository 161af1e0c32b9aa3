//! What a client is told piece by piece is what there is, whatever happens in which order.

use std::collections::HashMap;

use proptest::prelude::*;

use mainstem_protocol::{ErrorCode, messages::FetchResponse};

use super::bench::{Ask, Bench, IDS, NAMES, Place, State, told};

const PLACES: [Place; 6] = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("c", 0), ("c", 1)];

#[derive(Clone, Debug)]
enum Step {
    Write {
        place: usize,
        end: i64,
        start: i64,
    },
    Fail(usize),
    Fetch {
        ask: Vec<(usize, i64)>,
        forget: Vec<usize>,
    },
    /// A request that others send with the session's number.
    Stranger(i32),
    Time(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..PLACES.len();
    prop_oneof![
        3 => (place.clone(), 0..20_i64, 0..3_i64)
            .prop_map(|(place, end, start)| Step::Write { place, end, start }),
        1 => place.clone().prop_map(Step::Fail),
        6 => (
            prop::collection::vec((place.clone(), 0..20_i64), 0..4),
            prop::collection::vec(place, 0..2),
        ).prop_map(|(ask, forget)| Step::Fetch { ask, forget }),
        1 => prop_oneof![Just(-1), Just(0), 1..9_i32].prop_map(Step::Stranger),
        1 => (0..200_u64).prop_map(Step::Time),
    ]
}

/// A client that goes by Kafka's rules and believes what it is told.
#[derive(Default)]
struct Client {
    id: i32,
    epoch: i32,
    asked: HashMap<Place, i64>,
    believed: HashMap<Place, (i64, i64, ErrorCode)>,
}

impl Client {
    fn fetch(&mut self, bench: &Bench, version: i16, ask: &[(usize, i64)], forget: &[usize]) {
        let changed: HashMap<_, _> = ask.iter().map(|(place, offset)| (PLACES[*place], *offset)).collect();
        let forgotten: Vec<_> = forget.iter().map(|place| PLACES[*place]).collect();
        let forgotten: Vec<_> = forgotten.into_iter().filter(|place| !changed.contains_key(place)).collect();
        self.asked.extend(changed.clone());
        for place in &forgotten {
            self.asked.remove(place);
            self.believed.remove(place);
        }
        let partitions: Vec<_> =
            if self.epoch == 0 { self.asked.clone() } else { changed }.into_iter().collect();
        let ask = Ask { id: self.id, epoch: self.epoch, partitions: &partitions, forgotten: &forgotten };
        self.heed(bench, &bench.respond(version, &ask));
    }

    fn heed(&mut self, bench: &Bench, response: &FetchResponse) {
        let answer = told(response);
        if !answer.code.is_none() {
            // The next request is a full one.
            (self.id, self.epoch) = (0, 0);
            return;
        }
        let data = response.responses.iter().flat_map(|topic| &topic.partitions);
        for (place, data) in answer.partitions.iter().zip(data) {
            assert!(self.asked.contains_key(place), "{place:?} was not asked for");
            let told = (data.high_watermark.0, data.log_start_offset.0, data.error_code);
            self.believed.insert(*place, told);
        }
        self.check(bench, &answer.partitions);
        (self.id, self.epoch) = if answer.id == 0 { (0, 0) } else { (answer.id, self.epoch + 1) };
    }

    /// What is believed is true, and nobody starves: whatever has records was told of.
    fn check(&self, bench: &Bench, told: &[Place]) {
        for (place, offset) in &self.asked {
            let State { end, start, error } = bench.state(*place);
            let truth = if error.is_none() { (end, start, error) } else { (-1, -1, error) };
            assert_eq!(self.believed.get(place), Some(&truth), "{place:?}");
            let has_records = error.is_none() && *offset < end;
            assert!(!has_records || told.contains(place), "{place:?} has records");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_client_knows_what_there_is(
        steps in prop::collection::vec(step(), 1..40),
        version in prop_oneof![Just(NAMES), Just(IDS)],
        slots in 0..3_usize,
    ) {
        let (bench, mut client) = (Bench::with_slots(slots), Client::default());
        for step in steps {
            match step {
                Step::Write { place, end, start } => {
                    bench.set(PLACES[place], State { end, start, error: ErrorCode::NONE });
                }
                Step::Fail(place) => {
                    let error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
                    bench.set(PLACES[place], State { error, ..State::default() });
                }
                Step::Fetch { ask, forget } => client.fetch(&bench, version, &ask, &forget),
                Step::Stranger(epoch) => {
                    let partitions = &[(PLACES[0], 0)];
                    bench.ask(version, &Ask { id: client.id, epoch, partitions, ..Ask::default() });
                }
                Step::Time(seconds) => bench.advance(std::time::Duration::from_secs(seconds)),
            }
        }
    }
}
