//! Both ways to this broker do what every transport has to do.

use std::sync::Arc;

use mainstem::embed::LocalTransport;
use mainstem_client::{TcpConfig, TcpTransport, testing::suite};

use crate::harness::TestBroker;

#[tokio::test]
async fn the_way_within_the_process_is_a_transport() {
    let broker = TestBroker::start().await;
    suite::run(Arc::new(LocalTransport::new(&broker.broker, "suite"))).await;
}

#[tokio::test]
async fn the_way_over_tcp_is_a_transport() {
    let broker = TestBroker::start().await;
    let (_, address) = &broker.broker.listeners()[0];
    suite::run(Arc::new(TcpTransport::new(TcpConfig::bootstrap(&address.to_string())))).await;
}
