//! Settings from a TOML file: dotted names, quoted or not, or nested tables.
//!
//! TOML takes `max.connections` and `max.connections.per.ip` for a value and a table of the same name; where both are
//! set, one of them has to be quoted.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{Assignment, ConfigError, Place};

/// Everything that the file assigns.
///
/// # Errors
/// The file cannot be read, is not TOML, or holds what is no setting's value.
pub fn assignments(path: &Path) -> Result<Vec<Assignment>, ConfigError> {
    let file = |source| ConfigError::File { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(file)?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Vec<Assignment>, ConfigError> {
    let mut reader = Reader { path, text, assignments: Vec::new() };
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        reader.syntax(start, error.message())
    })?;
    reader.table("", table.get_ref())?;
    Ok(reader.assignments)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    assignments: Vec<Assignment>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        table.iter().try_for_each(|(key, value)| {
            let name = join(prefix, key);
            match value.get_ref() {
                DeValue::Table(inner) => self.table(&name, inner),
                leaf => self.leaf(name, key.span().start, leaf),
            }
        })
    }

    fn leaf(&mut self, name: String, start: usize, value: &DeValue<'_>) -> Result<(), ConfigError> {
        let value = text_of(value).ok_or_else(|| {
            self.syntax(
                start,
                &format!("setting {name} takes text, a number, true, false, or a list of text"),
            )
        })?;
        let place = Place::File { path: self.path.to_owned(), line: self.line(start) };
        self.assignments.push(Assignment { name, value, place });
        Ok(())
    }

    fn syntax(&self, start: usize, reason: &str) -> ConfigError {
        ConfigError::Syntax { path: self.path.to_owned(), line: self.line(start), reason: reason.to_owned() }
    }

    fn line(&self, start: usize) -> usize {
        1 + self.text.bytes().take(start).filter(|byte| *byte == b'\n').count()
    }
}

fn join(prefix: &str, key: &Spanned<DeString<'_>>) -> String {
    match prefix {
        "" => key.get_ref().to_string(),
        prefix => format!("{prefix}.{}", key.get_ref()),
    }
}

/// The value as flags and environment would write it; a list with commas between.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        // Underscores are for the reader's eye.
        DeValue::Integer(integer) if integer.radix() == 10 => Some(integer.as_str().replace('_', "")),
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(boolean) => Some(boolean.to_string()),
        DeValue::Array(array) => {
            let items: Option<Vec<_>> = array.iter().map(|item| text_of(item.get_ref())).collect();
            items.map(|items| items.join(","))
        }
        DeValue::Integer(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let mut found = parse(Path::new("m.toml"), text).unwrap();
        found.sort_by(|left, right| left.name.cmp(&right.name));
        let expected = expected.iter().map(|(name, value, line)| Assignment {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            place: Place::File { path: "m.toml".into(), line: *line },
        });
        assert_eq!(found, expected.collect::<Vec<_>>(), "{text}");
    }

    fn error(text: &str) -> String {
        parse(Path::new("m.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn dotted_quoted_and_nested_names_are_the_same() {
        let expected = &[("log.dir", "/data", 2)];
        check("\nlog.dir = \"/data\"", expected);
        check("\n\"log.dir\" = \"/data\"", expected);
        check("[log]\ndir = \"/data\"", expected);
    }

    #[test]
    fn values_of_every_kind_become_text() {
        check(
            "a = 1_000\nb = true\nc = ['x:1', 'y:2']\nd = 'text'",
            &[("a", "1000", 1), ("b", "true", 2), ("c", "x:1,y:2", 3), ("d", "text", 4)],
        );
    }

    #[test]
    fn what_is_no_value_is_refused_with_its_line() {
        assert_eq!(
            error("\nlog.dir = 2026-01-01"),
            "m.toml:2: setting log.dir takes text, a number, true, false, or a list of text"
        );
        assert!(error("a = 1\nb = = 2").starts_with("m.toml:2: "));
    }

    #[test]
    fn the_example_of_a_deployment_is_right() {
        let example = Path::new("deploy/mainstem.toml");
        let assignments = parse(example, include_str!("../../../deploy/mainstem.toml")).unwrap();
        let config = crate::config::Config::from_assignments(assignments).unwrap();
        assert_eq!(config.storage.dir, Path::new("/var/lib/mainstem"));
    }

    #[test]
    fn a_value_and_a_table_of_one_name_stand_together_when_one_is_quoted() {
        check(
            "\"max.connections\" = 5\nmax.connections.per.ip = 3",
            &[("max.connections", "5", 1), ("max.connections.per.ip", "3", 2)],
        );
    }
}
