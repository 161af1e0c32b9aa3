//! The flags that make settings.

use std::path::PathBuf;

use crate::cli::Durability;
use crate::config::{self, Assignment, CONFIG_VARIABLE, Config, ConfigError, flags};

/// The flags that make settings; `serve` and `demo` have them.
#[derive(Debug, Default, clap::Args)]
pub(in crate::cli) struct SettingsArgs {
    /// Where the data is kept (setting log.dir) [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) data: Option<PathBuf>,
    /// Where Kafka clients connect; may repeat (setting listeners) [default: 127.0.0.1:9092]
    #[arg(long, value_name = "[NAME://]HOST:PORT")]
    listen: Vec<String>,
    /// Where metrics and health are served (setting http.listener) [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<String>,
    /// What an acknowledgement of a topic means that sets nothing of its own [default: fsync]
    #[arg(long, value_enum)]
    durability: Option<Durability>,
    /// A setting; may repeat
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// A TOML file of settings
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE, hide_env_values = true)]
    config: Option<PathBuf>,
}

impl SettingsArgs {
    /// Flags over environment over file over defaults.
    pub(in crate::cli) fn config(&self) -> Result<Config, ConfigError> {
        self.config_with(None, config::variables())
    }

    /// The same, over another default.
    pub(in crate::cli) fn config_over(&self, default: Assignment) -> Result<Config, ConfigError> {
        self.config_with(Some(default), config::variables())
    }

    fn config_with(
        &self,
        default: Option<Assignment>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let file = self.config.as_deref().map(config::file).transpose()?;
        let assignments = default.into_iter().chain(file.into_iter().flatten());
        let assignments = assignments.chain(config::environment(variables));
        Config::from_assignments(assignments.chain(self.flags()?))
    }

    fn flags(&self) -> Result<Vec<Assignment>, ConfigError> {
        let Self { data, listen, http, durability, set, config: _ } = self;
        let mut assignments = set.iter().map(|text| flags::set(text)).collect::<Result<Vec<_>, _>>()?;
        let data = data.as_ref().map(|dir| flags::flag("--data", "log.dir", dir.to_string_lossy()));
        let http = http.as_ref().map(|address| flags::flag("--http", "http.listener", address));
        let durability = durability.map(Durability::flush_messages);
        let flush = durability.map(|count| flags::flag("--durability", "log.flush.interval.messages", count));
        let listen = (!listen.is_empty()).then(|| flags::flag("--listen", "listeners", listen.join(",")));
        assignments.extend([data, listen, http, flush].into_iter().flatten());
        Ok(assignments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn flags_win_over_the_environment_and_not_over_one_another() {
        let mut args = SettingsArgs {
            data: Some("/flag".into()),
            set: vec!["num.partitions=4".to_owned()],
            ..SettingsArgs::default()
        };
        let variables = [variable("MAINSTEM_LOG_DIR", "/env"), variable("MAINSTEM_NODE_ID", "9")];
        let config = args.config_with(None, variables.into_iter()).unwrap();
        assert_eq!(config.storage.dir, PathBuf::from("/flag"));
        assert_eq!(config.topics.partitions, 4);
        assert_eq!(config.storage.node_id, 9);
        args.set.push("log.dir=/set".to_owned());
        let refused = args.config_with(None, [].into_iter()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "setting log.dir is /set by flag --set and /flag by flag --data: leave one out"
        );
    }

    #[test]
    fn listeners_repeat() {
        let listen = vec!["A://127.0.0.1:1".to_owned(), "B://127.0.0.1:2".to_owned()];
        let config =
            SettingsArgs { listen, ..SettingsArgs::default() }.config_with(None, [].into_iter()).unwrap();
        let names: Vec<_> = config.net.listeners.iter().map(|listener| listener.name.as_str()).collect();
        assert_eq!(names, ["A", "B"]);
    }

    #[test]
    fn durability_is_kafkas_setting() {
        let with = |durability| SettingsArgs { durability: Some(durability), ..SettingsArgs::default() };
        let flush = |args: SettingsArgs| {
            args.config_with(None, [].into_iter()).unwrap().topic_defaults.flush_messages
        };
        assert_eq!(flush(with(Durability::Fsync)), 1);
        assert_eq!(flush(with(Durability::Os)), i64::MAX.unsigned_abs());
    }

    #[test]
    fn a_wrong_flag_is_told_with_its_name() {
        let args = SettingsArgs { http: Some("8080".to_owned()), ..SettingsArgs::default() };
        assert_eq!(
            args.config_with(None, [].into_iter()).unwrap_err().to_string(),
            "setting http.listener cannot be 8080 (flag --http): expected HOST:PORT"
        );
    }
}
