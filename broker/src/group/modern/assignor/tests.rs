use super::*;

/// Topics with their partitions.
type Of<'a> = &'a [(u8, &'a [i32])];
/// A member, the topics that it wants, and what it has.
type Has<'a> = (&'a str, &'a [u8], Of<'a>);

/// Topics are 1, 2, 3 ...
fn topic(number: u8) -> TopicId {
    TopicId([number; 16])
}

fn partitions(topics: Of<'_>) -> Assignment {
    let partitions = |(number, partitions): &(u8, &[i32])| {
        let number = *number;
        partitions.iter().map(move |partition| (topic(number), PartitionId(*partition))).collect::<Vec<_>>()
    };
    topics.iter().flat_map(partitions).collect()
}

fn counts(counts: &[u32]) -> PartitionCounts {
    counts.iter().zip(1..).map(|(count, number)| (topic(number), *count)).collect()
}

/// Members with the topics that they want and what they have.
fn candidates(members: &[Has<'_>]) -> Candidates {
    let candidate = |(id, topics, assignment): &Has<'_>| {
        let topics = topics.iter().map(|number| topic(*number)).collect();
        let candidate = Candidate { instance_id: None, topics, assignment: partitions(assignment) };
        (Text::from(*id), candidate)
    };
    members.iter().map(candidate).collect()
}

fn check(assignor: Assignor, members: &[Has<'_>], partition_counts: &[u32], expected: &[(&str, Of<'_>)]) {
    let targets = assignor.assign(&candidates(members), &counts(partition_counts));
    let expected: Targets =
        expected.iter().map(|(id, topics)| (Text::from(*id), partitions(topics))).collect();
    assert_eq!(targets, expected);
}

/// Every partition that somebody wants is given once, to one who wants it.
fn check_complete(candidates: &Candidates, counts: &PartitionCounts, targets: &Targets) {
    let mut given = Assignment::default();
    for (id, target) in targets {
        assert!(target.topics().all(|(topic, _)| candidates[id].topics.contains(&topic)), "{id} wants it");
        assert!(!given.meets(target), "nobody has what another has");
        given = given.joined_with(target);
    }
    let wanted: BTreeSet<TopicId> = candidates.values().flat_map(|one| one.topics.iter().copied()).collect();
    let all: Assignment = wanted
        .iter()
        .flat_map(|topic| partitions_of(*topic, counts).map(|partition| (*topic, partition)))
        .collect();
    assert_eq!(given, all);
}

#[test]
fn range_gives_alike_ranges_of_topics_with_as_many_partitions() {
    check(
        Assignor::Range,
        &[("a", &[1, 2], &[]), ("b", &[1, 2], &[])],
        &[3, 3],
        &[("a", &[(1, &[0, 1]), (2, &[0, 1])]), ("b", &[(1, &[2]), (2, &[2])])],
    );
}

#[test]
fn range_shares_each_topic_among_those_who_want_it() {
    check(
        Assignor::Range,
        &[("a", &[1, 2], &[]), ("b", &[3], &[]), ("c", &[2, 3], &[])],
        &[3, 3, 2],
        &[("a", &[(1, &[0, 1, 2]), (2, &[0, 1])]), ("b", &[(3, &[0])]), ("c", &[(2, &[2]), (3, &[1])])],
    );
}

#[test]
fn range_leaves_members_without_partitions_where_there_are_too_few() {
    check(
        Assignor::Range,
        &[("a", &[1], &[]), ("b", &[1], &[]), ("c", &[1], &[])],
        &[2],
        &[("a", &[(1, &[0])]), ("b", &[(1, &[1])]), ("c", &[])],
    );
}

#[test]
fn range_puts_static_members_first_in_the_order_of_their_instances() {
    let mut candidates = candidates(&[("a", &[1], &[]), ("b", &[1], &[]), ("c", &[1], &[])]);
    candidates.get_mut("b").unwrap().instance_id = Some("y".into());
    candidates.get_mut("c").unwrap().instance_id = Some("x".into());
    let targets = Assignor::Range.assign(&candidates, &counts(&[3]));
    let has = |id: &str, partition| assert_eq!(targets[id], partitions(&[(1, &[partition])]), "{id}");
    has("c", 0);
    has("b", 1);
    has("a", 2);
}

