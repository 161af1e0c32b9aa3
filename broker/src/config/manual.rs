//! The reference manual of settings, made of their descriptions.

use std::fmt::{self, Write};

use mainstem_storage::config::{SETTINGS as TOPIC_SETTINGS, Setting as TopicSetting};
use mainstem_storage::{ConfigError, TopicConfig};

use super::{Config, Origin, Section, Setting, Unit, aliases, environment, sections::SECTIONS};

const HEAD: &str = "\
# Settings

A setting is taken from the first of these that has it:

1. a flag of `mainstem serve`: `--set NAME=VALUE`, which may repeat, or one of the short ones: `--data DIR` is
   `log.dir`, `--listen ADDRESS` is `listeners`, `--http ADDRESS` is `http.listener`, `--durability fsync|os` is
   `log.flush.interval.messages` with 1 or 9223372036854775807;
2. the environment: `MAINSTEM_` and the name in capitals, with underscores for dots;
3. the TOML file that `--config FILE` or `MAINSTEM_CONFIG` names: dotted names or nested tables. Where a name is the
   beginning of another (`max.connections`, `max.connections.per.ip`), quote it;
4. its default.

Where Kafka has the setting, the name and the meaning are Kafka's, and the class of Kafka that describes it is named.
Numbers are in the unit that the setting names. `MAINSTEM_BOOTSTRAP_SERVER` is the clients' and no setting of the broker.

<!-- Made by `mainstem settings --output markdown`; change the descriptions in broker/src/config/sections. -->
";

const TOPIC_HEAD: &str = "
## Defaults for topics

What a topic has that sets nothing of its own. The first name sets the default, the second one is the topic's own
(`mainstem topic create --config NAME=VALUE`). All of the defaults may change while the broker runs. All of them are Kafka's (`ServerTopicConfigSynonyms`); other than in Kafka,
`log.flush.interval.messages` is 1: an acknowledged record is on the disk.
A topic's `segment.bytes` is at least 1 MiB (KIP-1030).
";

/// The whole manual.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    // Writing into a string cannot fail.
    let _ = write_all(&mut text);
    text
}

fn write_all(text: &mut String) -> fmt::Result {
    SECTIONS.iter().try_for_each(|section| write_section(text, section))?;
    text.push_str(TOPIC_HEAD);
    TOPIC_SETTINGS.iter().try_for_each(|setting| write_topic_setting(text, setting))
}

fn write_section(text: &mut String, section: &Section) -> fmt::Result {
    write!(text, "\n## {}\n\n{}\n", section.title, paragraph(section.about))?;
    section.settings.iter().try_for_each(|setting| write_setting(text, setting))
}

fn write_setting(text: &mut String, setting: &Setting) -> fmt::Result {
    write!(text, "\n### `{}`\n\n{}\n\n", setting.name, paragraph(setting.doc))?;
    let default = setting.read(&Config::default());
    write_facts(text, setting.name, &default, &setting.expected())?;
    match setting.shape.unit {
        Unit::None => {}
        Unit::Bytes => writeln!(text, "- Unit: bytes")?,
        Unit::Milliseconds => writeln!(text, "- Unit: milliseconds")?,
        Unit::Minutes => writeln!(text, "- Unit: minutes")?,
    }
    if setting.shape.is_dynamic {
        writeln!(text, "- May change while the broker runs")?;
    }
    match setting.shape.origin {
        Origin::Kafka(class) => writeln!(text, "- Kafka: `{class}`"),
        Origin::Mainstem => writeln!(text, "- Mainstem's own"),
    }
}

fn write_topic_setting(text: &mut String, setting: &TopicSetting) -> fmt::Result {
    let default = (setting.read)(&TopicConfig::default());
    let Some(broker_name) = setting.broker_name else {
        write!(text, "\n### `{}`\n\n{}.\n\n", setting.name, capitalized(setting.doc))?;
        return write_value(text, &default, &expected_of_topics(setting));
    };
    write!(text, "\n### `{broker_name}`, `{}`\n\n{}.\n\n", setting.name, capitalized(setting.doc))?;
    write_facts(text, broker_name, &default, &expected_of_topics(setting))?;
    aliases::ALIASES.iter().filter(|alias| alias.of == broker_name).try_for_each(|alias| {
        writeln!(text, "- Also: `{}`, in {}: {}", alias.name, alias.unit(), alias.expected())
    })
}

fn write_facts(text: &mut String, name: &str, default: &str, expected: &str) -> fmt::Result {
    write_value(text, default, expected)?;
    writeln!(text, "- Environment: `{}`", environment::variable(name))
}

fn write_value(text: &mut String, default: &str, expected: &str) -> fmt::Result {
    let default = if default.is_empty() { "none".to_owned() } else { format!("`{default}`") };
    writeln!(text, "- Default: {default}")?;
    writeln!(text, "- Values: {expected}")
}

/// Storage tells what would be right to whoever is wrong, so it is asked with a value that nothing accepts.
pub(super) fn expected_of_topics(setting: &TopicSetting) -> String {
    match TopicConfig::default().set(setting.name, "\0") {
        Err(ConfigError::Invalid { expected, .. }) => expected,
        _ => String::new(),
    }
}

fn paragraph(doc: &str) -> String {
    let lines: Vec<_> = doc.trim().lines().map(str::trim).collect();
    lines.join("\n")
}

fn capitalized(doc: &str) -> String {
    let (first, rest) = doc.split_at(doc.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}", first.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_manual_is_fresh() {
        let committed = include_str!("../../../docs/settings.md");
        assert!(committed == markdown(), "run: cargo run -- settings --output markdown > docs/settings.md");
    }

    #[test]
    fn topics_say_what_would_be_right() {
        for setting in TOPIC_SETTINGS {
            assert!(!expected_of_topics(setting).is_empty(), "{}", setting.name);
        }
    }
}
