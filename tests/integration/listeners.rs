//! Several addresses, and what clients are told to dial.

use mainstem::config::Config;
use mainstem_protocol::messages::MetadataRequest;

use crate::harness::TestBroker;

async fn told(broker: &TestBroker, listener: usize) -> (String, i32) {
    let mut client = broker.connect_to(listener).await;
    let mut response = client.ask(9, MetadataRequest::default()).await;
    let broker = response.brokers.remove(0);
    (broker.host.to_string(), broker.port)
}

#[tokio::test]
async fn clients_are_told_the_address_they_came_to_unless_another_is_advertised() {
    let broker = TestBroker::start_with(|config| {
        let listeners = ["INSIDE://127.0.0.1:0", "OUTSIDE://0.0.0.0:0", "SIX://[::1]:0"];
        config.net.listeners = listeners.map(|listener| listener.parse().unwrap()).into();
        config.net.advertised = vec!["OUTSIDE://broker.example:9999".parse().unwrap()];
    })
    .await;
    let port = |listener: usize| i32::from(broker.broker().listeners()[listener].1.port());
    assert_eq!(told(&broker, 0).await, ("127.0.0.1".to_owned(), port(0)));
    assert_eq!(told(&broker, 1).await, ("broker.example".to_owned(), 9999));
    assert_eq!(told(&broker, 2).await, ("::1".to_owned(), port(2)));
}

#[tokio::test]
async fn a_wildcard_listener_tells_the_address_of_the_connection() {
    let broker =
        TestBroker::start_with(|config| config.net.listeners = vec!["0.0.0.0:0".parse().unwrap()]).await;
    assert_eq!(told(&broker, 0).await.0, "127.0.0.1");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let first = TestBroker::start().await;
    let taken = first.broker().listeners()[0].1;
    let same = |config: &mut Config| config.net.listeners = vec![taken.to_string().parse().unwrap()];
    let error = TestBroker::try_start_with(same).await.unwrap_err();
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
}
