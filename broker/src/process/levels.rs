//! How much each part of the program logs, and how that changes while it runs (KIP-412; Kafka: `LoggingController`,
//! `RuntimeLoggerManager`).
//!
//! The process has one log, and so one set of levels. Changes are not kept: the next start has those of `logging.filter`.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;

/// What Kafka calls the logger above all others.
pub(crate) const ROOT: &str = "root";

/// The parts that have levels, beside those that somebody names in the filter. Whatever lies below one of them by its path
/// may have a level as well.
pub(crate) const LOGGERS: &[&str] = &[
    "mainstem",
    "mainstem::api",
    "mainstem::broker",
    "mainstem::config",
    "mainstem::dispatch",
    "mainstem::embed",
    "mainstem::fetch_session",
    "mainstem::group",
    "mainstem::http",
    "mainstem::metrics",
    "mainstem::net",
    "mainstem::partition",
    "mainstem::process",
    "mainstem::task",
    "mainstem::transaction",
    "mainstem_client",
    "mainstem_processor",
    "mainstem_storage",
];

/// Kafka's names of levels (`LogLevelConfig`). There is nothing above ERROR here, so FATAL is silence.
pub(crate) const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// A level that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LevelError {
    /// There is nothing of that name.
    #[error("logger {0} does not exist")]
    NoLogger(String),
    /// There is no such level.
    #[error("the level of {logger} cannot be {level}: expected one of {}", LEVELS.join(", "))]
    NoLevel {
        /// Whose.
        logger: String,
        /// What was asked for.
        level: String,
    },
    /// Something has to be above all others.
    #[error("the level of root can be changed, but not be taken away")]
    Root,
    /// Somebody else in this process writes the log.
    #[error("this broker does not write the log: its levels are not its own")]
    NotOurs,
}

/// A change of one logger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Whose level.
    pub(crate) logger: String,
    /// What it becomes; none for that of the logger above.
    pub(crate) level: Option<String>,
}

/// The levels that were given, by logger; the root always has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Levels(BTreeMap<String, String>);

impl Levels {
    /// Those of a `logging.filter`. What is not named has the level of the whole; nothing is logged by default.
    #[must_use]
    pub(crate) fn of(filter: &str) -> Self {
        let part = |part: &str| match part.trim().rsplit_once('=') {
            Some((logger, level)) => (logger.to_owned(), level.to_ascii_uppercase()),
            None => (ROOT.to_owned(), part.trim().to_ascii_uppercase()),
        };
        let silent = (ROOT.to_owned(), "OFF".to_owned());
        let parts = filter.split(',').filter(|part| !part.trim().is_empty()).map(part);
        Self(std::iter::once(silent).chain(parts).collect())
    }

    /// Every logger with its level, which is its own or that of the nearest one above.
    #[must_use]
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        let names = LOGGERS.iter().copied().chain(self.0.keys().map(String::as_str));
        names.map(|name| (name.to_owned(), self.level(name).to_owned())).collect()
    }

    fn level(&self, logger: &str) -> &str {
        let above = |name: &&String| is_within(logger, name);
        let nearest = self.0.keys().filter(above).max_by_key(|name| name.len());
        self.0.get(nearest.map_or(ROOT, String::as_str)).map_or("OFF", String::as_str)
    }

    /// These levels with `changes` made, of which all can be or none is.
    ///
    /// # Errors
    /// The first change that cannot be.
    pub(crate) fn changed(&self, changes: &[Change]) -> Result<Self, LevelError> {
        let mut changed = self.clone();
        for Change { logger, level } in changes {
            self.check(logger, level.as_deref())?;
            match level {
                Some(level) => changed.0.insert(logger.clone(), level.clone()),
                None => changed.0.remove(logger),
            };
        }
        Ok(changed)
    }

    fn check(&self, logger: &str, level: Option<&str>) -> Result<(), LevelError> {
        let is_known = LOGGERS.iter().any(|known| is_within(logger, known)) || self.0.contains_key(logger);
        match level {
            _ if !is_known => Err(LevelError::NoLogger(logger.to_owned())),
            Some(level) if !LEVELS.contains(&level) => {
                Err(LevelError::NoLevel { logger: logger.to_owned(), level: level.to_owned() })
            }
            None if logger == ROOT => Err(LevelError::Root),
            _ => Ok(()),
        }
    }

    /// The same as a filter of log lines.
    #[must_use]
    pub(crate) fn filter(&self) -> EnvFilter {
        let directive = |(logger, level): (&String, &String)| {
            let level = if level == "FATAL" { "off".to_owned() } else { level.to_ascii_lowercase() };
            if logger == ROOT { level } else { format!("{logger}={level}") }
        };
        EnvFilter::new(self.0.iter().map(directive).collect::<Vec<_>>().join(","))
    }
}

