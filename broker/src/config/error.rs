//! What is wrong with a setting: its name, its value, its place, and what would be right.

use std::path::PathBuf;

use super::{Assignment, Place, environment, nearest};

/// Settings that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no setting of that name.
    #[error("there is no setting {name} ({place}): {advice}")]
    Unknown {
        /// As it was written.
        name: String,
        /// Where.
        place: String,
        /// The name that was meant, or where to find it.
        advice: String,
    },
    /// The value does not fit.
    #[error("setting {name} cannot be {value} ({place}): expected {expected}")]
    Invalid {
        /// The setting.
        name: String,
        /// As it was written.
        value: String,
        /// Where.
        place: String,
        /// What would be right.
        expected: String,
    },
    /// Two settings contradict one another.
    #[error("setting {name} ({place}): {reason}")]
    Together {
        /// The setting to look at first.
        name: &'static str,
        /// Where it was written.
        place: String,
        /// What contradicts it.
        reason: String,
    },
    /// Two flags contradict one another.
    #[error("setting {name} is {} by {} and {} by {}: leave one out", values[0], places[0], values[1], places[1])]
    Contradiction {
        /// The setting.
        name: String,
        /// As they were written.
        values: [String; 2],
        /// Where.
        places: [String; 2],
    },
    /// `--set` without a value.
    #[error("flag --set cannot be {text}: expected NAME=VALUE, such as num.partitions=3")]
    NoAssignment {
        /// As it was written.
        text: String,
    },
    /// The file cannot be read.
    #[error("cannot read the settings file {}: {source}", path.display())]
    File {
        /// As it was named.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML, or has something that is no setting's value.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        /// As the file was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

impl ConfigError {
    pub(super) fn unknown(assignment: &Assignment) -> Self {
        let Assignment { name, place, .. } = assignment;
        let meant = match place {
            Place::Variable(_) => environment::meant(name),
            _ => nearest::name(name).map(str::to_owned),
        };
        let advice = meant.map_or_else(
            || "`mainstem settings` lists them".to_owned(),
            |meant| format!("did you mean {meant}?"),
        );
        Self::Unknown { name: name.clone(), place: place.to_string(), advice }
    }

    pub(super) fn invalid(assignment: &Assignment, expected: String) -> Self {
        let Assignment { name, value, place } = assignment;
        Self::Invalid { name: name.clone(), value: value.clone(), place: place.to_string(), expected }
    }
}
