//! DeleteTopics, key 20.

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text, TopicId};

message! {
    /// Deletes topics, by name or id.
    DeleteTopicsRequest [1..=6, flexible 4..] {
        topics: Vec<DeleteTopicState> [6..],
        topic_names: Vec<Text> [1..=5],
        timeout_ms: i32,
    }
}

structure! {
    DeleteTopicState {
        name: Option<Text> [6..],
        topic_id: TopicId [6..],
    }
}

message! {
    /// The topics deleted, or why not.
    DeleteTopicsResponse [1..=6, flexible 4..] {
        throttle_time_ms: i32,
        responses: Vec<DeletableTopicResult>,
    }
}

structure! {
    DeletableTopicResult {
        name: Option<Text> [1.., null 6.., default Some(Default::default())],
        topic_id: TopicId [6..],
        error_code: ErrorCode,
        error_message: Option<Text> [5..],
    }
}
