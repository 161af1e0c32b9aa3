//! What has settings, as it is named on the command line, and what it has.

use clap::ValueEnum;
use mainstem_client::admin::{Admin, AlterConfigs, ConfigEntry, ConfigResource, ConfigSource};
use mainstem_protocol::BrokerId;
use serde::Serialize;

use crate::cli::output;
use crate::cli::remote::RemoteArgs;
use crate::cli::{Error, arguments};
use crate::config::nearest;

/// What has settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A topic
    Topic,
    /// A broker by its number, or all of them
    Broker,
    /// A consumer group of the newer protocol
    Group,
    /// What a broker logs, by its number: levels by module
    Logger,
}

/// Whose settings.
#[derive(Debug, clap::Args)]
pub(super) struct ResourceArgs {
    /// What has the settings
    #[arg(value_enum)]
    kind: Kind,
    /// Its name; a broker's number, or `all` for what all brokers have that set nothing themselves
    #[arg(value_parser = name)]
    name: String,
    #[command(flatten)]
    remote: RemoteArgs,
}

fn name(text: &str) -> Result<String, String> {
    arguments::some(text, "the name of a topic or a group, the number of a broker, or `all`")
}

/// All brokers together.
const ALL: &str = "all";

impl ResourceArgs {
    pub(super) async fn admin(&self) -> Result<Admin, Error> {
        self.remote.admin().await
    }

    pub(super) fn resource(&self) -> Result<ConfigResource, Error> {
        let name = self.name.as_str();
        let number = || name.parse().ok().filter(|number| *number >= 0).map(BrokerId);
        let broker = |expected: &str| {
            number().ok_or_else(|| Error::usage(format_args!("expected {expected}, and not {name}")))
        };
        Ok(match self.kind {
            Kind::Topic => ConfigResource::Topic(name.into()),
            Kind::Group => ConfigResource::Group(name.into()),
            Kind::Broker if name == ALL => ConfigResource::Brokers,
            Kind::Broker => ConfigResource::Broker(broker("the number of a broker, or `all`")?),
            Kind::Logger => ConfigResource::BrokerLogger(broker("the number of a broker")?),
        })
    }
}

/// A setting with its value, and where that comes from.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) value: Option<String>,
    pub(super) from: &'static str,
    /// Whether it stays as it is while the broker runs.
    pub(super) fixed: bool,
    pub(super) documentation: Option<String>,
}

impl From<&ConfigEntry> for Shown {
    fn from(entry: &ConfigEntry) -> Self {
        Self {
            name: entry.name.to_string(),
            value: entry.value.as_ref().map(ToString::to_string),
            from: from(entry.source),
            fixed: entry.is_read_only,
            documentation: entry.documentation.as_ref().map(ToString::to_string),
        }
    }
}

const fn from(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Topic => "topic",
        ConfigSource::Group => "group",
        ConfigSource::DynamicBroker => "broker",
        ConfigSource::DynamicDefault => "all brokers",
        ConfigSource::StaticBroker => "start",
        ConfigSource::Default => "default",
        ConfigSource::BrokerLogger => "the log",
        ConfigSource::Unknown => "unknown",
    }
}

/// The settings that a resource may have. Of all brokers they are those of any one.
pub(super) async fn possible(admin: &Admin, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, Error> {
    let one = match resource {
        ConfigResource::Brokers => ConfigResource::Broker(admin.describe_cluster().await?.controller),
        other => other.clone(),
    };
    Ok(admin.describe_configs(&one).await?)
}

/// Refuses names that are none, before anything changes: a broker takes it for done that one is unset.
pub(super) fn check_names<'a>(
    resource: &ConfigResource,
    names: impl IntoIterator<Item = &'a str>,
    possible: &[ConfigEntry],
) -> Result<(), Error> {
    // A broker lists some of its loggers, and has levels for whatever lies below them.
    if matches!(resource, ConfigResource::BrokerLogger(_)) {
        return Ok(());
    }
    let known = || possible.iter().map(|entry| &*entry.name);
    let Some(unknown) = names.into_iter().find(|name| !known().any(|known| known == *name)) else {
        return Ok(());
    };
    let meant = nearest::among(unknown, known());
    let advice = meant.map_or_else(
        || "`mainstem config describe` lists what there is".to_owned(),
        |meant| format!("did you mean {meant}?"),
    );
    Err(Error::new(format_args!("there is no setting {unknown} of {resource}")).advise(advice))
}

/// Makes changes, all or none, and returns what the settings are then.
pub(super) async fn alter(admin: &Admin, changes: AlterConfigs) -> Result<Vec<ConfigEntry>, Error> {
    let (resource, only_checked) = (changes.resource.clone(), changes.validate_only);
    let names: Vec<_> = changes.changes.iter().map(|change| change.name.clone()).collect();
    let before = possible(admin, &resource).await?;
    check_names(&resource, names.iter().map(|name| &**name), &before)?;
    // The broker says what would be right; no advice of ours is better.
    admin.incremental_alter_configs(changes).await.map_err(Error::new)?;
    let after = if only_checked { before } else { possible(admin, &resource).await? };
    Ok(after.into_iter().filter(|entry| names.contains(&entry.name)).collect())
}

/// A table of settings.
pub(super) fn show(settings: &[Shown]) -> Result<(), Error> {
    let row = |setting: &Shown| {
        let from = if setting.fixed { format!("{} (fixed)", setting.from) } else { setting.from.to_owned() };
        [setting.name.clone(), setting.value.clone().unwrap_or_default(), from]
    };
    Ok(output::table(&["setting", "value", "from"], settings.iter().map(row))?)
}
