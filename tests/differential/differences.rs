//! The differences that are meant: the tables of `docs/differences.md`, each row a pattern and its reason.

use std::{cell::Cell, fmt};

use crate::{compare::Difference, tree::Tree};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/differences.md"));

/// The columns of a table: API, versions, where, Kafka's value, ours, and why.
const COLUMNS: usize = 6;

/// A row.
pub(crate) struct Known {
    api: String,
    versions: Versions,
    place: String,
    kafka: String,
    mainstem: String,
    /// How often it was met.
    met: Cell<usize>,
}

#[derive(Clone, Copy)]
struct Versions(i16, i16);

/// Every row of the document.
pub(crate) fn known() -> Vec<Known> {
    rows(DOCUMENT)
}

fn rows(document: &str) -> Vec<Known> {
    document.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

fn row(line: &str) -> Known {
    let cells: Vec<_> =
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
    let [api, versions, place, kafka, mainstem, why] = cells[..] else {
        panic!("{line}: {} columns, {COLUMNS} are wanted", cells.len())
    };
    assert!(why.len() > 10, "{line}: no reason");
    Known {
        api: api.to_owned(),
        versions: Versions::parse(versions),
        place: place.to_owned(),
        kafka: kafka.to_owned(),
        mainstem: mainstem.to_owned(),
        met: Cell::new(0),
    }
}

impl Versions {
    fn parse(text: &str) -> Self {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text}: no version"));
        match text.split_once('–') {
            _ if text == "all" => Self(0, i16::MAX),
            Some((first, last)) => Self(number(first), number(last)),
            None => Self(number(text), number(text)),
        }
    }
}

impl Known {
    /// Whether this row excuses the difference. None excuses another error code where Kafka has none: that request is
    /// valid.
    pub(crate) fn excuses(&self, difference: &Difference) -> bool {
        let Difference { api, version, place, kafka, mainstem } = difference;
        let Versions(first, last) = self.versions;
        let changes_valid = place.ends_with("error_code") && *kafka == Tree::atom("NONE");
        let excuses = !changes_valid
            && (self.api == *api || self.api == "*")
            && (first..=last).contains(version)
            && is_like(place, &self.place)
            && is_like(&kafka.to_string(), &self.kafka)
            && is_like(&mainstem.to_string(), &self.mainstem);
        self.met.set(self.met.get() + usize::from(excuses));
        excuses
    }

    pub(crate) const fn was_met(&self) -> bool {
        self.met.get() > 0
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, place, kafka, mainstem, .. } = self;
        write!(f, "{api}, {place}: {kafka} is {mainstem}")
    }
}

/// Whether a text is like a pattern, in which `*` is any text.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(inner) = last.replace(part) {
            let Some(at) = rest.find(inner) else { return false };
            rest = &rest[at + inner.len()..];
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(place: &str, kafka: &str, mainstem: &str) -> Difference {
        Difference {
            api: "Fetch".to_owned(),
            version: 12,
            place: place.to_owned(),
            kafka: Tree::atom(kafka),
            mainstem: Tree::atom(mainstem),
        }
    }

    const ROW: &str = "| `Fetch` | 4–12 | `responses[].*` | `1` | `*` | a reason that is long enough |";

    #[test]
    fn a_row_excuses_what_is_like_it() {
        let [row] = &rows(ROW)[..] else { panic!("one row") };
        assert!(!row.was_met());
        assert!(row.excuses(&difference("responses[].partitions[].high_watermark", "1", "7")));
        assert!(!row.excuses(&difference("responses[].partitions[].high_watermark", "2", "7")));
        assert!(!row.excuses(&difference("session_id", "1", "7")));
        assert!(row.was_met());
    }

    #[test]
    fn no_row_excuses_an_error_where_kafka_has_none() {
        let [row] = &rows(&ROW.replace("`1`", "`*`"))[..] else { panic!("one row") };
        assert!(!row.excuses(&difference("responses[].partitions[].error_code", "NONE", "CORRUPT_MESSAGE")));
        assert!(row.excuses(&difference(
            "responses[].partitions[].error_code",
            "INVALID_RECORD",
            "CORRUPT_MESSAGE"
        )));
    }

    #[test]
    fn patterns_have_any_text_for_a_star() {
        assert!(
            is_like("abc", "abc") && is_like("abc", "a*") && is_like("abc", "*b*") && is_like("abc", "a*c")
        );
        assert!(
            !is_like("abc", "ab") && !is_like("abc", "b*") && !is_like("abc", "*b") && !is_like("abc", "*x*")
        );
    }
}
