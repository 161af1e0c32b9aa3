//! The levels of the broker's log are altered (KIP-412; Kafka: `RuntimeLoggerManager`).

use mainstem_protocol::ErrorCode;
use mainstem_storage::{ConfigChange, ConfigOperation, store::Alteration};

use super::Refusal;
use crate::process::levels::{self, Change, LevelError};

/// Alters levels, all or none, or says whether that could be done. They are not kept.
pub(crate) fn alter(alteration: &Alteration, validate_only: bool) -> Result<(), Refusal> {
    let Alteration::Changes(changes) = alteration else {
        // Kafka's AlterConfigs knows no such resource.
        return Err(invalid("levels of the log are altered one by one, by IncrementalAlterConfigs"));
    };
    let changes = changes.iter().map(change).collect::<Result<Vec<_>, _>>()?;
    levels::alter(&changes, validate_only).map_err(|error| refusal(&error))
}

fn change(change: &ConfigChange) -> Result<Change, Refusal> {
    let ConfigChange { name, operation } = change;
    let level = match operation {
        ConfigOperation::Set(level) => Some(level.clone()),
        ConfigOperation::Delete => None,
        ConfigOperation::Append(_) | ConfigOperation::Subtract(_) => {
            return Err(invalid(format!("{} does not fit a level of the log", operation.name())));
        }
    };
    Ok(Change { logger: name.clone(), level })
}

fn refusal(error: &LevelError) -> Refusal {
    let code = match error {
        LevelError::NoLogger(_) | LevelError::NoLevel { .. } => ErrorCode::INVALID_CONFIG,
        LevelError::TooMany => ErrorCode::POLICY_VIOLATION,
        LevelError::Root | LevelError::NotOurs => ErrorCode::INVALID_REQUEST,
    };
    Refusal::new(code, error.to_string())
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_replacements_are_refused() {
        let code = |alteration| alter(&alteration, true).unwrap_err().code;
        let operation = ConfigOperation::Append("INFO".to_owned());
        let append = ConfigChange { name: "root".to_owned(), operation };
        assert_eq!(code(Alteration::Changes(vec![append])), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(Alteration::Replace([].into())), ErrorCode::INVALID_REQUEST);
    }

    #[test]
    fn what_cannot_be_has_kafkas_code() {
        assert_eq!(refusal(&LevelError::NoLogger("a".to_owned())).code, ErrorCode::INVALID_CONFIG);
        assert_eq!(refusal(&LevelError::Root).code, ErrorCode::INVALID_REQUEST);
    }
}
