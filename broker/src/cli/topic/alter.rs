//! `mainstem topic alter`: more partitions and other settings, shown before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use mainstem_client::admin::{Admin, AdminError, AlterConfigs, ConfigEntry, ConfigSource, NewPartitions};
use mainstem_protocol::ErrorCode;
use serde::Serialize;

use super::failure;
use crate::cli::error::note;
use crate::cli::output::{self, Output};
use crate::cli::remote::{self, RemoteArgs};
use crate::cli::{Durability, Error, arguments};

const EXAMPLES: &str = "\
Examples:
  mainstem topic alter orders --partitions 12 --dry-run             What it would do
  mainstem topic alter orders --partitions 12                       Do it
  mainstem topic alter orders --config retention.ms=86400000 --delete-config segment.ms
  mainstem topic alter clicks --durability fsync

Everything is checked before anything changes. Partitions can only become more, and records stay where they are: a key may be
in another partition from then on. A setting that is deleted follows the broker's default again; flush.messages and flush.ms
get the default of this moment and keep it.";

/// Give a topic more partitions or other settings
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Args {
    /// The topic
    #[arg(value_parser = arguments::topic)]
    topic: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// How many partitions it has then, those that it has included
    #[arg(short, long, value_name = "N", group = "change", value_parser = arguments::partitions)]
    #[arg(allow_negative_numbers = true)]
    partitions: Option<i32>,
    /// What an acknowledgement means from then on
    #[arg(long, value_enum, group = "change")]
    durability: Option<Durability>,
    /// A setting that the topic gets; may repeat
    #[arg(short, long, value_name = "NAME=VALUE", group = "change", value_parser = arguments::name_and_value)]
    config: Vec<(String, String)>,
    /// A setting that follows the broker's default again; may repeat
    #[arg(short, long, value_name = "NAME", group = "change", value_parser = setting_name)]
    delete_config: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn setting_name(text: &str) -> Result<String, String> {
    match text.contains('=') {
        true => Err("expected the NAME of a setting; --config sets one".to_owned()),
        false => arguments::some(text, "the name of a setting, such as retention.ms"),
    }
}

/// What became, or would become, of the topic.
#[derive(Debug, Serialize)]
struct Altered {
    topic: String,
    /// Whether it is done; otherwise it could be.
    altered: bool,
    partitions: Option<Change<i32>>,
    settings: BTreeMap<String, Change<Setting>>,
    /// Whether it is a topic of the broker's own.
    #[serde(skip)]
    is_internal: bool,
}

#[derive(Debug, Serialize)]
struct Change<T> {
    before: T,
    after: T,
}

/// A setting with its value, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Setting {
    value: Option<String>,
    /// Whether the topic sets it itself.
    own: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let changes = changes(args)?;
    let altered = remote::block_on(alter(args, &changes))?;
    match args.output {
        Output::Json => output::json(&altered)?,
        Output::Text => show(&altered)?,
    }
    notes(&altered);
    Ok(ExitCode::SUCCESS)
}

/// Settings with their new values; none for those that are deleted.
type Changes = BTreeMap<String, Option<String>>;

fn changes(args: &Args) -> Result<Changes, Error> {
    let flush = args.durability.map(|durability| (failure::FLUSH, durability.flush_messages()));
    let set = args.config.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let set = set.chain(flush).map(|(name, value)| (name, Some(value.to_owned())));
    let deleted = args.delete_config.iter().map(|name| (name.as_str(), None));
    let mut changes = Changes::new();
    for (name, value) in set.chain(deleted) {
        if changes.insert(name.to_owned(), value).is_some() {
            let durability = if name == failure::FLUSH { "; --durability is one, too" } else { "" };
            return Err(Error::usage(format_args!("{name} is to be changed twice{durability}")));
        }
    }
    Ok(changes)
}

async fn alter(args: &Args, changes: &Changes) -> Result<Altered, Error> {
    let admin = args.remote.admin().await?;
    let topic = &args.topic;
    let before = state(&admin, topic, changes).await?;
    // Partitions and settings are two requests: neither is sent before both could be.
    request(&admin, args, changes, true).await?;
    if args.dry_run {
        let partitions = args.partitions.unwrap_or(before.partitions);
        let after = State { partitions, settings: expected(changes), is_internal: before.is_internal };
        return Ok(between(args, before, after));
    }
    request(&admin, args, changes, false).await?;
    let after = state(&admin, topic, changes).await?;
    Ok(between(args, before, after))
}

async fn request(admin: &Admin, args: &Args, changes: &Changes, only_check: bool) -> Result<(), Error> {
    if !changes.is_empty() {
        let request = AlterConfigs { validate_only: only_check, ..alteration(&args.topic, changes) };
        admin.incremental_alter_configs(request).await.map_err(|error| config_refused(changes, error))?;
    }
    if let Some(total) = args.partitions {
        let partitions =
            NewPartitions { validate_only: only_check, ..NewPartitions::new(&*args.topic, total) };
        admin.create_partitions(partitions).await.map_err(|error| growth_refused(&args.topic, error))?;
    }
    Ok(())
}

fn alteration(topic: &str, changes: &Changes) -> AlterConfigs {
    changes.iter().fold(AlterConfigs::topic(topic), |request, (name, value)| match value {
        Some(value) => request.set(name.as_str(), value.as_str()),
        None => request.delete(name.as_str()),
    })
}

