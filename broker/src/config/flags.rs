//! Settings from the command line.

use super::{Assignment, ConfigError, Place};

/// One of `--set NAME=VALUE`.
///
/// # Errors
/// There is no `=` in it.
pub fn set(text: &str) -> Result<Assignment, ConfigError> {
    let no_assignment = || ConfigError::NoAssignment { text: text.to_owned() };
    let (name, value) = text.split_once('=').ok_or_else(no_assignment)?;
    Ok(flag("--set", name.trim(), value))
}

/// A flag that stands for the setting `name`.
pub fn flag(flag: &'static str, name: &str, value: impl Into<String>) -> Assignment {
    Assignment { name: name.to_owned(), value: value.into(), place: Place::Flag(flag) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_have_equal_signs() {
        let found = set("advertised.listeners=A://x:1=2").unwrap();
        assert_eq!(found, flag("--set", "advertised.listeners", "A://x:1=2"));
    }

    #[test]
    fn a_name_alone_is_refused() {
        assert_eq!(
            set("num.partitions").unwrap_err().to_string(),
            "flag --set cannot be num.partitions: expected NAME=VALUE, such as num.partitions=3"
        );
    }
}
