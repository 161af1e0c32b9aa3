//! Somebody who changes a topic all the time, and remembers what was asked and what was answered: a setting, which is set
//! to ever higher numbers, and the number of partitions. Other topics wait for their syncs now and then, and then not.

use std::{io, net::SocketAddr};

use mainstem_protocol::{
    ApiKey, ErrorCode,
    messages::{
        CreatePartitionsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
        RequestBody, ResponseBody,
        create_partitions::CreatePartitionsTopic,
        describe_configs::DescribeConfigsResource,
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
        metadata::MetadataRequestTopic,
    },
};

use crate::wire::Connection;

/// The topic that is changed.
const TOPIC: &str = "changing";
const SETTING: &str = "retention.ms";
/// The number that the setting begins with.
const FIRST: i64 = 1_000_000;
const PARTITIONS_MAX: i64 = 60;
/// One in so many changes adds a partition.
const GROWS_EACH: i64 = 16;

/// A number that only rises: what was asked for last, and what was answered last.
#[derive(Clone, Copy, Debug)]
struct Rising {
    asked: i64,
    answered: i64,
}

/// What somebody did to a topic.
#[derive(Debug)]
pub(crate) struct Administrator {
    setting: Rising,
    partitions: Rising,
    /// Topics that change their durability meanwhile.
    toggled: &'static [&'static str],
}

impl Rising {
    const fn at(number: i64) -> Self {
        Self { asked: number, answered: number }
    }

    /// What was answered is there; what was asked for may be. Others never were.
    fn check(&mut self, what: &str, found: i64) {
        let Self { asked, answered } = *self;
        assert!(
            (answered..=asked).contains(&found),
            "{what} is {found}: {answered} was answered, {asked} was asked for"
        );
        *self = Self::at(found);
    }
}

impl Administrator {
    pub(crate) fn new(connection: &mut Connection, toggled: &'static [&'static str]) -> Self {
        connection.create_topic(TOPIC, 1, &[(SETTING, &FIRST.to_string())]);
        Self { setting: Rising::at(FIRST), partitions: Rising::at(1), toggled }
    }

    /// Changes the topic until the broker is gone.
    pub(crate) fn run(mut self, address: SocketAddr) -> Self {
        // The broker may be gone before the first change.
        if let Ok(connection) = Connection::try_open(address) {
            let gone = self.drive(connection);
            assert!(gone.is_err(), "the changes end only with the broker");
        }
        self
    }

    fn drive(&mut self, mut connection: Connection) -> io::Result<()> {
        for turn in 1_i64.. {
            self.setting.asked += 1;
            set(&mut connection, TOPIC, SETTING, self.setting.asked)?;
            self.setting.answered = self.setting.asked;
            if turn % GROWS_EACH == 0 && self.partitions.asked < PARTITIONS_MAX {
                self.partitions.asked += 1;
                grow(&mut connection, self.partitions.asked)?;
                self.partitions.answered = self.partitions.asked;
            }
            for topic in self.toggled {
                set(&mut connection, topic, "flush.messages", if turn % 2 == 0 { 1 } else { i64::MAX })?;
            }
        }
        Ok(())
    }

    /// Holds a broker to it; returns how many answers there were.
    pub(crate) fn verify(&mut self, connection: &mut Connection) -> i64 {
        self.setting.check(SETTING, setting(connection));
        self.partitions.check("the number of partitions", partitions(connection));
        self.setting.answered - FIRST + self.partitions.answered - 1
    }
}

fn ask(connection: &mut Connection, request: RequestBody) -> io::Result<ResponseBody> {
    let key = request.key();
    connection.send(&request)?;
    connection.receive(key)
}

fn set(connection: &mut Connection, topic: &str, name: &str, value: i64) -> io::Result<()> {
    let value = Some(value.to_string().into());
    let config = AlterableConfig { name: name.into(), config_operation: 0, value };
    let resource =
        AlterConfigsResource { resource_type: 2, resource_name: topic.into(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let response = ask(connection, request.into())?;
    let ResponseBody::IncrementalAlterConfigs(response) = response else { panic!("{response:?}") };
    assert_eq!(response.responses[0].error_code, ErrorCode::NONE, "{response:?}");
    Ok(())
}

fn grow(connection: &mut Connection, total: i64) -> io::Result<()> {
    let count = i32::try_from(total).expect("a few partitions");
    let topic = CreatePartitionsTopic { name: TOPIC.into(), count, assignments: None };
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: false };
    let response = ask(connection, request.into())?;
    let ResponseBody::CreatePartitions(response) = response else { panic!("{response:?}") };
    assert_eq!(response.results[0].error_code, ErrorCode::NONE, "{response:?}");
    Ok(())
}

fn setting(connection: &mut Connection) -> i64 {
    let configuration_keys = Some(vec![SETTING.into()]);
    let resource =
        DescribeConfigsResource { resource_type: 2, resource_name: TOPIC.into(), configuration_keys };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let ResponseBody::DescribeConfigs(response) = connection.call(request) else { panic!("wrong response") };
    let value = response.results[0].configs[0].value.as_deref().expect("the setting has a value");
    value.parse().expect("the setting is a number")
}

fn partitions(connection: &mut Connection) -> i64 {
    let topic = MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let response = connection.call(request);
    let ResponseBody::Metadata(response) = response else { panic!("{}: {response:?}", ApiKey::Metadata) };
    response.topics[0].partitions.len() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_and_not_less_than_was_answered_may_be_found() {
        let found = |number| {
            let check = move || Rising { asked: 7, answered: 6 }.check("it", number);
            std::panic::catch_unwind(check).is_ok()
        };
        assert!(found(6) && found(7));
        assert!(!found(5) && !found(8));
    }
}
