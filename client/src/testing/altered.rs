//! What the fake broker answers to those who change topics.

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        CreatePartitionsRequest, CreatePartitionsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
        create_partitions::{CreatePartitionsTopic, CreatePartitionsTopicResult},
        describe_configs::{DescribeConfigsResourceResult, DescribeConfigsResult},
        incremental_alter_configs::{AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig},
    },
};

use super::{State, log::Log};

/// A setting that every topic has.
const FLUSH: Text = Text::from_static("flush.messages");

/// Where a setting comes from: the topic, or nobody.
const OWN: i8 = 1;
const DEFAULT: i8 = 5;

impl State {
    pub(super) fn create_partitions(&mut self, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
        let CreatePartitionsRequest { topics, validate_only, .. } = request;
        let results = topics.into_iter().map(|topic| {
            let error_code = self.grow(&topic, validate_only).err().unwrap_or(ErrorCode::NONE);
            CreatePartitionsTopicResult { name: topic.name, error_code, error_message: None }
        });
        CreatePartitionsResponse { throttle_time_ms: 0, results: results.collect() }
    }

    fn grow(&mut self, topic: &CreatePartitionsTopic, validate_only: bool) -> Result<(), ErrorCode> {
        let logs = self.topics.get_mut(&topic.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let total = usize::try_from(topic.count).ok().filter(|total| *total > logs.len());
        let total = total.ok_or(ErrorCode::INVALID_PARTITIONS)?;
        if !validate_only {
            logs.resize_with(total, Log::default);
        }
        Ok(())
    }

    pub(super) fn alter_configs(
        &mut self,
        request: IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
        let IncrementalAlterConfigsRequest { resources, validate_only } = request;
        let responses = resources.into_iter().map(|resource| {
            let AlterConfigsResource { resource_type, resource_name, configs } = resource;
            let altered = self.alter(&resource_name, configs, validate_only);
            let error_code = altered.err().unwrap_or(ErrorCode::NONE);
            AlterConfigsResourceResponse { error_code, error_message: None, resource_type, resource_name }
        });
        IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses: responses.collect() }
    }

    /// Sets and deletes; lists it has none.
    fn alter(
        &mut self,
        name: &Text,
        changes: Vec<AlterableConfig>,
        validate_only: bool,
    ) -> Result<(), ErrorCode> {
        if !self.topics.contains_key(name) {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        let mut configs = self.configs.get(name).cloned().unwrap_or_default();
        for AlterableConfig { name, config_operation, value } in changes {
            match (config_operation, value) {
                (0, Some(value)) => drop(configs.insert(name, value)),
                (1, _) => drop(configs.remove(&name)),
                (2 | 3, Some(_)) => return Err(ErrorCode::INVALID_CONFIG),
                _ => return Err(ErrorCode::INVALID_REQUEST),
            }
        }
        if !validate_only {
            self.configs.insert(name.clone(), configs);
        }
        Ok(())
    }

    pub(super) fn describe_configs(&self, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
        let results = request.resources.into_iter().map(|resource| DescribeConfigsResult {
            resource_type: resource.resource_type,
            configs: self.configs_of(&resource.resource_name),
            resource_name: resource.resource_name,
            ..Default::default()
        });
        DescribeConfigsResponse { throttle_time_ms: 0, results: results.collect() }
    }

    fn configs_of(&self, name: &Text) -> Vec<DescribeConfigsResourceResult> {
        let entry = |name: &Text, value: &Text, config_source| DescribeConfigsResourceResult {
            name: name.clone(),
            value: Some(value.clone()),
            config_source,
            ..Default::default()
        };
        let own = self.configs.get(name).into_iter().flatten();
        let mut configs: Vec<_> = own.map(|(name, value)| entry(name, value, OWN)).collect();
        if configs.iter().all(|config| config.name != FLUSH) {
            configs.insert(0, entry(&FLUSH, &Text::from_static("1"), DEFAULT));
        }
        configs
    }
}
