//! DescribeConfigs, key 32.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Asks for the settings of topics or brokers.
    DescribeConfigsRequest [1..=4, flexible 4..] {
        resources: Vec<DescribeConfigsResource>,
        include_synonyms: bool,
        include_documentation: bool [3..],
    }
}

structure! {
    DescribeConfigsResource {
        resource_type: i8,
        resource_name: Text,
        configuration_keys: Option<Vec<Text>> [1.., default Some(Default::default())],
    }
}

message! {
    /// The settings, with their sources.
    DescribeConfigsResponse [1..=4, flexible 4..] {
        throttle_time_ms: i32,
        results: Vec<DescribeConfigsResult>,
    }
}

structure! {
    DescribeConfigsResult {
        error_code: ErrorCode,
        error_message: Option<Text> [1.., default Some(Default::default())],
        resource_type: i8,
        resource_name: Text,
        configs: Vec<DescribeConfigsResourceResult>,
    }
    DescribeConfigsResourceResult {
        name: Text,
        value: Option<Text> [1.., default Some(Default::default())],
        read_only: bool,
        config_source: i8 [1.., default -1],
        is_sensitive: bool,
        synonyms: Vec<DescribeConfigsSynonym>,
        config_type: i8 [3..],
        documentation: Option<Text> [3.., default Some(Default::default())],
    }
    DescribeConfigsSynonym {
        name: Text,
        value: Option<Text> [1.., default Some(Default::default())],
        source: i8,
    }
}
