//! What topics may be called (Kafka: `org.apache.kafka.common.internals.Topic`).

use mainstem_protocol::ErrorCode;
use mainstem_storage::store::Topics;

use super::Refusal;

/// Kafka's own topics; users may read them, and nobody creates them by asking.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Where Kafka's controllers keep their log: never a topic of users.
const CLUSTER_METADATA: &str = "__cluster_metadata";

const NAME_BYTES_MAX: usize = 249;

/// Whether the topic is Kafka's own.
pub(crate) fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// Whether a new topic may have this name beside those that exist.
///
/// # Errors
/// Where the name itself is wrong, or differs from another only in `.` and `_`, which names of metrics do not tell
/// apart.
pub(crate) fn check_new(name: &str, topics: &Topics) -> Result<(), Refusal> {
    check(name)?;
    if name == CLUSTER_METADATA || (is_internal(name) && topics.named(name).is_none()) {
        let message = format!("creation of internal topic {name} is prohibited");
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
    }
    if topics.named(name).is_some() {
        let message = format!("topic '{name}' already exists");
        return Err(Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, message));
    }
    check_collision(name, topics)
}

/// Whether this can be the name of a topic.
///
/// # Errors
/// INVALID_TOPIC_EXCEPTION where it cannot.
pub(crate) fn check(name: &str) -> Result<(), Refusal> {
    let problem = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > NAME_BYTES_MAX => format!("it is longer than {NAME_BYTES_MAX} characters"),
        _ if !name.bytes().all(is_legal) => {
            format!(
                "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            )
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, format!("topic name is invalid: {problem}")))
}

const fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn check_collision(name: &str, topics: &Topics) -> Result<(), Refusal> {
    if !name.contains(['.', '_']) {
        return Ok(());
    }
    let unified = name.replace('.', "_");
    match topics.iter().find(|topic| topic.name.replace('.', "_") == unified) {
        None => Ok(()),
        Some(other) => Err(Refusal::new(
            ErrorCode::INVALID_TOPIC_EXCEPTION,
            format!("topic '{name}' collides with existing topic: {}", other.name),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kafka_allows() {
        for name in ["a", "access-log", "A.b_c-9", &"x".repeat(249)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "ä", "a\n", &"x".repeat(250)] {
            assert_eq!(check(name).unwrap_err().code, ErrorCode::INVALID_TOPIC_EXCEPTION, "{name}");
        }
    }
}
