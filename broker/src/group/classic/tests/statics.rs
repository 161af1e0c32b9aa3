//! Static members (KIP-345): who comes back takes the place of its former self.

use super::*;

/// A stable group of one static member, `old`, with the instance id `i`.
fn fixed() -> Bench {
    let mut bench = Bench::new();
    bench.join_as(request("old", Some("i"), &["range"]));
    let waiter = bench.waiter();
    let sync = SyncRequest {
        member_id: "old".into(),
        instance_id: Some("i".into()),
        generation: 1,
        protocol_type: None,
        protocol: None,
        assignments: BTreeMap::from([("old".into(), Bytes::from_static(b"all"))]),
    };
    let actions = bench.group.sync(waiter, sync, bench.now);
    bench.apply(actions);
    bench
}

#[test]
fn static_member_learns_its_new_id_only_when_that_is_stored() {
    let mut bench = fixed();
    bench.held = Some(Vec::new());
    let back = bench.join_as(request("new", Some("i"), &["range"]));
    assert!(!bench.joined.contains_key(&back));
    bench.release();
    assert_eq!((bench.joined[&back].error, bench.joined[&back].generation), (ErrorCode::NONE, 1));
}

#[test]
fn static_member_whose_new_id_cannot_be_stored_keeps_the_former_one() {
    let mut bench = fixed();
    bench.stores_succeed = false;
    let back = bench.join_as(request("new", Some("i"), &["range"]));
    assert_eq!(bench.joined[&back].error, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(bench.group.members["old"].assignment, "all");
    assert_eq!(bench.group.leader.as_deref(), Some("old"));
    assert_eq!(bench.group.heartbeat(&"old".into(), Some(&"i".into()), 1, bench.now), Ok(()));
}

#[test]
fn static_member_that_comes_back_in_a_rebalance_waits_for_its_end() {
    let mut bench = fixed();
    bench.held = Some(Vec::new());
    let back = bench.join_as(request("new", Some("i"), &["range"]));
    let other = bench.join("b");
    bench.release();
    assert_eq!((bench.joined[&back].generation, bench.joined[&other].generation), (2, 2));
    assert_eq!(bench.joined[&back].members.len(), 2);
}

#[test]
fn static_leader_that_cannot_skip_is_told_of_its_former_self() {
    let mut bench = fixed();
    let request = JoinRequest { may_skip_assignment: false, ..request("new", Some("i"), &["range"]) };
    let back = bench.join_as(request);
    let answer = &bench.joined[&back];
    assert_eq!((answer.leader.as_ref(), answer.skip_assignment, answer.members.len()), ("old", false, 0));
}

#[test]
fn static_member_that_changes_the_protocol_starts_a_rebalance() {
    let mut bench = fixed();
    let back = bench.join_as(request("new", Some("i"), &["sticky", "range"]));
    assert_eq!(bench.joined[&back].generation, 2);
    assert_eq!(bench.joined[&back].protocol.as_deref(), Some("sticky"));
}

#[test]
fn static_member_is_removed_by_its_instance_alone_or_by_both_names() {
    let leave = |id: &str, instance: &str| {
        let mut bench = fixed();
        let leaver = Leaver { id: id.into(), instance_id: Some(instance.into()) };
        bench.group.leave(&[leaver], bench.now, &mut Vec::new())[0]
    };
    assert_eq!(leave("", "i"), Ok(()));
    assert_eq!(leave("old", "i"), Ok(()));
    assert_eq!(leave("", "j"), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(leave("other", "i"), Err(ErrorCode::FENCED_INSTANCE_ID));
}

#[test]
fn static_member_comes_back_without_a_rebalance_and_fences_its_former_self() {
    let mut bench = fixed();
    let back = bench.join_as(request("new", Some("i"), &["range"]));
    let answer = &bench.joined[&back];
    assert_eq!((answer.generation, answer.leader.as_ref(), answer.skip_assignment), (1, "new", true));
    assert_eq!(bench.group.members["new"].assignment, "all");
    let old = bench.group.heartbeat(&"old".into(), Some(&"i".into()), 1, bench.now);
    assert_eq!(old, Err(ErrorCode::FENCED_INSTANCE_ID));
}
