//! Settings from the environment: `MAINSTEM_` and the name in capitals, with underscores for dots.

use mainstem_storage::config::Setting as TopicDefault;

use super::{Assignment, ConfigError, Place, aliases, nearest, setting};

/// Names the settings file.
pub const CONFIG_VARIABLE: &str = "MAINSTEM_CONFIG";

const PREFIX: &str = "MAINSTEM_";

/// Variables that are no settings of the broker: the clients' and our own.
const NO_SETTINGS: &[&str] = &[CONFIG_VARIABLE, "MAINSTEM_BOOTSTRAP_SERVER"];

/// What Kubernetes puts into every container where a service is called `mainstem`.
const SERVICE_LINKS: &[&str] = &["MAINSTEM_SERVICE_", "MAINSTEM_PORT"];

/// The settings among `variables`; what does not begin with `MAINSTEM_` is not ours. An unknown name is kept, to be
/// refused with its place.
pub fn assignments(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Assignment> {
    variables.into_iter().filter(|(variable, _)| is_setting(variable)).map(assignment).collect()
}

/// The variables of this process; what is not UTF-8 can be no setting.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Sees to it that each variable which begins with `MAINSTEM_` names something, for commands that take no settings: one
/// that is misspelt would be left out in silence.
///
/// # Errors
/// Where one does not.
pub fn check(variables: impl IntoIterator<Item = (String, String)>) -> Result<(), ConfigError> {
    let unknown = assignments(variables).into_iter().find(|found| !names().any(|name| name == found.name));
    unknown.map_or(Ok(()), |assignment| Err(ConfigError::unknown(&assignment)))
}

/// The variable that was probably meant by the one of the setting `name`.
pub(super) fn meant(name: &str) -> Option<String> {
    let others = NO_SETTINGS.iter().map(|variable| bare(variable));
    nearest::among(name, names().map(str::to_owned).chain(others)).map(|name| variable(&name))
}

/// The variable of the setting `name`.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_uppercase())
}

fn is_setting(variable: &str) -> bool {
    let is_other = NO_SETTINGS.contains(&variable)
        || SERVICE_LINKS.iter().any(|link| variable.starts_with(link))
        || variable == "MAINSTEM_SERVICE";
    variable.starts_with(PREFIX) && !is_other
}

fn assignment((variable, value): (String, String)) -> Assignment {
    let name = names().find(|name| self::variable(name) == variable);
    let name = name.map_or_else(|| bare(&variable), str::to_owned);
    Assignment { name, value, place: Place::Variable(variable) }
}

fn bare(variable: &str) -> String {
    variable.trim_start_matches(PREFIX).to_lowercase().replace('_', ".")
}

fn names() -> impl Iterator<Item = &'static str> {
    let own = setting::all().map(|setting| setting.name);
    own.chain(aliases::ALIASES.iter().map(|alias| alias.name)).chain(TopicDefault::broker_names())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variable: &str, expected: Option<&str>) {
        let found = assignments([(variable.to_owned(), "1".to_owned())]);
        assert_eq!(found.first().map(|assignment| assignment.name.as_str()), expected, "{variable}");
    }

    #[test]
    fn variables_become_dotted_names() {
        check("MAINSTEM_NUM_PARTITIONS", Some("num.partitions"));
        check("MAINSTEM_LOG_FLUSH_INTERVAL_MESSAGES", Some("log.flush.interval.messages"));
        check("MAINSTEM_NO_SUCH_THING", Some("no.such.thing"));
    }

    #[test]
    fn a_variable_that_names_nothing_is_told_with_the_one_that_was_meant() {
        let check = |variable: &str, expected: Option<&str>| {
            let found =
                super::check([(variable.to_owned(), "1".to_owned())]).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{variable}");
        };
        check("MAINSTEM_LOG_DIR", None);
        check("MAINSTEM_SERVICE_HOST", None);
        check(
            "MAINSTEM_BOOTSTRAP_SERVERS",
            Some(
                "there is no setting bootstrap.servers (environment variable MAINSTEM_BOOTSTRAP_SERVERS): \
                 did you mean MAINSTEM_BOOTSTRAP_SERVER?",
            ),
        );
        check(
            "MAINSTEM_NUM_PARTITION",
            Some(
                "there is no setting num.partition (environment variable MAINSTEM_NUM_PARTITION): \
                 did you mean MAINSTEM_NUM_PARTITIONS?",
            ),
        );
    }

    #[test]
    fn what_is_no_setting_is_left_alone() {
        check("PATH", None);
        check("MAINSTEM_CONFIG", None);
        check("MAINSTEM_BOOTSTRAP_SERVER", None);
        check("MAINSTEM_SERVICE_HOST", None);
        check("MAINSTEM_PORT_9092_TCP_ADDR", None);
    }
}
