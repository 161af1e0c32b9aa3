//! Names of loggers: paths of modules.

use std::borrow::Borrow;

use crate::caps::LOGGER_NAME_BYTES_MAX;

/// The name of a logger: words of letters, digits and `_` with `::` between, such as `mainstem::net`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LoggerName(String);

impl LoggerName {
    /// The name that is written so; none where it is no path, or too long to be one.
    #[must_use]
    pub(crate) fn read(text: &str) -> Option<Self> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_part);
        let is_path = text.len() <= LOGGER_NAME_BYTES_MAX && text.split("::").all(is_word);
        is_path.then(|| Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for LoggerName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_of_words() {
        assert!(
            ["root", "mainstem::net", "a_b::c1"].into_iter().all(|name| LoggerName::read(name).is_some())
        );
        let odd = ["", "mainstem::", "::net", "a:b", "a,b", "a=b", "a[", "a b", "a::b,c", "ä"];
        assert!(odd.into_iter().all(|name| LoggerName::read(name).is_none()));
    }

    #[test]
    fn a_name_is_not_longer_than_it_may_be() {
        let name = |bytes| LoggerName::read(&"a".repeat(bytes));
        assert!(name(LOGGER_NAME_BYTES_MAX).is_some() && name(LOGGER_NAME_BYTES_MAX + 1).is_none());
    }
}
