//! What the assignors share out, against what Kafka's own do with the same groups (`tests/data/assignors`).

use std::collections::HashSet;

use super::*;

const CASES: &str = include_str!("../../../../../tests/data/assignors/cases.txt");

/// A group, and for each assignor the place of the member that gets each partition, as Kafka has it.
#[derive(Debug, Default)]
struct Case {
    topics: BTreeMap<Text, usize>,
    /// Each with its user data for the sticky assignor.
    members: Vec<(Claim, Option<Bytes>)>,
    expected: Vec<(Assignor, Vec<Option<usize>>)>,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["case"] => cases.push(Case::default()),
            ["topic", name, count] => {
                cases.last_mut().unwrap().topics.insert(name.into(), count.parse().unwrap());
            }
            ["member", id, instance, generation, topics, owned, data] => {
                let some = |text: &str| (text != "-").then(|| Text::from(text));
                let claim = Claim {
                    id: id.into(),
                    instance: some(instance),
                    topics: topics.split(',').map(Text::from).collect(),
                    owned: some(owned).iter().flat_map(|all| all.split(',')).map(partition).collect(),
                    generation: generation.parse().unwrap(),
                    user_data: None,
                };
                cases.last_mut().unwrap().members.push((claim, some(data).map(|data| unhex(&data))));
            }
            [name, ref owners @ ..] => {
                let owners = owners.iter().map(|owner| owner.parse().ok()).collect();
                cases.last_mut().unwrap().expected.push((Assignor::by_name(name).unwrap(), owners));
            }
            [] => {}
        }
    }
    cases
}

fn partition(text: &str) -> TopicPartition {
    let (topic, number) = text.split_once(':').unwrap();
    TopicPartition::new(topic, number.parse().unwrap())
}

fn unhex(text: &str) -> Bytes {
    let digits = (0..text.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

impl Case {
    /// What members put into their subscriptions for an assignor.
    fn claims(&self, assignor: Assignor) -> Vec<Claim> {
        let claims = self.members.iter().map(|(claim, data)| match assignor {
            Assignor::Sticky => Claim { owned: Vec::new(), user_data: data.clone(), ..claim.clone() },
            _ => claim.clone(),
        });
        claims.collect()
    }

    /// Whether every partition goes to a member that wants its topic. Kafka's sticky assignor gives one back to whoever had
    /// it in an older generation without asking whether it still wants it; ours does not.
    fn is_sound(&self, owners: &[Option<usize>]) -> bool {
        let all = self.topics.iter().flat_map(|(topic, count)| std::iter::repeat_n(topic, *count));
        let wants = |owner: usize, topic| self.members[owner].0.topics.contains(topic);
        all.zip(owners).all(|(topic, owner)| owner.is_none_or(|owner| wants(owner, topic)))
    }

    fn owners(&self, shares: &Shares) -> Vec<Option<usize>> {
        let owner = |partition: &TopicPartition| {
            self.members.iter().position(|(member, _)| shares[&member.id].contains(partition))
        };
        let all = self.topics.iter().flat_map(|(topic, count)| partitions_of(topic, *count));
        all.map(|partition| owner(&partition)).collect()
    }
}

#[test]
fn partitions_are_shared_out_as_kafka_does_it() {
    let cases = cases();
    assert!(cases.len() > 300);
    let is_sound = |case: &&Case| case.expected.iter().all(|(_, owners)| case.is_sound(owners));
    assert_eq!(cases.iter().filter(is_sound).count(), cases.len() - 2);
    for (number, case) in cases.iter().enumerate() {
        let counts = case.topics.iter().map(|(topic, count)| (topic.clone(), *count)).collect();
        for (assignor, expected) in &case.expected {
            let shares = assignor.assign(&case.claims(*assignor), &counts);
            if case.is_sound(expected) {
                assert_eq!(case.owners(&shares), *expected, "{} in case {number}: {case:?}", assignor.name());
            }
        }
    }
}

#[test]
fn no_partition_is_shared_out_twice_or_forgotten() {
    for case in cases() {
        let counts = case.topics.iter().map(|(topic, count)| (topic.clone(), *count)).collect();
        for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky] {
            let claims = case.claims(assignor);
            let shares = assignor.assign(&claims, &counts);
            let all: Vec<_> = shares.values().flatten().collect();
            let wanted: usize = wanted(&claims, &counts).values().sum();
            assert_eq!((all.iter().collect::<HashSet<_>>().len(), all.len()), (wanted, wanted));
        }
    }
}

#[test]
fn user_data_of_a_sticky_member_says_what_kafkas_says() {
    for (member, data) in cases().into_iter().flat_map(|case| case.members) {
        let Some(data) = data else { continue };
        let ours = Assignor::Sticky.user_data(Some(&(member.owned.clone(), member.generation))).unwrap();
        let claimed = |user_data: Bytes| {
            let claim = Claim { user_data: Some(user_data), ..Claim::default() };
            let (mut partitions, generation) = user_data::claimed(&claim);
            partitions.sort();
            (partitions, generation)
        };
        assert_eq!((ours.len(), claimed(ours)), (data.len(), claimed(data)));
    }
}

#[test]
fn leader_that_hears_of_nobody_shares_out_nothing() {
    for assignor in Assignor::ALL {
        assert_eq!(assignor.assign(&[], &HashMap::from([("t".into(), 3)])), Shares::new());
    }
}
