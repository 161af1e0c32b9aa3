//! Where reading begins.

use super::*;

#[tokio::test(start_paused = true)]
async fn whoever_begins_at_a_time_behind_the_last_record_waits_at_the_end() {
    let broker = broker(1);
    produce(&broker, 0, 0..10, 10).await;
    let late = Timestamp(1000);
    let mut by_setting =
        reader(&broker, ConsumerConfig { offset_reset: OffsetReset::Timestamp(late), ..earliest() });
    let mut by_seek = reader(&broker, earliest());
    by_seek.seek_to(&t(0), OffsetSpec::Timestamp(late));
    for consumer in [&mut by_setting, &mut by_seek] {
        assert!(tokio::time::timeout(LONG, consumer.next()).await.is_err(), "there is no record yet");
        assert_eq!(consumer.position(&t(0)), Some(Offset(10)));
    }
    produce(&broker, 0, 10..11, 1).await;
    for consumer in [&mut by_setting, &mut by_seek] {
        let next = tokio::time::timeout(LONG, consumer.next()).await.unwrap().unwrap();
        assert_eq!(next.record.offset, Offset(10));
    }
}
