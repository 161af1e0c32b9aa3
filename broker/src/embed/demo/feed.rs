//! Brings the bundled log into its topic: each line once, however often the demo was begun.

use mainstem_client::{
    Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord, TopicPartition, Transport,
    producer::Ticket,
};
use mainstem_protocol::Timestamp;

use super::{DemoError, INPUT, access_log::AccessLine, bundled, screen::Screen};

/// Lines that are under way at the same time; what comes after waits for the first of them.
const UNDER_WAY: usize = 1000;

/// How many lines the topic has already. The topic has one partition and is fed in the order of the lines, so that its
/// end says where to go on.
pub(super) async fn fed_before(transport: &dyn Transport) -> Result<u64, DemoError> {
    let consumer = Consumer::new(transport, ConsumerConfig::default());
    let partition = TopicPartition::new(INPUT, 0);
    let ends = consumer.end_offsets(std::slice::from_ref(&partition)).await?;
    let end = ends.get(&partition).map_or(0, |end| end.0);
    Ok(u64::try_from(end).unwrap_or(0).min(bundled::LINES))
}

/// Feeds the lines that are not there yet.
pub(super) async fn feed(transport: &dyn Transport, before: u64, screen: &Screen) -> Result<(), DemoError> {
    if before >= bundled::LINES {
        return Ok(());
    }
    let log = bundled::unpack().map_err(DemoError::Bundle)?;
    let producer = Producer::new(transport, ProducerConfig::default());
    let mut tickets = std::collections::VecDeque::with_capacity(UNDER_WAY);
    for line in log.lines().skip(usize::try_from(before).unwrap_or(usize::MAX)) {
        if tickets.len() == UNDER_WAY {
            stored(tickets.pop_front(), screen).await?;
        }
        tickets.push_back(producer.send(record(line)).await?);
    }
    producer.flush().await;
    while !tickets.is_empty() {
        stored(tickets.pop_front(), screen).await?;
    }
    Ok(())
}

/// A line happened when it says so, not when it is fed.
fn record(line: &str) -> ProducerRecord {
    let time = AccessLine::parse(line).map_or(Timestamp::NONE, |line| line.time);
    ProducerRecord::new(INPUT).partition(0).timestamp(time).value(line.to_owned())
}

async fn stored(ticket: Option<Ticket>, screen: &Screen) -> Result<(), DemoError> {
    if let Some(ticket) = ticket {
        ticket.await?;
        screen.fed(1);
    }
    Ok(())
}
