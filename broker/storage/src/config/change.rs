//! What a request does to the settings of a topic (KIP-339).

use super::{ConfigError, Overrides, Rules};

/// A change of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The setting.
    pub name: String,
    /// What happens to it.
    pub operation: ConfigOperation,
}

impl ConfigChange {
    /// The name and the value that it sets, where it sets one.
    #[must_use]
    pub fn set(&self) -> Option<(&String, &String)> {
        match &self.operation {
            ConfigOperation::Set(value) => Some((&self.name, value)),
            _ => None,
        }
    }
}

/// What happens to a setting (Kafka: `AlterConfigOp.OpType`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    /// The topic has this value of its own.
    Set(String),
    /// The topic follows the broker's default.
    Delete,
    /// Words, with commas, that a list gets if it has them not yet.
    Append(String),
    /// Words, with commas, that a list does without.
    Subtract(String),
}

impl ConfigOperation {
    /// As Kafka calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Set(_) => "SET",
            Self::Delete => "DELETE",
            Self::Append(_) => "APPEND",
            Self::Subtract(_) => "SUBTRACT",
        }
    }
}

/// What a resource sets after changes, one after the other; whether the values can be is another question. A list that
/// it has not set begins as the default (Kafka: `ConfigurationControlManager.incrementalAlterConfigResource`).
pub(crate) fn apply_changes(
    mut overrides: Overrides,
    rules: &dyn Rules,
    changes: &[ConfigChange],
) -> Result<Overrides, ConfigError> {
    for change in changes {
        let ConfigChange { name, operation } = change;
        let value = match operation {
            ConfigOperation::Set(value) => Some(value.clone()),
            ConfigOperation::Delete => None,
            ConfigOperation::Append(words) => Some(append(present(&overrides, rules, change)?, words)),
            ConfigOperation::Subtract(words) => Some(subtract(present(&overrides, rules, change)?, words)),
        };
        match value {
            Some(value) => overrides.insert(name.clone(), value),
            None => overrides.remove(name),
        };
    }
    Ok(overrides)
}

/// The words of a list.
fn present(
    overrides: &Overrides,
    rules: &dyn Rules,
    change: &ConfigChange,
) -> Result<Vec<String>, ConfigError> {
    let default = rules.list(change)?;
    let value = overrides.get(&change.name).unwrap_or(&default);
    Ok(words(value).map(str::to_owned).collect())
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn append(mut list: Vec<String>, more: &str) -> String {
    for word in words(more) {
        if !list.iter().any(|present| present == word) {
            list.push(word.to_owned());
        }
    }
    list.join(",")
}

fn subtract(mut list: Vec<String>, less: &str) -> String {
    list.retain(|present| !words(less).any(|word| word == present));
    list.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{TopicConfig, TopicRules};

    fn check(before: &[(&str, &str)], name: &str, operation: ConfigOperation, after: &[(&str, &str)]) {
        let overrides = |pairs: &[(&str, &str)]| -> Overrides {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let change = ConfigChange { name: name.to_owned(), operation };
        let found =
            apply_changes(overrides(before), &TopicRules(&TopicConfig::default()), &[change]).unwrap();
        assert_eq!(found, overrides(after));
    }

    #[test]
    fn settings_are_set_and_deleted() {
        check(&[], "retention.ms", ConfigOperation::Set("5".into()), &[("retention.ms", "5")]);
        check(&[("retention.ms", "5")], "retention.ms", ConfigOperation::Delete, &[]);
        check(&[("retention.ms", "5")], "no.such", ConfigOperation::Delete, &[("retention.ms", "5")]);
    }

    #[test]
    fn lists_gain_and_lose_words_and_begin_as_the_default() {
        let name = "cleanup.policy";
        check(&[], name, ConfigOperation::Append("compact".into()), &[(name, "delete,compact")]);
        check(&[(name, "compact")], name, ConfigOperation::Append("compact".into()), &[(name, "compact")]);
        let both = &[(name, "compact,delete")];
        check(both, name, ConfigOperation::Subtract("delete, other".into()), &[(name, "compact")]);
        check(both, name, ConfigOperation::Subtract("compact,delete".into()), &[(name, "")]);
    }

    #[test]
    fn what_is_not_a_list_gains_no_words() {
        let append = |name: &str| {
            let change = ConfigChange { name: name.into(), operation: ConfigOperation::Append("1".into()) };
            apply_changes(Overrides::new(), &TopicRules(&TopicConfig::default()), &[change])
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            append("retention.ms"),
            "APPEND does not fit topic setting retention.ms: it is not a list"
        );
        assert_eq!(append("no.such"), "topic setting no.such is not known");
    }
}
