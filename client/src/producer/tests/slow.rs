//! Answers that take a while.

use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::{TransportError, testing::Around};

/// A transport on which records are stored at once, and that is heard of later.
fn slow(broker: &FakeBroker, delay: Duration) -> Around {
    Around::new(broker.transport(), move |inner, call| async move {
        let (key, limit) = (call.request.key(), call.timeout);
        let delay = if key == ApiKey::Produce { delay } else { Duration::ZERO };
        let answer = inner.call(call).await;
        let heard = timeout(limit, sleep(delay)).await;
        heard.map_err(|_| TransportError::TimedOut { key, timeout_ms: limit.as_millis() })?;
        answer
    })
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn batch_whose_time_is_up_spoils_no_other_one_in_its_request() {
    for idempotent in [false, true] {
        let broker = broker(2);
        let config =
            ProducerConfig { in_flight_max: 1, idempotent, delivery_timeout: seconds(10), ..eager() };
        let producer = Producer::new(&slow(&broker, seconds(6)), config);
        let first = producer.send(record("first")).await.unwrap();
        sleep(seconds(1)).await;
        // Waits until the first one is answered, and has five seconds left then.
        let late = producer.send(record("late").partition(1)).await.unwrap();
        sleep(seconds(4)).await;
        let in_time = producer.send(record("in time")).await.unwrap();
        first.await.unwrap();
        let error = late.await.unwrap_err();
        assert!(matches!(error, ProduceError::TimedOut { .. }), "{error}");
        assert_eq!(in_time.await.unwrap().offset, Offset(1));
        assert_eq!(broker.asked(ApiKey::Produce), 2);
        assert_eq!(values(&broker), ["first", "in time"]);
        // The answer that nobody waited for any more has left the partition in order.
        let next = producer.send(record("next").partition(1)).await.unwrap();
        assert_eq!(next.await.unwrap().offset, Offset(1));
    }
}

#[tokio::test(start_paused = true)]
async fn flush_waits_no_longer_than_a_record_may_take_though_a_request_may_take_longer() {
    let broker = broker(1);
    let config = ProducerConfig { delivery_timeout: seconds(3), request_timeout: seconds(30), ..eager() };
    let producer = Producer::new(&slow(&broker, seconds(3600)), config);
    let ticket = producer.send(record("a")).await.unwrap();
    let before = Instant::now();
    producer.flush().await;
    assert_eq!(before.elapsed().as_secs(), 3);
    let error = ticket.await.unwrap_err();
    assert!(error.to_string().ends_with("it was never answered"), "{error}");
}
