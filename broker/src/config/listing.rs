//! What DescribeConfigs says of the broker.

use super::{Config, Kind, aliases, manual, setting};

/// One setting of a running broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The dotted name.
    pub name: &'static str,
    /// The value, as it would be written.
    pub value: String,
    /// Whether nobody wrote it.
    pub is_default: bool,
    /// Its type.
    pub kind: Kind,
    /// What may be written.
    pub expected: String,
    /// Other names for it, each in a unit of its own.
    pub aliases: Vec<ListedAlias>,
    /// What it does, for people.
    pub doc: &'static str,
}

/// Another name of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedAlias {
    /// The dotted name.
    pub name: &'static str,
    /// What its numbers count.
    pub unit: &'static str,
}

impl Config {
    /// Every setting with its value, the defaults for topics under the broker's names.
    pub fn list(&self) -> Vec<Listed> {
        self.own().chain(self.for_topics()).collect()
    }

    fn own(&self) -> impl Iterator<Item = Listed> {
        setting::all().map(|setting| Listed {
            name: setting.name,
            value: setting.read(self),
            is_default: !self.given.contains_key(setting.name),
            kind: setting.kind,
            expected: setting.expected(),
            aliases: listed_aliases(setting.name),
            doc: setting.doc.trim(),
        })
    }

    fn for_topics(&self) -> impl Iterator<Item = Listed> {
        mainstem_storage::config::SETTINGS.iter().filter_map(|setting| {
            let name = setting.broker_name?;
            Some(Listed {
                name,
                value: (setting.read)(&self.topic_defaults),
                is_default: !self.is_given(name),
                kind: setting.kind,
                expected: manual::expected_of_topics(setting),
                aliases: listed_aliases(name),
                doc: setting.doc,
            })
        })
    }

    fn is_given(&self, name: &str) -> bool {
        let mut aliases = aliases::ALIASES.iter().filter(|alias| alias.of == name);
        self.given.contains_key(name) || aliases.any(|alias| self.given.contains_key(alias.name))
    }
}

fn listed_aliases(name: &str) -> Vec<ListedAlias> {
    let of = aliases::ALIASES.iter().filter(|alias| alias.of == name);
    of.map(|alias| ListedAlias { name: alias.name, unit: alias.unit() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::flags;

    #[test]
    fn what_was_written_is_no_default() {
        let given =
            [flags::flag("--set", "num.partitions", "3"), flags::flag("--set", "log.retention.hours", "1")];
        let listed = Config::from_assignments(given).unwrap().list();
        let of = |name| listed.iter().find(|listed| listed.name == name).unwrap();
        assert_eq!((of("num.partitions").value.as_str(), of("num.partitions").is_default), ("3", false));
        assert_eq!(
            (of("log.retention.ms").value.as_str(), of("log.retention.ms").is_default),
            ("3600000", false)
        );
        assert!(of("log.dir").is_default);
    }
}
