//! What a line and a header flag say.

use std::str::FromStr;

use bytes::Bytes;

use crate::cli::arguments;

/// `NAME=VALUE`; `NAME` alone is a header without a value, as kcat has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeaderArg {
    name: String,
    value: Option<String>,
}

impl HeaderArg {
    pub(super) fn pair(&self) -> (&[u8], Option<&[u8]>) {
        (self.name.as_bytes(), self.value.as_ref().map(String::as_bytes))
    }
}

impl FromStr for HeaderArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let name = arguments::some(name, "NAME=VALUE, or NAME alone for a header without a value")?;
        Ok(Self { name, value })
    }
}

/// Key and value of a line; a line without the separator is a value.
pub(super) fn split_key(line: Bytes, separator: &[u8]) -> (Option<Bytes>, Bytes) {
    let at = line.windows(separator.len().max(1)).position(|window| window == separator);
    match at {
        Some(at) => (Some(line.slice(..at)), line.slice(at + separator.len()..)),
        None => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separator_parts_key_and_value() {
        let check = |line: &'static str, separator: &str, key: Option<&str>, value: &str| {
            let (found_key, found_value) = split_key(line.into(), separator.as_bytes());
            assert_eq!(found_key.as_deref(), key.map(str::as_bytes), "{line}");
            assert_eq!(found_value, value.as_bytes(), "{line}");
        };
        check("k:v:w", ":", Some("k"), "v:w");
        check("k=>v", "=>", Some("k"), "v");
        check(":v", ":", Some(""), "v");
        check("v", ":", None, "v");
        check("", ":", None, "");
        check("v", "", None, "v");
    }

    #[test]
    fn a_header_may_lack_a_value() {
        let check = |text: &str, name: &str, value: Option<&str>| {
            let header: HeaderArg = text.parse().unwrap();
            assert_eq!(header.pair(), (name.as_bytes(), value.map(str::as_bytes)));
        };
        check("a=1=2", "a", Some("1=2"));
        check("a=", "a", Some(""));
        check("a", "a", None);
        assert!("=1".parse::<HeaderArg>().is_err());
    }
}
