//! What was asked, by API and version, and how it was answered.

use std::{collections::BTreeMap, fmt};

use mainstem_protocol::ApiKey;

/// The versions of each API that a broker offers.
pub(crate) type Offered = BTreeMap<ApiKey, std::ops::RangeInclusive<i16>>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answers {
    agreed: usize,
    differing: usize,
}

/// Answers by what was asked. What was spoilt counts as the version that it was before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(BTreeMap<(ApiKey, i16), Answers>);

impl Table {
    pub(crate) fn note(&mut self, key: ApiKey, version: i16, agrees: bool) {
        let answers = self.0.entry((key, version)).or_default();
        answers.agreed += usize::from(agrees);
        answers.differing += usize::from(!agrees);
    }

    /// Everything that Kafka offers, and what Mainstem does not.
    pub(crate) fn print(&self, kafka: &Offered, mainstem: &Offered) {
        println!("{:<32} {:>7} {:>7} {:>7} {:>9}", "API", "version", "asked", "agreed", "differing");
        for (key, versions) in kafka {
            let ours = mainstem.get(key);
            for version in versions.clone() {
                let answers = self.0.get(&(*key, version)).copied().unwrap_or_default();
                let is_offered = ours.is_some_and(|ours| ours.contains(&version));
                println!(
                    "{:<32} {version:>7} {answers}{}",
                    key.name(),
                    if is_offered { "" } else { "  not offered" }
                );
            }
        }
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agreed, differing } = *self;
        write!(f, "{:>7} {agreed:>7} {differing:>9}", agreed + differing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_what_was_asked() {
        let mut table = Table::default();
        for agrees in [true, true, false] {
            table.note(ApiKey::Fetch, 4, agrees);
        }
        table.note(ApiKey::Fetch, 5, true);
        assert_eq!(table.0[&(ApiKey::Fetch, 4)], Answers { agreed: 2, differing: 1 });
        assert_eq!(table.0[&(ApiKey::Fetch, 5)].to_string(), "      1       1         0");
    }
}
