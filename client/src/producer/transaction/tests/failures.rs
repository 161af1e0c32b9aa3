//! What goes wrong, and what the caller may do then.

use super::*;

#[tokio::test(start_paused = true)]
async fn producer_whose_place_was_taken_is_fenced_and_told_to_close() {
    for broker in brokers() {
        let old = written(&broker, "late").await;
        let new = producer(&broker).await;
        let error = old.commit().await.unwrap_err();
        assert!(matches!(error, TransactionError::Fenced { .. }), "{error}");
        assert_eq!(error.remedy(), Remedy::Close);
        // It stays so, whatever is wanted.
        assert!(matches!(old.abort().await, Err(TransactionError::Fenced { .. })));
        assert!(matches!(old.begin(), Err(TransactionError::Fenced { .. })));
        commit(&new, 0, "new").await;
        assert_eq!(committed(&broker, 0).0, ["new"]);
    }
}

#[tokio::test(start_paused = true)]
async fn record_of_a_fenced_producer_fails_and_the_abort_finds_out_why() {
    let broker = broker(SECOND);
    let old = producer(&broker).await;
    let _new = producer(&broker).await;
    old.begin().unwrap();
    let ticket = old.send(record(0, "late")).await.unwrap();
    assert_eq!(remedy(old.commit().await), Remedy::Abort);
    assert!(matches!(
        ticket.await,
        Err(ProduceError::Refused { code: ErrorCode::INVALID_PRODUCER_EPOCH, .. })
    ));
    assert!(matches!(old.abort().await, Err(TransactionError::Fenced { .. })));
}

#[tokio::test(start_paused = true)]
async fn transaction_that_was_open_for_too_long_fences_its_producer() {
    for broker in brokers() {
        let producer = written(&broker, "a").await;
        broker.time_out("x");
        assert!(matches!(producer.commit().await, Err(TransactionError::Fenced { .. })));
        assert_eq!(committed(&broker, 0), (vec![], 1));
    }
}