#[test]
fn range_follows_a_topic_that_grows() {
    check(
        Assignor::Range,
        &[("a", &[1, 2], &[(1, &[0, 1]), (2, &[0, 1])]), ("b", &[1, 2], &[(1, &[2]), (2, &[2])])],
        &[4, 3],
        &[("a", &[(1, &[0, 1]), (2, &[0, 1])]), ("b", &[(1, &[2, 3]), (2, &[2])])],
    );
}

#[test]
fn uniform_gives_equal_numbers() {
    check(
        Assignor::Uniform,
        &[("a", &[1, 3], &[]), ("b", &[1, 3], &[])],
        &[3, 0, 2],
        &[("a", &[(1, &[0, 1])]), ("b", &[(1, &[2]), (3, &[0, 1])])],
    );
}

#[test]
fn uniform_leaves_everything_where_it_is_when_it_is_balanced() {
    let members: &[Has<'_>] =
        &[("a", &[1, 2], &[(1, &[0, 1]), (2, &[0])]), ("b", &[1, 2], &[(1, &[2]), (2, &[1, 2])])];
    check(
        Assignor::Uniform,
        members,
        &[3, 3],
        &[("a", &[(1, &[0, 1]), (2, &[0])]), ("b", &[(1, &[2]), (2, &[1, 2])])],
    );
}

#[test]
fn uniform_lets_the_member_with_one_more_keep_it() {
    // b has the odd one already: a, though it comes first, does not take it.
    check(
        Assignor::Uniform,
        &[("a", &[1], &[(1, &[0])]), ("b", &[1], &[(1, &[1, 2])])],
        &[3],
        &[("a", &[(1, &[0])]), ("b", &[(1, &[1, 2])])],
    );
}

#[test]
fn uniform_moves_no_more_than_a_new_member_needs() {
    check(
        Assignor::Uniform,
        &[
            ("a", &[1, 2], &[(1, &[0, 2]), (2, &[0])]),
            ("b", &[1, 2], &[(1, &[1]), (2, &[1, 2])]),
            ("c", &[1, 2], &[]),
        ],
        &[3, 3],
        &[("a", &[(1, &[0, 2])]), ("b", &[(1, &[1]), (2, &[1])]), ("c", &[(2, &[0, 2])])],
    );
}

#[test]
fn uniform_gives_what_a_gone_member_had_to_those_who_stay() {
    check(
        Assignor::Uniform,
        &[("a", &[1, 2], &[(1, &[0]), (2, &[0])]), ("b", &[1, 2], &[(1, &[1]), (2, &[1])])],
        &[3, 3],
        &[("a", &[(1, &[0, 2]), (2, &[0])]), ("b", &[(1, &[1]), (2, &[1, 2])])],
    );
}

#[test]
fn uniform_gives_new_partitions_to_whoever_has_least() {
    check(
        Assignor::Uniform,
        &[("a", &[1], &[(1, &[0, 1])]), ("b", &[1], &[(1, &[2])])],
        &[6],
        &[("a", &[(1, &[0, 1, 3])]), ("b", &[(1, &[2, 4, 5])])],
    );
}

#[test]
fn uniform_among_different_wishes_gives_only_what_is_wanted() {
    check(
        Assignor::Uniform,
        &[("a", &[1, 2], &[]), ("b", &[3], &[]), ("c", &[2, 3], &[])],
        &[2, 2, 2],
        &[("a", &[(1, &[0, 1]), (2, &[])]), ("b", &[(3, &[0, 1])]), ("c", &[(2, &[0, 1])])],
    );
}

#[test]
fn uniform_among_different_wishes_takes_from_whoever_has_most() {
    check(
        Assignor::Uniform,
        &[("a", &[1, 2], &[(1, &[0, 1, 2, 3]), (2, &[0, 1])]), ("b", &[2], &[])],
        &[4, 2],
        &[("a", &[(1, &[0, 1, 2, 3])]), ("b", &[(2, &[0, 1])])],
    );
}

#[test]
fn thousands_with_different_wishes_have_equal_numbers() {
    // Every other one wants both topics; all can have three.
    let wishes = |number: usize| if number.is_multiple_of(2) { vec![1, 2] } else { vec![1] };
    let members = (0..4000).map(|number| {
        let topics = wishes(number).into_iter().map(topic).collect();
        (Text::from(format!("{number}")), Candidate { topics, ..Candidate::default() })
    });
    let (mut candidates, counts): (Candidates, _) = (members.collect(), counts(&[8000, 4000]));
    let check = |targets: &Targets| {
        let all: BTreeSet<_> = targets.values().flat_map(Assignment::iter).collect();
        assert_eq!(all.len(), 12_000, "everything is given");
        assert!(targets.values().all(|target| target.len() == 3));
    };
    let targets = Assignor::Uniform.assign(&candidates, &counts);
    check(&targets);
    // Half of them come anew, to whom everybody else gives what was the others'.
    for (number, (id, candidate)) in candidates.iter_mut().enumerate() {
        candidate.assignment = if number < 2000 { targets[id].clone() } else { Assignment::default() };
    }
    check(&Assignor::Uniform.assign(&candidates, &counts));
}

#[test]
fn nobody_gets_nothing_where_nobody_wants_anything() {
    for assignor in Assignor::ALL {
        check(assignor, &[("a", &[], &[]), ("b", &[], &[])], &[], &[("a", &[]), ("b", &[])]);
        check(assignor, &[], &[], &[]);
    }
}

mod random {
    use proptest::prelude::*;

    use super::*;

    /// What members want, out of six topics.
    fn wishes() -> impl Strategy<Value = Vec<BTreeSet<u8>>> {
        prop::collection::vec(prop::collection::btree_set(1..=6_u8, 0..=6), 1..8)
    }

    fn group(wishes: &[BTreeSet<u8>], before: &Targets) -> Candidates {
        let candidate = |(place, wanted): (usize, &BTreeSet<u8>)| {
            let id: Text = format!("member-{place}").into();
            let assignment = before.get(&id).cloned().unwrap_or_default();
            let topics = wanted.iter().map(|number| topic(*number)).collect();
            (id, Candidate { instance_id: None, topics, assignment })
        };
        wishes.iter().enumerate().map(candidate).collect()
    }

    fn sizes(targets: &Targets) -> Vec<usize> {
        targets.values().map(Assignment::len).collect()
    }

    proptest! {
        #[test]
        fn everything_that_is_wanted_is_given_once(
            first in wishes(), second in wishes(), partitions in prop::collection::vec(0..9_u32, 6),
        ) {
            let counts = counts(&partitions);
            for assignor in Assignor::ALL {
                let candidates = group(&first, &Targets::new());
                let before = assignor.assign(&candidates, &counts);
                check_complete(&candidates, &counts, &before);
                let candidates = group(&second, &before);
                let after = assignor.assign(&candidates, &counts);
                check_complete(&candidates, &counts, &after);
                // Nothing moves without a reason.
                prop_assert_eq!(&assignor.assign(&group(&second, &after), &counts), &after);
            }
        }

        #[test]
        fn nobody_has_two_more_than_another_who_wants_one_of_them(
            first in wishes(), second in wishes(), partitions in prop::collection::vec(0..9_u32, 6),
        ) {
            let counts = counts(&partitions);
            let before = Assignor::Uniform.assign(&group(&first, &Targets::new()), &counts);
            let candidates = group(&second, &before);
            let after = Assignor::Uniform.assign(&candidates, &counts);
            for (id, candidate) in &candidates {
                let could_have = |(_, target): &(&Text, &Assignment)| {
                    target.topics().any(|(topic, _)| candidate.topics.contains(&topic))
                };
                let most = after.iter().filter(could_have).map(|(_, target)| target.len()).max();
                prop_assert!(most.unwrap_or_default() <= after[id].len() + 1, "{} {:?}", id, after);
            }
        }

        #[test]
        fn uniform_is_balanced_and_moves_as_little_as_that_needs(
            members in 1..9_usize, more in 1..9_usize, partitions in prop::collection::vec(0..9_u32, 6),
        ) {
            let all: BTreeSet<u8> = (1..=6).collect();
            let counts = counts(&partitions);
            let before = Assignor::Uniform.assign(&group(&vec![all.clone(); members], &Targets::new()), &counts);
            let after = Assignor::Uniform.assign(&group(&vec![all; more], &before), &counts);
            let sizes = sizes(&after);
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            // Of those who stay, each keeps what it had or all that it may have.
            let least = partitions.iter().sum::<u32>() as usize / more;
            for (id, target) in &after {
                let had = before.get(id).cloned().unwrap_or_default();
                prop_assert!(target.shared_with(&had).len() >= had.len().min(least));
            }
        }
    }
}