fn config_refused(changes: &Changes, error: AdminError) -> Error {
    failure::with_names(changes.keys().map(String::as_str), error)
}

fn growth_refused(topic: &str, error: AdminError) -> Error {
    match error.code() {
        Some(ErrorCode::INVALID_PARTITIONS) => Error::new(error).advise(format!(
            "partitions can only become more; `mainstem topic describe {topic}` shows how many there are"
        )),
        _ => error.into(),
    }
}

/// What of a topic may change.
struct State {
    partitions: i32,
    settings: BTreeMap<String, Setting>,
    is_internal: bool,
}

async fn state(admin: &Admin, topic: &str, changes: &Changes) -> Result<State, Error> {
    let described = admin.describe_topic(topic).await?;
    let configs = match changes.is_empty() {
        true => Vec::new(),
        false => admin.describe_topic_configs(topic).await?,
    };
    check_deleted(topic, changes, &configs)?;
    let changed = configs.iter().filter(|entry| changes.contains_key(&*entry.name));
    Ok(State {
        partitions: i32::try_from(described.partitions.len()).unwrap_or(i32::MAX),
        settings: changed.map(setting).collect(),
        is_internal: described.is_internal,
    })
}

/// A broker takes it for done that a setting which it does not know is deleted (Kafka: `ConfigurationControlManager`), and
/// so does not tell of a mistyped name; Kafka's own tool refuses it, too (`ConfigCommand`).
fn check_deleted(topic: &str, changes: &Changes, configs: &[ConfigEntry]) -> Result<(), Error> {
    let known = || configs.iter().map(|entry| &*entry.name);
    let mut deleted = changes.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name);
    match deleted.find(|name| !known().any(|known| known == **name)) {
        Some(unknown) => Err(failure::no_such_setting(topic, unknown, known())),
        None => Ok(()),
    }
}

fn setting(entry: &ConfigEntry) -> (String, Setting) {
    let value = entry.value.as_ref().map(ToString::to_string);
    (entry.name.to_string(), Setting { value, own: entry.source == ConfigSource::Topic })
}

/// Which value a default has, only the broker knows.
fn expected(changes: &Changes) -> BTreeMap<String, Setting> {
    let setting = |value: &Option<String>| Setting { value: value.clone(), own: value.is_some() };
    changes.iter().map(|(name, value)| (name.clone(), setting(value))).collect()
}

fn between(args: &Args, before: State, after: State) -> Altered {
    let (mut old, mut new, is_internal) = (before.settings, after.settings, after.is_internal);
    let names: BTreeSet<_> = old.keys().chain(new.keys()).cloned().collect();
    let change = |name: String| {
        let (before, after) = (old.remove(&name).unwrap_or_default(), new.remove(&name).unwrap_or_default());
        (name, Change { before, after })
    };
    let settings = names.into_iter().map(change).collect();
    let partitions = args.partitions.map(|_| Change { before: before.partitions, after: after.partitions });
    Altered { topic: args.topic.clone(), altered: !args.dry_run, partitions, settings, is_internal }
}

fn show(altered: &Altered) -> Result<(), Error> {
    let Altered { topic, altered, partitions, settings, is_internal: _ } = altered;
    let partitions = partitions
        .iter()
        .map(|Change { before, after }| ["partitions".to_owned(), before.to_string(), after.to_string()]);
    let settings =
        settings.iter().map(|(name, Change { before, after })| [name.clone(), cell(before), cell(after)]);
    output::table(&["setting", "before", "after"], partitions.chain(settings))?;
    let end = match altered {
        true => format!("\naltered {topic}"),
        false => format!("\nnothing has changed: without --dry-run this alters {topic}"),
    };
    Ok(output::text(end)?)
}

fn cell(setting: &Setting) -> String {
    match (&setting.value, setting.own) {
        (Some(value), true) => value.clone(),
        (Some(value), false) => format!("{value} (default)"),
        (None, _) => "the default".to_owned(),
    }
}

/// The setting that says whether old records go by time, by key, or both.
const CLEANUP: &str = "cleanup.policy";

fn compacts(setting: &Setting) -> bool {
    setting.value.as_deref().is_some_and(|policies| policies.split(',').any(|one| one.trim() == "compact"))
}

/// What the figures do not say by themselves.
fn notes(altered: &Altered) {
    if altered.is_internal && !altered.settings.is_empty() {
        note(format_args!(
            "{} is the broker's own topic, and groups and transactions depend on its settings: \
             --delete-config takes back what was set",
            altered.topic
        ));
    }
    if altered
        .settings
        .get(CLEANUP)
        .is_some_and(|Change { before, after }| compacts(after) && !compacts(before))
    {
        note(
            "records without keys are refused from then on: a compacted topic keeps the last record of each key",
        );
    }
    if altered.partitions.is_some() {
        note("records stay where they are: a key may be in another partition then");
    }
    let flush =
        altered.settings.get(failure::FLUSH).filter(|change| change.before.value != change.after.value);
    match flush.and_then(|change| change.after.value.as_deref()) {
        Some("1") => note("acknowledgements of this topic wait for the disk then"),
        Some(_) => note(
            "acknowledgements of this topic do not wait for the disk then: a power cut may take them back",
        ),
        None => {}
    }
}