#[tokio::test(start_paused = true)]
async fn transaction_that_has_lost_a_record_can_only_be_aborted_and_the_next_one_is_whole() {
    for level in [FIRST, SECOND] {
        for code in [
            ErrorCode::MESSAGE_TOO_LARGE,
            ErrorCode::TRANSACTION_ABORTABLE,
            ErrorCode::INVALID_PRODUCER_EPOCH,
            ErrorCode::INVALID_TXN_STATE,
        ] {
            let broker = broker(level);
            let producer = producer(&broker).await;
            commit(&producer, 0, "a").await;
            producer.begin().unwrap();
            broker.trouble(ApiKey::Produce, Trouble::Code(code));
            let lost = producer.send(record(0, "lost")).await.unwrap();
            producer.flush().await;
            // From here on records are refused, with the reason.
            let refused = producer.send(record(0, "behind")).await.unwrap_err();
            assert!(matches!(&refused, TransactionError::Abortable { .. }), "{code}: {refused}");
            assert_eq!(remedy(producer.commit().await), Remedy::Abort, "{code}");
            lost.await.unwrap_err();
            producer.abort().await.unwrap();
            commit(&producer, 0, "b").await;
            assert_eq!(committed(&broker, 0).0, ["a", "b"], "level {level}, {code}");
            // Sequences have begun anew, under another epoch.
            let last =
                broker.batches("t", 0).into_iter().rfind(|batch| !batch.header().attributes.is_control());
            let header = *last.unwrap().header();
            assert_eq!(header.base_sequence.0, 0);
            assert!(header.producer_epoch.0 > 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_at_every_step() {
    let passing = [
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::CONCURRENT_TRANSACTIONS,
    ];
    let steps = [
        ApiKey::InitProducerId,
        ApiKey::AddPartitionsToTxn,
        ApiKey::AddOffsetsToTxn,
        ApiKey::TxnOffsetCommit,
        ApiKey::EndTxn,
    ];
    for broker in brokers() {
        for key in steps {
            passing.into_iter().for_each(|code| broker.trouble(key, Trouble::Code(code)));
            broker.trouble(key, Trouble::LostBefore);
        }
        let producer = begun(&broker, "a").await;
        producer.send_offsets_to_transaction(&offset(0, 1), &GroupMetadata::of_group("g")).await.unwrap();
        producer.commit().await.unwrap();
        assert_eq!(committed(&broker, 0), (vec!["a".to_owned()], 1));
        assert_eq!(broker.committed("g", "t", 0), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn end_whose_answer_was_lost_happens_once() {
    for level in [FIRST, SECOND] {
        for commits in [true, false] {
            let broker = broker(level);
            let producer = producer(&broker).await;
            broker.trouble(ApiKey::EndTxn, Trouble::LostAfter);
            producer.begin().unwrap();
            send(&producer, 0, "a").await;
            producer.flush().await;
            if commits { producer.commit().await } else { producer.abort().await }.unwrap();
            commit(&producer, 0, "b").await;
            let expected: &[&str] = if commits { &["a", "b"] } else { &["b"] };
            assert_eq!(committed(&broker, 0).0, expected);
            assert_eq!(committed(&broker, 0).1, 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn commit_that_nobody_answers_is_called_again_until_its_fate_is_known() {
    for broker in brokers() {
        let producer = producer(&broker).await;
        broker.trouble(ApiKey::EndTxn, Trouble::LostAfter);
        for _ in 0..20 {
            broker.trouble(ApiKey::EndTxn, Trouble::LostBefore);
        }
        producer.begin().unwrap();
        send(&producer, 0, "a").await;
        let error = producer.commit().await.unwrap_err();
        assert!(matches!(error, TransactionError::TimedOut { operation: Operation::Commit, .. }), "{error}");
        assert_eq!(error.remedy(), Remedy::CallAgain);
        // It may be committed by now, and cannot be aborted.
        assert_eq!(remedy(producer.abort().await), Remedy::Mend);
        assert_eq!(remedy(producer.begin()), Remedy::Mend);
        while let Err(error) = producer.commit().await {
            assert_eq!(error.remedy(), Remedy::CallAgain);
        }
        commit(&producer, 0, "b").await;
        assert_eq!(committed(&broker, 0), (vec!["a".to_owned(), "b".to_owned()], 2));
    }
}

#[tokio::test(start_paused = true)]
async fn offsets_that_nobody_has_acknowledged_stand_in_the_way_of_a_commit() {
    let broker = broker(SECOND);
    let producer = producer(&broker).await;
    for _ in 0..20 {
        broker.trouble(ApiKey::TxnOffsetCommit, Trouble::Code(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
    }
    producer.begin().unwrap();
    let group = GroupMetadata::of_group("g");
    let error = producer.send_offsets_to_transaction(&offset(0, 1), &group).await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::CallAgain);
    assert_eq!(remedy(producer.commit().await), Remedy::Mend);
    while producer.send_offsets_to_transaction(&offset(0, 1), &group).await.is_err() {}
    producer.commit().await.unwrap();
    assert_eq!(broker.committed("g", "t", 0), Some(1));
}

#[tokio::test(start_paused = true)]
async fn member_that_its_group_has_gone_on_without_commits_nothing() {
    for broker in brokers() {
        let producer = producer(&broker).await;
        for code in
            [ErrorCode::ILLEGAL_GENERATION, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::FENCED_INSTANCE_ID]
        {
            broker.trouble(ApiKey::TxnOffsetCommit, Trouble::Code(code));
            producer.begin().unwrap();
            send(&producer, 0, "a").await;
            let group =
                GroupMetadata { generation: 4, member_id: "m".into(), ..GroupMetadata::of_group("g") };
            let error = producer.send_offsets_to_transaction(&offset(0, 1), &group).await.unwrap_err();
            assert!(error.to_string().contains(code.name().unwrap()), "{error}");
            assert_eq!(error.remedy(), Remedy::Abort);
            assert_eq!(remedy(producer.commit().await), Remedy::Abort);
            producer.abort().await.unwrap();
        }
        assert!(committed(&broker, 0).0.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn producer_whose_id_was_forgotten_aborts_and_gets_another() {
    let broker = broker(FIRST);
    let producer = producer(&broker).await;
    producer.begin().unwrap();
    broker.trouble(ApiKey::AddPartitionsToTxn, Trouble::Code(ErrorCode::INVALID_PRODUCER_ID_MAPPING));
    send(&producer, 0, "a").await;
    assert_eq!(remedy(producer.commit().await), Remedy::Abort);
    producer.abort().await.unwrap();
    // There was nothing that the coordinator could have ended.
    assert_eq!(broker.asked(ApiKey::EndTxn), 0);
    commit(&producer, 0, "b").await;
    assert_eq!(committed(&broker, 0).0, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn codes_that_do_not_pass_end_the_producer() {
    for code in [ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ErrorCode::INVALID_TXN_STATE] {
        let broker = broker(SECOND);
        let producer = begun(&broker, "a").await;
        broker.trouble(ApiKey::EndTxn, Trouble::Code(code));
        let error = producer.commit().await.unwrap_err();
        assert!(matches!(error, TransactionError::Fatal { .. }), "{error}");
        assert_eq!(remedy(producer.abort().await), Remedy::Close);
    }
}

#[tokio::test(start_paused = true)]
async fn brokers_that_are_too_old_say_so() {
    let broker = broker(FIRST);
    broker.speak_as(RELEASES[0]);
    let producer = producer(&broker).await;
    producer.begin().unwrap();
    let member = GroupMetadata { generation: 1, member_id: "m".into(), ..GroupMetadata::of_group("g") };
    let error = producer.send_offsets_to_transaction(&offset(0, 1), &member).await.unwrap_err();
    let TransactionError::Fatal { cause } = &error else { panic!("{error}") };
    assert!(matches!(**cause, TransactionCause::Transport(TransportError::TooOld { needed: 3, .. })));
}
