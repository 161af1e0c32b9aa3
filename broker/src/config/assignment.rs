//! A setting as somebody wrote it, and where.

use std::fmt;
use std::path::PathBuf;

use super::ConfigError;

/// A name and a value, not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The setting's dotted name.
    pub name: String,
    /// The value as text.
    pub value: String,
    /// Where it was written.
    pub place: Place,
}

impl Assignment {
    /// Of two flags none is the later one: what they say must be the same. The same flag may repeat, and the last counts.
    pub(super) fn check_beside(&self, earlier: &Self) -> Result<(), ConfigError> {
        let (Place::Flag(one), Place::Flag(other)) = (&earlier.place, &self.place) else { return Ok(()) };
        if one == other || earlier.value.trim() == self.value.trim() {
            return Ok(());
        }
        Err(ConfigError::Contradiction {
            name: self.name.clone(),
            values: [earlier.value.clone(), self.value.clone()],
            places: [earlier.place.to_string(), self.place.to_string()],
        })
    }
}

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the command line, by this flag.
    Flag(&'static str),
    /// In the environment, in this variable.
    Variable(String),
    /// In a file.
    File {
        /// As the file was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl Place {
    /// Of two places the higher one counts.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::File { .. } => 0,
            Self::Variable(_) => 1,
            Self::Flag(_) => 2,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(variable) => write!(f, "environment variable {variable}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}
