//! What to do when a broker refuses.

use mainstem_client::admin::AdminError;
use mainstem_client::offsets::ListOffsetsError;
use mainstem_protocol::ErrorCode;
use mainstem_storage::config::SETTINGS;

use crate::cli::Error;
use crate::config::nearest;

/// The setting that `--durability` stands for.
pub(super) const FLUSH: &str = "flush.messages";

/// Where the settings are that a topic may have.
const SETTINGS_OF_TOPICS: &str =
    "docs/settings.md lists the settings of topics, under \"Defaults for topics\"";

/// Why settings of these names were refused. Only a broker knows which settings its topics have; the nearest one of ours is
/// a guess.
pub(super) fn with_names<'a>(names: impl IntoIterator<Item = &'a str>, error: AdminError) -> Error {
    let ours = || SETTINGS.iter().map(|setting| setting.name);
    let unknown = names.into_iter().find(|name| !ours().any(|known| known == *name));
    let meant = unknown.and_then(|name| nearest::among(name, ours()));
    match meant.filter(|_| error.code() == Some(ErrorCode::INVALID_CONFIG)) {
        Some(meant) => Error::new(error).advise(format!("did you mean {meant}?")),
        None => error.into(),
    }
}

/// What to say of a setting that is not among those of a topic.
pub(super) fn no_such_setting<'a>(topic: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let meant = nearest::among(name, known);
    let advice =
        meant.map_or_else(|| SETTINGS_OF_TOPICS.to_owned(), |meant| format!("did you mean {meant}?"));
    Error::new(format_args!("topic {topic} has no setting {name}")).advise(advice)
}

impl From<AdminError> for Error {
    fn from(error: AdminError) -> Self {
        let is_internal = |subject: &str| subject.strip_prefix("topic ").unwrap_or(subject).starts_with("__");
        let is_about_internal = matches!(&error, AdminError::Refused { subject, .. } if is_internal(subject));
        let advice = match error.code() {
            Some(ErrorCode::INVALID_TOPIC_EXCEPTION) if is_about_internal => Some(
                "offsets go with time (offsets.retention.minutes); `mainstem topic list --internal` shows such topics",
            ),
            code => code.and_then(advice),
        };
        let error = Self::new(error);
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

impl From<ListOffsetsError> for Error {
    fn from(error: ListOffsetsError) -> Self {
        Self::new(error)
    }
}

const fn advice(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::TOPIC_ALREADY_EXISTS => Some("`mainstem topic describe TOPIC` shows what it is"),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            Some("`mainstem topic list` shows what there is; `mainstem topic create TOPIC` makes one")
        }
        ErrorCode::INVALID_TOPIC_EXCEPTION => {
            Some("a name has 1 to 249 letters, digits, dots, underscores or hyphens")
        }
        ErrorCode::INVALID_CONFIG => Some(SETTINGS_OF_TOPICS),
        ErrorCode::TOPIC_DELETION_DISABLED => Some("the broker was started with delete.topic.enable=false"),
        _ => None,
    }
}
