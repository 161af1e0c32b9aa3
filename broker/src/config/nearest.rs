//! The name that was probably meant, by edit distance.

use mainstem_storage::config::Setting as TopicDefault;

use super::{aliases, setting};

/// The known setting whose name differs least from `name`, unless all differ by more than a third of it.
pub(crate) fn name(name: &str) -> Option<&'static str> {
    among(name, names())
}

/// The one of `known` that differs least from `name`, unless all differ by more than a third of it.
pub(crate) fn among<S: AsRef<str>>(name: &str, known: impl Iterator<Item = S>) -> Option<S> {
    let nearest = known.min_by_key(|known| far(name, known.as_ref()))?;
    let is_near = far(name, nearest.as_ref()) * 3 <= name.len();
    is_near.then_some(nearest)
}

fn names() -> impl Iterator<Item = &'static str> {
    let own = setting::all().map(|setting| setting.name);
    own.chain(aliases::ALIASES.iter().map(|alias| alias.name)).chain(TopicDefault::broker_names())
}

/// As far as a name with so many wrong characters is one in another unit, or with a word more before it.
const VARIANT: usize = 3;

/// The last words of settings that are lengths of time.
const UNITS: [&str; 5] = ["ms", "seconds", "minutes", "hours", "days"];

fn far(name: &str, known: &str) -> usize {
    let distance = distance(name, known);
    if is_variant(name, known) { distance.min(VARIANT) } else { distance }
}

/// Such as `retention.hours` of `retention.ms`, or `local.retention.ms`.
fn is_variant(name: &str, known: &str) -> bool {
    let has_more = name.strip_suffix(known).is_some_and(|more| more.ends_with('.'));
    has_more || without_unit(name).is_some_and(|stem| without_unit(known) == Some(stem))
}

fn without_unit(name: &str) -> Option<&str> {
    let (stem, unit) = name.rsplit_once('.')?;
    UNITS.contains(&unit).then_some(stem)
}

/// How many characters have to be put in, left out or replaced to make `right` of `left` (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, character) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        let check = |left, right, expected| assert_eq!(distance(left, right), expected, "{left} {right}");
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("log.dir", "log.dirs", 1);
        check("same", "same", 0);
    }

    #[test]
    fn another_unit_or_a_word_more_is_near() {
        let known = ["delete.retention.ms", "retention.bytes", "retention.ms", "segment.ms"];
        let check = |name, expected| assert_eq!(among(name, known.into_iter()), expected, "{name}");
        check("retention.hours", Some("retention.ms"));
        check("local.retention.ms", Some("retention.ms"));
        check("deleet.retention.ms", Some("delete.retention.ms"));
        check("segment.minutes", Some("segment.ms"));
        check("local.retention", None);
    }

    #[test]
    fn nothing_is_near_to_what_is_far_from_all() {
        assert_eq!(name("log.dirs"), Some("log.dir"));
        assert_eq!(name("process.roles.of.everything"), None);
    }
}