/// Whether a logger is another one, or lies below it.
fn is_within(logger: &str, above: &str) -> bool {
    logger
        .strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix("::").is_some_and(|rest| !rest.is_empty()))
}

/// Puts a filter in force.
type Apply = Box<dyn Fn(EnvFilter) -> Result<(), tracing_subscriber::reload::Error> + Send + Sync>;

/// The levels of this process, once it writes a log.
static IN_FORCE: OnceLock<InForce> = OnceLock::new();

struct InForce {
    levels: Mutex<Levels>,
    apply: Apply,
}

/// Takes over the levels of a log that has begun.
pub(super) fn take_over(levels: Levels, apply: Apply) {
    // The log can begin once alone, and so there is nothing there.
    let _ = IN_FORCE.set(InForce { levels: Mutex::new(levels), apply });
}

/// The levels in force; none where this process writes no log of ours.
#[must_use]
pub(crate) fn in_force() -> Option<Levels> {
    let levels = &IN_FORCE.get()?.levels;
    Some(levels.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Makes all changes or, where one cannot be, none; or says whether they could be made.
///
/// # Errors
/// The first change that cannot be.
pub(crate) fn alter(changes: &[Change], only_check: bool) -> Result<(), LevelError> {
    let InForce { levels, apply } = IN_FORCE.get().ok_or(LevelError::NotOurs)?;
    let mut levels = levels.lock().unwrap_or_else(PoisonError::into_inner);
    let changed = levels.changed(changes)?;
    if !only_check {
        apply(changed.filter()).map_err(|_| LevelError::NotOurs)?;
        *levels = changed;
        drop(levels);
        changes.iter().for_each(told);
    }
    Ok(())
}

fn told(change: &Change) {
    let Change { logger, level } = change;
    tracing::warn!(logger, level, "what is logged has changed");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(logger: &str, level: Option<&str>) -> Change {
        Change { logger: logger.to_owned(), level: level.map(ToOwned::to_owned) }
    }

    #[test]
    fn a_logger_has_its_own_level_or_that_of_the_nearest_one_above() {
        let all = Levels::of("warn, mainstem::net=debug,hyper=error").all();
        let level = |logger: &str| all.get(logger).map(String::as_str);
        assert_eq!(
            (level(ROOT), level("mainstem"), level("mainstem_storage")),
            (Some("WARN"), Some("WARN"), Some("WARN"))
        );
        assert_eq!((level("mainstem::net"), level("hyper")), (Some("DEBUG"), Some("ERROR")));
        let all = Levels::of("mainstem=trace").all();
        assert_eq!((all["root"].as_str(), all["mainstem::api"].as_str()), ("OFF", "TRACE"));
        assert_eq!(all["mainstem_client"], "OFF");
    }

    #[test]
    fn levels_are_given_and_taken_away() {
        let levels = Levels::of("info");
        let loud = levels.changed(&[change("mainstem::net::sender", Some("TRACE"))]).unwrap();
        assert_eq!(loud.all()["mainstem::net::sender"], "TRACE");
        assert_eq!(loud.filter().to_string(), "mainstem::net::sender=trace,info");
        let silent =
            levels.changed(&[change(ROOT, Some("FATAL")), change("mainstem", Some("WARN"))]).unwrap();
        assert_eq!(silent.filter().to_string(), "mainstem=warn,off");
        let back = loud.changed(&[change("mainstem::net::sender", None)]).unwrap();
        assert_eq!(back, levels);
    }

    #[test]
    fn changes_that_cannot_be_are_refused_together() {
        let refused = |logger, level| {
            Levels::of("info")
                .changed(&[change("mainstem", Some("WARN")), change(logger, level)])
                .unwrap_err()
        };
        for stranger in ["kafka.server", "mainstemming", "mainstem::", ""] {
            assert_eq!(refused(stranger, Some("INFO")), LevelError::NoLogger(stranger.to_owned()));
            assert_eq!(refused(stranger, None), LevelError::NoLogger(stranger.to_owned()));
        }
        assert!(matches!(refused("mainstem", Some("info")), LevelError::NoLevel { .. }));
        assert!(matches!(refused("mainstem", Some("LOUD")), LevelError::NoLevel { .. }));
        assert_eq!(refused(ROOT, None), LevelError::Root);
    }

    #[test]
    fn every_logger_of_the_broker_is_one_of_its_modules() {
        let modules = include_str!("../lib.rs");
        for logger in LOGGERS.iter().filter_map(|logger| logger.strip_prefix("mainstem::")) {
            assert!(modules.contains(&format!("mod {logger};")), "{logger}");
        }
    }
}
