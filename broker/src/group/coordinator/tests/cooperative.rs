//! A cooperative rebalance (KIP-429): whoever stays reads on and commits, and what moves is handed out in a generation of
//! its own, once it was given back.

use std::collections::BTreeMap;

use mainstem_protocol::formats::consumer::TopicPartitions;

use super::*;

/// What a member says that it has, as the cooperative assignor wants it.
fn owning(partitions: &[i32]) -> bytes::Bytes {
    let owned = TopicPartitions {
        topic: "topic".into(),
        partitions: partitions.iter().copied().map(PartitionId).collect(),
    };
    let owned_partitions = if partitions.is_empty() { Vec::new() } else { vec![owned] };
    let subscription = Subscription { topics: vec!["topic".into()], owned_partitions, ..Default::default() };
    subscription.to_bytes(1).unwrap()
}

fn wish(member: &str, partitions: &[i32]) -> JoinGroupRequest {
    let protocol =
        |name: &'static str| JoinGroupRequestProtocol { name: name.into(), metadata: owning(partitions) };
    JoinGroupRequest {
        protocols: vec![protocol("cooperative-sticky"), protocol("range")],
        ..join_request(member, bytes::Bytes::new())
    }
}

impl Bench {
    /// Both join, and are in the same generation then; what the leader hears of them.
    async fn join_both(&self, first: JoinGroupRequest, second: JoinGroupRequest) -> JoinGroupResponse {
        let (first, second) = tokio::join!(self.join(5, first), self.join(5, second));
        assert_eq!((first.error_code, second.error_code), (ErrorCode::NONE, ErrorCode::NONE));
        assert_eq!(first.generation_id, second.generation_id);
        assert_eq!((first.members.len(), second.members.len()), (2, 0), "the first one leads");
        first
    }

    /// The leader says what each gets, and both are told.
    async fn sync_both(&self, generation: i32, first: (&Text, &'static str), second: (&Text, &'static str)) {
        let given = |(member_id, assignment): (&Text, &'static str)| SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: bytes::Bytes::from_static(assignment.as_bytes()),
        };
        let assignments = vec![given(first), given(second)];
        let (of_second, of_first) = tokio::join!(
            self.sync(second.0, generation, Vec::new()),
            self.sync(first.0, generation, assignments)
        );
        assert_eq!(
            (&of_first.assignment[..], &of_second.assignment[..]),
            (first.1.as_bytes(), second.1.as_bytes())
        );
    }
}

#[tokio::test]
async fn members_read_on_while_partitions_move_in_two_generations() {
    let bench = Bench::new();
    let (first, alone) = bench.member_that(|member| wish(member, &[])).await;
    let second = bench.join(5, wish("", &[])).await.member_id;
    let coming = async {
        tokio::task::yield_now().await;
        assert_eq!(bench.heartbeat(&first, alone), ErrorCode::REBALANCE_IN_PROGRESS);
        assert_eq!(bench.commit(alone, &first, 5).await, ErrorCode::NONE, "it reads on until it has joined");
        bench.join(5, wish(&first, &[0, 1, 2])).await
    };
    let (joined, told) = tokio::join!(bench.join(5, wish(&second, &[])), coming);
    let giving = told.generation_id;
    assert_eq!((giving, joined.generation_id), (alone + 1, alone + 1));
    assert_eq!(told.protocol_name.as_deref(), Some("cooperative-sticky"));
    let wishes: BTreeMap<_, _> = told.members.into_iter().map(|one| (one.member_id, one.metadata)).collect();
    assert_eq!((&wishes[&first], &wishes[&second]), (&owning(&[0, 1, 2]), &owning(&[])));
    assert_eq!(bench.commit(alone, &first, 6).await, ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(bench.commit(giving, &first, 6).await, ErrorCode::REBALANCE_IN_PROGRESS);
    bench.sync_both(giving, (&first, "0, 1"), (&second, "")).await;
    assert_eq!(bench.commit(giving, &first, 6).await, ErrorCode::NONE);
    assert_eq!(bench.heartbeat(&second, giving), ErrorCode::NONE);
    // The first one has given partition 2 back, and joins again so that it finds a reader.
    let told = bench.join_both(wish(&first, &[0, 1]), wish(&second, &[])).await;
    assert_eq!(told.generation_id, giving + 1);
    bench.sync_both(giving + 1, (&first, "0, 1"), (&second, "2")).await;
    assert_eq!(bench.commit(giving + 1, &second, 7).await, ErrorCode::NONE);
    assert_eq!(bench.committed(0).await, 7);
    for member in [&first, &second] {
        assert_eq!(bench.heartbeat(member, giving + 1), ErrorCode::NONE);
    }
}
