//! A setting as somebody wrote it, and where.

use std::fmt;
use std::path::PathBuf;

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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(variable) => write!(f, "environment variable {variable}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}
